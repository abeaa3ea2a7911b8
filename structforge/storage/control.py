"""Asking something of a run from outside its worker.

Invariant: the outbox row is locked first, as every commit does, so a request and a commit never cross.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from structforge.domain.run import RunStatus
from structforge.domain.transitions import Actor, sources

_LOCK = """
SELECT workflow_id, accepted_on, owner IS NULL OR lease_expires_at < now(), control FROM run_outbox
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

_CHANGE = """
UPDATE workflow_executions SET status = %(status)s,
    finished_at = CASE WHEN %(terminal)s THEN now() ELSE finished_at END
WHERE id = %(run)s AND status = ANY (%(sources)s)
RETURNING now()
"""

_EVENT = """
INSERT INTO execution_events (accepted_on, run_id, first_seq, last_seq, organization_id, events)
SELECT %(day)s, %(run)s, v.seq, v.seq, %(organization)s,
    json_build_array(json_build_object('seq', v.seq, 'type', %(type)s::text,
        'at', to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'status', %(status)s::text))
FROM (SELECT coalesce(max(last_seq), 0) + 1 AS seq FROM execution_events
      WHERE accepted_on = %(day)s AND run_id = %(run)s) v
RETURNING events
"""

_SEEN = "UPDATE workflow_executions SET event_seq = %(seq)s WHERE id = %(run)s"

PAUSED = "paused"
"""The mark of an outbox row whose run rests until somebody resumes it: no worker claims it."""


class Asked(StrEnum):
    """What asking something of a run led to."""

    NOTHING = "nothing"
    """The run is over, not this organization's, or in no status in which this can be asked."""
    DONE = "done"
    """Nobody was working on it: it is so now."""
    REQUESTED = "requested"
    """Its worker was told in the table."""


@dataclass(frozen=True, slots=True)
class Answered:
    """How the run stands; `event` is the event that was committed, to be published."""

    asked: Asked
    status: RunStatus | None = None
    workflow_id: UUID | None = None
    event: dict[str, Any] | None = None


async def request_stop(connection: AsyncConnection[Any], organization_id: UUID, run_id: UUID) -> Answered:
    """Cancel a run nobody works on, or leave the request for the worker that does. One transaction."""
    held = _Held(connection, organization_id, run_id)
    async with connection.transaction():
        if not await held.lock():
            return Answered(Asked.NOTHING)
        if not held.free:
            return await held.request("stop", RunStatus.CANCELLING)
        await connection.execute(_CANCEL_STEPS, held.key)
        await connection.execute("DELETE FROM run_outbox WHERE run_id = %(run)s", held.key)
        return await held.change("run.finished", RunStatus.CANCELLED)


async def request_pause(connection: AsyncConnection[Any], organization_id: UUID, run_id: UUID) -> Answered:
    """Let a run rest: at once if nobody works on it, else after the steps in flight. One transaction."""
    held = _Held(connection, organization_id, run_id)
    async with connection.transaction():
        if not await held.lock() or held.control in (PAUSED, "pause", "stop"):
            return Answered(Asked.NOTHING)
        if not held.free:
            return await held.request("pause", RunStatus.PAUSING)
        await connection.execute(
            "UPDATE run_outbox SET control = 'paused', owner = NULL, lease_expires_at = NULL, epoch = epoch + 1 "
            "WHERE run_id = %(run)s",
            held.key,
        )
        return await held.change("run.paused", RunStatus.PAUSED)


async def request_resume(connection: AsyncConnection[Any], organization_id: UUID, run_id: UUID) -> Answered:
    """Let a paused run go on, or take a pause back that is not complete. One transaction."""
    held = _Held(connection, organization_id, run_id)
    async with connection.transaction():
        if not await held.lock() or held.control not in (PAUSED, "pause"):
            return Answered(Asked.NOTHING)
        if not held.free:
            # An answer that came while it was pausing must not be slept through: the run looks once more.
            return await held.request("answer", RunStatus.RUNNING)
        await connection.execute(
            "UPDATE run_outbox SET control = NULL, available_at = now() WHERE run_id = %(run)s", held.key
        )
        return await held.change("run.resumed", RunStatus.QUEUED)


class _Held:
    """A run whose outbox row this transaction has locked."""

    def __init__(self, connection: AsyncConnection[Any], organization_id: UUID, run_id: UUID) -> None:
        self._connection = connection
        self.key: dict[str, Any] = {"run": run_id, "organization": organization_id}
        self.workflow_id: UUID | None = None
        self.free = False
        """Nobody works on the run, or whoever did is dead."""
        self.control: str | None = None

    async def lock(self) -> bool:
        """Take the lock; False when the run has no work left."""
        row = await (await self._connection.execute(_LOCK, self.key)).fetchone()
        if row is None:
            return False
        self.workflow_id, self.key["day"], self.free, self.control = row
        return True

    async def request(self, control: str | None, status: RunStatus) -> Answered:
        """Leave a request for the worker."""
        await self._connection.execute(
            "UPDATE run_outbox SET control = %(control)s WHERE run_id = %(run)s",
            {**self.key, "control": control},
        )
        await self._set(status)
        return Answered(Asked.REQUESTED, status, self.workflow_id)

    async def change(self, kind: str, status: RunStatus) -> Answered:
        """Set the status of a run nobody works on, with its event."""
        if not await self._set(status):
            return Answered(Asked.NOTHING)
        row = await (
            await self._connection.execute(_EVENT, {**self.key, "type": kind, "status": status.value})
        ).fetchone()
        event: dict[str, Any] | None = row[0][0] if row else None
        if event is not None:
            await self._connection.execute(_SEEN, {**self.key, "seq": event["seq"]})
        return Answered(Asked.DONE, status, self.workflow_id, event)

    async def _set(self, status: RunStatus) -> bool:
        # Where nobody works on the run any more, this transaction speaks for its worker too.
        actors = tuple(Actor) if self.free else (Actor.PERSON,)
        allowed = sorted({source.value for actor in actors for source in sources(status, actor)})
        row = await (
            await self._connection.execute(
                _CHANGE,
                {**self.key, "status": status.value, "terminal": status.terminal, "sources": allowed},
            )
        ).fetchone()
        return row is not None
