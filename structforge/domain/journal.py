"""What makes replay correct: the records of a run, and the protocol that commits them.

Invariant: the commits of one run become durable in the order they were handed over, each whole or not at all,
and only while its lease is the current one. So what is durable is always a causally closed prefix of the run.
"""

from asyncio import Future
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from structforge.domain.run import RunStatus, StepStatus

WORKER_DIED = "step.worker_died"
"""Code of the error of an attempt that was lost with its worker: no retry of the policy is used up by it."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """The columns every row of a run carries."""

    run_id: UUID
    organization_id: UUID
    workflow_id: UUID
    accepted_on: date
    """Partition key of steps, logs and events: the UTC day of acceptance."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one worker to write for one run until it expires or is taken over."""

    run: RunIdentity
    epoch: int
    """Raised by one at each claim; a write with an older epoch is dropped."""
    deaths: int = 0
    """Times a worker died holding this run since it last made progress."""


@dataclass(slots=True)
class StepRecord:
    """One attempt of one step as it stands in `execution_steps`."""

    step_key: str
    attempt: int
    node_id: str
    status: StepStatus
    settled: bool
    """True for the one outcome of the step; false for an intent or an attempt that will be retried."""
    outputs: bytes | None = None
    """JSON object, port name to value; a large value stands as an artifact reference."""
    error: bytes | None = None
    """JSON of a `Problem`."""
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(slots=True)
class LogRecord:
    """One line of text for people."""

    seq: int
    step_key: str
    attempt: int
    level: str
    message: str
    fields: bytes | None
    at: datetime


@dataclass(slots=True)
class Acceptance:
    """The first row of a run."""

    version_id: UUID
    accepted_at: datetime
    trigger_kind: str
    trigger_node: str | None
    priority: int
    input: bytes
    created_by: UUID | None
    parent_run_id: UUID | None = None
    parent_step_key: str | None = None
    parent_waits: bool = False
    """The parent's step waits for this run: it is woken by this run's last commit."""
    depth: int = 0
    """Runs above it."""
    origin_run_id: UUID | None = None
    origin_kind: str | None = None
    idempotency: "IdempotencyClaim | None" = None
    available_at: datetime | None = None
    """When it may start; none means at once."""


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """A caller's key: the first commit that carries it wins, the others are told who did."""

    route: str
    key: str
    body_hash: str
    expires_at: datetime


@dataclass(slots=True)
class RunChange:
    """The run's row after this commit."""

    status: RunStatus
    output: bytes | None = None
    error: bytes | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(slots=True)
class Commit:
    """Everything of one run that becomes durable together."""

    run: RunIdentity
    epoch: int | None
    """None with `acceptance`: the run has no lease row yet (and never gets one when it ends in this commit)."""
    acceptance: Acceptance | None = None
    change: RunChange | None = None
    steps: dict[tuple[str, int], StepRecord] = field(default_factory=dict)
    settled_steps: int = 0
    """Outcomes of the run so far, those of earlier commits included."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """In sequence; each has `seq`."""
    logs: list[LogRecord] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the artifact references in `steps` and `change`: `hash`, `size_bytes`, `media_type`."""
    release: bool = False
    """Give the lease back: the run waits, or another worker goes on with it."""
    resume_at: datetime | None = None
    """With `release` of a waiting run: when it goes on by itself."""
    progress: bool = False
    """The run got further since it was claimed: its deaths are forgotten."""
    children: list["Commit"] = field(default_factory=list)
    """Acceptances of runs that this one starts: durable with this commit, only under its lease, and once."""
    wakes: UUID | None = None
    """With a terminal `change`: the run whose step waits for this one."""

    def absorb(self, later: "Commit") -> None:
        """Add a later commit of the same run, so that both become durable as one."""
        self.steps.update(later.steps)
        self.settled_steps = max(self.settled_steps, later.settled_steps)
        self.events += later.events
        self.logs += later.logs
        self.artifacts += later.artifacts
        if later.change is not None:
            started_at = self.change.started_at if self.change else None
            self.change = later.change
            self.change.started_at = later.change.started_at or started_at
        self.release = self.release or later.release
        self.resume_at = later.resume_at
        self.progress = self.progress or later.progress
        self.children += later.children
        self.wakes = later.wakes or self.wakes


@dataclass(slots=True)
class RunSnapshot:
    """What a worker needs to start or go on with a run."""

    lease: Lease
    version_id: UUID
    status: RunStatus
    trigger_kind: str
    trigger_node: str | None
    input: Any
    started_at: datetime | None
    accepted_at: datetime
    event_seq: int
    log_seq: int
    control: str | None
    limited: bool = False
    """A limit may hold others back until this run ends or rests."""
    steps: Mapping[str, "StepHistory"] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    """Step key to what came in for it."""
    ended: Mapping[UUID, "CallEnd"] = field(default_factory=dict)
    """Runs its steps wait for that are over."""
    wakes: UUID | None = None
    """The run whose step waits for this one."""


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a run ended that another one waits for."""

    run_id: UUID
    status: RunStatus
    output: Any = None
    error: Mapping[str, Any] | None = None


@dataclass(slots=True)
class StepHistory:
    """What is durable of one step: its outcome, or how many attempts began."""

    node_id: str
    status: StepStatus
    settled: bool
    attempt: int
    """The last attempt that left a row."""
    outputs: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None
    lost_attempts: int = 0
    """Attempts whose worker died; an open one is not among them yet."""


class LeaseLostError(Exception):
    """Another worker holds the run now, or it is over: stop at once, write nothing."""


class IdempotencyLostError(Exception):
    """Another request with the same key was first: `run_id` is its run, `same_body` whether it asked the same."""

    def __init__(self, run_id: UUID, same_body: bool) -> None:
        super().__init__(str(run_id))
        self.run_id = run_id
        self.same_body = same_body


class Journal(Protocol):
    """Where commits become durable."""

    def submit(self, commit: Commit) -> Future[None]:
        """Hand over `commit`; the future is done when it is durable and its events are published.

        Commits of one run keep the order of their submission. The future raises LeaseLostError,
        IdempotencyLostError, or UnavailableError when the database stayed away (retrying may help).
        """
        ...
