"""Set, if, merge and the report."""

from decimal import Decimal
from typing import Any

import pytest

from structforge.domain.conditions import truth
from structforge.domain.expressions import compile_value
from structforge.nodes.data import SetFields
from structforge.nodes.flow import If, Merge, Switch
from structforge.nodes.markdown import escaped
from structforge.nodes.report import Report
from structforge.nodes.report_text import split
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


def planned(**parameters: Any) -> str:
    """Return what a report says whose expressions are resolved as the engine does."""
    scope = {"start": {"text": "[[table:secret]]\n# {{ 1 }}", "none": None, "year": 2024}}
    node = Report()
    resolved = compile_value(dict(node.prepared(parameters))).resolve(scope)
    text = run_node(node, resolved).value["markdown"]
    assert isinstance(text, str)
    return text


SECRET = {"secret": [{"word": "hunter2"}], "t": [{"a": 1}]}


@pytest.mark.parametrize(
    "markdown",
    [
        "{{ start.text }}",
        "Says:\n{{ start.text }}\n[[table:t]]",
        "{{ '[[table:secret]]' }}",
        "{{ '[[table:' ~ 'secret]]' }}",
        "[[table:{{ 'secret' }}]]",
        "{{ '\n[[table:secret]]\n' }}",
    ],
)
def test_a_line_of_data_names_no_table(markdown: str) -> None:
    text = planned(markdown=markdown, tables=SECRET)
    before, _, after = text.partition("## secret")
    assert "hunter2" not in before and "hunter2" in after
    assert "[[table:secret]]" in before


def test_the_author_s_marker_stands_between_expressions() -> None:
    text = planned(
        markdown="{{ start.year }}\n  [[table: t ]]\t\nend {{ start.none }}", tables={"t": [{"a": 1}]}
    )
    assert text == "2024\n\n| a |\n| ---: |\n| 1 |\n\nend\n"


def test_a_title_is_text() -> None:
    assert planned(title="{{ start.year }}") == "# 2024\n"
    assert planned(title="a\n# b <i>*c*</i> #") == "# a # b &lt;i&gt;\\*c\\*&lt;/i&gt; \\#\n"


@pytest.mark.parametrize(
    ("value", "decimals", "cell"),
    [
        (2.675, 2, "2.68"),
        (-2.5, 0, "-3"),
        (1.005, 2, "1.01"),
        (525162.0, None, "525162"),
        (525162.0, 1, "525162.0"),
        (3, 2, "3"),
        (0.1, None, "0.1"),
        (1e22, None, "10000000000000000000000"),
        (12345678901234567890, None, "12345678901234567890"),
        (Decimal("1.50"), 2, "1.50"),
        (Decimal("0.12345678901234567890"), None, "0.1234567890123456789"),
        (Decimal("2.665"), 2, "2.67"),
        (None, 2, ""),
        ("", None, ""),
        (True, None, "yes"),
        ("`a|b`\n<b>", None, "\\`a\\|b\\` &lt;b&gt;"),
        ({"k": [1, None, True], "s": "x"}, None, '{"k":\\[1,null,true\\],"s":"x"}'),
        ([], None, "\\[\\]"),
        (
            {"$artifact": {"hash": "0" * 64, "size_bytes": 1, "media_type": "text/csv", "name": "a.csv"}},
            None,
            "a.csv",
        ),
    ],
)
def test_a_cell_shows_its_value(value: Any, decimals: int | None, cell: str) -> None:
    text = report(tables={"t": [{"c": value}]}, **({} if decimals is None else {"decimals": decimals}))
    assert text.splitlines()[-1] == f"| {cell} |"


def test_names_of_columns_and_tables_are_data() -> None:
    text = report(tables={"a\nb": [{"x|*y*\n<br>": 1}]})
    assert text.splitlines() == ["## a b", "", "| x\\|\\*y\\* &lt;br&gt; |", "| ---: |", "| 1 |"]


def test_nested_fields_of_a_report_s_table_can_be_columns() -> None:
    text = report(tables={"t": [{"a": {"b": 1, "c": "x"}}]}, flatten=True)
    assert text.splitlines()[2:] == ["| a.b | a.c |", "| ---: | --- |", "| 1 | x |"]


@pytest.mark.parametrize("size", [4_000, 8_000])
def test_hostile_texts_take_steps_in_proportion(size: int) -> None:
    text = "[[table:" + " " * size
    assert split(text) == [{"text": text}]
    assert split(text + "]]") == [{"text": text + "]]"}]
    assert escaped(" " * size) == "" and escaped("\n " * size + "x") == "x"


@pytest.mark.parametrize(
    ("match", "value", "port"),
    [
        ("5", 5, "default"),
        (5, 5.0, "it"),
        (Decimal("0.1"), 0.1, "it"),
        (True, 1, "default"),
        (None, None, "it"),
        (None, "", "default"),
        ([1, {"a": True}], [1.0, {"a": True}], "it"),
        ([1], [True], "default"),
        (9007199254740993, 9007199254740992.0, "default"),
    ],
)
def test_cases_are_compared_by_value(match: Any, value: Any, port: str) -> None:
    parameters = {"value": value, "cases": [{"name": "it", "match": match}]}
    assert run_node(Switch(), parameters, {"in": 1}).ports == {port: 1}


def test_keys_of_merged_lists_are_compared_by_value() -> None:
    lists = [[{"id": 1, "a": 1}, {"id": True, "a": 2}], [{"id": 1.0, "b": 3}, {"id": "1", "b": 4}]]
    outcome = run_node(Merge(), {"mode": "by_key"}, {"in": lists})
    assert outcome.value == [{"id": 1.0, "a": 1, "b": 3}, {"id": True, "a": 2}, {"id": "1", "b": 4}]


CONDITIONS = [
    (None, False),
    (True, True),
    (False, False),
    (0, False),
    (0.0, False),
    (Decimal("0"), False),
    (Decimal("0.1"), True),
    (-1, True),
    ("true", True),
    (" FALSE ", False),
    ("", None),
    ("0", None),
    ("1", None),
    ("yes", None),
    ([], None),
    ([0], None),
    ({}, None),
    ({"a": 1}, None),
]


@pytest.mark.parametrize(("value", "means"), CONDITIONS)
def test_a_condition_means_the_same_everywhere(value: Any, means: bool | None) -> None:
    assert truth(value) is means
    for node, parameters in (
        (If(), {"condition": value}),
        (Switch(), {"by": "condition", "cases": [{"name": "true", "match": value}]}),
    ):
        if means is None:
            with pytest.raises(NodeError) as caught:
                run_node(node, parameters, {"in": 1})
            assert caught.value.problem.code == "if.not_boolean"
        else:
            assert ("true" in run_node(node, parameters, {"in": 1}).ports) is means
