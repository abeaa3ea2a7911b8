"""Bodies and answers of the API, as pydantic models: what the OpenAPI document shows is what is sent.

Invariant: bodies refuse unknown fields; answers are built by `…Public.of`, so a field of a row is sent only
when it is named here. The start of a run (`routes/starts.py`) is written by hand and documented from here.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from structforge.domain.limits import MAX_RUNS
from structforge.domain.run import RunStatus
from structforge.services.bulk import MAX_BATCH, BulkAction
from structforge.services.files import FileEntry
from structforge.services.workflows import VersionDetail, VersionSummary, WorkflowDetail, WorkflowSummary
from structforge.storage.repositories.paging import Page
from structforge.storage.repositories.runs import RunFilter
from structforge.storage.tables import LogRow, RunRow, StepRow


class Body(BaseModel):
    """Base of bodies."""

    model_config = ConfigDict(extra="forbid")


class SignInBody(Body):
    """E-mail address and password."""

    email: Annotated[str, Field(max_length=320)]
    password: Annotated[str, Field(max_length=4_096)]
    organization_id: UUID | None = None
    """The organization to work in; none is the first one joined."""


class RefreshBody(Body):
    """A refresh token; none takes the one in the cookie."""

    refresh_token: Annotated[str, Field(max_length=512)] | None = None


class PasswordBody(Body):
    """A change of one's own password."""

    current_password: Annotated[str, Field(max_length=4_096)]
    new_password: Annotated[str, Field(max_length=4_096)]


class MemberCreate(Body):
    """A person to add to the organization."""

    email: Annotated[str, Field(max_length=320)]
    name: Annotated[str, Field(max_length=200)] = ""
    role: Annotated[str, Field(max_length=50)] = "editor"
    password: Annotated[str, Field(max_length=4_096)] | None = None
    """None generates one, which the answer shows once."""


class OrganizationCreate(Body):
    """A new organization; who makes it is its owner."""

    name: Annotated[str, Field(max_length=200)]


class SwitchBody(Body):
    """Where to go on."""

    organization_id: UUID


class WorkflowCreate(Body):
    """A new workflow; without a document its draft is empty."""

    name: str
    description: str = ""
    folder: str = ""
    tags: list[str] = []
    document: dict[str, Any] | None = None


class WorkflowLabels(Body):
    """What changes; fields left out stay."""

    name: str | None = None
    description: str | None = None
    folder: str | None = None
    tags: list[str] | None = None


class DraftUpdate(Body):
    """The draft in whole, and the revision it was made from."""

    revision: Annotated[int, Field(ge=1)]
    document: dict[str, Any]


class PublishBody(Body):
    """What to publish."""

    revision: Annotated[int, Field(ge=1)] | None = None
    """Refuse when the draft is at another revision."""
    note: str = ""


class RestoreBody(Body):
    """The draft's revision that is replaced."""

    revision: Annotated[int, Field(ge=1)]


class DuplicateBody(Body):
    """How the copy is called."""

    name: str | None = None


class ValidateBody(Body):
    """A document to check; nothing is stored."""

    document: dict[str, Any]


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


class SessionPublic(BaseModel):
    """A session's tokens; browsers get them as cookies as well."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in_s: int
    user_id: UUID
    organization_id: UUID


class MemberAdded(BaseModel):
    """The new member, and the password that was generated."""

    id: UUID
    password: str | None


class WorkflowSummaryPublic(BaseModel):
    """A workflow in a list."""

    id: UUID
    name: str
    description: str
    folder: str
    tags: list[str]
    draft_revision: int
    published: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @classmethod
    def fields_of(cls, summary: WorkflowSummary) -> dict[str, Any]:
        """Return the fields that summary and detail share."""
        return {
            "id": summary.id,
            "name": summary.labels.name,
            "description": summary.labels.description,
            "folder": summary.labels.folder,
            "tags": list(summary.labels.tags),
            "draft_revision": summary.draft_revision,
            "published": summary.published_version_id is not None,
            "created_at": summary.created_at,
            "updated_at": summary.updated_at,
            "deleted_at": summary.deleted_at,
        }

    @classmethod
    def of(cls, summary: WorkflowSummary) -> "WorkflowSummaryPublic":
        """Make the answer."""
        return cls(**cls.fields_of(summary))


class WorkflowPublic(WorkflowSummaryPublic):
    """A workflow with its draft."""

    draft: dict[str, Any]
    published_version: int | None
    problems: list[dict[str, Any]]
    """What is wrong with the draft; those with `details.severity: warning` hinder nobody."""

    @classmethod
    def detail(cls, detail: WorkflowDetail) -> "WorkflowPublic":
        """Make the answer."""
        return cls(
            **cls.fields_of(detail.summary),
            draft=detail.draft.as_json(),
            published_version=detail.published_version,
            problems=[problem.as_json() for problem in detail.problems],
        )


class WorkflowPage(BaseModel):
    """A page of workflows, the last changed first."""

    items: list[WorkflowSummaryPublic]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[WorkflowSummary]) -> "WorkflowPage":
        """Make the answer."""
        return cls(
            items=[WorkflowSummaryPublic.of(item) for item in page.items], next_cursor=page.next_cursor
        )


class VersionSummaryPublic(BaseModel):
    """A published version in a list."""

    id: UUID
    number: int
    content_hash: str
    note: str
    created_at: datetime
    created_by: UUID | None

    @classmethod
    def of(cls, summary: VersionSummary) -> "VersionSummaryPublic":
        """Make the answer."""
        return cls.model_validate(summary, from_attributes=True)


class VersionList(BaseModel):
    """Published versions, the newest first."""

    items: list[VersionSummaryPublic]


class VersionPublic(VersionSummaryPublic):
    """A published version."""

    document: dict[str, Any]

    @classmethod
    def detail(cls, detail: VersionDetail) -> "VersionPublic":
        """Make the answer."""
        return cls(**VersionSummaryPublic.of(detail.summary).model_dump(), document=detail.document.as_json())


class ValidationPublic(BaseModel):
    """What is wrong with a document."""

    valid: bool
    """No errors; there may be warnings."""
    problems: list[dict[str, Any]]


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


class FilePublic(BaseModel):
    """An uploaded file."""

    path: str
    size_bytes: int
    changed_at: datetime

    @classmethod
    def of(cls, entry: FileEntry) -> "FilePublic":
        """Make the answer."""
        return cls.model_validate(entry, from_attributes=True)


class FileList(BaseModel):
    """Uploaded files by path."""

    items: list[FilePublic]


class ColumnPublic(BaseModel):
    """A column of a table."""

    name: str
    kind: Literal["number", "text", "boolean", "other"]


class TablePagePublic(BaseModel):
    """Some rows of a table, cells in the order of the columns."""

    columns: list[ColumnPublic]
    rows: list[list[Any]]
    offset: int
    matched: int
    """Rows that the search finds."""
    total: int


class CutValuePublic(BaseModel):
    """A value as far as a person reads it."""

    value: Any
    cut: bool
    """Something is left out: download it to have it whole."""


class ConnectionCreate(Body):
    """A new connection; docs/connections.md lists the settings of each kind."""

    name: Annotated[str, Field(max_length=63)]
    """What workflows call it; it cannot be changed later."""
    kind: Annotated[str, Field(max_length=40)]
    settings: dict[str, Any]
    secret: Annotated[str, Field(max_length=4_096)] | None = None
    """The password; sealed, and never returned."""
    description: Annotated[str, Field(max_length=1_000)] = ""


class ConnectionUpdate(Body):
    """What is to change; an empty secret removes it."""

    settings: dict[str, Any] | None = None
    secret: Annotated[str, Field(max_length=4_096)] | None = None
    description: Annotated[str, Field(max_length=1_000)] | None = None


class ConnectionPublic(BaseModel):
    """A connection without its secret."""

    id: UUID
    name: str
    kind: str
    description: str
    settings: dict[str, Any]
    has_secret: bool
    created_at: datetime
    updated_at: datetime
    tested_at: datetime | None
    """When it was tried last; null since it was changed."""
    test_problem: str
    """What was wrong then; empty when it worked."""


class ConnectionList(BaseModel):
    """All connections of the organization."""

    items: list[ConnectionPublic]


class ConnectionTestPublic(BaseModel):
    """How trying a connection ended."""

    ok: bool
    server: str
    problem: dict[str, Any] | None
