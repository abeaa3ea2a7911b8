"""The table nodes: what they compute, in both forms a table travels in."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structforge.nodes import table_joins
from structforge.nodes.table_columns import Transform
from structforge.nodes.table_groups import Aggregate
from structforge.nodes.table_joins import Append, Join
from structforge.nodes.table_rows import Filter, Sort
from structforge.sdk import ArtifactRef, Node, NodeError, tables
from structforge.sdk.tables import load_table_json, read_table, table_result
from structforge.sdk.testing import Bench, FakeContext, run_node

ROWS = [
    {"city": "Oslo", "temp": 3, "day": "2024-01-31"},
    {"city": "Rome", "temp": 18, "day": "2024-02-01"},
    {"city": "", "temp": None, "day": None},
    {"city": None, "temp": -2, "day": "2023-12-31T23:30:00Z"},
]


def value_of(node: Node[Any], parameters: dict[str, Any], **inputs: Any) -> Any:
    """Run a node; a table artifact is given as rows."""
    with Bench() as bench:
        return rows_of(bench.run(node, parameters, inputs).value, bench)


def rows_of(value: Any, bench: Bench) -> Any:
    ref = ArtifactRef.from_json(value)
    return value if ref is None else load_table_json(bench.artifacts.path(ref))


def error_of(node: Node[Any], parameters: dict[str, Any], **inputs: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        run_node(node, parameters, inputs)
    return caught.value


@pytest.mark.parametrize(
    ("column", "operator", "value", "kept"),
    [
        ("temp", "equals", 3, [0]),
        ("temp", "equals", "3", [0]),
        ("temp", "equals", 3.0, [0]),
        ("temp", "not_equals", 3, [1, 2, 3]),
        ("temp", "greater", "2.5", [0, 1]),
        ("temp", "greater_or_equal", 3, [0, 1]),
        ("temp", "less", 3, [3]),
        ("temp", "less_or_equal", 3, [0, 3]),
        ("temp", "between", [-2, 3], [0, 3]),
        ("temp", "in", [3, "18"], [0, 1]),
        ("temp", "in", [], []),
        ("temp", "not_in", [3], [1, 2, 3]),
        ("temp", "equals", None, [2]),
        ("temp", "not_equals", None, [0, 1, 3]),
        ("temp", "is_empty", None, [2]),
        ("city", "is_empty", None, [2, 3]),
        ("city", "is_not_empty", None, [0, 1]),
        ("city", "contains", "o", [0, 1]),
        ("city", "not_contains", "o", [2, 3]),
        ("city", "starts_with", "R", [1]),
        ("city", "ends_with", "lo", [0]),
        ("city", "matches", "^[OR]...$", [0, 1]),
        ("city", "contains", ".", []),
        ("day", "greater", "2024-01-31", [1]),
        ("temp", "contains", "8", [1]),
    ],
)
def test_filter_conditions(column: str, operator: str, value: Any, kept: list[int]) -> None:
    parameters = {"conditions": [{"column": column, "operator": operator, "value": value}]}
    assert value_of(Filter(), parameters, **{"in": ROWS}) == [ROWS[index] for index in kept]


def test_filter_with_all_any_and_an_expression() -> None:
    both = [{"column": "temp", "operator": "greater", "value": 0}, {"column": "city", "value": "Rome"}]
    assert value_of(Filter(), {"conditions": both}, **{"in": ROWS}) == [ROWS[1]]
    assert value_of(Filter(), {"conditions": both, "match": "any"}, **{"in": ROWS}) == ROWS[:2]
    narrowed = {"conditions": both, "match": "any", "expression": "temp < 10"}
    assert value_of(Filter(), narrowed, **{"in": ROWS}) == [ROWS[0]]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ({"column": "tmp", "value": 1}, "table.unknown_column"),
        ({"column": "temp", "value": "warm"}, "filter.value"),
        ({"column": "city", "value": 5}, "filter.value"),
        ({"column": "temp", "operator": "greater"}, "filter.value"),
        ({"column": "temp", "operator": "between", "value": [1]}, "filter.value"),
        ({"column": "temp", "operator": "in", "value": 3}, "filter.value"),
        ({"column": "temp", "value": {"a": 1}}, "filter.value"),
        ({"column": "city", "operator": "matches", "value": "("}, "filter.pattern"),
        ({"column": "temp", "value": True}, "filter.value"),
        ({"column": "city", "value": True}, "filter.value"),
    ],
)
def test_filter_conditions_that_cannot_be(condition: dict[str, Any], code: str) -> None:
    problem = error_of(Filter(), {"conditions": [condition]}, **{"in": ROWS}).problem
    assert problem.code == code
    if code == "table.unknown_column":
        assert "Did you mean `temp`?" in problem.hint


def test_sort_is_stable_with_empty_cells_last() -> None:
    rows = [{"a": 2, "n": 1}, {"a": None, "n": 2}, {"a": 1, "n": 3}, {"a": 2, "n": 4}]
    up = value_of(Sort(), {"by": [{"column": "a"}]}, **{"in": rows})
    down = value_of(Sort(), {"by": [{"column": "a", "descending": True}]}, **{"in": rows})
    assert [row["n"] for row in up] == [3, 1, 4, 2]
    assert [row["n"] for row in down] == [1, 4, 3, 2]
    assert [row["n"] for row in value_of(Sort(), {"skip": 1, "limit": 2}, **{"in": rows})] == [2, 3]


def test_transform_does_its_parts_in_order() -> None:
    parameters = {
        "cast": [{"column": "temp", "type": "text"}],
        "compute": [
            {"column": "label", "expression": "city ~ ' ' ~ temp"},
            {"column": "n", "expression": "length(label)"},
        ],
        "pick": ["n", "label", "day"],
        "drop": ["day"],
        "rename": {"label": "text"},
    }  # fmt: skip
    assert value_of(Transform(), parameters, **{"in": ROWS[:1]}) == [{"n": 6, "text": "Oslo 3"}]


@pytest.mark.parametrize(
    ("cells", "kind", "pattern", "converted"),
    [
        (["1", " 2.5", "", None], "number", "", [1.0, 2.5, None, None]),
        (["1", "-7"], "integer", "", [1, -7]),
        ([1, 2.0], "text", "", ["1.0", "2.0"]),
        ([1, 2.5], "text", "", ["1", "2.5"]),
        ([{"b": [1, None]}, {}], "text", "", ['{"b":[1,null]}', "{}"]),
        ([[1, "x"], None], "text", "", ['[1,"x"]', None]),
        ([3.0, 4.0], "integer", "", [3, 4]),
        (["3.0", "1e3", "+07"], "integer", "", [3, 1000, 7]),
        (["12345678901234567890", "1"], "integer", "", [12345678901234567890, 1]),
        (
            ["0.12345678901234567890", "0.5"],
            "number",
            "",
            [Decimal("0.12345678901234567890"), Decimal("0.5")],
        ),
        ([2**53 + 1, 1], "number", "", [Decimal(2**53 + 1), Decimal(1)]),
        (["0.10", "1e2"], "decimal", "", [Decimal("0.1"), Decimal(100)]),
        ([0.1, 2.0], "decimal", "", [Decimal("0.1"), Decimal(2)]),
        ([True, False], "integer", "", [1, 0]),
        (["yes", "0", "FALSE", None], "boolean", "", [True, False, False, None]),
        ([1, 0.0, None], "boolean", "", [True, False, None]),
        (["31.12.2024"], "date", "%d.%m.%Y", ["2024-12-31"]),
        (["2024/12/31", "2024-12-31T10:00:00+02:00", ""], "date", "", ["2024-12-31", "2024-12-31", None]),
        (["2024-12-31T10:00:00+02:00"], "datetime", "", ["2024-12-31T10:00:00+02:00"]),
        (["2024-12-31 10:30"], "datetime", "", ["2024-12-31T10:30:00"]),
    ],
)
def test_casts(cells: list[Any], kind: str, pattern: str, converted: list[Any]) -> None:
    parameters = {"cast": [{"column": "c", "type": kind, "pattern": pattern}]}
    rows = value_of(Transform(), parameters, **{"in": [{"c": cell} for cell in cells]})
    assert [row["c"] for row in rows] == converted


@pytest.mark.parametrize(
    ("cell", "kind", "code"),
    [
        ("abc", "number", "table.not_a_number"),
        ("1.5", "integer", "table.not_a_number"),
        ("1_000", "integer", "table.not_a_number"),
        ("9" * 39, "integer", "table.not_a_number"),
        ("9" * 39, "number", "table.not_a_number"),
        ("inf", "number", "table.not_a_number"),
        ("nan", "decimal", "table.not_a_number"),
        ("perhaps", "boolean", "table.not_a_boolean"),
        ("2024-13-01", "date", "table.not_a_date"),
        ("yesterday", "datetime", "table.not_a_date"),
    ],
)
def test_a_cast_that_fails_names_the_row_or_empties_the_cell(cell: str, kind: str, code: str) -> None:
    rows = [{"c": None}, {"c": cell}]
    problem = error_of(Transform(), {"cast": [{"column": "c", "type": kind}]}, **{"in": rows}).problem
    assert problem.code == code
    assert cell in problem.message
    assert problem.details["row"] == 2
    lenient = {"cast": [{"column": "c", "type": kind}], "on_bad_value": "empty"}
    assert value_of(Transform(), lenient, **{"in": rows}) == [{"c": None}, {"c": None}]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"pick": ["tmep"]}, "table.unknown_column"),
        ({"drop": ["tmep"]}, "table.unknown_column"),
        ({"rename": {"tmep": "x"}}, "table.unknown_column"),
        ({"rename": {"temp": "city"}}, "transform.name"),
        ({"compute": [{"column": "x", "expression": "tmep + 1"}]}, "table.unknown_column"),
    ],
)
def test_transforms_that_cannot_be(parameters: dict[str, Any], code: str) -> None:
    assert error_of(Transform(), parameters, **{"in": ROWS}).problem.code == code


@pytest.mark.parametrize(
    ("function", "value"),
    [
        ("sum", 19), ("mean", pytest.approx(19 / 3)), ("median", 3.0), ("min", -2), ("max", 18), ("count", 3),
        ("distinct", 3), ("first", 3), ("last", -2),
    ],
)  # fmt: skip
def test_figures_leave_empty_cells_out(function: str, value: Any) -> None:
    parameters = {"measures": [{"function": function, "column": "temp", "name": "x"}]}
    assert value_of(Aggregate(), parameters, **{"in": ROWS}) == [{"x": value}]


MOST = 10**38 - 1
"""The largest number of 38 digits."""


@pytest.mark.parametrize("scale", [0, 2, 37])
@pytest.mark.parametrize("grouped", [False, True])
def test_sums_of_wide_decimals_are_exact_or_an_error(scale: int, grouped: bool) -> None:
    def cells(*digits: int) -> list[dict[str, Any]]:
        return [{"k": 1, "a": Decimal(f"{digit}E-{scale}")} for digit in digits]

    def parameters(function: str) -> dict[str, Any]:
        measure = {"function": function, "column": "a", "name": "f"}
        return {"group_by": [{"column": "k"}] if grouped else [], "measures": [measure]}

    def figure(function: str, rows: list[dict[str, Any]]) -> Any:
        with Bench() as bench:
            return rows_of(bench.run(Aggregate(), parameters(function), {"in": rows}).value, bench)[0]["f"]

    # On the way the sum is too large, in the end it is not; and two cells alone are enough to wrap 128 bits around.
    assert figure("sum", cells(MOST, MOST, MOST, -MOST, -MOST, -1)) == Decimal(f"{MOST - 1}E-{scale}")
    assert figure("mean", cells(MOST, MOST, MOST)) == float(Decimal(f"{MOST}E-{scale}"))
    for wrong in (cells(MOST, MOST), cells(MOST, 1), cells(-MOST, -MOST, -MOST)):
        assert error_of(Aggregate(), parameters("sum"), **{"in": wrong}).problem.code == "aggregate.too_large"


def test_figures_of_nothing() -> None:
    measures = [{"function": name, "column": "a"} for name in ("sum", "mean", "min", "count", "distinct")]
    expected = [{"count": 0, "a_sum": 0, "a_mean": None, "a_min": None, "a_count": 0, "a_distinct": 0}]
    assert value_of(Aggregate(), {"measures": [{"function": "count"}, *measures]}, **{"in": []}) == expected
    empty = {"group_by": [{"column": "b"}], "measures": [{"function": "count"}]}
    assert value_of(Aggregate(), empty, **{"in": []}) == []


@pytest.mark.parametrize(
    ("part", "groups"),
    [
        ("year", [(2023, 1), (2024, 2), (None, 1)]),
        ("month", [(1, 1), (2, 1), (12, 1), (None, 1)]),
        ("year_month", [("2023-12", 1), ("2024-01", 1), ("2024-02", 1), (None, 1)]),
        ("quarter", [(1, 2), (4, 1), (None, 1)]),
        ("weekday", [(3, 1), (4, 1), (7, 1), (None, 1)]),
        ("week", [(5, 2), (52, 1), (None, 1)]),
        ("hour", [(0, 2), (23, 1), (None, 1)]),
        ("date", [("2023-12-31", 1), ("2024-01-31", 1), ("2024-02-01", 1), (None, 1)]),
    ],
)
def test_groups_by_parts_of_dates(part: str, groups: list[tuple[Any, int]]) -> None:
    parameters = {"group_by": [{"column": "day", "part": part}], "measures": [{"function": "count"}]}
    rows = value_of(Aggregate(), parameters, **{"in": ROWS})
    assert [tuple(row.values()) for row in rows] == groups


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"group_by": [{"column": "x"}], "measures": [{"function": "count"}]}, "table.unknown_column"),
        ({"measures": [{"function": "sum", "column": "x"}]}, "table.unknown_column"),
        ({"measures": [{"function": "sum", "column": "city"}]}, "table.wrong_type"),
        ({"measures": [{"function": "sum"}]}, "aggregate.column"),
        ({"measures": [{"function": "count"}, {"function": "count"}]}, "aggregate.name"),
        (
            {"group_by": [{"column": "city", "part": "month"}], "measures": [{"function": "count"}]},
            "table.not_a_date",
        ),
    ],
)  # fmt: skip
def test_aggregates_that_cannot_be(parameters: dict[str, Any], code: str) -> None:
    assert error_of(Aggregate(), parameters, **{"in": ROWS}).problem.code == code


LEFT = [{"k": 1, "v": "a"}, {"k": 2, "v": "b"}, {"k": None, "v": "c"}]
RIGHT = [{"k": 2, "v": "x"}, {"k": 2, "v": "y"}, {"k": 3, "v": "z"}, {"k": None, "v": "n"}]


@pytest.mark.parametrize(
    ("how", "rows"),
    [
        ("inner", [(2, "b", "x"), (2, "b", "y")]),
        ("left", [(1, "a", None), (2, "b", "x"), (2, "b", "y"), (None, "c", None)]),
        (
            "full",
            [
                (1, "a", None),
                (2, "b", "x"),
                (2, "b", "y"),
                (None, "c", None),
                (3, None, "z"),
                (None, None, "n"),
            ],
        ),
        ("semi", [(2, "b")]),
        ("anti", [(1, "a"), (None, "c")]),
    ],
)
def test_joins(how: str, rows: list[tuple[Any, ...]]) -> None:
    joined = value_of(Join(), {"how": how, "left_on": ["k"]}, left=LEFT, right=RIGHT)
    assert [tuple(row.values()) for row in joined] == rows


def test_join_keys_of_two_kinds_and_two_names() -> None:
    parameters = {"left_on": ["id"], "right_on": ["key"], "suffix": "_2"}
    joined = value_of(Join(), parameters, left=[{"id": 7, "n": 1}], right=[{"key": "7", "n": 2}])
    assert joined == [{"id": 7, "n": 1, "n_2": 2}]


def test_a_join_with_a_table_without_rows() -> None:
    assert value_of(Join(), {"how": "left", "left_on": ["k"]}, left=[{"k": 1}], right=[]) == [{"k": 1}]
    assert value_of(Join(), {"how": "inner", "left_on": ["k"]}, left=[], right=[{"k": 1}]) == []


def test_joins_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    assert error_of(Join(), {"left_on": ["x"]}, left=LEFT, right=RIGHT).problem.code == "table.unknown_column"
    two = {"left_on": ["k", "v"], "right_on": ["k"]}
    assert error_of(Join(), two, left=LEFT, right=RIGHT).problem.code == "join.keys"
    monkeypatch.setattr(table_joins, "MAX_JOINED_ROWS", 3)
    many = [{"k": 1}, {"k": 1}]
    problem = error_of(Join(), {"left_on": ["k"]}, left=many, right=many).problem
    assert (problem.code, problem.details["rows"]) == ("join.too_large", 4)


def test_append_matches_columns_by_name() -> None:
    tables_in = [[{"a": 1, "b": 1}], [], [{"b": "x", "c": True}]]
    assert value_of(Append(), {"source_column": "t"}, **{"in": tables_in}) == [
        {"a": 1, "b": "1", "t": 1, "c": None},
        {"a": None, "b": "x", "t": 3, "c": True},
    ]


def test_a_table_without_rows_has_no_say_in_the_types_of_others_but_keeps_its_own() -> None:
    rows = [{"a": 1, "b": Decimal("1.50")}]
    with Bench() as bench:
        texts = bench.run(Filter(), {"expression": "a == 'no'"}, {"in": [{"a": "x", "b": "y"}]}).value
        both = bench.run(Append(), {}, {"in": [texts, rows, texts]}).value
        assert rows_of(both, bench) == rows
        none = ArtifactRef.from_json(bench.run(Append(), {}, {"in": [texts, texts]}).value)
    assert none is not None
    assert none.meta == {"rows": 0, "columns": ["a", "b"], "types": ["text", "text"]}


@pytest.mark.parametrize("value", [5, "text", None, [1], [{"a": 1}, 2], True])
def test_what_is_no_table_is_an_error(value: Any) -> None:
    assert error_of(Filter(), {}, **{"in": value}).problem.code == "table.not_a_table"


@pytest.mark.parametrize(
    ("cells", "after"),
    [
        (
            [1, "x", 1.5, True, None, [1, "é"], {"b": 10**30}],
            ["1", "x", "1.5", "true", None, '[1,"é"]', '{"b":' + str(10**30) + "}"],
        ),
        ([True, 1, 2.5, None], [True, 1, 2.5, None]),
        ([[1, "a", None, {"b": True}], [], None], [[1, "a", None, {"b": True}], [], None]),
        ([{"b": 1}, {"c": None}, {}, None], [{"b": 1}, {"c": None}, {}, None]),
        ([{"b": 1}, [1], 3, None], [{"b": 1}, [1], 3, None]),
        ([10**30, 1, None], [10**30, 1, None]),
        ([10**60, 1, None], [10**60, 1, None]),
        ([2**53 + 1, 0.5, None], [Decimal(2**53 + 1), Decimal("0.5"), None]),
        ([1, 2.5, None], [1, 2.5, None]),
        ([Decimal("0.12345678901234567890"), 0.5], [Decimal("0.12345678901234567890"), Decimal("0.5")]),
        ([None, None], [None, None]),
    ],
)  # fmt: skip
def test_columns_of_any_kinds_pass_through_nodes_that_do_not_touch_them(
    cells: list[Any], after: list[Any]
) -> None:
    rows = [{"n": index, "a": cell} for index, cell in enumerate(cells)]
    expected = [{"n": index, "a": cell} for index, cell in enumerate(after)]
    for limit in (tables.MAX_INLINE_BYTES, -1):
        with pytest.MonkeyPatch.context() as patch, Bench() as bench:
            patch.setattr(tables, "MAX_INLINE_BYTES", limit)
            value: Any = rows
            for node, parameters in (
                (Filter(), {"conditions": [{"column": "n", "operator": "is_not_empty"}]}),
                (Sort(), {"by": [{"column": "n"}]}),
                (Transform(), {"rename": {"n": "m"}}),
                (Transform(), {"rename": {"m": "n"}}),
            ):
                value = bench.run(node, parameters, {"in": value}).value
            assert _typed(rows_of(value, bench)) == _typed(expected)


def _typed(value: Any) -> Any:
    """Return a value that differs when a type inside does: Python takes `True` for 1."""
    if isinstance(value, dict):
        return {name: _typed(item) for name, item in value.items()}
    return [_typed(item) for item in value] if isinstance(value, list) else (type(value).__name__, value)


@pytest.mark.parametrize(
    ("operator", "value", "kept"),
    [
        ("equals", 1, 0), ("equals", None, 3), ("not_equals", 1, 3), ("greater", 1, 0), ("between", [0, 1], 0),
        ("in", [1, None], 3), ("not_in", [1], 3), ("contains", "a", 0), ("not_contains", "a", 3), ("is_empty", None, 3),
    ],
)  # fmt: skip
def test_a_column_without_a_value_takes_every_condition(operator: str, value: Any, kept: int) -> None:
    rows: list[dict[str, Any]] = [{"a": None, "n": index} for index in range(3)]
    condition = {"column": "a", "operator": operator, "value": value}
    assert value_of(Filter(), {"conditions": [condition]}, **{"in": rows}) == rows[:kept]
    assert value_of(Sort(), {"by": [{"column": "a", "descending": True}]}, **{"in": rows}) == rows
    grouped = {
        "group_by": [{"column": "a"}],
        "measures": [{"function": "count"}, {"function": "sum", "column": "a"}],
    }
    assert value_of(Aggregate(), grouped, **{"in": rows}) == [{"a": None, "count": 3, "a_sum": 0}]
    assert value_of(Join(), {"how": "anti", "left_on": ["a"]}, left=rows, right=rows) == rows


@pytest.mark.parametrize("count", [1, 4_000, 40_000])
def test_rows_without_fields_pass(count: int) -> None:
    rows: list[dict[str, Any]] = [{}] * count
    assert value_of(Filter(), {}, **{"in": rows}) == rows
    assert value_of(Sort(), {"limit": 1}, **{"in": rows}) == [{}]


def test_an_empty_result_flows_on_through_every_node() -> None:
    with Bench() as bench:
        none = bench.run(Filter(), {"expression": "temp > 1000"}, {"in": ROWS}).value
        ref = ArtifactRef.from_json(none)
        assert ref is not None
        assert ref.meta == {
            "rows": 0,
            "columns": ["city", "temp", "day"],
            "types": ["text", "integer", "text"],
        }
        joined = bench.run(
            Join(), {"how": "left", "left_on": ["city"]}, {"left": ROWS[:1], "right": none}
        ).value
        assert rows_of(joined, bench) == [ROWS[0] | {"temp_right": None, "day_right": None}]
        grouped = {"group_by": [{"column": "day", "part": "month"}], "measures": [{"function": "count"}]}
        assert rows_of(bench.run(Aggregate(), grouped, {"in": none}).value, bench) == []


@given(st.lists(st.fixed_dictionaries({"a": st.text(max_size=5) | st.none(), "b": st.floats() | st.none()})))
def test_both_forms_of_a_table_mean_the_same(rows: list[dict[str, Any]]) -> None:
    """What a node gets is the same whether the table stood on the edge or in an artifact."""
    with Bench() as bench:
        context = FakeContext(bench.files, bench.artifacts, bench.http)
        frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.Float64})
        small = rows_of(table_result(context, frame), bench)
        limit, tables.MAX_INLINE_BYTES = tables.MAX_INLINE_BYTES, -1
        try:
            value = table_result(context, frame)
        finally:
            tables.MAX_INLINE_BYTES = limit
        assert ArtifactRef.from_json(value) is not None
        assert rows_of(value, bench) == small
        assert read_table(context, value).rows() == small


def test_frames_of_any_types_become_tables_of_theirs() -> None:
    """A plugin may give whatever polars has; no helper column stays behind."""
    frame = pl.DataFrame(
        {
            "literal": [b"ab"],
            "day": [date(2024, 3, 1)],
            "at": [datetime(2024, 3, 1, 9, 30)],
            "clock": [time(9, 30)],
            "took": [timedelta(minutes=2)],
            "small": pl.Series([7], dtype=pl.UInt8),
            "huge": pl.Series([2**64 - 1], dtype=pl.UInt64),
            "half": pl.Series([0.1], dtype=pl.Float32),
            "nan": [float("nan")],
            "kind": pl.Series(["a"], dtype=pl.Categorical),
            "price": pl.Series([Decimal("1.50")], dtype=pl.Decimal(9, 2)),
            "tags": [["a", None]],
            "who": [{"name": "A", "born": date(2000, 1, 2)}],
        }
    )
    assert tables.Table.of(frame).rows() == [
        {
            "literal": "\\x6162",
            "day": "2024-03-01",
            "at": "2024-03-01T09:30:00",
            "clock": "09:30:00",
            "took": 120.0,
            "small": 7,
            "huge": 2**64 - 1,
            "half": 0.1,
            "nan": None,
            "kind": "a",
            "price": Decimal("1.50"),
            "tags": ["a", None],
            "who": {"name": "A", "born": "2000-01-02"},
        }
    ]


def test_nesting_undoes_flattening() -> None:
    rows = [
        {"id": 1, "who": {"name": "A", "at": {"city": "Oslo", "zip": None}}, "tags": ["x"]},
        {"id": 2, "who": {"name": None, "at": {"city": None, "zip": 7}}, "tags": []},
        {"id": 3, "who": None, "tags": None},
    ]
    flat = value_of(Transform(), {"flatten": True}, **{"in": rows})
    assert list(flat[0]) == ["id", "who.name", "who.at.city", "who.at.zip", "tags"]
    assert value_of(Transform(), {"nest": True}, **{"in": flat}) == rows
    odd = [{".a": 1, "b.": 2, "c..d": 3}]
    assert value_of(Transform(), {"nest": True}, **{"in": odd}) == odd
    for clash in ([{"a": 1, "a.b": 2}], [{"a.b": 1, "a.b.c": 2}], [{"a.b.c": 1, "a.b": 2}]):
        assert error_of(Transform(), {"nest": True}, **{"in": clash}).problem.code == "table.nest_name"


def test_an_expression_that_fails_in_some_rows_leaves_them_empty_if_asked() -> None:
    rows = [{"a": 6, "b": index % 3} for index in range(100)]
    compute = {"compute": [{"column": "c", "expression": "a / b"}]}
    problem = error_of(Transform(), compute, **{"in": rows}).problem
    assert (problem.code, problem.details["row"]) == ("row_expression.division_by_zero", 1)
    found = value_of(Transform(), compute | {"on_bad_value": "empty"}, **{"in": rows})
    assert [row["c"] for row in found] == [None if not row["b"] else 6 / row["b"] for row in rows]
    unknown = {"compute": [{"column": "c", "expression": "x + 1"}], "on_bad_value": "empty"}
    assert error_of(Transform(), unknown, **{"in": rows}).problem.code == "table.unknown_column"


def test_names_of_columns_are_names_and_no_patterns() -> None:
    rows = [{"*": 2, "^a.*$": "x", "ab": 1.5, "": None}, {"*": 1, "^a.*$": "y", "ab": 2.5, "": None}]
    assert value_of(Transform(), {"drop": ["*"]}, **{"in": rows}) == [
        {name: cell for name, cell in row.items() if name != "*"} for row in rows
    ]
    assert value_of(Transform(), {"pick": ["^a.*$", ""]}, **{"in": rows}) == [
        {"^a.*$": "x", "": None},
        {"^a.*$": "y", "": None},
    ]
    assert value_of(Sort(), {"by": [{"column": "*"}]}, **{"in": rows}) == rows[::-1]
    condition = {"column": "^a.*$", "value": "y"}
    assert value_of(Filter(), {"conditions": [condition]}, **{"in": rows}) == rows[1:]
    grouped = {
        "group_by": [{"column": "*"}],
        "measures": [{"function": "max", "column": "^a.*$", "name": "a"}],
    }
    assert value_of(Aggregate(), grouped, **{"in": rows}) == [{"*": 1, "a": "y"}, {"*": 2, "a": "x"}]
