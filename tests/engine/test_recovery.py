"""Going on after a crash: each effect class, and random graphs resumed from every prefix of their journal."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structforge.domain.journal import WORKER_DIED, Commit
from structforge.domain.run import StepStatus
from structforge.domain.workflow import WorkflowDocument
from structforge.engine.control import RunControl
from structforge.runtime.processes import ProcessPool
from structforge.sdk import NodeRegistry
from tests.support.eventually import eventually
from tests.support.execution import Report, Workshop, lines_of
from tests.support.memory_journal import decode, steps_of
from tests.support.workflows import document, node


@pytest.mark.parametrize(
    ("kind", "policies", "status", "attempts"),
    [
        ("test.gate_pure", {}, "succeeded", [(1, "failed"), (2, "succeeded")]),
        ("test.gate", {}, "succeeded", [(1, "failed"), (2, "succeeded")]),
        ("test.gate_blocking", {}, "succeeded", [(1, "failed"), (2, "succeeded")]),
        ("test.gate", {"on_interrupted": "hold"}, "waiting", [(1, "waiting")]),
        ("test.gate", {"on_interrupted": "fail"}, "failed", [(1, "failed"), (2, "failed")]),
        ("test.gate_once", {}, "waiting", [(1, "waiting")]),
        ("test.gate_once", {"on_interrupted": "retry"}, "succeeded", [(1, "failed"), (2, "succeeded")]),
        ("test.gate_once", {"on_interrupted": "fail"}, "failed", [(1, "failed"), (2, "failed")]),
    ],
)
async def test_a_step_that_a_crash_interrupted(
    workshop: Workshop,
    tmp_path: Path,
    kind: str,
    policies: dict[str, Any],
    status: str,
    attempts: list[tuple[int, str]],
) -> None:
    trace, gate = tmp_path / "trace", tmp_path / "gate"
    made = document(
        node("before", value=1),
        node("a", kind, trace=str(trace), gate=str(gate), policies=policies),
        node("b"),
        edges=["before>a", "a>b"],
    )
    async with workshop.running(made, RunControl()) as running:
        await eventually(lambda: lines_of(trace) and len(running.journal.commits) > 0)
        durable = list(running.journal.commits)
    gate.touch()
    report = await workshop.run(made, before=durable)
    assert report.status == status
    assert report.attempts["a"] == attempts
    assert len(lines_of(trace)) == (2 if status == "succeeded" else 1)
    assert report.attempts["before"] == [(1, "succeeded")]
    if status == "failed":
        assert report.code == "step.interrupted"


@pytest.mark.parametrize(
    ("word", "status", "output", "attempts", "times"),
    [
        (("a@1", "retry"), "succeeded", [{"from": "a", "in": [1]}], [(1, "failed"), (2, "succeeded")], 2),
        (("a@1", "done"), "succeeded", ["paid"], [(1, "succeeded")], 1),
        (("a@1", "fail"), "failed", None, [(1, "failed")], 1),
        # Said about another attempt: it is asked again.
        (("a@2", "retry"), "waiting", None, [(1, "waiting")], 1),
    ],
)
async def test_a_person_decides_about_a_step_that_must_not_be_repeated(
    workshop: Workshop,
    tmp_path: Path,
    word: tuple[str, str],
    status: str,
    output: Any,
    attempts: list[tuple[int, str]],
    times: int,
) -> None:
    trace, gate = tmp_path / "trace", tmp_path / "gate"
    made = document(
        node("before", value=1),
        node("a", "test.gate_once", trace=str(trace), gate=str(gate)),
        node("b"),
        node("beside", value=2),
        edges=["before>a", "a>b"],
    )
    async with workshop.running(made, RunControl()) as running:
        await eventually(lambda: lines_of(trace) and len(running.journal.commits) > 0)
        durable = list(running.journal.commits)
    gate.touch()
    held = await workshop.run(made, before=durable)
    assert held.status == "waiting"
    assert held.settled.keys() == {"before", "beside"}, "other branches go on"
    key, decision = word
    answer = {"decision": decision, "fields": {"output": "paid"}}
    report = await workshop.run(made, before=held.commits, answers={key: answer})
    assert (report.status, report.attempts["a"]) == (status, attempts)
    assert len(lines_of(trace)) == times
    if status == "succeeded":
        assert report.outputs["b"] == {"out": output}
    if status == "failed":
        assert report.code == "step.interrupted"


@pytest.mark.parametrize("crashes", [1, 2])
async def test_interrupted_attempts_do_not_use_up_the_retries(
    workshop: Workshop, tmp_path: Path, crashes: int
) -> None:
    trace, gate = tmp_path / "trace", tmp_path / "gate"
    made = document(node("a", "test.gate", trace=str(trace), gate=str(gate)))
    durable: list[Commit] = []
    for crash in range(crashes):
        async with workshop.running(made, RunControl(), before=durable) as running:
            await eventually(lambda: len(lines_of(trace)) > crash and running.journal.commits)  # noqa: B023
            durable += running.journal.commits
    policies = {"retry": {"max_attempts": 2, "backoff_s": 0}}
    # The second of the attempts that the policy allows succeeds.
    failing = document(node("a", "test.fail", times=crashes + 1, policies=policies))
    report = await workshop.run(failing, before=durable)
    assert report.attempts["a"] == [
        *((n, "failed") for n in range(1, crashes + 2)),
        (crashes + 2, "succeeded"),
    ]
    # A crash between two attempts of the policy gives it none again.
    key = ("a", crashes + 1)
    between = next(
        number
        for number, commit in enumerate(report.commits)
        if key in commit.steps and commit.steps[key].status is StepStatus.FAILED
    )
    again = await workshop.run(
        document(node("a", "test.fail", times=9, policies=policies)), before=report.commits[: between + 1]
    )
    assert again.status == "failed"
    codes = [(decode(row.error) or {})["code"] for row in steps_of(again.commits).values()]
    assert len([code for code in codes if code != WORKER_DIED]) == policies["retry"]["max_attempts"]


KINDS: dict[str, dict[str, Any]] = {
    "test.pass": {},
    "flow.merge": {"mode": "all"},
    "test.gate": {},
    "test.gate_once": {},
    "test.fail": {},
    "test.fail_plain": {},
}
ON_ERROR = [{}, {"on_error": "continue", "error_value": "E"}, {"on_error": "port"}]


@st.composite
def documents(draw: st.DrawFn) -> WorkflowDocument:
    """Random graphs: fan-out, fan-in, dead branches, steps that fail for good or for a while."""
    count = draw(st.integers(1, 9))
    nodes, edges = [], set()
    for number in range(count):
        kind = draw(st.sampled_from([*KINDS, "flow.if"]))
        policies = draw(st.sampled_from(ON_ERROR)) if "fail" in kind else {}
        parameters: dict[str, Any] = KINDS.get(kind, {"condition": draw(st.booleans())})
        if kind == "test.fail" and draw(st.booleans()):
            parameters = {"times": 1}
            policies = {**policies, "retry": {"max_attempts": 5, "backoff_s": 0}}
        nodes.append(node(f"n{number}", kind, policies=policies, **parameters))
        takes = (
            draw(st.sets(st.integers(0, number - 1), max_size=1 if kind == "flow.if" else 3))
            if number
            else ()
        )
        for source in sorted(takes):
            ports = ["true", "false"] if nodes[source]["type"] == "flow.if" else ["out", "out", "error"]
            edges.add(f"n{source}.{draw(st.sampled_from(ports))}>n{number}")
    serial = draw(st.sampled_from([None, None, 1, 2]))
    return document(*nodes, edges=sorted(edges), max_parallel=serial)


def facts(report: Report) -> tuple[Any, ...]:
    """What must not depend on whether and where a crash happened."""
    if report.status == "failed":
        return (report.status, report.code)
    return (report.status, report.code, report.output, report.settled, report.outputs)


def check_complete(made: WorkflowDocument, report: Report) -> None:
    """Every step has one outcome, after those it depends on; events have no gap."""
    assert report.sequence == list(range(1, len(report.sequence) + 1))
    finished = [step for kind, step in report.events if kind == "step.finished"]
    place = {step: number for number, step in enumerate(finished)}
    assert len(place) == len(finished)
    for edge in made.edges:
        if edge.target in place and report.settled[edge.target] != "skipped":
            assert place[edge.source] < place[edge.target]
    if report.status == "succeeded":
        assert set(report.settled) == {spec.id for spec in made.nodes}


@settings(max_examples=60, deadline=None)
@given(made=documents())
def test_a_run_resumed_from_any_prefix_of_its_journal_ends_as_if_nothing_had_happened(
    made: WorkflowDocument, registry: NodeRegistry
) -> None:
    async def check() -> None:
        with tempfile.TemporaryDirectory() as folder:
            pool = ProcessPool(1, Path(folder), Path(folder), 1 << 20)
            workshop = Workshop(registry, Path(folder) / "shop", pool)
            whole = await workshop.run(made)
            assert whole.status in ("succeeded", "failed")
            check_complete(made, whole)
            for length in range(1, len(whole.commits)):
                resumed = await workshop.run(made, before=whole.commits[:length])
                if resumed.status == "waiting":
                    held = [key for key, rows in resumed.attempts.items() if (1, "waiting") in rows]
                    assert any(made.node(key).type == "test.gate_once" for key in held)
                    continue
                check_complete(made, resumed)
                assert facts(resumed) == facts(whole), length
            await pool.close()

    asyncio.run(check())
