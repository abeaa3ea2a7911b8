"""Which status may follow which, and on whose word: one table for runs, one for steps (DESIGN 5).

Invariant: nothing leads out of a terminal status. Storage makes every write conditional on `sources`, so a
late or repeated message changes nothing. Any layer may import it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from structforge.domain.run import RunStatus, StepStatus

S = TypeVar("S", RunStatus, StepStatus)


class Actor(StrEnum):
    """On whose word a status changes."""

    WORKER = "worker"
    """The process that holds the run's lease, or accepted it and has it in hand."""
    PERSON = "person"
    """A principal: start, pause, resume, stop, answer."""
    SYSTEM = "system"
    """Dispatcher, recovery or scheduler, for a run whose lease nobody holds any more."""


_W = frozenset({Actor.WORKER})
_P = frozenset({Actor.PERSON})
_S = frozenset({Actor.SYSTEM})

_R = RunStatus
RUN_TRANSITIONS: Mapping[tuple[RunStatus | None, RunStatus], frozenset[Actor]] = {
    # Acceptance: the first commit. A short pure run is accepted, executed and over in one.
    (None, _R.QUEUED): _P | _W | _S,
    (None, _R.RUNNING): _W,
    (None, _R.SUCCEEDED): _W,
    (None, _R.FAILED): _W,
    # Claimed; paused or stopped before any worker came; poisoned, or its version is gone.
    (_R.QUEUED, _R.RUNNING): _W,
    (_R.QUEUED, _R.PAUSED): _P,
    (_R.QUEUED, _R.CANCELLING): _P,
    (_R.QUEUED, _R.CANCELLED): _P | _S,
    (_R.QUEUED, _R.FAILED): _S,
    # In hand. Recovery and a draining worker put it back in the queue.
    (_R.RUNNING, _R.QUEUED): _W | _S,
    (_R.RUNNING, _R.WAITING): _W,
    (_R.RUNNING, _R.PAUSING): _P | _W,
    (_R.RUNNING, _R.PAUSED): _W,
    (_R.RUNNING, _R.CANCELLING): _P | _W,
    (_R.RUNNING, _R.SUCCEEDED): _W,
    (_R.RUNNING, _R.FAILED): _W | _S,
    (_R.RUNNING, _R.CANCELLED): _W,
    # Nothing can move until a timer is due or an answer comes; unleased, so others may act on it at once.
    (_R.WAITING, _R.QUEUED): _P | _S,
    (_R.WAITING, _R.RUNNING): _W,
    (_R.WAITING, _R.PAUSED): _P,
    (_R.WAITING, _R.CANCELLING): _P,
    (_R.WAITING, _R.CANCELLED): _P | _S,
    (_R.WAITING, _R.FAILED): _S,
    # What is in flight ends first, and may turn out to have been the last of the run.
    (_R.PAUSING, _R.RUNNING): _P | _W,
    (_R.PAUSING, _R.PAUSED): _W | _S,
    (_R.PAUSING, _R.CANCELLING): _P | _W,
    (_R.PAUSING, _R.SUCCEEDED): _W,
    (_R.PAUSING, _R.FAILED): _W | _S,
    (_R.PAUSING, _R.CANCELLED): _W,
    # Resumed by way of the queue, also when it will only wait again.
    (_R.PAUSED, _R.QUEUED): _P,
    (_R.PAUSED, _R.CANCELLING): _P,
    (_R.PAUSED, _R.CANCELLED): _P | _S,
    (_R.PAUSED, _R.FAILED): _S,
    # A stop that came after the last step was handed to the journal finds the run over.
    (_R.CANCELLING, _R.CANCELLED): _W | _S,
    (_R.CANCELLING, _R.SUCCEEDED): _W,
    (_R.CANCELLING, _R.FAILED): _W | _S,
}
"""(from, to) of a run and who may say so; None is "not accepted yet"."""

_T = StepStatus
STEP_TRANSITIONS: Mapping[tuple[StepStatus | None, StepStatus], frozenset[Actor]] = {
    # The first row of an attempt may be its outcome: pure steps are journaled in batches.
    (None, _T.PENDING): _W,
    (None, _T.RUNNING): _W,
    (None, _T.WAITING): _W,
    (None, _T.SUCCEEDED): _W,
    (None, _T.FAILED): _W,
    (None, _T.SKIPPED): _W,
    (None, _T.CANCELLED): _W,
    # Taken over from another run when a replay is accepted.
    (None, _T.REUSED): _W | _P | _S,
    (_T.PENDING, _T.RUNNING): _W,
    (_T.PENDING, _T.WAITING): _W,
    (_T.PENDING, _T.SUCCEEDED): _W,
    (_T.PENDING, _T.FAILED): _W | _S,
    (_T.PENDING, _T.SKIPPED): _W,
    (_T.PENDING, _T.CANCELLED): _W | _P | _S,
    (_T.PENDING, _T.REUSED): _W,
    # Waiting also means on hold: a `once` step that a crash interrupted. Pending again: its process died.
    (_T.RUNNING, _T.PENDING): _W | _S,
    (_T.RUNNING, _T.WAITING): _W,
    (_T.RUNNING, _T.SUCCEEDED): _W,
    (_T.RUNNING, _T.FAILED): _W | _S,
    (_T.RUNNING, _T.CANCELLED): _W | _S,
    (_T.WAITING, _T.PENDING): _W,
    (_T.WAITING, _T.RUNNING): _W,
    (_T.WAITING, _T.SUCCEEDED): _W,
    (_T.WAITING, _T.FAILED): _W | _S,
    (_T.WAITING, _T.CANCELLED): _W | _P | _S,
}
"""(from, to) of one attempt's row and who may say so; None is "no row yet". A retry is a new row."""


def allowed(source: S | None, target: S, by: Actor) -> bool:
    """Tell whether a status may become another on this actor's word.

    Staying in a status that is not terminal is always allowed: a repeated message is harmless.
    """
    if source is not None and source == target:
        return not source.terminal
    return by in _table(target).get((source, target), frozenset())


def sources(target: S, by: Actor) -> frozenset[S]:
    """Return the statuses a conditional write to `target` may find: `WHERE status = ANY(...)`.

    `target` itself is among them unless it is terminal; "no row yet" is not.
    """
    statuses: type[S] = type(target)
    return frozenset(status for status in statuses if allowed(status, target, by))


def may_begin(target: S, by: Actor) -> bool:
    """Tell whether the first row of a run or an attempt may have this status."""
    return allowed(None, target, by)


def _table(target: S) -> Mapping[tuple[S | None, S], frozenset[Actor]]:
    return RUN_TRANSITIONS if isinstance(target, RunStatus) else STEP_TRANSITIONS
