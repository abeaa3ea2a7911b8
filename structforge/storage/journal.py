"""The journal in PostgreSQL: all runs of a process write through one group commit.

Invariant: a batch is one statement, so it is durable whole or not at all; it locks its outbox rows in id order and
leaves out every run whose epoch is not the current one. Events are published after the commit, never before.
"""

import asyncio
import contextlib
import logging
from asyncio import Future
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor

from structforge.domain.errors import Problem, UnavailableError
from structforge.domain.journal import Commit, IdempotencyLostError, LeaseLostError
from structforge.storage.journal_statement import prepare
from structforge.storage.keyed_connection import connect_keyed

logger = logging.getLogger(__name__)

MAX_BATCH_COMMITS = 200
MAX_BATCH_STEPS = 4_000
MAX_BROKEN_RUNS = 10_000
"""So many runs whose commits failed are remembered; their executions have long ended by then."""

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
        return await connect_keyed(self._conninfo, cursor_factory=AsyncRawCursor)

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
        written = await self._written(batch)
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

    async def _written(self, batch: list[_Entry]) -> set[UUID]:
        """Write a batch; what the database will not take costs the run that it belongs to, and no other."""
        try:
            return await self._execute(batch)
        except UnavailableError:
            raise
        except Exception:
            if len(batch) == 1:
                raise
            logger.exception("a journal batch was refused, its commits are tried one by one")
        written: set[UUID] = set()
        for entry in batch:
            try:
                written |= await self._execute([entry])
            except UnavailableError:
                raise
            except Exception as error:
                self._give_up([entry], error)
        return written

    async def _execute(self, batch: list[_Entry]) -> set[UUID]:
        statement, parameters = prepare([entry.commit for entry in batch])
        clock = asyncio.get_running_loop().time
        give_up = clock() + self._patience_s
        pause_s, again = 0.05, False
        while True:
            try:
                if self._connection is None:
                    self._connection = await self._connect()
                cursor = await self._connection.execute(statement, parameters)
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
