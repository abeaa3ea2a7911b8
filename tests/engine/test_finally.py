"""The branch that runs at the end, whatever happened, with the journal in memory."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from structforge.domain.workflow import WorkflowDocument
from structforge.engine.control import CameIn, RunControl
from tests.support.eventually import eventually
from tests.support.execution import Running, Workshop, lines_of
from tests.support.workflows import document, node

FINALLY = node("end", "flow.finally", time_limit_s=5)


def with_cleanup(*nodes: dict[str, Any], edges: tuple[str, ...] = (), **settings: Any) -> WorkflowDocument:
    """Add a branch that gives the outcome it was told."""
    return document(*nodes, FINALLY, node("clean", "test.one"), edges=[*edges, "end>clean"], **settings)


@pytest.mark.parametrize(
    ("nodes", "status", "told"),
    [
        ([node("a", value=1)], "succeeded", {"status": "succeeded", "output": 1, "error": None}),
        ([node("a", "flow.return", value=2), node("b", value=1)], "succeeded",
         {"status": "succeeded", "output": 2, "error": None}),
        ([node("a", "flow.stop", code="no", message="No.")], "failed",
         {"status": "failed", "output": None, "error": {"code": "no", "message": "No.", "where": "nodes.a"}}),
    ],
)  # fmt: skip
async def test_it_is_told_how_the_run_ended_and_changes_nothing_of_it(
    workshop: Workshop, nodes: list[dict[str, Any]], status: str, told: dict[str, Any]
) -> None:
    plain = await workshop.run(document(*nodes))
    report = await workshop.run(with_cleanup(*nodes))
    assert report.status == plain.status == status
    assert (report.output, report.code) == (plain.output, plain.code)
    assert report.outputs["clean"] == {"out": told}
    assert report.events[-1] == ("run.finished", None)
    assert report.sequence == list(range(1, len(report.sequence) + 1))


async def test_it_runs_after_everything_else_and_sees_every_node(workshop: Workshop) -> None:
    made = document(
        FINALLY,
        node("late", value="{{ made.n }}/{{ never | default('none') }}"),
        node("made", "data.set", fields={"n": 1}),
        node("way", "flow.if", condition=False),
        node("never"),
        edges=["end>late", "made>way", "way.true>never"],
    )
    report = await workshop.run(made)
    finished = [step for kind, step in report.events if kind == "step.finished"]
    assert finished[-2:] == ["end", "late"]
    assert report.outputs["late"] == {"out": "1/none"}


async def test_a_stopped_run_still_runs_it(workshop: Workshop, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    made = with_cleanup(node("a", "test.gate", trace=str(trace), gate=str(tmp_path / "gate")))
    control = RunControl()
    async with workshop.running(made, control) as running:
        await eventually(lambda: lines_of(trace))
        control.stop()
        report = await running.report()
    assert (report.status, report.settled) == (
        "cancelled", {"a": "cancelled", "end": "succeeded", "clean": "succeeded"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "status", "code", "hidden"),
    [
        (node("a", value=1), "failed", "late", None),
        (node("a", "flow.stop", code="first", message="No."), "failed", "first", "late"),
    ],
)
async def test_its_failure_is_told_without_hiding_the_first_one(
    workshop: Workshop, first: dict[str, Any], status: str, code: str, hidden: str | None
) -> None:
    made = document(first, FINALLY, node("bad", "flow.stop", code="late", message="No."), edges=["end>bad"])
    report = await workshop.run(made)
    assert (report.status, report.code) == (status, code)
    error = report.end.error
    assert error is not None
    assert error.details.get("finally", {}).get("code") == hidden


async def test_it_is_cut_off_at_its_time_limit(workshop: Workshop, tmp_path: Path) -> None:
    made = document(
        node("end", "flow.finally", time_limit_s=0.3),
        node("stuck", "test.gate", gate=str(tmp_path / "gate")),
        node("a", value=1),
        edges=["end>stuck"],
    )
    report = await workshop.run(made)
    assert (report.status, report.code, report.settled["stuck"]) == ("failed", "finally.timeout", "cancelled")


async def test_it_may_wait_while_its_time_lasts(workshop: Workshop) -> None:
    made = document(FINALLY, node("rest", "flow.delay", seconds=0.2), node("a", value=1), edges=["end>rest"])
    report = await workshop.run(made)
    assert (report.status, report.settled["rest"]) == ("succeeded", "succeeded")


async def test_a_disabled_one_does_not_run(workshop: Workshop) -> None:
    made = document(
        node("end", "flow.finally", disabled=True), node("clean"), node("a", value=1), edges=["end>clean"]
    )
    report = await workshop.run(made)
    assert (report.status, report.output, report.settled) == ("succeeded", 1, {"a": "succeeded"})


async def test_a_crash_at_any_commit_changes_neither_the_outcome_nor_what_it_was_told(
    workshop: Workshop, tmp_path: Path
) -> None:
    made = with_cleanup(
        node("early"),
        node("slow", "test.gate", gate=str(tmp_path / "gate")),
        node("soon", "test.fail", code="boom"),
        node("more", "test.gate"),
        edges=("early>soon",),
        max_parallel=2,
    )
    made = made.model_copy(
        update={
            "nodes": (*made.nodes, document(node("last", "test.gate")).nodes[0]),
            "edges": (*made.edges, document(node("x"), edges=["clean>last"]).edges[0]),
        }
    )
    whole = await workshop.run(made)
    assert (whole.status, whole.code) == ("failed", "boom")
    (tmp_path / "gate").touch()
    began = next(
        number for number, commit in enumerate(whole.commits) if any(key == "end" for key, _ in commit.steps)
    )
    assert began < len(whole.commits) - 1
    for length in range(began + 1, len(whole.commits)):
        resumed = await workshop.run(made, before=whole.commits[:length])
        assert (resumed.status, resumed.code, resumed.settled) == (whole.status, whole.code, whole.settled)
        assert resumed.outputs["clean"] == whole.outputs["clean"]


@pytest.mark.parametrize("value", [7, "x" * 100_000])
async def test_a_return_before_it_is_remembered_after_a_crash(workshop: Workshop, value: Any) -> None:
    made = document(
        node("a", "flow.return", value=value),
        node("b"),
        FINALLY,
        node("last", "test.gate"),
        edges=["a>b", "end>last"],
    )
    whole = await workshop.run(made)
    for length in range(1, len(whole.commits)):
        resumed = await workshop.run(made, before=whole.commits[:length])
        assert (resumed.status, resumed.output, resumed.settled) == ("succeeded", whole.output, whole.settled)


async def test_a_run_out_of_time_fails_and_is_cleaned_up(workshop: Workshop, tmp_path: Path) -> None:
    made = with_cleanup(node("a", "test.gate", gate=str(tmp_path / "gate")), timeout_s=0.3)
    async with asyncio.timeout(10):
        report = await workshop.run(made)
    assert (report.status, report.code) == ("failed", "run.timeout")
    assert report.settled == {"a": "cancelled", "end": "succeeded", "clean": "succeeded"}


async def test_a_word_about_an_interrupted_step_of_it_is_heard(workshop: Workshop, tmp_path: Path) -> None:
    trace, gate, control = tmp_path / "trace", tmp_path / "gate", RunControl()
    made = document(
        node("a", "flow.stop", code="no", message="No."),
        FINALLY,
        node("all", "flow.loop", items=[1]),
        node("work", "test.gate_once", trace=str(trace), gate=str(gate)),
        node("told", value="{{ end.status }}"),
        edges=["end>all", "all.body>work", "work>all.again", "all.done>told"],
    )
    async with workshop.running(made, RunControl()) as running:
        await eventually(lambda: lines_of(trace))
        durable = list(running.journal.commits)
    async with workshop.running(made, control, before=durable) as running:
        await eventually(lambda: ("step.waiting", "all[0]/work") in _events(running))
        word = {"decision": "done", "fields": {"output": "paid"}}
        control.deliver(CameIn({"all[0]/work@1": word}, {}))
        report = await running.report()
    assert (report.status, report.code) == ("failed", "no")
    assert report.outputs["told"] == {"out": "failed"}
    assert report.outputs["all"] == {"done": ["paid"]}
    # Nobody was told that what the branch had begun was cancelled with the rest.
    assert report.events.count(("step.finished", "all[0]/work")) == 1
    assert set(report.settled.values()) == {"failed", "succeeded"}
    assert len(lines_of(trace)) == 1


async def test_a_word_about_an_interrupted_step_is_heard_while_others_run(
    workshop: Workshop, tmp_path: Path
) -> None:
    trace, gate, control = tmp_path / "trace", tmp_path / "gate", RunControl()
    made = document(
        node("a", "test.gate_once", trace=str(trace), gate=str(tmp_path / "never")),
        node("b", value="{{ a }}"),
        node("beside", "test.gate", gate=str(gate)),
        edges=["a>b"],
    )
    async with workshop.running(made, RunControl()) as running:
        await eventually(lambda: lines_of(trace))
        durable = list(running.journal.commits)
    async with workshop.running(made, control, before=durable) as running:
        await eventually(lambda: ("step.waiting", "a") in _events(running))
        control.deliver(CameIn({"a@1": {"decision": "done", "fields": {"output": "paid"}}}, {}))
        await eventually(lambda: ("step.finished", "b") in _events(running))
        gate.touch()
        report = await running.report()
    assert report.status == "succeeded"
    assert report.outputs["b"] == {"out": "paid"}
    assert report.events.count(("step.waiting", "a")) == 1


def _events(running: Running) -> list[tuple[str, str | None]]:
    return [(e["type"], e.get("step_key")) for commit in running.journal.commits for e in commit.events]
