"""The settled steps of a run as they stand in the journal, to be taken over by another run.

Invariant: read by the engine's role, for a run whose organization the caller has checked.
"""

from typing import Any

from psycopg import AsyncConnection

from structforge.domain.journal import RunIdentity, StepRecord
from structforge.domain.run import StepStatus

_SETTLED = """
SELECT step_key, node_id, status, outputs::text, started_at, finished_at FROM execution_steps
WHERE accepted_on = %(day)s AND run_id = %(run)s AND organization_id = %(organization)s AND settled
"""


async def settled_steps(connection: AsyncConnection[Any], run: RunIdentity) -> list[StepRecord]:
    """Return the outcome of every step that has one; outputs are the JSON text as it was committed."""
    cursor = await connection.execute(
        _SETTLED, {"day": run.accepted_on, "run": run.run_id, "organization": run.organization_id}
    )
    return [
        StepRecord(
            step_key=row[0],
            attempt=1,
            node_id=row[1],
            status=StepStatus(row[2]),
            settled=True,
            outputs=row[3].encode() if row[3] else None,
            started_at=row[4],
            finished_at=row[5],
        )
        for row in await cursor.fetchall()
    ]
