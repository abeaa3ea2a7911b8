"""Steering of runs as the API takes and gives it.

Invariant: as in the package; what is not named here is not sent.
"""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field

from structforge.api.schemas.body import Body
from structforge.domain.limits import MAX_RUNS
from structforge.domain.run import RunStatus
from structforge.services.bulk import MAX_BATCH, BulkAction
from structforge.storage.repositories.runs import RunFilter


class ReplayBody(Body):
    """What runs again in a new run."""

    from_nodes: Annotated[list[Annotated[str, Field(max_length=48)]], Field(max_length=5_000)] = []
    """Node ids to begin from; none retries what had not succeeded."""
    from_start: bool = False
    """Everything runs again, nothing is taken over; `from_nodes` says nothing then."""
    version: Annotated[int, Field(ge=1)] | Literal["same", "draft"] = "same"
    input: Any = None
    """A new input; leave it out to keep the earlier one."""


class ReplayPublic(BaseModel):
    """The new run."""

    run_id: UUID
    reused: int
    """Steps taken over from the earlier run."""
    again: list[str]
    """Nodes that run again."""


class StopPublic(BaseModel):
    """A run of which something was asked, and its status now."""

    run_id: UUID
    status: str


class LimitBody(Body):
    """How many runs the organization may have in hand at once; none is no limit."""

    max_runs: Annotated[int, Field(ge=1, le=MAX_RUNS)] | None = None


class LimitPublic(BaseModel):
    """The organization's limit, and what counts against it."""

    max_runs: int | None
    in_hand: int
    """Runs that workers have in hand."""
    queued: int
    """Runs that could start now."""


class BulkFilter(Body):
    """Which runs: all of the organization that no field excludes."""

    workflow_id: UUID | None = None
    statuses: Annotated[list[RunStatus], Field(max_length=20)] = []
    trigger_kinds: Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=20)] = []
    accepted_from: AwareDatetime | None = None
    accepted_before: AwareDatetime | None = None
    search: Annotated[str, Field(max_length=200)] = ""
    run_ids: Annotated[list[UUID], Field(max_length=1_000)] = []
    """Runs chosen one by one."""

    def runs(self) -> RunFilter:
        """Return what the list of runs is narrowed to."""
        return RunFilter(
            workflow_id=self.workflow_id,
            statuses=tuple(status.value for status in self.statuses),
            trigger_kinds=tuple(self.trigger_kinds),
            accepted_from=self.accepted_from,
            accepted_before=self.accepted_before,
            search=self.search,
            ids=tuple(self.run_ids),
        )


class BulkBody(Body):
    """One batch of a job over many runs. Ask again with `job_id` and `cursor` of the answer until it has none."""

    action: BulkAction
    filter: BulkFilter = BulkFilter()
    from_nodes: Annotated[list[Annotated[str, Field(max_length=48)]], Field(max_length=5_000)] = []
    """For `replay`: node ids to begin from."""
    from_start: bool = False
    """For `replay`: everything runs again."""
    version: Annotated[int, Field(ge=1)] | Literal["same", "draft"] = "same"
    """For `replay`."""
    count_only: bool = False
    """Tell how many runs there are, do nothing."""
    job_id: UUID | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_BATCH)] = MAX_BATCH
    """Runs in this batch."""


class BulkProblem(BaseModel):
    """A run with which it could not be done, and why."""

    run_id: UUID
    problem: dict[str, Any]


class BulkPublic(BaseModel):
    """A job after one batch: `done`, `skipped` and `failed` are this batch's."""

    job_id: UUID
    action: BulkAction
    matched: int
    """Runs that the action means something for, from this batch's first on."""
    done: int
    skipped: int
    """Runs that had another status by the time it was their turn."""
    failed: int
    problems: list[BulkProblem]
    started: list[UUID]
    """New runs, of `retry` and `replay`."""
    next_cursor: str | None
    """None when the job is done."""
