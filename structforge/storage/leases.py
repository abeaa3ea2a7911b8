"""Who executes which run: claiming, renewing, giving back, and what a claimed run needs to start.

Invariant: only the database clock decides whether a lease has expired, and each claim raises the epoch by one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from structforge.domain.ids import child_id
from structforge.domain.journal import WORKER_DIED, CallEnd, Lease, RunIdentity, RunSnapshot, StepHistory
from structforge.domain.run import RunStatus, StepStatus
from structforge.storage.claims import claim
from structforge.storage.keyed_connection import connect_keyed

DEATHS_BEFORE_ALONE = 2
"""After this many deaths without progress a run is claimed only by a worker that holds no other."""
DEATHS_ALONE = 5
"""So many further deaths, each alone, and the run fails with that reason."""

Decode = Callable[[bytes], Any]
"""Reads JSON text of the database."""

# Lost attempts are counted only where a step has gone on after an attempt: nearly nowhere.
_HISTORY = f"""
SELECT DISTINCT ON (run_id, step_key) run_id, step_key, node_id, status, settled, attempt, outputs::text, error::text,
       started_at, finished_at,
       CASE WHEN settled THEN 0 WHEN attempt = 1 AND error IS NULL THEN 0 ELSE (
           SELECT count(*) FROM execution_steps l
           WHERE l.accepted_on = s.accepted_on AND l.run_id = s.run_id AND l.step_key = s.step_key
               AND l.error ->> 'code' = '{WORKER_DIED}') END
FROM execution_steps s
WHERE accepted_on = ANY (%(days)s::date[]) AND run_id = ANY (%(runs)s::uuid[])
ORDER BY run_id, step_key, settled DESC, attempt DESC
"""

_ANSWERS = """
SELECT run_id, step_key, answer::text FROM run_answers WHERE run_id = ANY (%(runs)s::uuid[])
"""

_ENDED = """
SELECT id, status, output::text, error::text FROM workflow_executions
WHERE id = ANY (%(children)s::uuid[]) AND status IN ('succeeded', 'failed', 'cancelled')
"""

_SEQUENCES = """
SELECT r.run_id,
    (SELECT coalesce(max(last_seq), 0) FROM execution_events v
     WHERE v.accepted_on = r.accepted_on AND v.run_id = r.run_id),
    (SELECT coalesce(max(seq), 0) FROM execution_logs l
     WHERE l.accepted_on = r.accepted_on AND l.run_id = r.run_id)
FROM unnest(%(runs)s::uuid[], %(days)s::date[]) AS r(run_id, accepted_on)
"""

_RENEW = """
UPDATE run_outbox SET lease_expires_at = now() + make_interval(secs => %(lease_s)s)
WHERE run_id IN (
    SELECT run_id FROM run_outbox WHERE run_id = ANY (%(runs)s::uuid[]) AND owner = %(worker)s
    ORDER BY run_id FOR UPDATE SKIP LOCKED)
RETURNING run_id, epoch, control
"""

_OWNED = "SELECT run_id, epoch, control FROM run_outbox WHERE run_id = ANY (%(runs)s::uuid[]) AND owner = %(worker)s"

_RELEASE = """
UPDATE run_outbox SET owner = NULL, lease_expires_at = NULL, announced_at = NULL
WHERE run_id = ANY (%(runs)s::uuid[]) AND owner = %(worker)s
"""


@dataclass(frozen=True, slots=True)
class Renewal:
    """A lease that was extended, and what was asked of its run meanwhile."""

    epoch: int
    control: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The runs that were taken."""

    snapshots: list[RunSnapshot]
    more: bool
    """There may be more for this worker."""
    contended: bool
    """Another worker was taking the same at this moment: ask again soon."""


class Leases:
    """Lease operations on a connection of the engine role."""

    def __init__(self, worker: str, lease_s: float) -> None:
        self._worker = worker
        self._lease_s = lease_s

    async def connect(self, conninfo: str) -> AsyncConnection[Any]:
        """Open a connection for claims."""
        return await connect_keyed(conninfo)

    async def claim(
        self,
        connection: AsyncConnection[Any],
        limit: int,
        *,
        idle: bool,
        decode: Decode,
        newcomers: bool = False,
    ) -> "Claim":
        """Take up to `limit` runnable runs, orphaned ones included, in the order they should start, with their history.

        An `idle` worker that finds none takes one that killed workers, by itself: only then does a death prove
        something about the run. `newcomers` takes only runs of organizations that have none in hand.
        """
        found = await self._claim(connection, limit, alone=False, decode=decode, newcomers=newcomers)
        if not found.snapshots and idle:
            found = await self._claim(connection, 1, alone=True, decode=decode, newcomers=False)
        return found

    async def _claim(
        self, connection: AsyncConnection[Any], limit: int, *, alone: bool, decode: Decode, newcomers: bool
    ) -> "Claim":
        claimed = await claim(
            connection,
            worker=self._worker,
            lease_s=self._lease_s,
            limit=limit,
            alone_from=DEATHS_BEFORE_ALONE,
            alone=alone,
            newcomers=newcomers,
        )
        rows = claimed.rows
        # A run that takes results over has steps before it begins.
        begun = [row for row in rows if row[13] is not None or row[4] > 1 or row[15]]
        sequences: Mapping[UUID, tuple[int, int]] = {}
        history: Mapping[UUID, dict[str, StepHistory]] = {}
        answers: Mapping[UUID, dict[str, Any]] = {}
        ended: Mapping[UUID, CallEnd] = {}
        accepted_events = 1
        if begun:
            runs, days = [row[0] for row in begun], [row[3] for row in begun]
            cursor = await connection.execute(_SEQUENCES, {"runs": runs, "days": days})
            sequences = {row[0]: (row[1], row[2]) for row in await cursor.fetchall()}
            history = await self._history(connection, runs, days, decode)
            answers = await _answers(connection, runs, decode)
            children = [one for run, steps in history.items() for one in children_of(run, steps)]
            ended = await ended_runs(connection, children, decode)
        snapshots = []
        for row in rows:
            steps = history.get(row[0], {})
            event_seq, log_seq = sequences.get(row[0], (accepted_events, 0))
            snapshots.append(
                RunSnapshot(
                    lease=Lease(RunIdentity(*row[:4]), row[4], row[5]),
                    control=row[6],
                    limited=row[7],
                    version_id=row[8],
                    status=RunStatus(row[9]),
                    trigger_kind=row[10],
                    trigger_node=row[11],
                    input=decode(row[12].encode()),
                    started_at=row[13],
                    accepted_at=row[14],
                    event_seq=event_seq,
                    log_seq=log_seq,
                    steps=steps,
                    answers=answers.get(row[0], {}),
                    ended={one: ended[one] for one in children_of(row[0], steps) if one in ended},
                    wakes=row[16],
                )
            )
        more = bool(rows) and (len(rows) == limit or claimed.several)
        return Claim(snapshots, more=more, contended=claimed.contended)

    async def _history(
        self, connection: AsyncConnection[Any], runs: Sequence[UUID], days: Sequence[Any], decode: Decode
    ) -> dict[UUID, dict[str, StepHistory]]:
        cursor = await connection.execute(_HISTORY, {"runs": runs, "days": days})
        history: dict[UUID, dict[str, StepHistory]] = {}
        for row in await cursor.fetchall():
            history.setdefault(row[0], {})[row[1]] = StepHistory(
                node_id=row[2],
                status=StepStatus(row[3]),
                settled=row[4],
                attempt=row[5],
                outputs=decode(row[6].encode()) if row[6] else None,
                error=decode(row[7].encode()) if row[7] else None,
                started_at=row[8],
                finished_at=row[9],
                lost_attempts=row[10],
            )
        return history

    async def came_in(
        self, connection: AsyncConnection[Any], run_id: UUID, children: Sequence[UUID], decode: Decode
    ) -> tuple[Mapping[str, Any], Mapping[UUID, CallEnd]]:
        """Return the answers to a run in hand, and which of `children` are over."""
        answers = await _answers(connection, [run_id], decode)
        return answers.get(run_id, {}), await ended_runs(connection, children, decode)

    def renew(self, connection: psycopg.Connection[Any], runs: Sequence[UUID]) -> dict[UUID, Renewal]:
        """Extend the leases of `runs`. A run missing from the answer belongs to somebody else, or is over.

        Blocking: it is called from the renewal thread on a connection of its own. A row that a commit of ours holds
        locked at this moment is left for the next renewal, and reported as ours.
        """
        found = {
            row[0]: Renewal(row[1], row[2])
            for row in connection.execute(_OWNED, {"runs": list(runs), "worker": self._worker}).fetchall()
        }
        renewed = connection.execute(
            _RENEW, {"runs": list(found), "worker": self._worker, "lease_s": self._lease_s}
        ).fetchall()
        found.update({row[0]: Renewal(row[1], row[2]) for row in renewed})
        return found

    async def release(self, connection: AsyncConnection[Any], runs: Sequence[UUID]) -> None:
        """Give runs back untouched, so that another worker claims them at once."""
        await connection.execute(_RELEASE, {"runs": list(runs), "worker": self._worker})


async def _answers(
    connection: AsyncConnection[Any], runs: Sequence[UUID], decode: Decode
) -> dict[UUID, dict[str, Any]]:
    answers: dict[UUID, dict[str, Any]] = {}
    cursor = await connection.execute(_ANSWERS, {"runs": runs})
    for run_id, step_key, answer in await cursor.fetchall():
        answers.setdefault(run_id, {})[step_key] = decode(answer.encode())
    return answers


def children_of(run_id: UUID, steps: Mapping[str, StepHistory]) -> list[UUID]:
    """Return the runs that waiting steps may have started and wait for."""
    return [
        child_id(run_id, key, step.attempt)
        for key, step in steps.items()
        if step.status is StepStatus.WAITING and not step.settled
    ]


async def ended_runs(
    connection: AsyncConnection[Any], children: Sequence[UUID], decode: Decode
) -> dict[UUID, CallEnd]:
    """Return those of `children` that are over."""
    if not children:
        return {}
    cursor = await connection.execute(_ENDED, {"children": list(children)})
    return {
        row[0]: CallEnd(
            row[0],
            RunStatus(row[1]),
            decode(row[2].encode()) if row[2] else None,
            decode(row[3].encode()) if row[3] else None,
        )
        for row in await cursor.fetchall()
    }
