"""Tables by expression: `rows` in the place of an edge, lists of plain values, nested fields as columns."""

from typing import Any

import pytest

from structforge.domain.validation import parse_document, validate
from structforge.nodes import builtin
from structforge.nodes.table_inputs import flattened
from structforge.sdk import NodeError, NodeRegistry
from structforge.sdk.parameters import stand_ins
from structforge.sdk.shapes import shapes_of
from structforge.sdk.testing import run_node

REGISTRY = NodeRegistry()
builtin.register(REGISTRY)
ROWS = [{"id": 1, "who": {"name": "Ann", "at": {"city": "Oslo"}}}, {"id": 2, "who": None}]
FLAT = [
    {"id": 1, "who.name": "Ann", "who.at.city": "Oslo"},
    {"id": 2, "who.name": None, "who.at.city": None},
]  # fmt: skip
ENOUGH: dict[str, dict[str, Any]] = {
    "table.aggregate": {"measures": [{"function": "count"}]},
    "table.join": {"left_on": ["id"]},
    "file.write": {"name": "rows.csv"},
}
"""Parameters without a default, by node type."""
BY_EXPRESSION = sorted(node.type for node in REGISTRY if stand_ins(node.Parameters))


def test_every_node_that_takes_a_table_takes_it_as_an_expression() -> None:
    tables = {node.type for node in REGISTRY if any(port.type == "table" for port in node.inputs)}
    assert tables | {"file.write"} == set(BY_EXPRESSION)


@pytest.mark.parametrize("type_id", BY_EXPRESSION)
def test_rows_take_the_place_of_the_edge(type_id: str) -> None:
    node = REGISTRY[type_id]
    ports = stand_ins(node.Parameters)
    parameters = ENOUGH.get(type_id, {}) | {name: ROWS for name, _ in ports.values()}
    by_parameter = run_node(node, parameters, {})
    given = {port.name: [ROWS] if port.many else ROWS for port in node.inputs}
    by_edge = run_node(node, ENOUGH.get(type_id, {}), given)
    assert by_parameter.ports == by_edge.ports
    if not any(port.many for port in node.inputs):
        strangers = {port.name: [{"other": 0}] for port in node.inputs}
        assert run_node(node, parameters, strangers).ports == by_edge.ports


@pytest.mark.parametrize("type_id", BY_EXPRESSION)
def test_null_rows_are_no_left_out_rows(type_id: str) -> None:
    node = REGISTRY[type_id]
    parameters = ENOUGH.get(type_id, {}) | {name: None for name, _ in stand_ins(node.Parameters).values()}
    with pytest.raises(NodeError) as caught:
        run_node(node, parameters, {port.name: [ROWS] if port.many else ROWS for port in node.inputs})
    assert caught.value.problem.code == "table.not_a_table"
    assert caught.value.problem.where.startswith("parameters.")


@pytest.mark.parametrize("type_id", BY_EXPRESSION)
def test_neither_an_edge_nor_rows_is_found_before_the_run(type_id: str) -> None:
    node = REGISTRY[type_id]
    ports = stand_ins(node.Parameters)

    def found(parameters: dict[str, Any]) -> dict[str, str]:
        spec = {"id": "it", "type": type_id, "parameters": ENOUGH.get(type_id, {}) | parameters}
        problems = validate(parse_document({"nodes": [spec]}), shapes_of(REGISTRY))
        return {problem.where: problem.hint for problem in problems}

    hints = found({})
    for port, (name, title) in ports.items():
        assert hints[f"nodes.it.ports.{port}"] == f"Lead an edge to it.{port}, or fill in {title}."
        assert f"nodes.it.ports.{port}" not in found({name: "{{ inputs.rows }}"})


def test_an_edge_of_any_type_may_say_when() -> None:
    nodes = [
        {"id": "fetch", "type": "http.request", "parameters": {"url": "https://example.org"}},
        {"id": "keep", "type": "table.filter", "parameters": {"rows": "{{ fetch.body.items }}"}},
    ]
    edges = [{"source": "fetch", "target": "keep"}]
    assert validate(parse_document({"nodes": nodes, "edges": edges}), shapes_of(REGISTRY)) == []


def test_an_object_led_to_a_table_is_told_which_parameter_helps() -> None:
    nodes = [
        {"id": "fetch", "type": "http.request", "parameters": {"url": "https://example.org"}},
        {"id": "keep", "type": "table.filter"},
    ]
    made = parse_document({"nodes": nodes, "edges": [{"source": "fetch", "target": "keep"}]})
    (problem,) = validate(made, shapes_of(REGISTRY))
    assert problem.code == "edge.type_mismatch"
    assert problem.hint == "Fill in Rows of keep with the list that is in it, as in {{ fetch.items }}."


def test_a_list_of_plain_values_is_one_column() -> None:
    node = REGISTRY["table.sort"]
    parameters = {"rows": [3, 1, 2], "by": [{"column": "value"}]}
    assert run_node(node, parameters, {}).value == [{"value": 1}, {"value": 2}, {"value": 3}]


@pytest.mark.parametrize("by_edge", [True, False])
def test_nested_fields_become_columns(by_edge: bool) -> None:
    node = REGISTRY["table.sort"]
    given = ({"flatten": True}, {"in": ROWS}) if by_edge else ({"flatten": True, "rows": ROWS}, {})
    assert run_node(node, *given).value == FLAT


def test_tables_of_an_expression_follow_those_of_the_edges() -> None:
    node = REGISTRY["table.append"]
    outcome = run_node(node, {"rows": [[{"a": 2}], [{"a": 3}]]}, {"in": [[{"a": 1}]]})
    assert outcome.value == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_lists_files_and_empty_objects_when_flattening() -> None:
    file = {"$artifact": {"hash": "0" * 64, "size_bytes": 1, "media_type": "text/plain"}}
    rows = [{"a": [{"b": 1}], "f": file, "e": {}}]
    assert flattened(rows, where="x") == [{"a": [{"b": 1}], "f": file}]


def test_two_fields_of_one_name_are_refused() -> None:
    with pytest.raises(NodeError) as caught:
        flattened([{"a": {"b": 1}, "a.b": 2}], where="x")
    assert caught.value.problem.code == "table.flatten_name"
