"""What becomes ready and what dies, as a table of graphs."""

from typing import Any

import pytest

from structforge.domain.errors import StructForgeError
from structforge.domain.workflow import WorkflowDocument
from structforge.engine.activation import DEAD, Activation
from structforge.engine.planner import make_plan
from structforge.sdk import NodeRegistry
from tests.support.workflows import document, node

DIAMOND = document(*(node(x) for x in "abcd"), edges=["a>b", "a>c", "b>d", "c>d"])
FORK = document(
    node("c", "flow.if", condition=True),
    node("yes"),
    node("no"),
    node("after_no"),
    node("end"),
    edges=["c.true>yes", "c.false>no", "no>after_no", "yes>end", "after_no>end"],
)
FIRST = document(
    node("a"), node("b"), node("m", "flow.merge", mode="first"), node("z"), edges=["a>m", "b>m", "m>z"]
)
ALL = document(
    node("a"), node("b"), node("m", "flow.merge", mode="all"), node("z"), edges=["a>m", "b>m", "m>z"]
)
CHAIN = document(*(node(x) for x in "abc"), edges=["a>b", "b>c"])
OUT = {"out": 1}

Turn = tuple[str, dict[str, Any], list[str], list[str]]
"""A settled node, its ports, and what became ready and what died."""

CASES: dict[str, tuple[WorkflowDocument, list[str], list[Turn]]] = {
    "a diamond waits for both sides": (
        DIAMOND,
        ["a"],
        [("a", OUT, ["b", "c"], []), ("c", OUT, [], []), ("b", OUT, ["d"], [])],
    ),
    "one dead side does not kill": (
        DIAMOND,
        ["a"],
        [("a", OUT, ["b", "c"], []), ("b", DEAD, [], []), ("c", OUT, ["d"], [])],
    ),
    "with only dead edges it dies": (
        DIAMOND,
        ["a"],
        [("a", OUT, ["b", "c"], []), ("b", DEAD, [], []), ("c", DEAD, [], ["d"])],
    ),
    "death runs down the branch": (
        FORK,
        ["c"],
        [("c", {"true": 1}, ["yes"], ["no", "after_no"]), ("yes", OUT, ["end"], [])],
    ),
    "the other way round": (
        FORK,
        ["c"],
        [("c", {"false": 1}, ["no"], ["yes"]), ("no", OUT, ["after_no"], []), ("after_no", OUT, ["end"], [])],
    ),
    "neither way": (FORK, ["c"], [("c", DEAD, [], ["no", "yes", "after_no", "end"])]),
    "first fires once": (
        FIRST,
        ["a", "b"],
        [("b", OUT, ["m"], []), ("m", OUT, ["z"], []), ("a", OUT, [], [])],
    ),
    "first passes over the dead": (FIRST, ["a", "b"], [("a", DEAD, [], []), ("b", OUT, ["m"], [])]),
    "first dies with the last": (FIRST, ["a", "b"], [("a", DEAD, [], []), ("b", DEAD, [], ["m", "z"])]),
    "first, then a death": (
        FIRST,
        ["a", "b"],
        [("a", OUT, ["m"], []), ("b", DEAD, [], []), ("m", OUT, ["z"], [])],
    ),
    "all waits": (ALL, ["a", "b"], [("a", OUT, [], []), ("b", OUT, ["m"], [])]),
    "all with one dead": (ALL, ["a", "b"], [("a", OUT, [], []), ("b", DEAD, ["m"], [])]),
    "success kills the error port": (
        document(node("a"), node("b"), node("e"), edges=["a>b", "a.error>e"]),
        ["a"],
        [("a", OUT, ["b"], ["e"])],
    ),
    "failure kills the others": (
        document(node("a"), node("b"), node("e"), edges=["a>b", "a.error>e"]),
        ["a"],
        [("a", {"error": {}}, ["e"], ["b"])],
    ),
    "a null is a value": (CHAIN, ["a"], [("a", {"out": None}, ["b"], [])]),
}


@pytest.mark.parametrize("name", CASES)
def test_settling(name: str, registry: NodeRegistry) -> None:
    made, first_ready, turns = CASES[name]
    plan = make_plan(made, registry)
    activation = Activation(plan)
    ready, dead = activation.start(None)
    assert (sorted(plan.nodes[i].id for i in ready), dead) == (first_ready, [])
    for settled, ports, expected_ready, expected_dead in turns:
        ready, dead = activation.settle(plan.by_id[settled].index, ports)
        found = [plan.nodes[i].id for i in ready], sorted(plan.nodes[i].id for i in dead)
        assert found == (expected_ready, sorted(expected_dead)), settled


@pytest.mark.parametrize(
    ("fired", "ready", "dead"),
    [
        ("one", ["one", "root"], ["after_two", "two"]),
        ("two", ["root", "two"], ["after_one", "one"]),
    ],
)
def test_of_the_triggers_only_the_fired_one_lives(
    fired: str, ready: list[str], dead: list[str], registry: NodeRegistry
) -> None:
    made = document(
        node("one", "trigger.manual"),
        node("two", "trigger.manual"),
        node("root"),
        node("after_one"),
        node("after_two"),
        edges=["one>after_one", "two>after_two"],
    )
    plan = make_plan(made, registry)
    found_ready, found_dead = Activation(plan).start(plan.by_id[fired].index)
    assert sorted(plan.nodes[i].id for i in found_ready) == ready
    assert sorted(plan.nodes[i].id for i in found_dead) == dead


def test_inputs_are_the_live_edges_in_order(registry: NodeRegistry) -> None:
    made = document(*(node(x) for x in "abcz"), edges=["b>z", "a>z", "c>z"])
    plan = make_plan(made, registry)
    activation = Activation(plan)
    for settled, ports in (("a", {"out": "A"}), ("b", {"out": "B"}), ("c", DEAD)):
        activation.settle(plan.by_id[settled].index, ports)
    assert activation.inputs(plan.by_id["z"].index) == {"in": ["B", "A"]}


def test_two_live_edges_into_one_value_are_an_error(registry: NodeRegistry) -> None:
    made = document(node("a"), node("b"), node("z", "test.one"), edges=["a>z", "b>z"])
    plan = make_plan(made, registry)
    activation = Activation(plan)
    activation.settle(plan.by_id["a"].index, OUT)
    activation.settle(plan.by_id["b"].index, DEAD)
    assert activation.inputs(plan.by_id["z"].index) == {"in": 1}
    activation = Activation(plan)
    for settled in "ab":
        activation.settle(plan.by_id[settled].index, OUT)
    with pytest.raises(StructForgeError) as caught:
        activation.inputs(plan.by_id["z"].index)
    assert (caught.value.problem.code, caught.value.problem.where) == ("graph.two_live_edges", "nodes.z")


def test_an_expression_sees_the_first_live_port(registry: NodeRegistry) -> None:
    plan = make_plan(document(node("a"), node("b")), registry)
    activation = Activation(plan)
    activation.settle(0, {"error": "e"})
    assert activation.value_of(0) == "e"
    activation.settle(1, DEAD)
    with pytest.raises(KeyError):
        activation.value_of(1)
