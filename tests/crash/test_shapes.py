"""A worker dies while a loop, a list or a branch that waits is under way, with each effect class (R3)."""

import signal
from pathlib import Path
from typing import Any

import pytest

from structforge.domain.run import RunStatus
from structforge.services.answers import GivenAnswer
from tests.crash.conftest import END_S, Fleet, lines
from tests.support.eventually import eventually
from tests.support.workflows import document, node

GATES = {"pure": "test.gate_pure", "repeatable": "test.gate", "once": "test.gate_once"}
CASES = [
    *((name, "once", point, after) for name in ("loop", "each", "wait") for point, after in
      (("after_step_commit", 1), ("before_commit", 2), ("before_final_commit", 0))),
    ("loop", "repeatable", "before_commit", 1),
    ("each", "pure", "before_commit", 1),
]  # fmt: skip


def shape(name: str, kind: str, trace: Path) -> tuple[Any, set[str]]:
    """Return a workflow whose work stands in a loop, a list or behind a wait, and all its steps."""
    if name == "loop":
        made = document(
            node("all", "flow.loop", items=[1, 2, 3]),
            node("work", kind, trace=str(trace)),
            edges=["all.body>work", "work>all.again"],
        )
        return made, {"all", *(f"all[{index}]/work" for index in range(3))}
    if name == "each":
        policies = {"each": {"items": "{{ [1, 2, 3] }}", "concurrency": 1}}
        return document(node("work", kind, trace=str(trace), policies=policies)), {
            "work",
            "work#0",
            "work#1",
            "work#2",
        }
    made = document(
        node("rest", "flow.delay", seconds=0.1),
        node("work", kind, trace=str(trace)),
        node("more", kind, trace=str(trace)),
        edges=["rest>work", "work>more"],
    )
    return made, {"rest", "work", "more"}


@pytest.mark.parametrize(("name", "effect", "point", "after"), CASES)
async def test_results_are_as_if_nothing_had_happened(
    fleet: Fleet, tmp_path: Path, name: str, effect: str, point: str, after: int
) -> None:
    trace = tmp_path / "trace"
    made, steps = shape(name, GATES[effect], trace)
    (run,) = await fleet.accept(await fleet.publish(made), 1)
    doomed = fleet.worker(STRUCTFORGE_CRASH_AT=point, STRUCTFORGE_CRASH_AFTER=str(after))
    assert doomed.wait() == -signal.SIGKILL
    counted = lines(trace)
    fleet.worker()
    answers, me = fleet.made.services.answers, fleet.made.first

    async def over() -> bool:
        # A step that must not be repeated is asked about; whether its effect happened, the trace tells.
        for question in await answers.waiting(me, run):
            word = "done" if question.step_key in counted else "retry"
            await answers.answer(me, run, question.step_key, GivenAnswer(word, {}))
        return (await fleet.status(run)).terminal

    await eventually(over, timeout_s=END_S)
    assert await fleet.status(run) is RunStatus.SUCCEEDED
    await fleet.check_journal([run], steps)
    work = lines(trace)
    assert set(work) == steps - {"all", "rest"} - ({"work"} if name == "each" else set())
    assert max(work.values()) <= (1 if effect == "once" else 2)
