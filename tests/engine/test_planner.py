"""What a plan knows before any run."""

import pytest

from structforge.domain.errors import InvalidError
from structforge.engine.planner import make_plan
from structforge.sdk import NodeRegistry
from tests.support.workflows import document, node


def test_nodes_stand_in_topological_order_ties_as_written(registry: NodeRegistry) -> None:
    made = document(*(node(x) for x in ("b", "a", "c", "z")), edges=["a>z", "b>z"])
    assert [planned.id for planned in make_plan(made, registry).nodes] == ["b", "a", "c", "z"]


def test_roots_sinks_and_references(registry: NodeRegistry) -> None:
    made = document(
        node("start", "trigger.manual"),
        node("a", value="{{ start.city }}"),
        node("b", value="{{ a }} {{ inputs.x }}"),
        edges=["start>a", "a>b"],
    )
    plan = make_plan(made, registry)
    ids = [planned.id for planned in plan.nodes]
    assert plan.top.members == (0, 1, 2)
    assert plan.top.in_degree == (0, 1, 1)
    assert [ids[i] for i in plan.sinks] == ["b"]
    assert [ids[i] for i in plan.by_id["b"].referenced] == ["a"]
    assert plan.by_id["b"].fixed is None
    assert plan.by_id["start"].fixed is not None


@pytest.mark.parametrize(
    ("made", "safe"),
    [
        (node("a"), True),
        (node("a", "flow.if", condition="{{ inputs.x }}"), True),
        (node("a", "test.gate"), False),
        (node("a", "test.gate_pure"), False),
        (node("a", "test.gate_blocking"), False),
        (node("a", policies={"retry": {"max_attempts": 2}}), False),
        (node("a", policies={"timeout_s": 1}), False),
        (node("a", policies={"on_error": "port"}), True),
    ],
)
def test_only_plain_pure_steps_run_where_they_are_accepted(
    made: dict, safe: bool, registry: NodeRegistry
) -> None:
    assert make_plan(document(made), registry).in_process_safe is safe


def test_every_type_that_is_not_installed_is_told(registry: NodeRegistry) -> None:
    with pytest.raises(InvalidError) as caught:
        make_plan(document(node("a", "acme.gone"), node("b"), node("c", "acme.lost")), registry)
    assert [(p.code, p.where) for p in caught.value.problems] == [
        ("node.unknown_type", "nodes.a.type"),
        ("node.unknown_type", "nodes.c.type"),
    ]


def test_fixed_parameters_that_are_wrong_are_told_by_name(registry: NodeRegistry) -> None:
    with pytest.raises(InvalidError) as caught:
        make_plan(document(node("a", "test.fail", times="many")), registry)
    assert [(p.code, p.where) for p in caught.value.problems] == [
        ("parameter.invalid", "nodes.a.parameters.times")
    ]
