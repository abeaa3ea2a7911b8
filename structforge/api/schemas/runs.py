"""Runs, their steps and logs as the API takes and gives them. The start (`routes/starts.py`) is written by hand.

Invariant: as in the package; what is not named here is not sent.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from structforge.api.schemas.body import Body
from structforge.storage.repositories.paging import Page
from structforge.storage.tables import LogRow, RunRow, StepRow


class StartBody(Body):
    """A run to start."""

    input: Any = {}
    mode: Literal["sync", "async"] = "async"
    """`sync` waits for the result up to the time limit, then answers 202 with the run's id."""
    time_limit_s: Annotated[float, Field(gt=0)] | None = None
    version: Annotated[int, Field(ge=1)] | None = None
    """None is the published version."""
    draft: bool = False
    """Run a copy of the draft."""
    trigger: str | None = None
    """The trigger that fires, where the workflow has several."""
    priority: Literal["high", "normal", "low", 0, 1, 2] = "normal"
    run_at: datetime | None = None
    """When an async run may start, with its zone."""


class StartPublic(BaseModel):
    """A run that was accepted, with its result when it is over."""

    run_id: UUID
    status: str
    output: Any = None
    error: dict[str, Any] | None = None
    replayed: bool = False
    """An earlier request with the same Idempotency-Key started it."""


class RunPublic(BaseModel):
    """A run."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    workflow_id: UUID
    version_id: UUID
    status: str
    trigger_kind: str
    trigger_node: str | None
    priority: int
    accepted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    created_by: UUID | None
    parent_run_id: UUID | None
    origin_run_id: UUID | None
    origin_kind: str | None
    event_seq: int
    """The number of its last event: follow `/events` after it."""
    step_count: int
    error: dict[str, Any] | None


class RunDetailPublic(RunPublic):
    """A run with what went in and came out."""

    input: Any
    output: Any


class RunPage(BaseModel):
    """A page of runs, the newest first."""

    items: list[RunPublic]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[RunRow]) -> "RunPage":
        """Make the answer."""
        return cls(items=[RunPublic.model_validate(row) for row in page.items], next_cursor=page.next_cursor)


class StepPublic(BaseModel):
    """One attempt of one step."""

    model_config = ConfigDict(from_attributes=True)

    step_key: str
    node_id: str
    attempt: int
    status: str
    settled: bool
    """This attempt's outcome is the step's outcome."""
    outputs: dict[str, Any] | None
    error: dict[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, row: StepRow) -> "StepPublic":
        """Make the answer."""
        return cls.model_validate(row)


class StepList(BaseModel):
    """Attempts of steps in the order they began."""

    items: list[StepPublic]
    next_offset: int | None
    """Where the next ones begin; null after the last."""


class LogPublic(BaseModel):
    """A line of a run's log."""

    model_config = ConfigDict(from_attributes=True)

    seq: int
    step_key: str | None
    attempt: int | None
    level: str
    message: str
    fields: dict[str, Any] | None
    at: datetime

    @classmethod
    def of(cls, row: LogRow) -> "LogPublic":
        """Make the answer."""
        return cls.model_validate(row)


class LogList(BaseModel):
    """Log lines, oldest first; ask again with `after` set to the last `seq`."""

    items: list[LogPublic]


class ChangePublic(BaseModel):
    """A value that differs; a side without the value is left out."""

    path: str
    old: Any = None
    new: Any = None


class StepComparisonPublic(BaseModel):
    """A step that differs between two runs."""

    step_key: str
    node_id: str
    statuses: list[str | None]
    changes: list[ChangePublic]
    more: bool
    """There are more changes than are listed."""


class ComparisonPublic(BaseModel):
    """Two runs side by side."""

    first: UUID
    second: UUID
    same_version: bool
    equal_steps: int
    steps: list[StepComparisonPublic]
