"""One execution of one run: order, failures and what was said about them, limits, stopping, giving back."""

from pathlib import Path
from typing import Any

import pytest

from structforge.domain.journal import LeaseLostError
from structforge.engine import crashes
from structforge.engine.control import RunControl
from tests.support.eventually import eventually
from tests.support.execution import RUN, Workshop, lines_of
from tests.support.workflows import HOSTILE_VALUES, document, node

FAST = {"max_attempts": 3, "backoff_s": 0}


async def test_values_travel_and_the_last_node_is_the_output(workshop: Workshop) -> None:
    made = document(
        node("start", "trigger.manual"),
        node("a", value="{{ start.n + 1 }}"),
        node("b", value={"sum": "{{ a + inputs.n }}"}),
        edges=["start>a", "a>b"],
    )
    report = await workshop.run(made, input={"n": 2})
    assert (report.status, report.output) == ("succeeded", {"sum": 5})
    assert report.settled == dict.fromkeys(["start", "a", "b"], "succeeded")
    assert report.sequence == list(range(1, len(report.sequence) + 1))
    assert [kind for kind, _ in report.events] == ["run.started", *["step.finished"] * 3, "run.finished"]


async def test_several_last_nodes_give_an_object_and_skipped_ones_are_left_out(workshop: Workshop) -> None:
    made = document(
        node("c", "flow.if", condition="{{ inputs.big }}"),
        node("yes", value="Y"),
        node("no", value="N"),
        node("side", value="S"),
        edges=["c.true>yes", "c.false>no"],
    )
    report = await workshop.run(made, input={"big": True})
    assert report.output == {"yes": "Y", "side": "S"}
    assert report.settled == {"c": "succeeded", "yes": "succeeded", "no": "skipped", "side": "succeeded"}


async def test_an_empty_workflow_succeeds(workshop: Workshop) -> None:
    report = await workshop.run(document())
    assert (report.status, report.settled) == ("succeeded", {})


@pytest.mark.parametrize("kind", ["test.fail", "test.fail_plain"])
@pytest.mark.parametrize(
    ("policies", "status", "settled", "ports"),
    [
        ({}, "failed", {"a": "failed", "b": "skipped", "e": "skipped"}, None),
        (
            {"on_error": "continue", "error_value": 7},
            "succeeded",
            {"a": "failed", "b": "succeeded", "e": "skipped"},
            {"out": 7},
        ),
        (
            {"on_error": "port"},
            "succeeded",
            {"a": "failed", "b": "skipped", "e": "succeeded"},
            {"error": {"code": "test.failed", "message": "It failed.", "where": "nodes.a"}},
        ),
    ],
)
async def test_what_an_error_does(
    workshop: Workshop, kind: str, policies: dict[str, Any], status: str, settled: dict[str, str], ports: Any
) -> None:
    made = document(node("a", kind, policies=policies), node("b"), node("e"), edges=["a>b", "a.error>e"])
    report = await workshop.run(made)
    assert (report.status, report.settled) == (status, settled)
    assert report.outputs["a"] == ports
    assert report.error_of("a")["where"] == "nodes.a"
    assert report.code == ("test.failed" if status == "failed" else None)


@pytest.mark.parametrize(
    ("parameters", "policies", "attempts"),
    [
        ({"times": 2}, FAST, [(1, "failed"), (2, "failed"), (3, "succeeded")]),
        ({"times": 3}, FAST, [(1, "failed"), (2, "failed"), (3, "failed")]),
        ({"times": 1}, {}, [(1, "failed")]),
        ({"times": 1, "final": True}, FAST, [(1, "failed")]),
        ({"times": 1}, {**FAST, "on": ["other.code"]}, [(1, "failed")]),
        ({"times": 1}, {**FAST, "on": ["test."]}, [(1, "failed"), (2, "succeeded")]),
        ({"times": 1, "unforeseen": True}, FAST, [(1, "failed"), (2, "succeeded")]),
    ],
)
async def test_retries(
    workshop: Workshop,
    parameters: dict[str, Any],
    policies: dict[str, Any],
    attempts: list[tuple[int, str]],
) -> None:
    report = await workshop.run(document(node("a", "test.fail", policies={"retry": policies}, **parameters)))
    assert report.attempts == {"a": attempts}
    assert report.settled == {"a": attempts[-1][1]}
    assert report.events.count(("step.retrying", "a")) == len(attempts) - 1


async def test_an_unforeseen_error_tells_neither_its_text_nor_its_trace(workshop: Workshop) -> None:
    for kind in ("test.fail", "test.fail_plain"):
        report = await workshop.run(document(node("a", kind, unforeseen=True)))
        assert report.code == "step.crashed"
        assert "hunter2" not in str(report.commits)


@pytest.mark.parametrize("kind", ["test.gate", "test.gate_blocking"])
async def test_a_step_out_of_time_is_interrupted_and_retried(
    workshop: Workshop, tmp_path: Path, kind: str
) -> None:
    trace = tmp_path / "trace"
    # A process of the pool needs time to start on a busy machine.
    policies = {
        "timeout_s": 8.0 if kind == "test.gate_blocking" else 0.5,
        "retry": {"max_attempts": 2, "backoff_s": 0},
    }
    made = document(node("a", kind, trace=str(trace), gate=str(tmp_path / "never"), policies=policies))
    report = await workshop.run(made)
    assert (report.status, report.code) == ("failed", "step.timeout")
    pids = [line[2] for line in lines_of(trace)]
    assert [line[1] for line in lines_of(trace)] == ["1", "2"]
    if kind == "test.gate_blocking":
        assert len(set(pids)) == 2
        await eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


@pytest.mark.parametrize("kind", ["test.hostile", "test.hostile_async", "test.hostile_blocking"])
@pytest.mark.parametrize("value", HOSTILE_VALUES)
async def test_what_no_journal_can_hold_ends_in_a_definite_failure(
    workshop: Workshop, kind: str, value: str
) -> None:
    report = await workshop.run(document(node("a", kind, kind=value), node("b"), edges=["a>b"]))
    assert (report.status, report.settled) == ("failed", {"a": "failed", "b": "skipped"})
    assert (report.code or "").startswith("value."), report.end.error


async def test_a_reference_to_a_skipped_step_fails_unless_a_default_is_given(workshop: Workshop) -> None:
    for text, status in (("{{ no }}", "failed"), ("{{ no | default('d') }}", "succeeded")):
        made = document(
            node("c", "flow.if", condition=True),
            node("yes"),
            node("no"),
            node("m", "flow.merge", mode="all"),
            node("z", value=text),
            edges=["c.true>yes", "c.false>no", "yes>m", "no>m", "m>z"],
        )
        report = await workshop.run(made)
        assert report.status == status, report.end.error
        assert report.output == ("d" if status == "succeeded" else None)


@pytest.mark.parametrize(
    ("disabled", "output", "rest"),
    [
        ("a", None, {"b": "skipped", "c": "skipped"}),
        ("b", "A", {"a": "succeeded", "c": "succeeded"}),
        ("c", "A", {"a": "succeeded", "b": "succeeded"}),
    ],
)
async def test_a_disabled_node_hands_on_what_came_in(
    workshop: Workshop, disabled: str, output: Any, rest: dict[str, str]
) -> None:
    made = document(
        node("a", value="A", disabled=disabled == "a"),
        node("b", "test.one", disabled=disabled == "b"),
        node("c", "test.one", disabled=disabled == "c"),
        edges=["a>b", "b>c"],
    )
    report = await workshop.run(made)
    assert (report.status, report.output) == ("succeeded", output)
    assert report.settled == {disabled: "skipped", **rest}


async def test_a_disabled_node_with_two_live_edges_fails_like_any_other(workshop: Workshop) -> None:
    made = document(node("a"), node("b"), node("z", "test.one", disabled=True), edges=["a>z", "b>z"])
    report = await workshop.run(made)
    assert (report.status, report.code) == ("failed", "graph.two_live_edges")


async def test_serial_workflows_run_one_step_at_a_time_in_the_order_of_the_document(
    workshop: Workshop, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    names = ["d", "b", "c", "a"]
    made = document(*(node(name, "test.gate", trace=str(trace)) for name in names), max_parallel=1)
    report = await workshop.run(made)
    steps = [(kind, step) for kind, step in report.events if step]
    assert steps == [(kind, name) for name in names for kind in ("step.started", "step.finished")]
    assert [line[0] for line in lines_of(trace)] == names


async def test_independent_steps_are_in_flight_together(workshop: Workshop, tmp_path: Path) -> None:
    trace, gate = tmp_path / "trace", tmp_path / "gate"
    names = [f"n{number}" for number in range(100)]
    made = document(*(node(name, "test.gate", trace=str(trace), gate=str(gate)) for name in names))
    async with workshop.running(made, RunControl()) as running:
        await eventually(lambda: len(lines_of(trace)) == 100)
        gate.touch()
        report = await running.report()
    assert set(report.settled.values()) == {"succeeded"}


@pytest.mark.parametrize(
    ("kind", "settled"),
    [("test.gate", "cancelled"), ("test.gate_blocking", "cancelled"), ("test.gate_once", "succeeded")],
)
async def test_stopping_interrupts_all_but_effects_that_must_not_be_repeated(
    workshop: Workshop, tmp_path: Path, kind: str, settled: str
) -> None:
    trace, gate, control = tmp_path / "trace", tmp_path / "gate", RunControl()
    made = document(node("a", kind, trace=str(trace), gate=str(gate)), node("b"), edges=["a>b"])
    async with workshop.running(made, control) as running:
        await eventually(lambda: lines_of(trace))
        control.stop()
        if kind == "test.gate_once":
            gate.touch()
        report = await running.report()
    assert (report.status, report.settled) == ("cancelled", {"a": settled})
    assert report.events[-1] == ("run.finished", None)
    if kind == "test.gate_blocking":
        pid = lines_of(trace)[0][2]
        await eventually(lambda: not Path(f"/proc/{pid}").exists())


async def test_a_failure_cancels_what_is_in_flight(workshop: Workshop, tmp_path: Path) -> None:
    made = document(node("slow", "test.gate", gate=str(tmp_path / "never")), node("bad", "test.fail"))
    report = await workshop.run(made)
    assert (report.status, report.settled) == ("failed", {"slow": "cancelled", "bad": "failed"})


async def test_giving_back_ends_what_is_in_flight_and_starts_nothing(
    workshop: Workshop, tmp_path: Path
) -> None:
    trace, gate, control = tmp_path / "trace", tmp_path / "gate", RunControl()
    made = document(
        node("a", "test.gate", trace=str(trace), gate=str(gate)),
        node("b", "test.gate", trace=str(trace)),
        edges=["a>b"],
    )
    async with workshop.running(made, control) as running:
        await eventually(lambda: lines_of(trace))
        control.give_back()
        gate.touch()
        report = await running.report()
    assert (report.status, report.settled) == ("queued", {"a": "succeeded"})
    assert report.commits[-1].release
    rest = await workshop.run(made, before=report.commits)
    assert (rest.status, rest.settled) == ("succeeded", {"a": "succeeded", "b": "succeeded"})
    assert [line[:2] for line in lines_of(trace)] == [["a", "1"], ["b", "1"]]
    assert rest.sequence == list(range(1, len(rest.sequence) + 1))


async def test_a_lost_lease_ends_the_execution_at_once(workshop: Workshop, tmp_path: Path) -> None:
    trace, control = tmp_path / "trace", RunControl()
    made = document(node("a", "test.gate", trace=str(trace), gate=str(tmp_path / "never")))
    async with workshop.running(made, control) as running:
        await eventually(lambda: lines_of(trace))
        written = len(running.journal.commits)
        control.lose()
        with pytest.raises(LeaseLostError):
            await running.report()
        assert len(running.journal.commits) == written


async def test_a_large_value_is_stored_once_and_read_by_who_needs_it(workshop: Workshop) -> None:
    text = "x" * 100_000
    made = document(
        node("a", value=text),
        node("b", "test.one"),
        node("c", value="{{ a | length }}"),
        edges=["a>b", "b>c"],
    )
    report = await workshop.run(made)
    assert report.output == 100_000
    assert "$artifact" in str(report.outputs["a"])
    assert {body["hash"] for commit in report.commits for body in commit.artifacts}
    assert all(len(row.outputs or b"") < 1_000 for commit in report.commits for row in commit.steps.values())


async def test_a_value_over_the_limit_fails_its_step(workshop: Workshop) -> None:
    workshop.environment.limits = workshop.environment.limits.__class__(max_value_bytes=200_000)
    report = await workshop.run(document(node("a", value="x" * 300_000)))
    assert (report.status, report.code) == ("failed", "value.too_large")


@pytest.mark.parametrize(
    ("edges", "listed", "repeated"),
    [([], [], None), (["each.body>each.again", "until.body>until.again"], [4, 5], 7)],
    ids=["nothing arrives", "straight"],
)
async def test_a_loop_without_a_body_gives_what_arrives_at_again(
    workshop: Workshop, edges: list[str], listed: list[int], repeated: int | None
) -> None:
    made = document(
        node("seven", value=7),
        node("each", "flow.loop", items=[4, 5]),
        node("until", "flow.loop", mode="repeat", until="{{ index >= 1 }}"),
        edges=["seven>until", *edges],
    )
    report = await workshop.run(made)
    assert report.outputs["each"] == {"done": listed}
    assert report.outputs["until"] == {"done": repeated}


@pytest.mark.parametrize("value", ["{{ inputs.none }}", None])
async def test_null_that_is_given_reaches_the_pool_as_given(workshop: Workshop, value: Any) -> None:
    made = document(node("sort", "table.sort", rows=value))
    report = await workshop.run(made, input={"none": None})
    assert (report.code, report.error_of("sort")["where"]) == ("table.not_a_table", "parameters.rows")


async def test_what_is_left_out_reaches_the_pool_as_left_out(workshop: Workshop) -> None:
    made = document(
        node("start", "trigger.manual"),
        node("list", "data.set", fields={"rows": [{"a": 2}, {"a": 1}]}),
        node("sort", "table.sort", rows="{{ list.rows }}", by=[{"column": "a"}]),
        node("again", "table.sort", by=[{"column": "a", "descending": True}]),
        edges=["start>list", "list>sort", "sort>again"],
    )
    report = await workshop.run(made)
    assert report.outputs["sort"] == {"out": [{"a": 1}, {"a": 2}]}
    assert report.outputs["again"] == {"out": [{"a": 2}, {"a": 1}]}


@pytest.mark.parametrize(
    ("until", "settled"), [("{{ index == 1 }}", "succeeded"), ("{{ [] }}", "failed"), ("{{ '' }}", "failed")]
)
async def test_until_is_a_condition_like_any_other(workshop: Workshop, until: str, settled: str) -> None:
    made = document(
        node("loop", "flow.loop", mode="repeat", until=until),
        node("body", "data.set", fields={"i": "{{ index }}"}),
        edges=["loop.body>body", "body>loop.again"],
    )
    report = await workshop.run(made)
    assert report.settled["loop"] == settled
    assert report.code == (None if settled == "succeeded" else "if.not_boolean")


@pytest.mark.parametrize("kind", ["test.fail", "test.fail_plain"])
async def test_a_crash_says_where_it_was_and_is_counted_and_logged(
    workshop: Workshop, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = crashes.counted[kind]
    report = await workshop.run(document(node("a", kind, unforeseen=True)))
    problem = report.error_of("a")
    facts = problem["details"]
    assert problem["code"] == "step.crashed" and facts["number"] in problem["message"]
    assert {
        "node": "a",
        "node_type": kind,
        "step": "a",
        "attempt": 1,
        "doing": "run",
    }.items() <= facts.items()
    assert facts["run"] == str(RUN.run_id)
    assert "RuntimeError" not in str(problem) and "Error:" not in str(problem)
    assert crashes.counted[kind] == before + 1
    logged = [record for record in caplog.records if getattr(record, "event", "") == "step.crashed"]
    assert [vars(record)["number"] for record in logged] == [facts["number"]]
