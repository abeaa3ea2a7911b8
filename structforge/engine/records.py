"""What is written down about steps: that they begin, wait, are tried again, and how they end.

Invariant: a row, and the event that tells observers of it, are recorded together.
"""

from datetime import UTC, datetime
from typing import Any

from structforge.domain.errors import Problem
from structforge.domain.journal import StepRecord
from structforge.domain.run import Effect, StepStatus
from structforge.domain.values import encode_json
from structforge.engine import faults
from structforge.engine.recorder import RunRecorder
from structforge.engine.step import Outcome, Step
from structforge.engine.summaries import summaries_of


async def record_start(step: Step, recorder: RunRecorder, *, intent: bool = True) -> None:
    """Write down that an attempt begins; the intent of a `once` step is durable when this returns."""
    recorder.step(
        StepRecord(
            step.key, step.attempt, step.planned.id, StepStatus.RUNNING, False, started_at=step.started_at
        )
    )
    recorder.event(
        "step.started",
        step.started_at,
        step_key=step.key,
        node_id=step.planned.id,
        attempt=step.attempt,
        status=StepStatus.RUNNING,
    )
    recorder.nudge()
    if intent and step.planned.node.effect is Effect.ONCE:
        # The intent, and every result it depends on, must be durable before the outside hears of it.
        durable = recorder.submit()
        if durable is not None:
            await durable
        faults.point("after_intent")


def record_waiting(step: Step, recorder: RunRecorder, asks: bytes | None, until: datetime | None) -> None:
    """Write down that a step waits from now on."""
    recorder.step(
        StepRecord(
            step.key,
            step.attempt,
            step.planned.id,
            StepStatus.WAITING,
            False,
            asks,
            started_at=step.started_at,
        )
    )
    recorder.event(
        "step.waiting",
        datetime.now(UTC),
        step_key=step.key,
        node_id=step.planned.id,
        attempt=step.attempt,
        status=StepStatus.WAITING,
        until=until,
    )


def record_retry(step: Step, recorder: RunRecorder, problem: Problem, wait_s: float) -> None:
    """Write down that an attempt failed, and after how long the next one begins."""
    now = datetime.now(UTC)
    error = encode_json(problem.as_json())
    recorder.step(
        StepRecord(
            step.key,
            step.attempt,
            step.planned.id,
            StepStatus.FAILED,
            False,
            error=error,
            started_at=step.started_at,
            finished_at=now,
        )
    )
    recorder.event(
        "step.retrying",
        now,
        step_key=step.key,
        node_id=step.planned.id,
        attempt=step.attempt,
        status=StepStatus.PENDING,
        error=problem.as_json(),
        wait_s=round(wait_s, 3),
    )


def record_outcome(step: Step, outcome: Outcome, recorder: RunRecorder) -> None:
    """Write down how a step ended."""
    error = outcome.problem.as_json() if outcome.problem else None
    recorder.step(
        StepRecord(
            step.key,
            step.attempt,
            step.planned.id,
            outcome.status,
            True,
            outcome.data,
            encode_json(error) if error else None,
            outcome.started_at,
            outcome.finished_at,
        )
    )
    for artifact in outcome.artifacts:
        recorder.artifact(artifact)
    if outcome.child is not None:
        recorder.child(outcome.child)
    fields: dict[str, Any] = {"error": error} if error else {}
    if recorder.accepted and outcome.ports:
        # Nobody can watch a run that is accepted when it ends.
        fields["summary"] = summaries_of(outcome.ports)
    recorder.event(
        "step.finished",
        outcome.finished_at,
        step_key=step.key,
        node_id=step.planned.id,
        attempt=step.attempt,
        status=outcome.status,
        started_at=outcome.started_at,
        ports=list(outcome.ports),
        **fields,
    )
