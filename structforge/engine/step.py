"""One step of one run, and how it ended. Values and the rules of outcomes; `attempts` runs it, `records` writes it.

Invariant: an outcome has a definite status, and a failure's live ports are what the node's `on_error` policy says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from structforge.domain.errors import Problem
from structforge.domain.journal import Commit
from structforge.domain.ports import ERROR_PORT
from structforge.domain.run import StepStatus
from structforge.domain.values import UNBOUNDED, encode_json, weigh
from structforge.engine.activation import DEAD, Activation
from structforge.engine.planner import PlannedNode
from structforge.engine.reading import refers
from structforge.engine.values import Encoded

MAX_TOLD_WEIGHT = 1_000
"""Weight of an element that an error tells."""


@dataclass(slots=True, eq=False)
class Step:
    """A node that became ready, with everything its attempts need."""

    planned: PlannedNode
    key: str
    inputs: Mapping[str, Any]
    scope: Mapping[str, Any]
    """What its expressions may name."""
    activation: Activation | None = None
    """Where its result settles edges; none for an element of a list."""
    owner: Any = None
    """The loop or list (`engine.composite`) it is a part of."""
    element: int | None = None
    """Its place in the list of an `each` policy."""
    item: Any = None
    """The element itself."""
    waiting_since: datetime | None = None
    """When it first asked to wait."""
    answer: Any = None
    """What came in while it waited."""
    attempt: int = 1
    lost_attempts: int = 0
    """Attempts that a crash interrupted: they do not count against the retry policy."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    doing: str = "parameters"
    """What its attempt is at, for a failure nobody foresaw: `parameters`, `run` or `result`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended."""

    status: StepStatus
    ports: Mapping[str, Any]
    """Live ports and their values: what travels on."""
    data: bytes | None
    """JSON of `ports`."""
    problem: Problem | None
    started_at: datetime
    finished_at: datetime
    artifacts: tuple[dict[str, Any], ...] = ()
    child: Commit | None = None
    """Acceptance of a run that it starts."""

    @property
    def fails_run(self) -> bool:
        """A failure that nothing took care of."""
        return self.status is StepStatus.FAILED and not self.ports


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step that is not over and needs no worker meanwhile."""

    until: datetime | None
    asks: bytes | None = None
    """JSON of what a person is asked."""
    child: Commit | None = None
    """Acceptance of the run it waits for."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A step that ends the run with this output."""

    outcome: Outcome


def success(step: Step, encoded: Encoded) -> Outcome:
    """Make the outcome of a result."""
    return Outcome(
        StepStatus.SUCCEEDED,
        encoded.ports,
        encoded.data,
        None,
        step.started_at,
        datetime.now(UTC),
        encoded.artifacts,
    )


def failure(step: Step, problem: Problem) -> Outcome:
    """Make the outcome of a final failure, as the node's `on_error` policy says."""
    policies = step.planned.policies
    if not problem.where:
        problem = Problem(
            problem.code, problem.message, f"nodes.{step.planned.id}", problem.hint, problem.details
        )
    if step.element is not None:
        problem = replace(problem, details={**problem.details, **_element(step)})
    ports: Mapping[str, Any] = DEAD
    if policies.on_error == "continue":
        ports = {step.planned.default_port: policies.error_value}
    elif policies.on_error == "port":
        ports = {ERROR_PORT: problem.as_json()}
    return Outcome(
        StepStatus.FAILED,
        ports,
        encode_json(dict(ports)) if ports else None,
        problem,
        step.started_at,
        datetime.now(UTC),
    )


def _element(step: Step) -> dict[str, Any]:
    """Return which element of a list a failure is about; a large one is only numbered."""
    small = weigh(step.item, MAX_TOLD_WEIGHT) != UNBOUNDED and not refers(step.item)
    return {"index": step.element, "item": step.item} if small else {"index": step.element}


def skipped(now: datetime) -> Outcome:
    """Make the outcome of a step that only dead edges lead to."""
    return Outcome(StepStatus.SKIPPED, DEAD, None, None, now, now)


def cancelled(step: Step, now: datetime) -> Outcome:
    """Make the outcome of a step that was interrupted."""
    return Outcome(StepStatus.CANCELLED, DEAD, None, None, step.started_at, now)
