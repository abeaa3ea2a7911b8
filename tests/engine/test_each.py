"""A node that runs once for each element of a list: places, errors, ports, large elements."""

from typing import Any

import pytest

from structforge.domain.validation import validate
from structforge.sdk import NodeRegistry
from structforge.sdk.shapes import RegisteredShape, shapes_of
from tests.engine.test_large_values import ROWS, table_of, values_of
from tests.support.execution import Workshop
from tests.support.workflows import document, node


def each(on_error: str = "fail", items: str = "{{ [1, 0, 4] }}", **more: Any) -> dict[str, Any]:
    return {"each": {"items": items, **more}, "on_error": on_error}


async def test_an_element_that_failed_leaves_its_place(workshop: Workshop) -> None:
    made = document(
        node("e", value="{{ 8 / item }}", policies=each("port", concurrency=3)),
        node("good", value="{{ e }}"),
        node("bad", value="{{ e }}"),
        edges=["e>good", "e.error>bad"],
    )
    report = await workshop.run(made)
    assert report.status == "succeeded"
    assert report.outputs["good"]["out"] == [8, None, 2]
    [error] = report.outputs["bad"]["out"]
    assert (error["index"], error["item"], error["code"]) == (1, 0, "expression.type")
    assert (error["details"]["index"], error["details"]["item"]) == (1, 0)


async def test_one_that_goes_on_with_a_value_has_it_in_its_place(workshop: Workshop) -> None:
    made = document(node("e", value="{{ 8 / item }}", policies=each("continue") | {"error_value": "none"}))
    report = await workshop.run(made)
    assert report.output == [8, "none", 2]
    assert report.settled == {"e#0": "succeeded", "e#1": "failed", "e#2": "succeeded", "e": "succeeded"}


async def test_the_error_of_a_run_tells_the_element(workshop: Workshop) -> None:
    report = await workshop.run(document(node("e", value="{{ 8 / item }}", policies=each())))
    assert report.status == "failed"
    assert report.end.error is not None
    assert (report.end.error.details["index"], report.end.error.details["item"]) == (1, 0)


async def test_all_failed_is_a_list_of_places_and_none_is_an_empty_list(workshop: Workshop) -> None:
    made = document(
        node("e", value="{{ 8 / item }}", policies=each("port", "{{ [0, 0] }}")),
        node("bad", value="{{ e | map(attribute='index') }}"),
        edges=["e.error>bad"],
    )
    report = await workshop.run(made)
    assert report.outputs["e"]["out"] == [None, None]
    assert report.outputs["bad"]["out"] == [0, 1]
    report = await workshop.run(document(node("e", value="{{ item }}", policies=each("port", "{{ [] }}"))))
    assert report.outputs["e"] == {"out": []}


async def test_a_node_of_several_ways_gives_the_elements_that_went_each_way(workshop: Workshop) -> None:
    made = document(
        node("e", "flow.if", condition="{{ item > 1 }}", policies=each(items="{{ [1, 2, 3] }}")),
        node("small", value="{{ e }}"),
        node("large", value="{{ e }}"),
        edges=["e.false>small", "e.true>large"],
    )
    report = await workshop.run(made)
    assert report.outputs["small"]["out"] == [1]
    assert report.outputs["large"]["out"] == [2, 3]


async def test_without_each_the_name_is_the_error_itself(workshop: Workshop) -> None:
    made = document(
        node("e", value="{{ 1 / 0 }}", policies={"on_error": "port"}),
        node("gap"),
        node("told", value=["{{ e.code }}", "{{ e.where }}"]),
        edges=["e.error>gap", "gap>told"],
    )
    report = await workshop.run(made)
    assert report.outputs["told"]["out"][0] == "expression.type"


async def test_errors_of_large_elements_tell_them_too(workshop: Workshop) -> None:
    tables = [table_of(workshop, ROWS), table_of(workshop, ROWS[:2_500])]
    text = "x" * 200_000
    made = document(
        node("far", value={"items": [tables[0], text, tables[1]]}),
        node("e", value="{{ 1 / (item | length - 2500) }}", policies=each("port", "{{ far.items }}")),
        node("bad", value="{{ [e[0].index, e[0].item | length, e[0].item[3].n] }}"),
        node("good", value="{{ e | length }}"),
        edges=["far>e", "e.error>bad", "e>good"],
    )
    report = await workshop.run(made)
    assert report.status == "succeeded", report.end.error
    assert report.outputs["bad"]["out"] == [2, 2_500, 3]
    assert report.outputs["good"]["out"] == 3
    failing = document(
        node("far", value={"items": [text]}),
        node("e", value="{{ 1 / item }}", policies=each("port", "{{ far.items }}")),
        node("bad", value="{{ e[0].item | length }}"), edges=["far>e", "e.error>bad"],
    )  # fmt: skip
    report = await workshop.run(failing)
    assert report.outputs["bad"]["out"] == 200_000
    assert len(str(report.error_of("e#0"))) < 5_000


async def test_a_recovered_run_has_the_same_places(workshop: Workshop) -> None:
    made = document(
        node("e", value="{{ 8 / item }}", policies=each("port")),
        node("last", value=["{{ e }}"]),
        node("bad", value="{{ e | map(attribute='item') }}"),
        edges=["e>last", "e.error>bad"],
    )
    whole = await workshop.run(made)
    for count in range(1, len(whole.commits)):
        report = await workshop.run(made, before=whole.commits[:count])
        assert (report.outputs["last"]["out"], report.outputs["bad"]["out"]) == ([[8, None, 2]], [0])


async def test_a_table_of_each_reaches_the_next_as_data(workshop: Workshop) -> None:
    made = document(
        node("far", value=table_of(workshop, ROWS)),
        node("e", value={"n": "{{ item.n * 2 }}"}, policies=each(items="{{ far[:5] }}", concurrency=5)),
        node("sorted", "table.sort", by=[{"column": "n", "descending": True}]),
        edges=["far>e", "e>sorted"],
    )
    report = await workshop.run(made)
    assert values_of(workshop, report.output) == [{"n": n} for n in (8, 6, 4, 2, 0)]


@pytest.mark.parametrize(
    ("target", "port", "codes"),
    [
        ("table.sort", "in", set()),
        ("flow.merge", "in", set()),
        ("test.object", "in", {"edge.type_mismatch"}),
        ("test.list", "in", set()),
    ],
)
def test_under_each_a_port_is_a_list(registry: NodeRegistry, target: str, port: str, codes: set[str]) -> None:
    shapes = dict(shapes_of(registry))
    kinds: dict[str, Any] = {"test.object": "object", "test.list": "array"}
    if target in kinds:
        taking = type("Taking", (type(registry["test.one"]),), {
            "type": target, "inputs": (type(registry["test.one"].inputs[0])("in", kinds[target]),),
        })  # fmt: skip
        shapes[target] = RegisteredShape(taking())
    by = {"by": [{"column": "n"}]} if target == "table.sort" else {}
    made = document(
        node("start", "trigger.manual"),
        node("e", "data.set", fields={"n": "{{ item }}"}, policies=each(items="{{ start.list }}")),
        node("next", target, **by),
        edges=["start>e", f"e>next.{port}"],
    )
    found = {problem.code for problem in validate(made, shapes)}
    assert found & {"edge.type_mismatch"} == codes
