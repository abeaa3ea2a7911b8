"""Deleting runs that are over, with all that belongs to them.

Invariant: a run that is not over, or whose caller is not, is never deleted, and nothing of a deleted one stays; what
it took files from (artifacts) is swept elsewhere, since others may refer to the same bytes. One statement, so whole
or not at all.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

READ_BY_ITS_CALLER = """NOT EXISTS (SELECT FROM workflow_executions p WHERE p.id = e.parent_run_id
    AND p.status NOT IN ('succeeded', 'failed', 'cancelled'))"""
"""A caller that goes on may still be about to read how the run it called (`e`) ended."""

_DELETE = f"""
WITH gone AS MATERIALIZED (
    SELECT e.id, e.accepted_on FROM workflow_executions e
    WHERE e.organization_id = %(organization)s AND e.id = ANY (%(runs)s)
        AND e.status IN ('succeeded', 'failed', 'cancelled') AND {READ_BY_ITS_CALLER}
    ORDER BY e.id FOR UPDATE
), steps AS (
    DELETE FROM execution_steps s USING gone WHERE s.accepted_on = gone.accepted_on AND s.run_id = gone.id
), logs AS (
    DELETE FROM execution_logs l USING gone WHERE l.accepted_on = gone.accepted_on AND l.run_id = gone.id
), events AS (
    DELETE FROM execution_events v USING gone WHERE v.accepted_on = gone.accepted_on AND v.run_id = gone.id
), answers AS (
    DELETE FROM run_answers a USING gone WHERE a.run_id = gone.id
), keys AS (
    -- A caller who repeats its request must not be sent to a run that is no more.
    DELETE FROM idempotency_keys k USING gone
    WHERE k.organization_id = %(organization)s AND k.run_id = gone.id
)
DELETE FROM workflow_executions e USING gone WHERE e.id = gone.id RETURNING e.id
"""


async def delete_runs(
    connection: AsyncConnection[Any], organization_id: UUID, run_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Delete those of the runs that are over; return which these were."""
    cursor = await connection.execute(
        _DELETE.encode(), {"organization": organization_id, "runs": list(run_ids)}
    )
    return frozenset(row[0] for row in await cursor.fetchall())
