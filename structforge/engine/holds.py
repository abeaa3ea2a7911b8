"""Steps that a crash interrupted and that must not be repeated silently: they wait for a person's word.

Invariant: a word counts for the attempt it was given about, so a step that is interrupted again asks again.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from structforge.domain.errors import Problem, sentence
from structforge.domain.journal import WORKER_DIED, StepHistory, StepRecord
from structforge.domain.run import StepStatus
from structforge.domain.values import encode_json
from structforge.engine.recorder import RunRecorder
from structforge.engine.step import Step

INTERRUPTED = "step.interrupted"

RETRY, DONE, FAIL = "retry", "done", "fail"

ASKS: Mapping[str, Any] = {
    "kind": "interrupted",
    "decisions": [RETRY, DONE, FAIL],
    "fields": [{"name": "output", "type": "json", "required": False}],
}
"""What is asked of a person; `output` is what the step gives when it is declared done."""


def problem_of(step: Step) -> Problem:
    """Say what happened."""
    return Problem(
        INTERRUPTED,
        sentence(
            "The worker died while {key} was running, and this step must not be repeated silently.",
            key=repr(step.key),
        ),
        f"nodes.{step.planned.id}",
        "Find out whether its effect happened, then let it run again, declare it done, or let it fail.",
    )


def lost_attempt(step: Step, history: StepHistory) -> StepRecord:
    """Return the row of the attempt that died with its worker."""
    lost = Problem(WORKER_DIED, "The worker died while this attempt was running.")
    return StepRecord(
        step.key,
        history.attempt,
        step.planned.id,
        StepStatus.FAILED,
        False,
        error=encode_json(lost.as_json()),
        started_at=history.started_at,
        finished_at=datetime.now(UTC),
    )


def hold(step: Step, history: StepHistory, recorder: RunRecorder) -> None:
    """Write down that the attempt waits for a person."""
    problem = problem_of(step).as_json()
    recorder.step(
        StepRecord(
            step.key,
            history.attempt,
            step.planned.id,
            StepStatus.WAITING,
            False,
            encode_json({"asks": {**ASKS, "answer_key": answer_key(step.key, history.attempt)}}),
            encode_json(problem),
            started_at=history.started_at,
        )
    )
    recorder.event(
        "step.waiting",
        datetime.now(UTC),
        step_key=step.key,
        node_id=step.planned.id,
        attempt=history.attempt,
        status=StepStatus.WAITING,
        error=problem,
    )


def held(history: StepHistory) -> StepHistory:
    """Return how an interrupted step stands once it waits for a person."""
    return replace(history, status=StepStatus.WAITING, error={"code": INTERRUPTED})


def is_held(history: StepHistory) -> bool:
    """Tell whether a waiting step waits for such a word."""
    return history.status is StepStatus.WAITING and (history.error or {}).get("code") == INTERRUPTED


def answer_key(step_key: str, attempt: int) -> str:
    """Return under what key the word about an attempt is kept: no step has such a key."""
    return f"{step_key}@{attempt}"


def word_about(history: StepHistory, step_key: str, answers: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the word that was given about this attempt, or None while there is none."""
    word: Mapping[str, Any] | None = answers.get(answer_key(step_key, history.attempt))
    return word
