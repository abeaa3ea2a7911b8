"""Row expressions: what they give, and what they refuse."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structforge.nodes import row_expressions
from structforge.nodes.row_expressions import evaluate, keep
from structforge.sdk import NodeError

FRAME = pl.DataFrame(
    {
        "city": ["Oslo", "rome", None],
        "qty": [2, 20, None],
        "price": [1.5, 10.0, 3.0],
        "day": ["2024-02-29", "2023/12/31", ""],
        "unit price": [1, 2, 3],
        "ok": [True, False, None],
    }
)


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("qty + 1", [3, 21, None]),
        ("-qty", [-2, -20, None]),
        ("qty * price", [3.0, 200.0, None]),
        ("qty / 4", [0.5, 5.0, None]),
        ("qty // 4", [0, 5, None]),
        ("qty % 3", [2, 2, None]),
        ("qty ** 2", [4.0, 400.0, None]),
        ("price * 1.2 if qty > 10 else price", [1.5, 12.0, 3.0]),
        ("'many' if qty > 10", [None, "many", None]),
        ("city ~ '!'", ["Oslo!", "rome!", None]),
        ("city + '!'", ["Oslo!", "rome!", None]),
        ("upper(city)", ["OSLO", "ROME", None]),
        ("city | lower", ["oslo", "rome", None]),
        ("city | default('?')", ["Oslo", "rome", "?"]),
        ("coalesce(qty, 0)", [2, 20, 0]),
        ("row['unit price'] + qty", [3, 22, None]),
        ("row.qty", [2, 20, None]),
        ("round(price / 7, 2)", [0.21, 1.43, 0.43]),
        ("floor(price) + ceil(price)", [3, 20, 6]),
        ("min(qty, price)", [1.5, 10.0, 3.0]),
        ("length(city)", [4, 4, None]),
        ("replace(city, 'o', '0')", ["Osl0", "r0me", None]),
        ("number('3.5') + qty", [5.5, 23.5, None]),
        ("year(day)", [2024, 2023, None]),
        ("month(day)", [2, 12, None]),
        ("date(day)", ["2024-02-29", "2023-12-31", None]),
        ("days_between(day, '2024-03-01')", [1, 61, None]),
        ("qty > 10", [False, True, None]),
        ("1 < qty <= 2", [True, False, None]),
        ("qty == none", [False, False, True]),
        ("qty != none", [True, True, False]),
        ("none == qty", [False, False, True]),
        ("qty is none", [False, False, True]),
        ("qty is not none", [True, True, False]),
        ("qty != 2", [False, True, True]),
        ("city in ['Oslo', 'Rome']", [True, False, False]),
        ("city not in ['Oslo']", [False, True, True]),
        ("'o' in city", [True, True, False]),
        ("ok and qty == 2", [True, False, False]),
        ("not ok", [False, True, True]),
        ("ok or price == 3", [True, False, True]),
        ("7", [7, 7, 7]),
        ("none", [None, None, None]),
    ],
)
def test_values(source: str, values: list[Any]) -> None:
    assert evaluate(FRAME, source, where="here").to_list() == values


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", "row_expression.syntax"),
        ("qty >", "row_expression.syntax"),
        ("qty = 2", "row_expression.syntax"),
        ("{{ qty }}", "row_expression."),
        ("qtty + 1", "table.unknown_column"),
        ("row['x y']", "table.unknown_column"),
        ("uper(city)", "row_expression.unknown_function"),
        ("upper()", "row_expression.arguments"),
        ("upper(city, city)", "row_expression.arguments"),
        ("upper(value=city)", "row_expression.not_allowed"),
        ("city.upper()", "row_expression.not_allowed"),
        ("city.__class__", "row_expression.not_allowed"),
        ("city[0]", "row_expression.not_allowed"),
        ("[qty, 1]", "row_expression.not_allowed"),
        ("{'a': qty}", "row_expression.not_allowed"),
        ("qty is even", "row_expression.not_allowed"),
        ("replace(city, city, 'x')", "row_expression.not_allowed"),
        ("round(price, 99)", "row_expression.not_allowed"),
        ("1" * 30, "row_expression.not_allowed"),
        ("(" * 500 + "1" + ")" * 500, "row_expression."),
        ("not " * 500 + "ok", "row_expression."),
        ("qty + 1 " * 5_000, "row_expression."),
        ("city > 3", "table.wrong_type"),
        ("city * 2", "table.wrong_type"),
        ("number(city)", "table.not_a_number"),
        ("month(city)", "table.not_a_date"),
    ],
)
def test_refusals(source: str, code: str) -> None:
    with pytest.raises(NodeError) as caught:
        evaluate(FRAME, source, where="here")
    assert caught.value.problem.code.startswith(code)
    assert caught.value.problem.where.startswith("here")


def test_an_unknown_column_is_named_with_its_place_and_its_neighbour() -> None:
    with pytest.raises(NodeError) as caught:
        evaluate(FRAME, "price + qtty", where="parameters.expression")
    problem = caught.value.problem
    assert problem.where == "parameters.expression, character 9"
    assert problem.details["position"] == 8
    assert problem.hint.startswith("Did you mean `qty`?")


def test_a_condition_keeps_rows_that_are_true_only() -> None:
    assert keep(FRAME, "qty > 10", where="").get_column("city").to_list() == ["rome"]
    assert keep(FRAME, "none", where="").height == 0
    with pytest.raises(NodeError) as caught:
        keep(FRAME, "qty", where="")
    assert caught.value.problem.code == "row_expression.not_a_condition"


def test_a_table_that_lost_its_columns_takes_any_expression() -> None:
    assert evaluate(pl.DataFrame(), "a + b", where="").to_list() == []


@pytest.mark.parametrize("name", row_expressions.FUNCTIONS)
def test_every_function_is_documented(name: str) -> None:
    assert f"`{name}(" in (row_expressions.DOCUMENTATION)


@given(
    st.lists(st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)), min_size=1, max_size=20),
    st.sampled_from(
        ["a + b", "a - b * 2", "a if a > b else b", "abs(a) + 1", "a == b or a < 0", "a % 7", "a // 3"]
    ),
)
def test_rows_agree_with_python(rows: list[tuple[int, int]], source: str) -> None:
    frame = pl.DataFrame(rows, schema=["a", "b"], orient="row")
    expected = [eval(source, {"__builtins__": {"abs": abs}}, {"a": a, "b": b}) for a, b in rows]
    assert evaluate(frame, source, where="").to_list() == expected
