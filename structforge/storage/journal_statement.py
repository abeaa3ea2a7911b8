"""The statement that writes a batch of commits, and the arrays it takes.

Invariant: a batch is one statement. It has the parts its commits need and no more: most have neither children nor
wake-ups, keys or logs, and a part without rows costs the server time all the same. Rows of large tables are named by
`= ANY (array)` besides any join, so that they are found by key whatever the table's size was when the plan was made.
For `storage.journal` alone.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import orjson

from structforge.domain.journal import Commit
from structforge.domain.values import dump_json
from structforge.storage.arrays import literal

Columns = dict[str, list[Any]]
"""Arrays by name, one entry per row; the name begins with the part they belong to."""

_RUN = """run AS MATERIALIZED (
    SELECT * FROM unnest(
        %(run_id)s::uuid[], %(run_organization)s::uuid[], %(run_workflow)s::uuid[], %(run_on)s::date[],
        %(run_epoch)s::int[], %(run_status)s::text[], %(run_output)s::text[], %(run_error)s::text[],
        %(run_started)s::timestamptz[], %(run_finished)s::timestamptz[], %(run_seq)s::int[],
        %(run_steps)s::int[], %(run_release)s::bool[], %(run_progress)s::bool[],
        %(run_resume)s::timestamptz[], %(run_after)s::uuid[], %(run_wakes)s::uuid[]
    ) AS u(run_id, organization_id, workflow_id, accepted_on, epoch, status, output, error, started_at,
           finished_at, event_seq, steps, release, progress, resume_at, after, wakes)
)"""

_HELD = """held AS MATERIALIZED (
    SELECT o.run_id, o.epoch FROM run_outbox o
    WHERE o.run_id = ANY (%(leased_run)s::uuid[]) ORDER BY o.run_id FOR UPDATE
)"""

_CLAIM = """claim AS (
    INSERT INTO idempotency_keys AS k (organization_id, route, key, body_hash, run_id, created_at, expires_at)
    SELECT * FROM unnest(%(key_organization)s::uuid[], %(key_route)s::text[], %(key_key)s::text[],
        %(key_hash)s::text[], %(key_run)s::uuid[], %(key_created)s::timestamptz[], %(key_expires)s::timestamptz[])
    ON CONFLICT (organization_id, route, key) DO UPDATE
        SET body_hash = excluded.body_hash, run_id = excluded.run_id,
            created_at = excluded.created_at, expires_at = excluded.expires_at
        WHERE k.expires_at < now() OR k.run_id = excluded.run_id
    RETURNING k.run_id
)"""

_OWN_LEASED = "SELECT run.* FROM run JOIN held USING (run_id, epoch)"
_OWN_NEW = "SELECT * FROM run WHERE epoch IS NULL AND after IS NULL"
_OWN_KEYED = f"{_OWN_NEW} AND (run_id <> ALL (%(key_run)s::uuid[]) OR run_id IN (SELECT run_id FROM claim))"
_OWN_CHILDREN = """
    -- A run that another one starts: with that one's commit or not at all, and never again.
    SELECT run.* FROM run WHERE run.after IN (SELECT run_id FROM own)
        AND run.run_id NOT IN (SELECT id FROM workflow_executions WHERE id = ANY (%(new_run)s::uuid[]))"""

_WAKER = """waker AS MATERIALIZED (
    SELECT DISTINCT wakes AS run_id FROM ok
    WHERE wakes IS NOT NULL AND status IN ('succeeded', 'failed', 'cancelled')
)"""

_NO_WAKER = "waker AS (SELECT NULL::uuid AS run_id WHERE false)"

_ACCEPTED = """accepted AS (
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
    RETURNING id
)"""

_QUEUED = """queued AS (
    INSERT INTO run_outbox (run_id, organization_id, workflow_id, accepted_on, priority, available_at)
    SELECT q.run_id, ok.organization_id, ok.workflow_id, ok.accepted_on, q.priority,
        coalesce(q.available_at, now())
    FROM unnest(%(queue_run)s::uuid[], %(queue_priority)s::smallint[], %(queue_at)s::timestamptz[])
        AS q(run_id, priority, available_at)
    JOIN ok USING (run_id)
    -- A second try of a batch that was durable already must not queue a run again that is over by now.
    JOIN accepted ON accepted.id = q.run_id
    ON CONFLICT (run_id) DO NOTHING
)"""

_STEP = """step AS (
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
)"""

_EVENT = """event AS (
    INSERT INTO execution_events (accepted_on, run_id, first_seq, last_seq, organization_id, events)
    SELECT ok.accepted_on, ok.run_id, u.first_seq, u.last_seq, ok.organization_id, u.events::json
    FROM unnest(%(event_run)s::uuid[], %(event_first)s::int[], %(event_last)s::int[], %(event_body)s::text[])
        AS u(run_id, first_seq, last_seq, events)
    JOIN ok USING (run_id)
    ON CONFLICT (accepted_on, run_id, first_seq) DO NOTHING
)"""

_LOG = """log AS (
    INSERT INTO execution_logs (accepted_on, run_id, seq, organization_id, step_key, attempt, level, message,
        fields, at)
    SELECT ok.accepted_on, ok.run_id, u.seq, ok.organization_id, u.step_key, u.attempt, u.level, u.message,
        u.fields::json, u.at
    FROM unnest(%(log_run)s::uuid[], %(log_seq)s::int[], %(log_step)s::text[], %(log_attempt)s::int[],
        %(log_level)s::text[], %(log_message)s::text[], %(log_fields)s::text[], %(log_at)s::timestamptz[])
        AS u(run_id, seq, step_key, attempt, level, message, fields, at)
    JOIN ok USING (run_id)
    ON CONFLICT (accepted_on, run_id, seq) DO NOTHING
)"""

_ARTIFACT = """artifact AS (
    INSERT INTO artifacts (organization_id, hash, size_bytes, media_type, created_at, last_used_at)
    SELECT DISTINCT ON (ok.organization_id, u.hash)
        ok.organization_id, u.hash, u.size_bytes, u.media_type, now(), now()
    FROM unnest(%(artifact_run)s::uuid[], %(artifact_hash)s::text[], %(artifact_size)s::bigint[],
        %(artifact_type)s::text[]) AS u(run_id, hash, size_bytes, media_type)
    JOIN ok USING (run_id)
    ORDER BY ok.organization_id, u.hash
    ON CONFLICT (organization_id, hash) DO UPDATE SET last_used_at = excluded.last_used_at
)"""

_CHANGED = """changed AS (
    UPDATE workflow_executions e
    SET status = CASE WHEN e.status IN ('cancelling', 'pausing') AND ok.status = 'running' THEN e.status
                      ELSE ok.status END,
        output = ok.output::json, error = ok.error::json,
        started_at = coalesce(e.started_at, ok.started_at), finished_at = ok.finished_at,
        event_seq = greatest(e.event_seq, ok.event_seq), step_count = greatest(e.step_count, ok.steps)
    FROM ok
    WHERE e.id = ANY (%(leased_run)s::uuid[]) AND e.id = ok.run_id AND ok.epoch IS NOT NULL AND ok.status IS NOT NULL
        AND e.status NOT IN ('succeeded', 'failed', 'cancelled')
)"""

_DONE = """done AS (
    DELETE FROM run_outbox o USING ok
    WHERE o.run_id = ANY (%(leased_run)s::uuid[]) AND o.run_id = ok.run_id AND ok.epoch IS NOT NULL
        AND ok.status IN ('succeeded', 'failed', 'cancelled')
)"""

_GIVEN_BACK = """given_back AS (
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
    WHERE o.run_id = ANY (%(leased_run)s::uuid[]) AND o.run_id = ok.run_id AND ok.epoch IS NOT NULL
        AND coalesce(ok.status, '') NOT IN ('succeeded', 'failed', 'cancelled')
        AND (ok.release OR (ok.progress AND o.deaths > 0) OR o.run_id IN (SELECT run_id FROM waker))
)"""

_WOKEN = """woken AS (
    -- One that commits in this very batch is seen to above: a statement changes a row once.
    UPDATE run_outbox p
    SET available_at = CASE WHEN p.owner IS NULL AND p.control IS NULL THEN now() ELSE p.available_at END,
        announced_at = CASE WHEN p.owner IS NULL THEN NULL ELSE p.announced_at END,
        control = CASE WHEN p.owner IS NOT NULL AND p.control IS NULL THEN 'answer' ELSE p.control END
    FROM waker
    WHERE p.run_id = ANY (%(leased_run)s::uuid[]) AND p.run_id = waker.run_id
        AND p.run_id NOT IN (SELECT run_id FROM ok)
)"""

_ROWS = {
    "new": _ACCEPTED,
    "queue": _QUEUED,
    "step": _STEP,
    "event": _EVENT,
    "log": _LOG,
    "artifact": _ARTIFACT,
    "changed": _CHANGED,
    "ended": _DONE,
    "resting": _GIVEN_BACK,
    "waking": _WOKEN,
}
"""What is done with the runs that may be written for, by the part that asks for it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as the server takes it: psycopg remembers none of that size and would parse it for each batch."""

    text: bytes
    columns: tuple[str, ...]
    """The arrays of $1, $2, and so on."""


@cache
def statement(parts: frozenset[str]) -> Statement:
    """Return the statement for batches that have these parts."""
    own = [_OWN_LEASED] if "leased" in parts else []
    if "fresh" in parts:
        own.append(_OWN_KEYED if "key" in parts else _OWN_NEW)
    ok = ["SELECT * FROM own", *([_OWN_CHILDREN] if "child" in parts else [])]
    clauses = [_RUN]
    if "leased" in parts:
        clauses.append(_HELD)
    if "key" in parts:
        clauses.append(_CLAIM)
    clauses += (
        f"own AS MATERIALIZED ({' UNION ALL '.join(own)})",
        f"ok AS MATERIALIZED ({' UNION ALL '.join(ok)})",
        _WAKER if "waking" in parts else _NO_WAKER,
    )
    clauses += (text for part, text in _ROWS.items() if part in parts)
    text = f"WITH {', '.join(clauses)} SELECT run_id FROM ok"
    columns = tuple(dict.fromkeys(_PLACE.findall(text)))
    return Statement(_PLACE.sub(lambda found: f"${columns.index(found[1]) + 1}", text).encode(), columns)


_PLACE = re.compile(r"%\((\w+)\)s")


def prepare(commits: Sequence[Commit]) -> tuple[bytes, list[str]]:
    """Return the statement that writes these commits, and its parameters."""
    columns, marks = _rows(commits)
    made = statement(frozenset(name.partition("_")[0] for name in columns) | marks)
    return made.text, [literal(columns[name]) for name in made.columns]


def _rows(commits: Sequence[Commit]) -> tuple[Columns, frozenset[str]]:
    """Lay the commits out as arrays, and name the parts of the statement that have none of their own."""
    columns: Columns = defaultdict(list)
    marks: set[str] = set()

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
            columns["leased_run"].append(run.run_id)
            if change is not None:
                marks.add("changed")
            if change is not None and change.status.terminal:
                marks.add("ended")
            elif commit.release or commit.progress:
                marks.add("resting")
        else:
            marks.add("fresh" if after is None else "child")
        if commit.wakes is not None:
            # Locked with the others, in the order of ids.
            columns["leased_run"].append(commit.wakes)
            marks |= {"waking", "resting"}
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
                body=dump_json(commit.events, option=orjson.OPT_UTC_Z).decode(),
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
    return columns, frozenset(marks)


def _with_children(commit: Commit) -> Iterator[tuple[Commit, UUID | None]]:
    """Yield a commit and the runs it starts, each with the run it goes with."""
    yield commit, None
    for child in commit.children:
        yield child, commit.run.run_id


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()
