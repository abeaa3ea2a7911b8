"""Asking something of a run from outside its worker.

Invariant: the outbox row is locked first, as every commit does, so a request and a commit never cross.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from structforge.domain.errors import Problem
from structforge.domain.run import RunStatus
from structforge.domain.transitions import Actor, sources
from structforge.domain.values import encode_json

_FAMILY = """
WITH RECURSIVE family AS (
    SELECT id, CASE WHEN parent_waits THEN parent_run_id END AS waiter, 0 AS level FROM workflow_executions
    WHERE id = %(run)s AND organization_id = %(organization)s
    UNION ALL
    SELECT child.id, family.id, level + 1 FROM workflow_executions child
    JOIN family ON child.parent_run_id = family.id
    WHERE child.parent_waits AND child.status NOT IN ('succeeded', 'failed', 'cancelled')
)
SELECT id, waiter FROM family ORDER BY level, id
"""

_LOCK = """
SELECT run_id, workflow_id, accepted_on, owner IS NULL OR lease_expires_at < now(), control FROM run_outbox
WHERE run_id = ANY (%(runs)s) AND organization_id = %(organization)s ORDER BY run_id FOR UPDATE
"""

# A run whose version has a `finally` branch and that has begun is ended by a worker, which runs that branch.
_HAS_FINALLY = """
SELECT EXISTS (
    SELECT FROM workflow_executions e JOIN workflow_versions v ON v.id = e.version_id,
        json_array_elements(v.document -> 'nodes') node
    WHERE e.id = %(run)s AND e.started_at IS NOT NULL AND node ->> 'type' = 'flow.finally'
        AND (node ->> 'disabled') IS DISTINCT FROM 'true')
"""

_WAKE = """
UPDATE run_outbox
SET available_at = CASE WHEN owner IS NULL AND control IS NULL THEN now() ELSE available_at END,
    announced_at = CASE WHEN owner IS NULL THEN NULL ELSE announced_at END,
    control = CASE WHEN owner IS NOT NULL AND control IS NULL THEN 'answer' ELSE control END
WHERE run_id = %(waiter)s
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
UPDATE workflow_executions SET status = %(status)s, error = coalesce(%(error)s::json, error),
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

# What was planned for later still is; what had begun looks at once whether its time has come.
_RESUME = """
UPDATE run_outbox o SET control = NULL, available_at = CASE
    WHEN e.started_at IS NULL AND isfinite(o.available_at) THEN greatest(o.available_at, now()) ELSE now() END
FROM workflow_executions e WHERE o.run_id = %(run)s AND e.id = o.run_id
"""

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
    run_id: UUID | None = None
    wakes: UUID | None = None
    """A run that waited for this one's end and can be claimed."""
    others: tuple["Answered", ...] = ()
    """Runs below it, of which the same was asked."""


async def request_stop(
    connection: AsyncConnection[Any], organization_id: UUID, run_id: UUID, why: Problem | None = None
) -> Answered:
    """Cancel a run nobody works on, or leave the request for the worker that does; its calls too. One transaction.

    `why` is kept with a run that is cancelled here.
    """

    async def stop(held: "_Held") -> Answered:
        if not held.free:
            return await held.request("stop", RunStatus.CANCELLING)
        if await held.has_finally():
            await connection.execute(
                "UPDATE run_outbox SET owner = NULL, lease_expires_at = NULL, epoch = epoch + 1, "
                "available_at = now(), announced_at = NULL WHERE run_id = %(run)s",
                held.key,
            )
            return await held.request("stop", RunStatus.CANCELLING)
        await connection.execute(_CANCEL_STEPS, held.key)
        await connection.execute("DELETE FROM run_outbox WHERE run_id = %(run)s", held.key)
        return await held.change("run.finished", RunStatus.CANCELLED, why)

    return await _ask_family(connection, organization_id, run_id, stop)


async def request_pause(connection: AsyncConnection[Any], organization_id: UUID, run_id: UUID) -> Answered:
    """Let a run and its calls rest: at once if nobody works on it, else after the steps in flight. One transaction."""

    async def pause(held: "_Held") -> Answered:
        if held.control in (PAUSED, "pause", "stop"):
            return Answered(Asked.NOTHING)
        if not held.free:
            return await held.request("pause", RunStatus.PAUSING)
        await connection.execute(
            "UPDATE run_outbox SET control = 'paused', owner = NULL, lease_expires_at = NULL, epoch = epoch + 1 "
            "WHERE run_id = %(run)s",
            held.key,
        )
        return await held.change("run.paused", RunStatus.PAUSED)

    return await _ask_family(connection, organization_id, run_id, pause)


async def request_resume(connection: AsyncConnection[Any], organization_id: UUID, run_id: UUID) -> Answered:
    """Let a paused run and its calls go on, or take a pause back that is not complete. One transaction."""

    async def resume(held: "_Held") -> Answered:
        if held.control not in (PAUSED, "pause"):
            return Answered(Asked.NOTHING)
        if not held.free:
            # An answer that came while it was pausing must not be slept through: the run looks once more.
            return await held.request("answer", RunStatus.RUNNING)
        await connection.execute(_RESUME, held.key)
        return await held.change("run.resumed", RunStatus.QUEUED)

    return await _ask_family(connection, organization_id, run_id, resume)


async def _ask_family(
    connection: AsyncConnection[Any],
    organization_id: UUID,
    run_id: UUID,
    ask: Callable[["_Held"], Awaitable[Answered]],
) -> Answered:
    """Ask the same of a run and of all it waits for, under the locks of all of them; the run itself counts."""
    key = {"run": run_id, "organization": organization_id}
    async with connection.transaction():
        family = await (await connection.execute(_FAMILY, key)).fetchall()
        if not family:
            return Answered(Asked.NOTHING)
        waiters = dict(family)
        wanted = {one for pair in family for one in pair if one is not None}
        rows = await (await connection.execute(_LOCK, {**key, "runs": list(wanted)})).fetchall()
        held = {
            row[0]: _Held(connection, organization_id, row[0], waiters.get(row[0]), *row[1:]) for row in rows
        }
        if run_id not in held:
            return Answered(Asked.NOTHING)
        first = await ask(held[run_id])
        if first.asked is Asked.NOTHING:
            return first
        others = [await ask(held[one]) for one in waiters if one != run_id and one in held]
        return replace(first, others=tuple(one for one in others if one.asked is not Asked.NOTHING))


class _Held:
    """A run whose outbox row this transaction has locked."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        organization_id: UUID,
        run_id: UUID,
        waiter: UUID | None,
        workflow_id: UUID,
        day: date,
        free: bool,
        control: str | None,
    ) -> None:
        self._connection = connection
        self._run_id = run_id
        self._waiter = waiter
        self.key: dict[str, Any] = {"run": run_id, "organization": organization_id, "day": day}
        self.workflow_id = workflow_id
        self.free = free
        """Nobody works on the run, or whoever did is dead."""
        self.control = control

    async def has_finally(self) -> bool:
        """Tell whether its version says what to do when it ends."""
        row = await (await self._connection.execute(_HAS_FINALLY, self.key)).fetchone()
        return bool(row and row[0])

    async def request(self, control: str | None, status: RunStatus) -> Answered:
        """Leave a request for the worker."""
        await self._connection.execute(
            "UPDATE run_outbox SET control = %(control)s WHERE run_id = %(run)s",
            {**self.key, "control": control},
        )
        await self._set(status)
        return Answered(Asked.REQUESTED, status, self.workflow_id, run_id=self._run_id)

    async def change(self, kind: str, status: RunStatus, why: Problem | None = None) -> Answered:
        """Set the status of a run nobody works on, with its event."""
        if not await self._set(status, why):
            return Answered(Asked.NOTHING)
        row = await (
            await self._connection.execute(_EVENT, {**self.key, "type": kind, "status": status.value})
        ).fetchone()
        event: dict[str, Any] | None = row[0][0] if row else None
        if event is not None:
            await self._connection.execute(_SEEN, {**self.key, "seq": event["seq"]})
        wakes = self._waiter if status.terminal else None
        if wakes is not None:
            await self._connection.execute(_WAKE, {"waiter": wakes})
        return Answered(Asked.DONE, status, self.workflow_id, event, self._run_id, wakes)

    async def _set(self, status: RunStatus, why: Problem | None = None) -> bool:
        # Where nobody works on the run any more, this transaction speaks for its worker too.
        actors = tuple(Actor) if self.free else (Actor.PERSON,)
        allowed = sorted({source.value for actor in actors for source in sources(status, actor)})
        row = await (
            await self._connection.execute(
                _CHANGE,
                {
                    **self.key,
                    "status": status.value,
                    "terminal": status.terminal,
                    "sources": allowed,
                    "error": None if why is None else encode_json(why.as_json()).decode(),
                },
            )
        ).fetchone()
        return row is not None
