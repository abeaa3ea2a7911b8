"""A worker dies: in the middle of a step, and at each named crash point with each effect class."""

import signal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from structforge.domain.errors import InvalidError
from structforge.domain.run import RunStatus
from structforge.engine import faults
from structforge.services.answers import GivenAnswer
from tests.crash.conftest import END_S, Fleet, lines
from tests.support.eventually import eventually
from tests.support.workflows import document, node

WORKER_POINTS = [point for point in faults.POINTS if point != "after_accept"]
GATES = {"pure": "test.gate_pure", "repeatable": "test.gate", "once": "test.gate_once"}
STEPS = {"start", "work", "end"}


def three_steps(kind: str, **parameters: Any) -> Any:
    return document(
        node("start", "test.pass", value=1),
        node("work", kind, **parameters),
        node("end", "test.pass"),
        edges=["start>work", "work>end"],
    )


async def test_runs_of_a_killed_worker_go_on_elsewhere(fleet: Fleet, gate: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    workflow = await fleet.publish(three_steps("test.gate", gate=str(gate), trace=str(trace)))
    first = fleet.worker()
    runs = await fleet.accept(workflow, 5)

    def all_wait_at_the_gate() -> bool:
        assert lines(trace) == {"work": 5}
        return True

    await eventually(all_wait_at_the_gate, timeout_s=END_S)

    async def all_are_seen_running() -> bool:
        for run in runs:
            rows = await fleet.made.services.runs.steps(fleet.made.first, run)
            assert {row.step_key: row.status for row in rows} == {"start": "succeeded", "work": "running"}
        return True

    await eventually(all_are_seen_running, timeout_s=END_S)
    first.kill()
    fleet.worker()

    def all_wait_again() -> bool:
        assert lines(trace) == {"work": 10}
        return True

    await eventually(all_wait_again, timeout_s=END_S)
    gate.touch()
    await fleet.all_are(runs, RunStatus.SUCCEEDED)
    await fleet.check_journal(runs, STEPS)
    for run in runs:
        rows = await fleet.made.services.runs.steps(fleet.made.first, run)
        attempts = [(row.attempt, row.status, row.settled) for row in rows if row.step_key == "work"]
        assert attempts == [(1, "failed", False), (2, "succeeded", True)]


# Of a step that must not be repeated: the crashes after which nobody can know whether its effect happened,
# and how often it did.
UNDECIDED = {"after_step_commit": 0, "after_intent": 0, "before_final_commit": 1}


@pytest.mark.parametrize("effect", GATES)
@pytest.mark.parametrize("point", WORKER_POINTS)
async def test_a_crash_at_a_named_point_loses_and_doubles_nothing(
    fleet: Fleet, tmp_path: Path, point: str, effect: str
) -> None:
    trace = tmp_path / "trace"
    workflow = await fleet.publish(three_steps(GATES[effect], trace=str(trace)))
    runs = await fleet.accept(workflow, 1)
    doomed = fleet.worker(STRUCTFORGE_CRASH_AT=point)
    if point == "after_intent" and effect != "once":
        # Only a step that must not be repeated has an intent: the worker passes no such point and lives.
        await fleet.all_are(runs, RunStatus.SUCCEEDED)
        await fleet.check_journal(runs, STEPS)
        return
    assert doomed.wait() == -signal.SIGKILL
    fleet.worker()
    if effect == "once" and point in UNDECIDED:
        # A person decides; the step is not repeated meanwhile.
        await fleet.all_are(runs, RunStatus.WAITING)
        assert sum(lines(trace).values()) == UNDECIDED[point]
        await _decide(
            fleet, runs[0], {"after_step_commit": "done", "after_intent": "retry"}.get(point, "fail")
        )
        return
    await fleet.all_are(runs, RunStatus.SUCCEEDED)
    await fleet.check_journal(runs, STEPS)
    assert lines(trace)["work"] <= (1 if effect == "once" else 2)


async def _decide(fleet: Fleet, run: UUID, decision: Any) -> None:
    """Say what is to become of the held step, and see that it does."""
    made = fleet.made
    (question,) = await made.services.answers.waiting(made.first, run)
    assert (question.step_key, question.asks["kind"]) == ("work", "interrupted")
    with pytest.raises(InvalidError):
        await made.services.answers.answer(made.first, run, "work", GivenAnswer("approved", {}))
    word = GivenAnswer(decision, {"output": [7]} if decision == "done" else {})
    await made.services.answers.answer(made.first, run, "work", word)
    await fleet.all_are([run], RunStatus.FAILED if decision == "fail" else RunStatus.SUCCEEDED)
    attempts = [row for row in await made.services.runs.steps(made.first, run) if row.step_key == "work"]
    assert len(attempts) == (2 if decision == "retry" else 1)
    if decision == "done":
        assert (await made.services.runs.get(made.first, run)).output == [[7]]


async def test_a_run_in_a_worker_that_is_asked_to_stop_is_handed_on_without_a_lost_attempt(
    fleet: Fleet, gate: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    workflow = await fleet.publish(three_steps("test.gate", gate=str(gate), trace=str(trace)))
    first = fleet.worker()
    runs = await fleet.accept(workflow, 3)

    def all_wait_at_the_gate() -> bool:
        assert lines(trace) == {"work": 3}
        return True

    await eventually(all_wait_at_the_gate, timeout_s=END_S)
    first.process.send_signal(signal.SIGTERM)
    gate.touch()
    assert first.wait() == 0
    fleet.worker()
    await fleet.all_are(runs, RunStatus.SUCCEEDED)
    await fleet.check_journal(runs, STEPS)
    assert lines(trace) == {"work": 3}
