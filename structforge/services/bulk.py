"""Doing one thing with every run of a filter: stop, pause, resume, retry, replay, delete.

Invariant: a batch is bounded and goes down the list from the newest run, so runs that are made meanwhile (by a retry,
too) are never met; the same batch asked for twice changes nothing twice. Each run is authorised and steered by the
service that does so for one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.errors import ConflictError, NotFoundError, Problem, StructForgeError
from structforge.domain.ids import new_id
from structforge.domain.run import TERMINAL_RUN_STATUSES, RunStatus
from structforge.services.audit import audit
from structforge.services.replays import ReplayRequest, ReplayService
from structforge.services.runs import RunService
from structforge.storage.database import Database
from structforge.storage.deletion import delete_runs
from structforge.storage.repositories.paging import Cursor
from structforge.storage.repositories.runs import RunFilter, Runs

MAX_BATCH = 200
MAX_PROBLEMS = 50


class BulkAction(StrEnum):
    """What can be done with many runs."""

    STOP = "stop"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    REPLAY = "replay"
    DELETE = "delete"


_OVER = frozenset(TERMINAL_RUN_STATUSES)
_OPEN = frozenset(RunStatus) - _OVER
ACTS_ON = {
    BulkAction.STOP: _OPEN - {RunStatus.CANCELLING},
    BulkAction.PAUSE: frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING}),
    BulkAction.RESUME: frozenset({RunStatus.PAUSING, RunStatus.PAUSED}),
    BulkAction.RETRY: frozenset({RunStatus.FAILED, RunStatus.CANCELLED}),
    BulkAction.REPLAY: _OVER,
    BulkAction.DELETE: _OVER,
}
"""The statuses in which an action means something; the others of a filter are left alone and not counted."""

_PERMISSIONS = {
    BulkAction.STOP: Permission.RUN_STOP,
    BulkAction.PAUSE: Permission.RUN_CONTROL,
    BulkAction.RESUME: Permission.RUN_CONTROL,
    BulkAction.RETRY: Permission.RUN_START,
    BulkAction.REPLAY: Permission.RUN_START,
    BulkAction.DELETE: Permission.RUN_DELETE,
}


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """One batch of a job."""

    action: BulkAction
    only: RunFilter = RunFilter()
    replay: ReplayRequest = ReplayRequest()
    """For `replay`: from which nodes, and of which version."""
    job_id: UUID | None = None
    """Of the batch before; none begins a job."""
    cursor: Cursor | None = None
    """Where the batch before ended."""
    limit: int = MAX_BATCH
    count_only: bool = False
    """Tell how many runs there are and do nothing."""


@dataclass(slots=True)
class BulkSummary:
    """How far a job is after a batch."""

    job_id: UUID
    action: BulkAction
    matched: int
    """Runs of the filter that the action means something for, this batch's included and earlier ones' not."""
    done: int = 0
    skipped: int = 0
    """Runs that were in another status by the time it was their turn."""
    failed: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)
    """`{"run_id", "problem"}` of the first failures."""
    started: list[UUID] = field(default_factory=list)
    """New runs, of `retry` and `replay`."""
    next_cursor: str | None = None
    """Where the next batch begins; none when the job is done."""


class BulkService:
    """Steers many runs, in batches that the caller asks for one after the other."""

    def __init__(self, database: Database, runs: RunService, replays: ReplayService) -> None:
        self._database = database
        self._runs = runs
        self._replays = replays

    async def apply(self, principal: Principal, request: BulkRequest) -> BulkSummary:
        """Do the next batch. Raises: ForbiddenError."""
        action = request.action
        authorize(principal, Permission.RUN_READ)
        authorize(principal, _PERMISSIONS[action])
        job_id = request.job_id or new_id()
        only = _narrowed(request)
        async with self._database.transaction(principal.organization_id) as session:
            runs = Runs(session)
            counts = await runs.counts(principal.organization_id, only, cursor=request.cursor)
            summary = BulkSummary(job_id, action, sum(counts.values()))
            if request.count_only or not summary.matched:
                return summary
            page = await runs.page(
                principal.organization_id, only, cursor=request.cursor, limit=min(request.limit, MAX_BATCH)
            )
            ids = [row.id for row in page.items]
            # Before the deeds: none of them is without an entry, whenever this process dies.
            details = {"runs": [str(run_id) for run_id in ids], "matched": summary.matched}
            await audit(session, principal, f"runs.{action}", "bulk", job_id, **details)
        summary.next_cursor = page.next_cursor
        if action is BulkAction.DELETE:
            async with self._database.engine_pool.connection() as connection:
                deleted = await delete_runs(connection, principal.organization_id, ids)
            summary.done, summary.skipped = len(deleted), len(ids) - len(deleted)
        else:
            deed = self._deed(principal, request, summary)
            for run_id in ids:
                await _do(deed, run_id, summary)
        return summary

    def _deed(
        self, principal: Principal, request: BulkRequest, summary: BulkSummary
    ) -> Callable[[UUID], Awaitable[object]]:
        steered = {
            BulkAction.STOP: self._runs.stop,
            BulkAction.PAUSE: self._runs.pause,
            BulkAction.RESUME: self._runs.resume,
        }
        if request.action in steered:
            ask = steered[request.action]
            return lambda run_id: ask(principal, run_id)
        whole = request.replay if request.action is BulkAction.REPLAY else ReplayRequest()

        async def again(run_id: UUID) -> None:
            # A batch that is sent twice finds the run it made the first time.
            once = replace(whole, idempotency_key=f"bulk {summary.job_id}")
            made = await self._replays.replay(principal, run_id, once)
            summary.started.append(made.run_id)

        return again


async def _do(deed: Callable[[UUID], Awaitable[object]], run_id: UUID, summary: BulkSummary) -> None:
    try:
        await deed(run_id)
        summary.done += 1
    except (ConflictError, NotFoundError):
        summary.skipped += 1
    except StructForgeError as error:
        summary.failed += 1
        if len(summary.problems) < MAX_PROBLEMS:
            problem: Problem = error.problem
            summary.problems.append({"run_id": str(run_id), "problem": problem.as_json()})


def _narrowed(request: BulkRequest) -> RunFilter:
    wanted = request.only.statuses or tuple(RunStatus)
    acted_on = ACTS_ON[request.action]
    statuses = tuple(RunStatus(status).value for status in wanted if RunStatus(status) in acted_on)
    # No status at all would narrow nothing.
    return replace(request.only, statuses=statuses or ("none",))
