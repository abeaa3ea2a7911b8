"""What an execution is given: node types, a place for large values, processes for blocking nodes, limits.

Invariant: protocols and settings only; the real parts come from `wiring`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from structforge.domain.errors import Problem
from structforge.domain.journal import Acceptance, Commit, RunIdentity
from structforge.engine.reading import VALUE_MEDIA_TYPE, Reader, ReadLimits, ReadValues, TableDecoder
from structforge.sdk.context import (
    ArtifactAccess,
    ArtifactRef,
    DatabaseAccess,
    HttpAccess,
    LogLevel,
    NodeError,
)
from structforge.sdk.control import Call
from structforge.sdk.registry import NodeRegistry


class LogSink(Protocol):
    """Where a step's log lines go."""

    def __call__(self, level: LogLevel, message: str, fields: dict[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class ProcessCall:
    """A blocking step, as it is sent to a process of the pool."""

    node_type: str
    parameters: dict[str, Any]
    inputs: Mapping[str, Any]
    run: RunIdentity
    step_key: str
    attempt: int


class ProcessRunner(Protocol):
    """A pool of killable processes for nodes with `Execution.BLOCKING`."""

    async def run(self, call: ProcessCall, log: LogSink) -> Any:
        """Run the node and return its result; cancelling kills the process.

        Raises: NodeError as the node raised it; NodeError `step.process_died` when the process did.
        """
        ...


class Callees(Protocol):
    """What a run may start and stop beside itself; the acceptances it returns become durable with the run's commit."""

    async def called(self, caller: RunIdentity, step_key: str, attempt: int, call: Call) -> Commit:
        """Return the acceptance of the run that a step calls.

        Raises: NodeError `call.*`; InvalidError when the input breaks the workflow's schema.
        """
        ...

    async def handler(
        self, failed: RunIdentity, error: Problem, acceptance: Acceptance | None
    ) -> Commit | None:
        """Return the acceptance of the run that handles a failure; None where none should.

        `acceptance` is that of a failed run which is not in the database yet. Raises: StructForgeError.
        """
        ...

    async def stop(self, organization_id: UUID, run_ids: Sequence[UUID]) -> None:
        """Stop runs that nobody waits for any more; those that are over are left alone."""
        ...


class NoCallees:
    """Of an execution beside any installation: nothing can be called."""

    async def called(self, caller: RunIdentity, step_key: str, attempt: int, call: Call) -> Commit:
        """Raises: NodeError."""
        raise NodeError("call.unavailable", "No other workflow can be called from here.")

    async def handler(
        self, failed: RunIdentity, error: Problem, acceptance: Acceptance | None
    ) -> Commit | None:
        """Return None."""
        return None

    async def stop(self, organization_id: UUID, run_ids: Sequence[UUID]) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Bounds of one execution; the settings hold their documented defaults."""

    inline_value_bytes: int = 64 * 1024
    """A larger value of a port is stored as an artifact."""
    max_value_bytes: int = 256 * 1024 * 1024
    """A larger value fails its step."""
    max_read_values: int = 10_000_000
    """Values that the expressions and inputs of one step read into memory: cells of tables, 16 bytes of JSON each."""
    max_file_bytes: int = 100 * 1024 * 1024
    """A larger file is not read by nodes (blocking ones get the setting through the pool)."""
    step_timeout_s: float = 3_600.0
    """The limit of an attempt whose node names none."""
    max_parallel: int = 1_000
    """Steps of one run in flight at the same time, unless the workflow asks for fewer."""
    short_wait_s: float = 2.0
    """A wait shorter than this is slept through by the worker; a longer one gives the run back."""
    slice_s: float = 0.005
    """Inline steps give the loop back after this long."""


def no_databases(organization_id: UUID) -> DatabaseAccess:
    """Stand where a process has no connections. Raises: NodeError."""
    raise NodeError("context.no_databases", "This process reaches no databases.")


@dataclass(slots=True)
class Environment:
    """The world of an execution."""

    registry: NodeRegistry
    artifacts: Callable[[UUID], ArtifactAccess]
    """The artifact store as an organization sees it."""
    files: Callable[[UUID], Path]
    """The folder of an organization's files."""
    http: HttpAccess
    processes: ProcessRunner
    decoders: Mapping[str, TableDecoder]
    """Media type of artifacts that are tables to how they are read."""
    limits: EngineLimits = EngineLimits()
    read: ReadValues = field(default_factory=ReadValues)
    """What was read lately of them."""
    callees: Callees = field(default_factory=NoCallees)
    resume_url: Callable[[UUID, UUID, str], str] = lambda organization_id, run_id, step_key: ""
    """The address at which a waiting step is answered."""
    ring: Callable[[UUID], None] = lambda run_id: None
    """Say that a run that was just accepted can be claimed."""
    databases: Callable[[UUID], DatabaseAccess] = no_databases
    """The databases behind an organization's connections."""

    def reader(self, organization_id: UUID, *, most: int | None = None) -> Reader:
        """Return what reads large values of an organization for one step or one answer, at most so many."""
        limits = ReadLimits(most or self.limits.max_read_values, self.limits.max_value_bytes)
        return Reader(self.artifacts(organization_id), self.decoders, self.read, limits, organization_id)


def is_stored_value(ref: ArtifactRef) -> bool:
    """Tell whether the reference is one the engine made for a large value."""
    return ref.media_type == VALUE_MEDIA_TYPE
