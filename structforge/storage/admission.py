"""Counting what a workflow has open, and taking the place of a run that only queues, before another is accepted.

Invariant: the caller holds `lock` in a transaction until the acceptance is committed, so two starts never count the
same room. Only runs that no worker ever had in hand are replaced.
"""

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from structforge.domain.journal import IdempotencyClaim
from structforge.storage.claims import READY

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%(workflow)s, 1))"

# Bounded: whether there are as many as the limit is all that matters.
_OPEN = f"""
SELECT (SELECT count(*) FROM run_outbox WHERE owner IS NOT NULL AND workflow_id = %(workflow)s)
     + (SELECT count(*) FROM (
            SELECT FROM run_outbox WHERE {READY} AND workflow_id = %(workflow)s AND available_at <= now()
            LIMIT %(limit)s) waiting)
"""

_OLDEST = f"""
SELECT o.run_id FROM run_outbox o JOIN workflow_executions e ON e.id = o.run_id
WHERE {READY} AND o.workflow_id = %(workflow)s AND o.available_at <= now()
    AND e.status = 'queued' AND e.started_at IS NULL AND NOT coalesce(e.parent_waits, false)
ORDER BY o.turn_at, o.run_id LIMIT 1 FOR UPDATE OF o SKIP LOCKED
"""

_KNOWN = """
SELECT EXISTS (SELECT FROM idempotency_keys
    WHERE organization_id = %(organization)s AND route = %(route)s AND key = %(key)s AND expires_at > now())
"""


async def lock(connection: AsyncConnection[Any], workflow_id: UUID) -> None:
    """Let one start of this workflow at a time be counted, until this transaction ends."""
    await connection.execute(_LOCK, {"workflow": str(workflow_id)})


async def is_full(connection: AsyncConnection[Any], workflow_id: UUID, max_runs: int) -> bool:
    """Tell whether as many runs are in hand or queued as may be in hand."""
    cursor = await connection.execute(_OPEN, {"workflow": workflow_id, "limit": max_runs})
    row = await cursor.fetchone()
    return row is not None and row[0] >= max_runs


async def oldest_queued(connection: AsyncConnection[Any], workflow_id: UUID) -> UUID | None:
    """Return the run that has queued longest, was never begun and is awaited by none; its row stays locked."""
    row = await (await connection.execute(_OLDEST, {"workflow": workflow_id})).fetchone()
    return None if row is None else row[0]


async def is_known(connection: AsyncConnection[Any], organization_id: UUID, claim: IdempotencyClaim) -> bool:
    """Tell whether an earlier request with this key was accepted: it needs no room."""
    values = {"organization": organization_id, "route": claim.route, "key": claim.key}
    row = await (await connection.execute(_KNOWN, values)).fetchone()
    return row is not None and bool(row[0])
