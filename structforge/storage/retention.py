"""Retention: what is older than its time goes, a slice at a call.

Steps, logs and events of a day go as partitions, when every run of that day is over and past its time; a day that a
run keeps (it may wait for weeks) is thinned out row by row, and what is left moves into the default partition, so that
the disk is given back all the same. Invariant: nothing of a run that is not over is ever
touched, no idempotency key, no outbox row; no statement keeps a worker waiting for more than `LOCK_MS`.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from structforge.storage.artifacts import ArtifactStore
from structforge.storage.deletion import READ_BY_ITS_CALLER

logger = logging.getLogger(__name__)

PARTITIONED = ("execution_steps", "execution_logs", "execution_events")
THINNED_RUNS = 50
DELETED_RUNS = 1_000
SWEPT_ARTIFACTS = 50
FOLDED_ROWS, FOLDED_BYTES = 2_000, 1 << 20
"""A partition with so few rows left that takes at least this space is folded into the default one."""
LEAST_AGE = timedelta(days=1)
"""An artifact younger than this is kept whatever refers to it: its first reference may be on its way."""
LOCK_ATTEMPTS = 6
"""The scheduler sweeps for orphaned runs on the same connection: a busy table is left for a later call."""
LOCK_PAUSE_S = 0.05

_OVER = (
    "e.status IN ('succeeded', 'failed', 'cancelled') AND coalesce(e.finished_at, e.accepted_at) < %(before)s"
)

_RETIRE: LiteralString = "SELECT retire_partition(%s, %s, %s)"
_FOLD: LiteralString = "SELECT fold_partition(%s, %s, %s, %s)"

_THIN = f"""
WITH past AS MATERIALIZED (
    SELECT e.id FROM workflow_executions e
    WHERE e.accepted_on = %(day)s AND {_OVER}
        AND EXISTS (SELECT FROM execution_events v WHERE v.accepted_on = %(day)s AND v.run_id = e.id)
    LIMIT %(limit)s
), steps AS (
    DELETE FROM execution_steps s USING past WHERE s.accepted_on = %(day)s AND s.run_id = past.id
), logs AS (
    DELETE FROM execution_logs l USING past WHERE l.accepted_on = %(day)s AND l.run_id = past.id
), events AS (
    DELETE FROM execution_events v USING past WHERE v.accepted_on = %(day)s AND v.run_id = past.id
)
SELECT count(*) FROM past
"""

# The events are the last to go of what a run has beside its row, and every run has some.
_DELETE_RUNS = f"""
WITH past AS MATERIALIZED (
    SELECT e.id FROM workflow_executions e
    WHERE e.accepted_on <= %(day)s AND {_OVER}
        AND NOT EXISTS (SELECT FROM execution_events v WHERE v.accepted_on = e.accepted_on AND v.run_id = e.id)
        AND {READ_BY_ITS_CALLER}
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), answers AS (
    DELETE FROM run_answers a USING past WHERE a.run_id = past.id
), gone AS (
    DELETE FROM workflow_executions e USING past WHERE e.id = past.id
)
SELECT count(*) FROM past
"""

_UNUSED = """
SELECT organization_id, hash FROM artifacts
WHERE last_used_at < %(before)s AND (organization_id, hash) > (%(organization)s, %(hash)s)
ORDER BY organization_id, hash LIMIT %(limit)s
"""

_LOCK_UNUSED = """
SELECT hash FROM artifacts
WHERE organization_id = %(organization)s AND hash = %(hash)s AND last_used_at < %(before)s
FOR UPDATE SKIP LOCKED
"""

# A commit that refers to an artifact renews `last_used_at`, so what still refers to an unused one is older than that:
# days that a run has kept, runs that are not over, answers, which go with their run, and what drafts have pinned or
# remember, whose runs may be gone.
_REFERRED = """
SELECT EXISTS (
    SELECT FROM execution_steps s
    WHERE s.accepted_on <= %(day)s AND s.organization_id = %(organization)s
        AND position(%(hash)s IN s.outputs::text) > 0
) OR EXISTS (
    SELECT FROM workflow_executions e
    WHERE e.organization_id = %(organization)s AND e.status NOT IN ('succeeded', 'failed', 'cancelled')
        AND position(%(hash)s IN e.input::text) > 0
) OR EXISTS (
    SELECT FROM run_answers a
    WHERE a.organization_id = %(organization)s AND position(%(hash)s IN a.answer::text) > 0
) OR EXISTS (
    SELECT FROM draft_nodes d
    WHERE d.organization_id = %(organization)s
        AND (position(%(hash)s IN d.pinned::text) > 0 OR position(%(hash)s IN d.outputs::text) > 0)
)
"""

_FORGET = "DELETE FROM artifacts WHERE organization_id = %(organization)s AND hash = %(hash)s"

_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Periods:
    """How long things are kept after their run has ended."""

    steps: timedelta
    """Steps, logs and events."""
    runs: timedelta
    """The runs themselves and artifacts; never shorter than `steps`."""


class Retention:
    """Sweeps on a connection of the engine role, in autocommit."""

    def __init__(self, periods: Periods, store: ArtifactStore) -> None:
        self._steps = periods.steps
        self._runs = max(periods.steps, periods.runs)
        self._store = store
        self._after: tuple[UUID, str] = (_NOBODY, "")

    async def sweep(self, connection: AsyncConnection[Any]) -> bool:
        """Do one slice of what there is to do; tell whether there may be more.

        Raises: psycopg.errors.LockNotAvailable when the tables stayed busy; trying later helps.
        """
        row = await (await connection.execute("SELECT now()")).fetchone()
        now: datetime = row[0] if row else datetime.now().astimezone()
        steps_before, runs_before = now - self._steps, now - self._runs
        return (
            await self._retire_days(connection, steps_before)
            or await self._delete_runs(connection, runs_before)
            or await self._sweep_artifacts(connection, min(runs_before, now - LEAST_AGE))
        )

    async def clear_partial(self, connection: AsyncConnection[Any]) -> None:
        """Clear up the files that crashes left in the store; nothing in the database knows of them."""
        cleared = await asyncio.to_thread(self._store.clear_partial, before=datetime.now(UTC) - LEAST_AGE)
        if cleared:
            logger.info("cleared up %d files that a crash left half written", cleared)

    async def _retire_days(self, connection: AsyncConnection[Any], before: datetime) -> bool:
        cursor = await connection.execute("SELECT retirable_days(%s)", (before.date(),))
        for (day,) in await cursor.fetchall():
            retired = [await _call(connection, _RETIRE, parent, day, before) for parent in PARTITIONED]
            if all(retired):
                logger.info("steps, logs and events of %s are past their retention and gone", day)
                return True
            if await self._thin(connection, day, before):
                return True
            for parent in PARTITIONED:
                await _call(connection, _FOLD, parent, day, FOLDED_ROWS, FOLDED_BYTES)
        return False

    async def _thin(self, connection: AsyncConnection[Any], day: date, before: datetime) -> int:
        return await _count(connection, _THIN, day=day, before=before, limit=THINNED_RUNS)

    async def _delete_runs(self, connection: AsyncConnection[Any], before: datetime) -> bool:
        gone = await _count(connection, _DELETE_RUNS, day=before.date(), before=before, limit=DELETED_RUNS)
        return gone > 0

    async def _sweep_artifacts(self, connection: AsyncConnection[Any], before: datetime) -> bool:
        organization, digest = self._after
        cursor = await connection.execute(
            _UNUSED,
            {"before": before, "organization": organization, "hash": digest, "limit": SWEPT_ARTIFACTS},
        )
        unused = await cursor.fetchall()
        for organization, digest in unused:
            await self._sweep_artifact(connection, organization, digest, before)
        more = len(unused) == SWEPT_ARTIFACTS
        # One that is still referred to stays and must not hold up those behind it.
        self._after = (organization, digest) if more else (_NOBODY, "")
        return more

    async def _sweep_artifact(
        self, connection: AsyncConnection[Any], organization: UUID, digest: str, before: datetime
    ) -> None:
        known = {"organization": organization, "hash": digest, "before": before, "day": before.date()}
        # Under the lock of its row no commit can refer to it anew; one that waits for us writes a new row.
        async with connection.transaction():
            if await (await connection.execute(_LOCK_UNUSED, known)).fetchone() is None:
                return
            row = await (await connection.execute(_REFERRED, known)).fetchone()
            if row is None or row[0]:
                return
            await connection.execute(_FORGET, known)
            await asyncio.to_thread(self._store.delete, organization, digest, unused_since=before)


async def _call(connection: AsyncConnection[Any], statement: LiteralString, *parameters: object) -> bool:
    """Ask for a partition to go. Waiting for its lock is given up at once and tried again."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            row = await (await connection.execute(statement, parameters)).fetchone()
            return row is not None and bool(row[0])
        except psycopg.errors.LockNotAvailable:
            if attempt == LOCK_ATTEMPTS:
                raise
            await asyncio.sleep(LOCK_PAUSE_S)
    return False


async def _count(connection: AsyncConnection[Any], statement: str, **parameters: object) -> int:
    row = await (await connection.execute(statement.encode(), parameters)).fetchone()
    return int(row[0]) if row else 0
