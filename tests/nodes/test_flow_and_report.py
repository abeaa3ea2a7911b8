"""Set, if, merge and the report."""

from typing import Any

import pytest

from structforge.nodes.data import SetFields
from structforge.nodes.flow import If, Merge
from structforge.nodes.report import Report
from structforge.sdk import NodeError
from structforge.sdk.testing import run_node


@pytest.mark.parametrize(
    ("condition", "port"),
    [(True, "true"), (False, "false"), ("True ", "true"), ("false", "false"), (1, "true"), (0.0, "false"),
    (None, "false")],
)  # fmt: skip
def test_if_sends_its_input_one_way(condition: Any, port: str) -> None:
    assert run_node(If(), {"condition": condition}, {"in": [1]}).ports == {port: [1]}


@pytest.mark.parametrize("condition", ["yes", "", [], [1], {}])
def test_a_condition_that_is_no_condition_is_an_error(condition: Any) -> None:
    with pytest.raises(NodeError) as caught:
        run_node(If(), {"condition": condition}, {"in": 1})
    assert caught.value.problem.code == "if.not_boolean"


def test_merge_modes() -> None:
    assert Merge().fires_on_first({"mode": "first"})
    assert not Merge().fires_on_first({})
    assert run_node(Merge(), {}, {"in": [1, [2]]}).value == [1, [2]]
    artifact = {"$artifact": {"hash": "0" * 64, "size_bytes": 1, "media_type": "text/plain"}}
    for value in (5, {"a": 1}, artifact):
        with pytest.raises(NodeError) as caught:
            run_node(Merge(), {"mode": "concat"}, {"in": [[1], value]})
        assert caught.value.problem.code == "merge.not_a_list"
        assert caught.value.problem.where == "input in[1]"


def test_set_keeps_objects_only() -> None:
    with pytest.raises(NodeError) as caught:
        run_node(SetFields(), {"fields": {"a": 1}, "keep_input": True}, {"in": [1]})
    assert caught.value.problem.code == "set.not_an_object"


def report(**parameters: Any) -> str:
    text = run_node(Report(), parameters).value["markdown"]
    assert isinstance(text, str)
    return text


def test_tables_stand_where_the_text_says() -> None:
    rows = [{"a": 1, "b": "x"}]
    table = "| a | b |\n| ---: | --- |\n| 1 | x |"
    assert (
        report(markdown="Before\n\n[[table: one ]]\n\nAfter", tables={"one": rows})
        == f"Before\n\n{table}\n\nAfter\n"
    )
    assert report(markdown="Text", tables={"one": rows}) == f"Text\n\n## one\n\n{table}\n"


def test_data_cannot_change_the_layout() -> None:
    nasty = "a|b\n<script>alert(1)</script> [x](javascript:1) *b* `c` ![i](u) \\"
    line = report(tables={"t": [{"c": nasty}]}).splitlines()[-1]
    assert line == (
        r"| a\|b &lt;script&gt;alert(1)&lt;/script&gt; \[x\](javascript:1) \*b\* \`c\` \!\[i\](u) \\ |"
    )
    assert "snake_case" in report(tables={"t": [{"snake_case": 1}]})


def test_cells_of_every_kind() -> None:
    text = report(
        tables={"t": [{"n": 1.23456, "b": True, "e": None, "l": [1]}, {"n": 2, "x": "late"}]}, decimals=2
    )
    assert text.splitlines()[2:] == [
        "| n | b | e | l | x |",
        "| ---: | --- | --- | --- | --- |",
        r"| 1.23 | yes |  | \[1\] |  |",
        "| 2 |  |  |  | late |",
    ]


def test_long_and_empty_tables_say_so() -> None:
    text = report(tables={"t": [{"n": n} for n in range(5)]}, max_rows=2)
    assert text.endswith("| 1 |\n\n*2 of 5 rows.*\n")
    assert report(tables={"t": []}) == "## t\n\n*No rows.*\n"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"markdown": "[[table:x]]", "tables": {"y": []}}, "report.unknown_table"),
        ({"tables": {"y": "text"}}, "report.table"),
        ({"tables": {"y": [1]}}, "report.table"),
    ],
)
def test_reports_that_cannot_be(parameters: dict[str, Any], code: str) -> None:
    with pytest.raises(NodeError) as caught:
        run_node(Report(), parameters)
    assert caught.value.problem.code == code
