"""Switch, parallel, merge by key, and the nodes that wait or end a run, without an engine."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from structforge.domain.errors import InvalidError
from structforge.nodes.flow import Merge, Parallel, Switch
from structforge.nodes.flow_end import ReturnEarly, Stop
from structforge.nodes.flow_wait import Approval, Delay, WaitUntil
from structforge.sdk import Node, NodeError, Ports
from structforge.sdk.control import Return, Wait
from structforge.sdk.testing import Bench, FakeContext, run_node, validated


def call(node: Node[Any], parameters: dict[str, Any], **seen: Any) -> Any:
    """Run a node whose result is no JSON value."""
    with Bench() as bench:
        context = FakeContext(bench.files, bench.artifacts, bench.http, **seen)
        result = node.run(context, validated(node, parameters), {"in": {"id": 7}})
        return asyncio.run(_wait(result)) if asyncio.iscoroutine(result) else result


async def _wait(result: Any) -> Any:
    return await result


def cases(**matches: Any) -> list[dict[str, Any]]:
    return [{"name": name, "match": match} for name, match in matches.items()]


@pytest.mark.parametrize(
    ("parameters", "ports"),
    [
        ({"value": 1, "cases": cases(text="1", yes=True, one=1.0)}, ["one"]),
        ({"value": True, "cases": cases(one=1, yes=True)}, ["yes"]),
        ({"value": None, "cases": cases(nothing=None)}, ["nothing"]),
        ({"value": {"a": [1]}, "cases": cases(same={"a": [1]})}, ["same"]),
        ({"value": 3, "cases": cases(one=1)}, ["default"]),
        ({"value": 1, "matches": "all", "cases": cases(a=1, b=2, c=1)}, ["a", "c"]),
        ({"by": "condition", "cases": cases(a="false", b="true", c=True)}, ["b"]),
    ],
)
def test_switch_takes_what_matches(parameters: dict[str, Any], ports: list[str]) -> None:
    assert run_node(Switch(), parameters, {"in": [1]}).ports == dict.fromkeys(ports, [1])


def test_a_case_that_is_no_condition_is_named() -> None:
    with pytest.raises(NodeError) as caught:
        run_node(Switch(), {"by": "condition", "cases": cases(a=False, b="perhaps")}, {"in": 1})
    assert caught.value.problem.where == "parameters.cases[1].match"


@pytest.mark.parametrize("names", [["a", "a"], ["error"], ["default"], ["1a"], ["a b"], [""], []])
def test_names_that_can_be_no_ports(names: list[str]) -> None:
    with pytest.raises(InvalidError):
        run_node(Parallel(), {"branches": names}, {"in": 1})
    with pytest.raises(InvalidError):
        run_node(Switch(), {"cases": [{"name": name, "match": 1} for name in names]}, {"in": 1})


@pytest.mark.parametrize("broken", [None, "{{ x }}", 5, [1], [{"name": 1}], [None], {"a": 1}])
def test_ports_of_unfinished_parameters_are_still_ports(broken: Any) -> None:
    assert [port.name for port in Switch().output_ports({"cases": broken})] == ["default"]
    assert Parallel().output_ports({"branches": broken}) == ()


def test_merge_by_key_keeps_numbers_texts_and_truth_apart() -> None:
    lists = [[{"id": 1, "a": 1}, {"id": "1"}], [{"id": True}, {"id": 1, "a": 2}]]
    merged = run_node(Merge(), {"mode": "by_key"}, {"in": lists}).value
    assert merged == [{"id": 1, "a": 2}, {"id": "1"}, {"id": True}]
    assert [type(row["id"]) for row in merged] == [int, str, bool]
    for wrong in (5, {}, {"id": None}, {"id": [1]}):
        with pytest.raises(NodeError) as caught:
            run_node(Merge(), {"mode": "by_key"}, {"in": [[{"id": 1}, wrong]]})
        assert (caught.value.problem.code, caught.value.problem.where) == ("merge.no_key", "input in[0][1]")


def test_the_due_time_counts_from_when_waiting_began() -> None:
    now = datetime.now(UTC)
    first = call(Delay(), {"seconds": 60})
    assert isinstance(first, Wait)
    assert first.until is not None
    assert abs(first.until - now - timedelta(seconds=60)) < timedelta(seconds=30)
    since = now - timedelta(seconds=50)
    assert call(Delay(), {"seconds": 60}, waiting_since=since) == Wait(since + timedelta(seconds=60))
    assert call(Delay(), {"seconds": 50}, waiting_since=since) == {"id": 7}


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"time": "tomorrow"}, "wait.time"),
        ({"time": "9999-01-01T00:00"}, "wait.time"),
        ({"time": "2027-01-31T09:00", "time_zone": "Mars/Base"}, "wait.time_zone"),
        ({"time": "2027-01-31T09:00", "time_zone": "../etc/passwd"}, "wait.time_zone"),
        ({"time": "0001-01-01T00:00", "time_zone": "Asia/Tokyo"}, "wait.time_zone"),
    ],
)
def test_times_that_cannot_be(parameters: dict[str, Any], code: str) -> None:
    with pytest.raises(NodeError) as caught:
        call(WaitUntil(), parameters)
    assert caught.value.problem.code == code


def test_a_time_without_an_offset_is_of_the_zone() -> None:
    year = datetime.now(UTC).year
    with pytest.raises(NodeError):
        call(WaitUntil(), {"time": f"{year + 2}-01-01T00:00"})
    local = (datetime.now(UTC) + timedelta(days=2)).replace(tzinfo=None, microsecond=0)
    waits = call(WaitUntil(), {"time": local.isoformat(), "time_zone": "Asia/Tokyo"})
    assert waits == Wait(local.replace(tzinfo=UTC) - timedelta(hours=9))


def test_approval_asks_then_answers_or_gives_up() -> None:
    now = datetime.now(UTC)
    asks = call(Approval(), {"fields": [{"name": "a"}], "roles": ["admin"]})
    assert (asks.until, asks.asks["roles"], asks.asks["until"]) == (None, ["admin"], None)
    answer = {"decision": "rejected", "fields": {"a": "x"}}
    limited = {"time_limit_s": 10}
    late = now - timedelta(seconds=60)
    assert call(Approval(), limited, answer=answer, waiting_since=late) == Ports({"rejected": answer})
    assert set(call(Approval(), limited, waiting_since=late).values) == {"timeout"}
    assert call(Approval(), limited, waiting_since=now).until == now + timedelta(seconds=10)
    assert isinstance(call(Approval(), {}, answer={"decision": "error"}), Wait)


@pytest.mark.parametrize(
    "fields", [[{"name": "a"}, {"name": "a"}], [{"name": "a b"}], [{"name": "a", "type": "choice"}]]
)
def test_fields_that_cannot_be_asked(fields: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidError):
        call(Approval(), {"fields": fields})


def test_stop_and_return() -> None:
    with pytest.raises(NodeError) as caught:
        call(Stop(), {"code": "order.empty", "message": "No lines."})
    assert (caught.value.problem.code, caught.value.problem.message) == ("order.empty", "No lines.")
    assert caught.value.final
    assert call(ReturnEarly(), {"value": 0}) == Return(0)
    assert call(ReturnEarly(), {}) == Return({"id": 7})
