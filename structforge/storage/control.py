"""Asking something of a run from outside its worker.

Invariant: the outbox row is locked first, as every commit does, so a request and a commit never cross.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
from psycopg import AsyncConnection

from structforge.domain.run import RunStatus

_LOCK = """
SELECT workflow_id, accepted_on, owner IS NULL OR lease_expires_at < now() FROM run_outbox
WHERE run_id = %(run)s AND organization_id = %(organization)s FOR UPDATE
"""

# Of several open attempts of a step only the last becomes its outcome.
_CANCEL_STEPS = """
UPDATE execution_steps s SET status = 'cancelled', settled = true, finished_at = now()
WHERE s.accepted_on = %(day)s AND s.run_id = %(run)s AND NOT s.settled
    AND s.status IN ('pending', 'running', 'waiting')
    AND NOT EXISTS (
        SELECT FROM execution_steps later
        WHERE later.accepted_on = s.accepted_on AND later.run_id = s.run_id AND later.step_key = s.step_key
            AND later.attempt > s.attempt)
"""

_CANCEL_RUN = """
UPDATE workflow_executions SET status = 'cancelled', finished_at = now(), event_seq = v.seq
FROM (SELECT coalesce(max(last_seq), 0) + 1 AS seq FROM execution_events
      WHERE accepted_on = %(day)s AND run_id = %(run)s) v
WHERE id = %(run)s AND status NOT IN ('succeeded', 'failed', 'cancelled')
RETURNING event_seq, finished_at
"""

_EVENT = """
INSERT INTO execution_events (accepted_on, run_id, first_seq, last_seq, organization_id, events)
VALUES (%(day)s, %(run)s, %(seq)s, %(seq)s, %(organization)s, %(events)s::json)
"""


class StopOutcome(StrEnum):
    """What asking a run to stop led to."""

    OVER = "over"
    """It has no work left: it is terminal already, or not this organization's."""
    CANCELLED = "cancelled"
    """Nobody was working on it: it is cancelled now."""
    REQUESTED = "requested"
    """Its worker was told in the table."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The answer to a stop; `event` is the event that was committed, to be published."""

    outcome: StopOutcome
    workflow_id: UUID | None = None
    event: dict[str, Any] | None = None


async def request_stop(connection: AsyncConnection[Any], organization_id: UUID, run_id: UUID) -> Stopped:
    """Cancel a run nobody works on, or leave the request for the worker that does. One transaction."""
    key = {"run": run_id, "organization": organization_id}
    async with connection.transaction():
        row = await (await connection.execute(_LOCK, key)).fetchone()
        if row is None:
            return Stopped(StopOutcome.OVER)
        workflow_id, day, free = row
        if free:
            return Stopped(StopOutcome.CANCELLED, workflow_id, await _cancel(connection, key, day))
        await connection.execute("UPDATE run_outbox SET control = 'stop' WHERE run_id = %(run)s", key)
        await connection.execute(
            "UPDATE workflow_executions SET status = 'cancelling' WHERE id = %(run)s "
            "AND status IN ('queued', 'running', 'waiting', 'pausing')",
            key,
        )
        return Stopped(StopOutcome.REQUESTED, workflow_id)


async def _cancel(connection: AsyncConnection[Any], key: dict[str, UUID], day: date) -> dict[str, Any] | None:
    await connection.execute(_CANCEL_STEPS, {**key, "day": day})
    row = await (await connection.execute(_CANCEL_RUN, {**key, "day": day})).fetchone()
    await connection.execute("DELETE FROM run_outbox WHERE run_id = %(run)s", key)
    if row is None:
        return None
    seq, finished_at = row
    event = {"seq": seq, "type": "run.finished", "at": finished_at, "status": RunStatus.CANCELLED}
    events = orjson.dumps([event], option=orjson.OPT_UTC_Z).decode()
    await connection.execute(_EVENT, {**key, "day": day, "seq": seq, "events": events})
    return event
