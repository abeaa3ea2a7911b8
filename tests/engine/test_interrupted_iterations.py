"""What `on_interrupted` says holds for each iteration of a loop and each element of a list by itself."""

from pathlib import Path
from typing import Any

import pytest

from structforge.domain.journal import Commit
from structforge.domain.run import StepStatus
from structforge.domain.workflow import WorkflowDocument
from structforge.engine.control import RunControl
from tests.support.eventually import eventually
from tests.support.execution import Workshop, lines_of
from tests.support.memory_journal import steps_of
from tests.support.workflows import document, node

RULES = ("retry", "hold", "fail")


def iterating(place: str, kind: str, rule: str, concurrency: int, **parameters: Any) -> WorkflowDocument:
    """Return a workflow that does its work three times, in a loop, in a loop in a loop, or for each element."""
    policies: dict[str, Any] = {"on_interrupted": rule}
    if place == "each":
        policies["each"] = {"items": "{{ [0, 1, 2] }}", "concurrency": concurrency}
        return document(node("work", kind, policies=policies, **parameters))
    inner = node("all", "flow.loop", items=[0, 1, 2], concurrency=concurrency)
    work = node("work", kind, policies=policies, **parameters)
    edges = ["all.body>work", "work>all.again"]
    if place == "loop":
        return document(inner, work, edges=edges)
    outer = node("outer", "flow.loop", items=[0])
    return document(outer, inner, work, edges=["outer.body>all", *edges, "all.done>outer.again"])


def keys_of(place: str) -> list[str]:
    pattern = {"each": "work#{}", "loop": "all[{}]/work", "nested": "outer[0]/all[{}]/work"}[place]
    return [pattern.format(index) for index in range(3)]


def interrupted(commits: list[Commit], keys: list[str]) -> list[str]:
    """Return the steps that a crash after these commits interrupts."""
    last = {key: row for (key, _), row in sorted(steps_of(commits).items()) if key in keys}
    return [key for key, row in last.items() if row.status is StepStatus.RUNNING]


@pytest.mark.parametrize("place", ["loop", "nested", "each"])
@pytest.mark.parametrize("rule", RULES)
async def test_two_that_are_interrupted_together(
    workshop: Workshop, tmp_path: Path, rule: str, place: str
) -> None:
    trace, gate = tmp_path / "trace", tmp_path / "gate"
    made = iterating(place, "test.gate", rule, 2, trace=str(trace), gate=str(gate))
    first, second, third = keys_of(place)
    async with workshop.running(made, RunControl()) as running:
        await eventually(
            lambda: interrupted(running.journal.commits, [first, second, third]) == [first, second]
        )
        await eventually(lambda: len(lines_of(trace)) == 2)
        durable = list(running.journal.commits)
    gate.touch()
    report = await workshop.run(made, before=durable)
    if rule == "fail":
        assert (report.status, report.code) == ("failed", "step.interrupted")
        assert report.settled[first] == "failed"
        assert third not in report.settled
        assert len(lines_of(trace)) == 2
        return
    if rule == "hold":
        assert report.status == "waiting"
        assert report.attempts[first] == report.attempts[second] == [(1, "waiting")]
        assert len(lines_of(trace)) == 2
        # A word about one of them lets that one go on, and what comes after it.
        words = {f"{first}@1": {"decision": "done", "fields": {"output": "paid"}}}
        report = await workshop.run(made, before=report.commits, answers=words)
        assert (report.status, report.settled[third]) == ("waiting", "succeeded")
        assert report.attempts[second] == [(1, "waiting")]
        words[f"{second}@1"] = {"decision": "retry", "fields": {}}
        report = await workshop.run(made, before=report.commits, answers=words)
        assert report.outputs[first] == {"out": "paid"}
    assert report.status == "succeeded"
    assert report.attempts[second] == [(1, "failed"), (2, "succeeded")]
    assert report.attempts[third] == [(1, "succeeded")]
    assert len(lines_of(trace)) == (5 if rule == "retry" else 4)


@pytest.mark.parametrize("place", ["loop", "nested", "each"])
@pytest.mark.parametrize("rule", RULES)
async def test_a_crash_after_any_commit(workshop: Workshop, tmp_path: Path, rule: str, place: str) -> None:
    trace, keys = tmp_path / "trace", keys_of(place)
    made = iterating(place, "test.gate_once", rule, 1, trace=str(trace))
    whole = await workshop.run(made)
    assert whole.status == "succeeded"
    seen = set()
    for length in range(1, len(whole.commits)):
        durable = whole.commits[:length]
        begun = interrupted(durable, keys)
        seen.update(begun)
        report = await workshop.run(made, before=durable)
        if begun and rule == "hold":
            assert (report.status, report.attempts[begun[0]]) == ("waiting", [(1, "waiting")])
            words = {f"{key}@1": {"decision": "retry", "fields": {}} for key in begun}
            report = await workshop.run(made, before=report.commits, answers=words)
        if begun and rule == "fail":
            assert (report.status, report.code) == ("failed", "step.interrupted")
            assert report.settled[begun[0]] == "failed"
            continue
        assert (report.status, report.output) == ("succeeded", whole.output)
        for key in keys:
            again = [(1, "failed"), (2, "succeeded")] if key in begun else [(1, "succeeded")]
            assert report.attempts[key] == again, (length, key)
    assert seen == set(keys)


@pytest.mark.parametrize("place", ["loop", "each"])
async def test_a_person_may_let_one_of_them_fail(workshop: Workshop, tmp_path: Path, place: str) -> None:
    trace, gate = tmp_path / "trace", tmp_path / "gate"
    made = iterating(place, "test.gate_once", "hold", 1, trace=str(trace), gate=str(gate))
    first, second, _ = keys_of(place)
    async with workshop.running(made, RunControl()) as running:
        await eventually(lambda: interrupted(running.journal.commits, [first]) and lines_of(trace))
        durable = list(running.journal.commits)
    gate.touch()
    words = {f"{first}@1": {"decision": "fail", "fields": {}}}
    report = await workshop.run(made, before=durable, answers=words)
    assert report.status == "waiting", "a word is heard about what was asked"
    report = await workshop.run(made, before=report.commits, answers=words)
    assert (report.status, report.code, report.settled[first]) == ("failed", "step.interrupted", "failed")
    assert second not in report.settled
