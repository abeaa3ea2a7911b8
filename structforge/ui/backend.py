"""What the pages ask of the rest of the program, as one protocol; and where a web process puts the answer.

Invariant: every call takes the visitor and authorises inside; pages pass on what the browser sent unchecked.
"""

from dataclasses import dataclass
from typing import Any, Protocol, TypedDict
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Visitor:
    """The signed-in person behind a websocket."""

    principal: Any
    name: str
    email: str
    organization_name: str


class RunItem(TypedDict):
    """One row of the list of runs. Instants are ISO 8601, empty when there is none."""

    id: str
    workflow: str
    version: int
    """0 for a draft."""
    status: str
    trigger: str
    created_at: str
    started_at: str
    finished_at: str


class StepItem(TypedDict):
    """One step of a run; `key` is unique in the run."""

    key: str
    node_id: str
    title: str
    status: str
    started_at: str
    finished_at: str
    note: str


class RunView(TypedDict):
    """A run with its steps as of event `seq`."""

    run: RunItem
    steps: list[StepItem]
    seq: int
    result: str
    """The result as indented JSON or Markdown text; empty while there is none."""
    problem: dict[str, Any]
    """The `Problem` of a failed run; empty otherwise."""


class Backend(Protocol):
    """The use cases behind the pages. All raise the errors of `domain.errors`."""

    async def visitor(self, cookies: str) -> Visitor | None:
        """Return who sent this Cookie header, or None when it holds no valid session."""
        ...

    async def list_runs(
        self, visitor: Visitor, *, statuses: tuple[str, ...], before: UUID | None, limit: int
    ) -> list[RunItem]:
        """List runs, newest first, older than `before`; no statuses means all."""
        ...

    async def view_run(self, visitor: Visitor, run_id: UUID) -> RunView:
        """Return a run of the visitor's organization. Raises: NotFoundError."""
        ...

    async def stop_run(self, visitor: Visitor, run_id: UUID) -> None:
        """Ask for the run's end. Raises: NotFoundError, ForbiddenError, ConflictError."""
        ...


class _Place:
    backend: Backend | None = None


def install(backend: Backend) -> None:
    """Give this process's pages their backend."""
    _Place.backend = backend


def backend() -> Backend:
    """Return the installed backend. Raises: RuntimeError before `install`, which is a bug."""
    if _Place.backend is None:
        raise RuntimeError("no backend is installed in this process")
    return _Place.backend
