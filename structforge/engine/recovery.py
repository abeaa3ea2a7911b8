"""Going on with steps that an earlier worker began.

Invariant: an attempt that died is written down as lost before the next one begins, and a step that must not be
repeated silently runs again only on a person's word (`holds`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from structforge.domain.journal import StepHistory
from structforge.domain.run import Effect, StepStatus
from structforge.engine import holds
from structforge.engine.recorder import RunRecorder
from structforge.engine.step import Outcome, Step, failure


class Resumption(Enum):
    """What is to be done with a step that has begun."""

    GO_ON = "go on"
    ASIDE = "aside"
    """Until a person has decided."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A person said that the step's effect happened, and what it gave."""

    ports: Mapping[str, Any]


def resume(
    step: Step, history: StepHistory, answers: Mapping[str, Any], recorder: RunRecorder
) -> Resumption | Outcome | Declared:
    """Set a step to where it was left, and say how it goes on; what was lost is recorded."""
    step.lost_attempts = history.lost_attempts
    if holds.is_held(history):
        return _decided(step, history, answers, recorder)
    if history.status is StepStatus.WAITING:
        step.attempt = history.attempt
        step.started_at = step.waiting_since = history.started_at or datetime.now(UTC)
        return Resumption.GO_ON
    step.attempt = history.attempt + 1
    if history.status is not StepStatus.RUNNING:
        return Resumption.GO_ON
    planned = step.planned
    step.lost_attempts += 1
    rule = planned.policies.on_interrupted or ("hold" if planned.node.effect is Effect.ONCE else "retry")
    if rule == "hold":
        holds.hold(step, history, recorder)
        _put_back(step, history)
        return Resumption.ASIDE
    recorder.step(holds.lost_attempt(step, history))
    return failure(step, holds.problem_of(step)) if rule == "fail" else Resumption.GO_ON


def _decided(
    step: Step, history: StepHistory, answers: Mapping[str, Any], recorder: RunRecorder
) -> Resumption | Outcome | Declared:
    """Do as a person said about an interrupted step."""
    _put_back(step, history)
    word = holds.word_about(history, step.key, answers)
    if word is None:
        return Resumption.ASIDE
    if word["decision"] == holds.RETRY:
        recorder.step(holds.lost_attempt(step, history))
        step.attempt = history.attempt + 1
        step.lost_attempts += 1
        return Resumption.GO_ON
    if word["decision"] == holds.DONE:
        return Declared({step.planned.default_port: word["fields"].get("output")})
    return failure(step, holds.problem_of(step))


def _put_back(step: Step, history: StepHistory) -> None:
    step.attempt, step.started_at = history.attempt, history.started_at or step.started_at
