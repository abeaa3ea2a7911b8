"""Runs and steps: their statuses and what the words mean.

Invariant: a terminal status never changes (the rules are in `transitions`).
"""

from enum import StrEnum


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Tell whether the run is over for good."""
        return self in TERMINAL_RUN_STATUSES


class StepStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    REUSED = "reused"

    @property
    def terminal(self) -> bool:
        """Tell whether the step is over for good."""
        return self in TERMINAL_STEP_STATUSES


TERMINAL_RUN_STATUSES = frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED})
TERMINAL_STEP_STATUSES = frozenset(
    {
        StepStatus.SUCCEEDED,
        StepStatus.FAILED,
        StepStatus.SKIPPED,
        StepStatus.CANCELLED,
        StepStatus.REUSED,
    }
)


class Effect(StrEnum):
    """What running a step does to the outside, which decides what a crash may repeat (DESIGN 5)."""

    PURE = "pure"
    """Recomputed after a crash; journaled in batches."""
    REPEATABLE = "repeatable"
    """May be done again after a crash, never after its outcome is committed."""
    ONCE = "once"
    """Its intent is committed first; interrupted, the run waits for a person."""


class Execution(StrEnum):
    """Where a node's `run` is called."""

    INLINE = "inline"
    """On the event loop, synchronously: microseconds, bounded input."""
    ASYNC = "async"
    """A coroutine on the event loop: waits for I/O, never computes for long."""
    BLOCKING = "blocking"
    """In a killable process of the pool: tables, parsing, compression, files."""
