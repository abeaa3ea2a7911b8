"""What an execution is told about its run, and how it left it. Pure values.

Invariant: a terminal `RunEnd` is the run's end; any other says when and by whose doing it goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from structforge.domain.errors import Problem
from structforge.domain.journal import Acceptance, CallEnd, StepHistory
from structforge.domain.run import RunStatus


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What to execute: the values of one run that its version does not know."""

    trigger: str | None
    """Id of the fired trigger node; none starts the first trigger there is."""
    input: Any
    accepted_at: datetime
    started_at: datetime | None = None
    """Set when an earlier worker began the run."""
    status: RunStatus = RunStatus.RUNNING
    """Of a run that began: what it was when it was claimed."""
    history: Mapping[str, StepHistory] | None = None
    answers: Mapping[str, Any] | None = None
    """What came in for its steps, by step key (see `holds.answer_key` for those of interrupted ones)."""
    ended: Mapping[UUID, CallEnd] | None = None
    """Runs its steps wait for that are over."""
    acceptance: Acceptance | None = None
    """Of a run that is not in the database yet."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How an execution left its run."""

    status: RunStatus
    """Terminal; `waiting` when a person must decide; `queued` when it goes on elsewhere."""
    output: bytes | None = None
    error: Problem | None = None
    resume_at: datetime | None = None
    """When a waiting run goes on by itself; none waits for somebody."""
