"""The journal in PostgreSQL: all runs of a process write through one group commit.

Invariant: a batch is one statement, so it is durable whole or not at all; it locks its outbox rows in id order and
leaves out every run whose epoch is not the current one. Events are published after the commit, never before.
"""

import asyncio
import contextlib
import logging
import re
from asyncio import Future
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import AsyncConnection, AsyncRawCursor

from structforge.domain.errors import Problem, UnavailableError
from structforge.domain.journal import Commit, IdempotencyLostError, LeaseLostError
from structforge.storage.arrays import literals

logger = logging.getLogger(__name__)

MAX_BATCH_COMMITS = 200
MAX_BATCH_STEPS = 4_000
MAX_BROKEN_RUNS = 10_000
"""So many runs whose commits failed are remembered; their executions have long ended by then."""

_COMMIT = """
WITH run AS MATERIALIZED (
    SELECT * FROM unnest(
        %(run_id)s::uuid[], %(run_organization)s::uuid[], %(run_workflow)s::uuid[], %(run_on)s::date[],
        %(run_epoch)s::int[], %(run_status)s::text[], %(run_output)s::text[], %(run_error)s::text[],
        %(run_started)s::timestamptz[], %(run_finished)s::timestamptz[], %(run_seq)s::int[],
        %(run_steps)s::int[], %(run_release)s::bool[], %(run_progress)s::bool[],
        %(run_resume)s::timestamptz[], %(run_after)s::uuid[], %(run_wakes)s::uuid[]
    ) AS u(run_id, organization_id, workflow_id, accepted_on, epoch, status, output, error, started_at,
           finished_at, event_seq, steps, release, progress, resume_at, after, wakes)
), held AS MATERIALIZED (
    SELECT o.run_id, o.epoch FROM run_outbox o
    WHERE o.run_id = ANY (%(leased)s::uuid[]) ORDER BY o.run_id FOR UPDATE
), claim AS (
    INSERT INTO idempotency_keys AS k (organization_id, route, key, body_hash, run_id, created_at, expires_at)
    SELECT * FROM unnest(%(key_organization)s::uuid[], %(key_route)s::text[], %(key_key)s::text[],
        %(key_hash)s::text[], %(key_run)s::uuid[], %(key_created)s::timestamptz[], %(key_expires)s::timestamptz[])
    ON CONFLICT (organization_id, route, key) DO UPDATE
        SET body_hash = excluded.body_hash, run_id = excluded.run_id,
            created_at = excluded.created_at, expires_at = excluded.expires_at
        WHERE k.expires_at < now() OR k.run_id = excluded.run_id
    RETURNING k.run_id
), own AS MATERIALIZED (
    SELECT run.* FROM run JOIN held USING (run_id, epoch)
    UNION ALL
    SELECT run.* FROM run WHERE run.epoch IS NULL AND run.after IS NULL
        AND (run.run_id <> ALL (%(key_run)s::uuid[]) OR run.run_id IN (SELECT run_id FROM claim))
), ok AS MATERIALIZED (
    SELECT * FROM own
    UNION ALL
    -- A run that another one starts: with that one's commit or not at all, and never again.
    SELECT run.* FROM run WHERE run.after IN (SELECT run_id FROM own)
        AND NOT EXISTS (SELECT FROM workflow_executions e WHERE e.id = run.run_id)
), waker AS MATERIALIZED (
    SELECT DISTINCT wakes AS run_id FROM ok
    WHERE wakes IS NOT NULL AND status IN ('succeeded', 'failed', 'cancelled')
), accepted AS (
    INSERT INTO workflow_executions (id, organization_id, workflow_id, version_id, accepted_on, accepted_at,
        status, trigger_kind, trigger_node, priority, input, output, error, started_at, finished_at, created_by,
        parent_run_id, parent_step_key, parent_waits, depth, origin_run_id, origin_kind, event_seq, step_count)
    SELECT a.run_id, ok.organization_id, ok.workflow_id, a.version_id, ok.accepted_on, a.accepted_at,
        coalesce(ok.status, 'queued'), a.trigger_kind, a.trigger_node, a.priority, a.input::json,
        ok.output::json, ok.error::json, ok.started_at, ok.finished_at, a.created_by,
        a.parent_run_id, a.parent_step_key, a.parent_waits, a.depth, a.origin_run_id, a.origin_kind,
        ok.event_seq, ok.steps
    FROM unnest(
        %(new_run)s::uuid[], %(new_version)s::uuid[], %(new_at)s::timestamptz[], %(new_kind)s::text[],
        %(new_node)s::text[], %(new_priority)s::smallint[], %(new_input)s::text[], %(new_by)s::uuid[],
        %(new_parent)s::uuid[], %(new_parent_step)s::text[], %(new_parent_waits)s::bool[],
        %(new_depth)s::smallint[], %(new_origin)s::uuid[], %(new_origin_kind)s::text[]
    ) AS a(run_id, version_id, accepted_at, trigger_kind, trigger_node, priority, input, created_by,
           parent_run_id, parent_step_key, parent_waits, depth, origin_run_id, origin_kind)
    JOIN ok USING (run_id)
    ON CONFLICT (id) DO NOTHING
), queued AS (
    INSERT INTO run_outbox (run_id, organization_id, workflow_id, accepted_on, priority, available_at)
    SELECT q.run_id, ok.organization_id, ok.workflow_id, ok.accepted_on, q.priority,
        coalesce(q.available_at, now())
    FROM unnest(%(queue_run)s::uuid[], %(queue_priority)s::smallint[], %(queue_at)s::timestamptz[])
        AS q(run_id, priority, available_at)
    JOIN ok USING (run_id)
    -- A second try of a batch that was durable already must not queue a run again that is over by now.
    WHERE NOT EXISTS (SELECT FROM workflow_executions e WHERE e.id = q.run_id)
    ON CONFLICT (run_id) DO NOTHING
), step AS (
    INSERT INTO execution_steps AS s (accepted_on, run_id, step_key, attempt, organization_id, node_id, status,
        settled, outputs, error, started_at, finished_at)
    SELECT ok.accepted_on, ok.run_id, u.step_key, u.attempt, ok.organization_id, u.node_id, u.status,
        u.settled, u.outputs::json, u.error::json, u.started_at, u.finished_at
    FROM unnest(
        %(step_run)s::uuid[], %(step_key)s::text[], %(step_attempt)s::int[], %(step_node)s::text[],
        %(step_status)s::text[], %(step_settled)s::bool[], %(step_outputs)s::text[], %(step_error)s::text[],
        %(step_started)s::timestamptz[], %(step_finished)s::timestamptz[]
    ) AS u(run_id, step_key, attempt, node_id, status, settled, outputs, error, started_at, finished_at)
    JOIN ok USING (run_id)
    ON CONFLICT (accepted_on, run_id, step_key, attempt) DO UPDATE
        SET status = excluded.status, settled = excluded.settled, outputs = excluded.outputs,
            error = excluded.error, finished_at = excluded.finished_at
        WHERE NOT s.settled
), event AS (
    INSERT INTO execution_events (accepted_on, run_id, first_seq, last_seq, organization_id, events)
    SELECT ok.accepted_on, ok.run_id, u.first_seq, u.last_seq, ok.organization_id, u.events::json
    FROM unnest(%(event_run)s::uuid[], %(event_first)s::int[], %(event_last)s::int[], %(event_body)s::text[])
        AS u(run_id, first_seq, last_seq, events)
    JOIN ok USING (run_id)
    ON CONFLICT (accepted_on, run_id, first_seq) DO NOTHING
), log AS (
    INSERT INTO execution_logs (accepted_on, run_id, seq, organization_id, step_key, attempt, level, message,
        fields, at)
    SELECT ok.accepted_on, ok.run_id, u.seq, ok.organization_id, u.step_key, u.attempt, u.level, u.message,
        u.fields::json, u.at
    FROM unnest(%(log_run)s::uuid[], %(log_seq)s::int[], %(log_step)s::text[], %(log_attempt)s::int[],
        %(log_level)s::text[], %(log_message)s::text[], %(log_fields)s::text[], %(log_at)s::timestamptz[])
        AS u(run_id, seq, step_key, attempt, level, message, fields, at)
    JOIN ok USING (run_id)
    ON CONFLICT (accepted_on, run_id, seq) DO NOTHING
), artifact AS (
    INSERT INTO artifacts (organization_id, hash, size_bytes, media_type, created_at, last_used_at)
    SELECT DISTINCT ON (ok.organization_id, u.hash)
        ok.organization_id, u.hash, u.size_bytes, u.media_type, now(), now()
    FROM unnest(%(artifact_run)s::uuid[], %(artifact_hash)s::text[], %(artifact_size)s::bigint[],
        %(artifact_type)s::text[]) AS u(run_id, hash, size_bytes, media_type)
    JOIN ok USING (run_id)
    ORDER BY ok.organization_id, u.hash
    ON CONFLICT (organization_id, hash) DO UPDATE SET last_used_at = excluded.last_used_at
), changed AS (
    UPDATE workflow_executions e
    SET status = CASE WHEN e.status IN ('cancelling', 'pausing') AND ok.status = 'running' THEN e.status
                      ELSE ok.status END,
        output = ok.output::json, error = ok.error::json,
        started_at = coalesce(e.started_at, ok.started_at), finished_at = ok.finished_at,
        event_seq = greatest(e.event_seq, ok.event_seq), step_count = greatest(e.step_count, ok.steps)
    FROM ok
    WHERE e.id = ok.run_id AND ok.epoch IS NOT NULL AND ok.status IS NOT NULL
        AND e.status NOT IN ('succeeded', 'failed', 'cancelled')
), done AS (
    DELETE FROM run_outbox o USING ok
    WHERE o.run_id = ok.run_id AND ok.epoch IS NOT NULL AND ok.status IN ('succeeded', 'failed', 'cancelled')
), given_back AS (
    UPDATE run_outbox o
    SET owner = CASE WHEN ok.release THEN NULL ELSE o.owner END,
        lease_expires_at = CASE WHEN ok.release THEN NULL ELSE o.lease_expires_at END,
        -- What was asked for while the run was held is not slept through.
        available_at = CASE WHEN NOT ok.release THEN o.available_at
                            WHEN ok.status = 'waiting' AND o.control IS NULL
                                AND o.run_id NOT IN (SELECT run_id FROM waker)
                                THEN coalesce(ok.resume_at, 'infinity')
                            WHEN ok.status = 'paused' AND o.control = 'pause' THEN 'infinity'
                            ELSE now() END,
        control = CASE WHEN ok.release AND ok.status = 'paused' AND o.control = 'pause' THEN 'paused'
                       WHEN ok.release AND o.control = 'answer' THEN NULL
                       WHEN NOT ok.release AND o.control IS NULL AND o.run_id IN (SELECT run_id FROM waker)
                           THEN 'answer'
                       ELSE o.control END,
        announced_at = CASE WHEN ok.release THEN NULL ELSE o.announced_at END,
        deaths = CASE WHEN ok.progress THEN 0 ELSE o.deaths END
    FROM ok
    WHERE o.run_id = ok.run_id AND ok.epoch IS NOT NULL
        AND coalesce(ok.status, '') NOT IN ('succeeded', 'failed', 'cancelled')
        AND (ok.release OR (ok.progress AND o.deaths > 0) OR o.run_id IN (SELECT run_id FROM waker))
), woken AS (
    -- One that commits in this very batch is seen to above: a statement changes a row once.
    UPDATE run_outbox p
    SET available_at = CASE WHEN p.owner IS NULL AND p.control IS NULL THEN now() ELSE p.available_at END,
        announced_at = CASE WHEN p.owner IS NULL THEN NULL ELSE p.announced_at END,
        control = CASE WHEN p.owner IS NOT NULL AND p.control IS NULL THEN 'answer' ELSE p.control END
    FROM waker WHERE p.run_id = waker.run_id AND p.run_id NOT IN (SELECT run_id FROM ok)
)
SELECT run_id FROM ok
"""

_WINNERS = """
SELECT u.n, k.run_id, k.body_hash
FROM unnest($1::uuid[], $2::text[], $3::text[])
    WITH ORDINALITY AS u(organization_id, route, key, n)
JOIN idempotency_keys k USING (organization_id, route, key)
"""

_ALREADY_DONE = """
SELECT id FROM workflow_executions WHERE id = ANY ($1::uuid[]) AND status IN ('succeeded', 'failed', 'cancelled')
"""


@dataclass(slots=True)
class _Entry:
    commit: Commit
    waiters: list["Future[None]"]


class PostgresJournal:
    """Implements `domain.journal.Journal` for all runs of one process and event loop.

    `publish` gets the commits that became durable, in order. A lost connection is retried for `patience_s`.
    `passing` is called with the name of each crash point on the way (`engine.faults.point` in a real process).
    """

    def __init__(
        self,
        conninfo: str,
        publish: Callable[[Sequence[Commit]], Awaitable[None]],
        *,
        patience_s: float = 10.0,
        passing: Callable[[str], None] = lambda point: None,
    ) -> None:
        self._conninfo = conninfo
        self._publish = publish
        self._patience_s = patience_s
        self._passing = passing
        self._entries: list[_Entry] = []
        self._by_run: dict[UUID, _Entry] = {}
        self._broken: dict[UUID, int | None] = {}
        self._wake = asyncio.Event()
        self._connection: AsyncConnection[Any] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Connect and start writing. Raises: psycopg.OperationalError."""
        self._connection = await self._connect()
        self._writer = asyncio.create_task(self._write(), name="journal-writer")

    async def close(self) -> None:
        """Write what was submitted, then stop."""
        self._closing = True
        self._wake.set()
        if self._writer is not None:
            await self._writer
        if self._connection is not None:
            await self._connection.close()

    def submit(self, commit: Commit) -> "Future[None]":
        """Queue a commit; see `Journal.submit`."""
        future: Future[None] = asyncio.get_running_loop().create_future()
        run_id = commit.run.run_id
        entry = self._by_run.get(run_id)
        if run_id in self._broken and self._broken[run_id] == commit.epoch:
            future.set_exception(LeaseLostError(f"an earlier commit of run {run_id} was not written"))
            future.exception()
            return future
        if entry is not None:
            entry.commit.absorb(commit)
            entry.waiters.append(future)
        else:
            entry = _Entry(commit, [future])
            self._entries.append(entry)
            self._by_run[run_id] = entry
        self._wake.set()
        return future

    async def _connect(self) -> AsyncConnection[Any]:
        connection = await AsyncConnection.connect(
            self._conninfo, autocommit=True, prepare_threshold=0, cursor_factory=AsyncRawCursor
        )
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        return connection

    async def _write(self) -> None:
        while True:
            if not self._entries:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = self._take()
            try:
                await self._flush(batch)
            except Exception as error:  # A future nobody answers would leave its run hanging for ever.
                logger.exception("a journal batch failed")
                self._give_up(batch, error)

    def _give_up(self, batch: list[_Entry], error: Exception) -> None:
        """Fail a batch, and with it all that its runs hand over later: a commit must not follow a gap."""
        while len(self._broken) > MAX_BROKEN_RUNS:
            del self._broken[next(iter(self._broken))]
        for entry in batch:
            run_id = entry.commit.run.run_id
            self._broken[run_id] = entry.commit.epoch
            _fail(entry, error)
            later = self._by_run.pop(run_id, None)
            if later is not None:
                self._entries.remove(later)
                _fail(later, error)

    def _take(self) -> list[_Entry]:
        batch: list[_Entry] = []
        steps = 0
        for entry in self._entries[:MAX_BATCH_COMMITS]:
            steps += len(entry.commit.steps)
            if batch and steps > MAX_BATCH_STEPS:
                break
            batch.append(entry)
            del self._by_run[entry.commit.run.run_id]
        del self._entries[: len(batch)]
        return batch

    async def _flush(self, batch: list[_Entry]) -> None:
        self._passing("before_commit")
        batch, duplicates = _split_duplicate_keys(batch)
        written = await self._execute(batch)
        self._passing("after_step_commit")
        durable = [entry for entry in batch if entry.commit.run.run_id in written]
        lost = [entry for entry in batch if entry.commit.run.run_id not in written] + duplicates
        # Durable is durable: who waits for it need not wait until observers are told too.
        for entry in durable:
            for waiter in entry.waiters:
                if not waiter.done():
                    waiter.set_result(None)
        # They go on before this task does.
        await asyncio.sleep(0)
        await self._report_lost(lost)
        await self._publish(
            [
                commit
                for entry in durable
                for commit in (
                    entry.commit,
                    *(child for child in entry.commit.children if child.run.run_id in written),
                )
            ]
        )

    async def _execute(self, batch: list[_Entry]) -> set[UUID]:
        parameters = list(literals(_parameters([entry.commit for entry in batch])).values())
        clock = asyncio.get_running_loop().time
        give_up = clock() + self._patience_s
        pause_s, again = 0.05, False
        while True:
            try:
                if self._connection is None:
                    self._connection = await self._connect()
                cursor = await self._connection.execute(_NUMBERED, parameters)
                written = {row[0] for row in await cursor.fetchall()}
                if again:
                    # The answer to the first try may be what was lost, not the commit itself.
                    ids = [entry.commit.run.run_id for entry in batch if entry.commit.change is not None]
                    cursor = await self._connection.execute(_ALREADY_DONE, [ids])
                    written |= {row[0] for row in await cursor.fetchall()}
                return written
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                again = True
                await self._drop_connection()
                if clock() + pause_s > give_up:
                    raise UnavailableError(
                        Problem(
                            "database.unavailable",
                            "The database does not answer.",
                            hint="Nothing was lost; the call can be repeated.",
                        )
                    ) from error
                logger.warning("journal: the database went away, trying again: %s", error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 1.0)

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await connection.close()

    async def _report_lost(self, lost: list[_Entry]) -> None:
        keyed = [entry for entry in lost if entry.commit.acceptance and entry.commit.acceptance.idempotency]
        for entry in lost:
            if entry not in keyed:
                _fail(entry, LeaseLostError(f"run {entry.commit.run.run_id}, epoch {entry.commit.epoch}"))
        if not keyed or self._connection is None:
            return
        claims = [(entry, entry.commit.acceptance.idempotency) for entry in keyed if entry.commit.acceptance]
        cursor = await self._connection.execute(
            _WINNERS,
            [
                [entry.commit.run.organization_id for entry, _ in claims],
                [claim.route for _, claim in claims if claim],
                [claim.key for _, claim in claims if claim],
            ],
        )
        winners = {row[0]: row[1:] for row in await cursor.fetchall()}
        for number, (entry, claim) in enumerate(claims, 1):
            if number in winners and claim is not None:
                run_id, body_hash = winners[number]
                _fail(entry, IdempotencyLostError(run_id, body_hash == claim.body_hash))
            else:
                _fail(entry, UnavailableError(Problem("idempotency.vanished", "Send the request again.")))


def _fail(entry: _Entry, error: Exception) -> None:
    for waiter in entry.waiters:
        if not waiter.done():
            waiter.set_exception(error)
            waiter.exception()  # Seen: a write-behind commit has nobody who awaits it.


def _split_duplicate_keys(batch: list[_Entry]) -> tuple[list[_Entry], list[_Entry]]:
    """Let the first of equal idempotency keys through; one statement cannot claim a key twice."""
    seen: set[tuple[UUID, str, str]] = set()
    first: list[_Entry] = []
    later: list[_Entry] = []
    for entry in batch:
        claim = entry.commit.acceptance.idempotency if entry.commit.acceptance else None
        if claim is None:
            first.append(entry)
            continue
        key = (entry.commit.run.organization_id, claim.route, claim.key)
        (later if key in seen else first).append(entry)
        seen.add(key)
    return first, later


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()


def _parameters(commits: Sequence[Commit]) -> dict[str, list[Any]]:
    """Lay the commits out as the arrays of `_COMMIT`, one entry per row."""
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}

    def add(prefix: str, **values: Any) -> None:
        for name, value in values.items():
            columns[f"{prefix}_{name}"].append(value)

    family = [(commit, after) for parent in commits for commit, after in _with_children(parent)]
    for commit, after in family:
        run, change, new = commit.run, commit.change, commit.acceptance
        columns["run_id"].append(run.run_id)
        columns["run_organization"].append(run.organization_id)
        columns["run_workflow"].append(run.workflow_id)
        columns["run_on"].append(run.accepted_on)
        columns["run_epoch"].append(commit.epoch)
        columns["run_status"].append(change.status.value if change else None)
        columns["run_output"].append(_text(change.output) if change else None)
        columns["run_error"].append(_text(change.error) if change else None)
        columns["run_started"].append(change.started_at if change else None)
        columns["run_finished"].append(change.finished_at if change else None)
        columns["run_seq"].append(commit.events[-1]["seq"] if commit.events else 0)
        columns["run_steps"].append(commit.settled_steps)
        columns["run_release"].append(commit.release)
        columns["run_resume"].append(commit.resume_at)
        columns["run_progress"].append(commit.progress)
        columns["run_after"].append(after)
        columns["run_wakes"].append(commit.wakes)
        if commit.epoch is not None:
            columns["leased"].append(run.run_id)
        if commit.wakes is not None:
            # Locked with the others, in the order of ids.
            columns["leased"].append(commit.wakes)
        if new is not None:
            add(
                "new",
                run=run.run_id,
                version=new.version_id,
                at=new.accepted_at,
                kind=new.trigger_kind,
                node=new.trigger_node,
                priority=new.priority,
                input=new.input.decode(),
                by=new.created_by,
                parent=new.parent_run_id,
                parent_step=new.parent_step_key,
                parent_waits=new.parent_waits,
                depth=new.depth,
                origin=new.origin_run_id,
                origin_kind=new.origin_kind,
            )
            if change is None or not change.status.terminal:
                add("queue", run=run.run_id, priority=new.priority, at=new.available_at)
            if new.idempotency is not None:
                claim = new.idempotency
                add(
                    "key",
                    organization=run.organization_id,
                    route=claim.route,
                    key=claim.key,
                    hash=claim.body_hash,
                    run=run.run_id,
                    created=new.accepted_at,
                    expires=claim.expires_at,
                )
        for step in commit.steps.values():
            columns["step_run"].append(run.run_id)
            columns["step_key"].append(step.step_key)
            columns["step_attempt"].append(step.attempt)
            columns["step_node"].append(step.node_id)
            columns["step_status"].append(step.status.value)
            columns["step_settled"].append(step.settled)
            columns["step_outputs"].append(_text(step.outputs))
            columns["step_error"].append(_text(step.error))
            columns["step_started"].append(step.started_at)
            columns["step_finished"].append(step.finished_at)
        if commit.events:
            add(
                "event",
                run=run.run_id,
                first=commit.events[0]["seq"],
                last=commit.events[-1]["seq"],
                body=orjson.dumps(commit.events, option=orjson.OPT_UTC_Z).decode(),
            )
        for line in commit.logs:
            add(
                "log",
                run=run.run_id,
                seq=line.seq,
                step=line.step_key,
                attempt=line.attempt,
                level=line.level,
                message=line.message,
                fields=_text(line.fields),
                at=line.at,
            )
        for body in commit.artifacts:
            add(
                "artifact",
                run=run.run_id,
                hash=body["hash"],
                size=body["size_bytes"],
                type=body["media_type"],
            )
    return columns


def _with_children(commit: Commit) -> Iterator[tuple[Commit, UUID | None]]:
    """Yield a commit and the runs it starts, each with the run it goes with."""
    yield commit, None
    for child in commit.children:
        yield child, commit.run.run_id


_COLUMNS = tuple(dict.fromkeys(part.partition(")s")[0] for part in _COMMIT.split("%(")[1:]))
"""Every array the statement names, once each."""

_NUMBERED = re.sub(r"%\((\w+)\)s", lambda found: f"${_COLUMNS.index(found[1]) + 1}", _COMMIT).encode()
"""`_COMMIT` as the server takes it. psycopg remembers no statement of that size: it would parse it for each batch."""
