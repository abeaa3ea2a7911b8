"""Row expressions: what they give, and what they refuse."""

import inspect
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from structforge.domain.expressions.functions import FUNCTIONS, SPECIAL
from structforge.domain.faults import fault_sentence
from structforge.nodes import row_expressions
from structforge.nodes.row_expressions import check, evaluate, keep, written
from structforge.nodes.row_language.catalogue import KERNELS, LAZY
from structforge.nodes.row_language.notes import FAMILIES, page
from structforge.nodes.table_columns import Transform
from structforge.nodes.table_rows import Filter
from structforge.nodes.tables import Table
from structforge.sdk import NodeError
from structforge.sdk.table_cells import cells_of

TABLE = Table.from_rows(
    [
        {
            "city": "Oslo",
            "qty": 2,
            "price": 1.5,
            "day": "2024-02-29",
            "unit price": 1,
            "ok": True,
            "money": Decimal("1.10"),
            "customer": {"name": "Ann", "tags": ["a", "x"]},
            "tags": ["x", 1],
        },
        {
            "city": "rome",
            "qty": 20,
            "price": 10.0,
            "day": "2023/12/31",
            "unit price": 2,
            "ok": False,
            "money": Decimal("2.25"),
            "customer": {"name": "Bob"},
            "tags": [],
        },
        {
            "city": None,
            "qty": None,
            "price": 3.0,
            "day": None,
            "unit price": 3,
            "ok": None,
            "money": None,
            "customer": None,
            "tags": None,
        },
    ]
)


def values(table: Table, source: str) -> list[Any]:
    """Return the cells an expression gives, as JSON."""
    column = evaluate(table, source, where="here")
    return cells_of(column.series, column.mark, column.written)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("qty + 1", [3, 21, None]),
        ("-qty", [-2, -20, None]),
        ("qty * price", [3.0, 200.0, None]),
        ("qty / 4", [0.5, 5.0, None]),
        ("qty // 4", [0, 5, None]),
        ("-qty // 3", [-1, -7, None]),
        ("qty % 3", [2, 2, None]),
        ("-qty % 3", [1, 1, None]),
        ("qty ** 2", [4, 400, None]),
        ("price * 1.2 if qty > 10 else price", [1.5, 12.0, 3.0]),
        ("'many' if qty > 10", [None, "many", None]),
        ("city ~ '!'", ["Oslo!", "rome!", "!"]),
        ("city + '!'", ["Oslo!", "rome!", None]),
        ("city ~ ' ' ~ qty ~ ' ' ~ ok", ["Oslo 2 true", "rome 20 false", "  "]),
        ("upper(city)", ["OSLO", "ROME", None]),
        ("city | lower", ["oslo", "rome", None]),
        ("city.upper()", ["OSLO", "ROME", None]),
        ("city | default('?')", ["Oslo", "rome", "?"]),
        ("coalesce(qty, 0)", [2, 20, 0]),
        ("row['unit price'] + qty", [3, 22, None]),
        ("row.qty", [2, 20, None]),
        ("round(price / 7, 2)", [0.21, 1.43, 0.43]),
        ("round(2.675, 2) + 0 * qty", [Decimal("2.68"), Decimal("2.68"), None]),
        ("round(price * 100 / 7, method='floor')", [21, 142, 42]),
        ("round(1.13, 2, 'floor') + 0 * qty", [Decimal("1.13"), Decimal("1.13"), None]),
        ("round(-2.5 + 0 * qty)", [-3, -3, None]),
        ("round(qty / 3, 2.0)", [0.67, 6.67, None]),
        ("floor(price) + ceil(price)", [3, 20, 6]),
        ("min(qty, price)", [1.5, 10.0, 3.0]),
        ("0.1 + 0.2 == 0.3", [True, True, True]),
        ("money * 3", [Decimal("3.3"), Decimal("6.75"), None]),
        ("text(money)", ["1.1", "2.25", ""]),
        ("text(price)", ["1.5", "10.0", "3.0"]),
        ("text(ok)", ["true", "false", ""]),
        ("text(tags)", ['["x",1]', "[]", ""]),
        ("length(city)", [4, 4, None]),
        ("replace(city, 'o', '0')", ["Osl0", "r0me", None]),
        ("substring(city, 1, 2)", ["sl", "om", None]),
        ("city[1:]", ["slo", "ome", None]),
        ("split_part('a-b-c', '-', 1.0) ~ city", ["bOslo", "brome", "b"]),
        ("matches(city, '^[A-Z]')", [True, False, None]),
        ("extract(city, '([a-z])([a-z])', 2)", ["l", "o", None]),
        ("replace_pattern(city, '[aeiou]', '<$0>')", ["Osl<o>", "r<o>m<e>", None]),
        ("number('3.5') + qty", [5.5, 23.5, None]),
        ("customer.name", ["Ann", "Bob", None]),
        ("row.customer.tags[0]", ["a", None, None]),
        ("tags[0]", ["x", None, None]),
        ("length(tags)", [2, 0, None]),
        ("contains(tags, 'x')", [True, False, None]),
        ("year(day)", [2024, 2023, None]),
        ("month(day)", [2, 12, None]),
        ("date(day)", ["2024-02-29", "2023-12-31", None]),
        ("days_between(day, '2024-03-01')", [1, 61, None]),
        ("add_months(day, 12)", ["2025-02-28", "2024-12-31", None]),
        ("format_date(day, '%d.%m.%Y')", ["29.02.2024", "31.12.2023", None]),
        ("case(qty > 10, 'many', qty > 1, 'some', 'none')", ["some", "many", "none"]),
        ("qty > 10", [False, True, False]),
        ("1 < qty <= 2", [True, False, False]),
        ("qty == none", [False, False, True]),
        ("qty != none", [True, True, False]),
        ("none == qty", [False, False, True]),
        ("qty is none", [False, False, True]),
        ("qty is not none", [True, True, False]),
        ("customer.name is defined", [True, True, False]),
        ("is_empty(tags)", [False, True, True]),
        ("qty is even", [True, True, None]),
        ("qty == 2", [True, False, False]),
        ("qty != 2", [False, True, True]),
        ("qty == 2.0", [True, False, False]),
        ("qty == '2'", [False, False, False]),
        ("city in ['Oslo', 'Rome']", [True, False, False]),
        ("city not in ['Oslo']", [False, True, True]),
        ("qty in [1, 2.0, none]", [True, False, True]),
        ("'o' in city", [True, True, False]),
        ("'o' not in city", [False, False, True]),
        ("ok and qty == 2", [True, False, None]),
        ("not ok", [False, True, True]),
        ("ok or price == 3", [True, False, True]),
        ("[qty, city]", [[2, "Oslo"], [20, "rome"], [None, None]]),
        ("{'q': qty}.q", [2, 20, None]),
        ("7", [7, 7, 7]),
        ("none", [None, None, None]),
    ],
)
def test_values(source: str, expected: list[Any]) -> None:
    found = values(TABLE, source)
    assert found == expected
    assert [type(cell) for cell in found] == [type(cell) for cell in expected]


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
        ("city.uper()", "row_expression.unknown_function"),
        ("qty is odder", "row_expression.unknown_function"),
        ("upper()", "row_expression.arguments"),
        ("upper(city, city)", "row_expression.arguments"),
        ("upper(text=city)", "row_expression.arguments"),
        ("case(qty)", "row_expression.arguments"),
        ("upper(*city)", "row_expression.not_allowed"),
        ("qty(1)", "row_expression.unknown_function"),
        ("(qty)(1)", "row_expression."),
        ("matches(city, '[')", "row_expression.arguments"),
        ("matches(city, '(?=a)')", "row_expression.arguments"),
        ("format_date(day, '%Q')", "row_expression.arguments"),
        ("round(price, 999)", "row_expression."),
        ("(" * 500 + "1" + ")" * 500, "row_expression."),
        ("not " * 500 + "ok", "row_expression."),
        ("qty + 1 " * 5_000, "row_expression."),
        ("city.__class__", "row_expression.value"),
        ("city > 3", "row_expression.value"),
        ("city * city", "row_expression.value"),
        ("ok + 1", "row_expression.value"),
        ("number(city)", "table.not_a_number"),
        ("month(city)", "table.not_a_date"),
        ("qty / (price - 1.5)", "row_expression.division_by_zero"),
        ("10 ** 39 * qty", "row_expression.too_long"),
    ],
)
def test_refusals(source: str, code: str) -> None:
    with pytest.raises(NodeError) as caught:
        evaluate(TABLE, source, where="here")
    assert caught.value.problem.code.startswith(code)
    assert caught.value.problem.where.startswith("here")
    assert "polars" not in str(caught.value) and "None" not in str(caught.value)


def test_a_failure_names_its_row_and_its_place() -> None:
    with pytest.raises(NodeError) as caught:
        evaluate(TABLE, "1 + qty / (qty - 20)", where="parameters.expression")
    problem = caught.value.problem
    assert problem.message == "Row 2: Division by zero."
    assert problem.where == "parameters.expression, character 5"
    assert (problem.details["row"], problem.details["position"]) == (2, 4)


@pytest.mark.parametrize(
    "source",
    [
        "1 / (qty - 20) if qty != 20 else 0",
        "qty != 20 and 1 / (qty - 20)",
        "qty == 20 or 1 / (qty - 20) > 0",
        "case(qty == 20, 0, 1 / (qty - 20))",
        "coalesce(qty, 1 / 0)",
        "default(qty, 1 / 0)",
        "20 != qty > 1 / (qty - 20)",
    ],
)
def test_a_guard_protects(source: str) -> None:
    assert len(values(Table.from_rows([{"qty": 20}, {"qty": 2}]), source)) == 2


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"coalesce({'none, ' * 1500} qty)", [20, 2]),
        (f"coalesce({'none, ' * 1500} 1 / (qty - 20) if qty != 20)", [None, -1 / 18]),
        (f"case({'qty < 0, 1, ' * 800} qty > 2, 'many', 'few')", ["many", "few"]),
        (f"qty {'<= qty ' * 1200}", [True, True]),
        (f"qty != 20 {'>= 0 ' * 1200}", [False, True]),
        (f"length(qty {'~ qty ' * 1500})", [3002, 1501]),
        (f"max({'qty, ' * 1500} 3)", [20, 3]),
        (f"qty in [{'1, ' * 3000} 2]", [False, True]),
    ],
)
def test_long_expressions_are_no_deep_ones(source: str, expected: list[Any]) -> None:
    assert values(Table.from_rows([{"qty": 20}, {"qty": 2}]), source) == expected


def test_a_row_is_named_as_it_stands_in_the_table() -> None:
    table = Table.from_rows(
        [{"a": number % 3, "t": f"{number}"} for number in range(10)] + [{"a": 1, "t": "x"}]
    )
    with pytest.raises(NodeError) as caught:
        evaluate(table, "integer(t) if a == 1 else (1 if a == 2 else number(t))", where="")
    assert caught.value.problem.details["row"] == 11


def test_an_unknown_column_is_named_with_its_place_and_its_neighbour() -> None:
    with pytest.raises(NodeError) as caught:
        evaluate(TABLE, "price + qtty", where="parameters.expression")
    problem = caught.value.problem
    assert problem.where == "parameters.expression, character 9"
    assert problem.details["position"] == 8
    assert problem.hint.startswith("Did you mean `qty`?")


def test_a_condition_keeps_rows_that_are_true_only() -> None:
    assert keep(TABLE, "qty > 10", where="").cells("city") == ["rome"]
    assert keep(TABLE, "none", where="").height == 0
    with pytest.raises(NodeError) as caught:
        keep(TABLE, "qty", where="")
    assert caught.value.problem.code == "row_expression.not_a_condition"


def test_a_table_whose_columns_nobody_knows_takes_any_expression() -> None:
    assert values(Table.from_rows([]), "a + b") == []


@pytest.mark.parametrize(
    ("source", "dtype"),
    [
        ("qty * 2", pl.Int64),
        ("qty / 2", pl.Float64),
        ("qty * 1.5", pl.Decimal(38, 1)),
        ("upper(city)", pl.String),
        ("qty > 1", pl.Boolean),
        ("year(day)", pl.Int64),
        ("price if qty > 1 else 'none'", pl.String),
        ("title(city)", pl.String),
        ("qty / qty if qty else 0", pl.Float64),
    ],
)
def test_a_column_has_its_type_without_rows_too(source: str, dtype: Any) -> None:
    full = TABLE.with_frame(TABLE.frame.head(2))
    assert evaluate(full, source, where="").series.dtype == dtype
    assert evaluate(TABLE.with_frame(TABLE.frame.clear()), source, where="").series.dtype == dtype


def test_branches_of_different_kinds_lose_nothing() -> None:
    table = Table.from_rows([{"a": 9007199254740993, "f": 0.5, "t": "x"}, {"a": 1, "f": 2.5, "t": "y"}])
    assert values(table, "a if a > 1 else f") == [9007199254740993, Decimal("2.5")]
    assert values(table, "f if a > 1 else a") == [0.5, 1]
    assert values(table, "a if a > 1 else t") == ["9007199254740993", "y"]
    assert values(table, "[a] if a > 1 else {'t': t}") == [[9007199254740993], {"t": "y"}]
    assert values(table, "a > 1 if a > 1 else a") == [True, 1]


def test_the_functions_are_those_of_expressions_and_all_are_documented() -> None:
    assert {*row_expressions.FUNCTIONS} == {*FUNCTIONS, *SPECIAL, *LAZY}
    assert set(KERNELS) <= set(FUNCTIONS)
    named = [name for family in FAMILIES for note in family.notes for name in note.names]
    assert sorted(named) == sorted(set(named))
    assert set(named) - set(row_expressions.FUNCTIONS) == set()
    assert set(row_expressions.FUNCTIONS) - set(named) == set()
    for name in named:
        assert f"`{name}(" in page() and f"`{name}(" in page(chinese=True)


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_kernel_takes_what_its_function_takes(name: str) -> None:
    kernel, function = KERNELS[name].kernel, FUNCTIONS[name]
    assert kernel is not None
    least = [
        one for one in list(inspect.signature(function).parameters.values())[1:] if one.default is one.empty
    ]
    taken = inspect.signature(kernel).parameters.values()
    endless = any(one.kind is one.VAR_POSITIONAL for one in taken)
    assert endless or len(taken) >= sum(one.kind is one.POSITIONAL_OR_KEYWORD for one in least)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("qty + 1", []),
        ("row['unit price'] * customer.name", []),
        ("qtty + pricce", [("table.unknown_column", 0, 4), ("table.unknown_column", 7, 13)]),
        ("row['x'] + row.y", [("table.unknown_column", 3, 8), ("table.unknown_column", 15, 16)]),
        ("uper(city)", [("row_expression.unknown_function", 0, 4)]),
        ("city | upper(1, 2)", [("row_expression.arguments", 7, 12)]),
        ("qty >", [("row_expression.syntax", 5, 5)]),
        ("matches(city, '[')", [("row_expression.arguments", 14, 17)]),
        ("to_zone(day, 'Europe/Berlni')", [("row_expression.arguments", 13, 28)]),
        ("case(qty, upper(citty))", [("table.unknown_column", 16, 21)]),
    ],
)
def test_an_expression_is_checked_without_rows(source: str, found: list[tuple[str, int, int]]) -> None:
    problems = check(source, TABLE.types)
    assert [(each.code, each.details["position"], each.details["end"]) for each in problems] == found


@pytest.mark.parametrize(
    ("node", "parameters", "place"),
    [
        (Filter, {"expression": "qty > uper(city)"}, ("expression",)),
        (Transform, {"compute": [{"column": "x", "expression": "qty +"}]}, ("compute", 0, "expression")),
    ],
)
def test_a_mistake_is_found_before_a_run(
    node: Any, parameters: dict[str, Any], place: tuple[Any, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        node.Parameters.model_validate(parameters)
    [fault] = caught.value.errors()
    assert fault["loc"] == place
    assert fault_sentence(fault).startswith("The row expression is wrong at character ")


def test_without_columns_their_names_are_not_looked_at() -> None:
    assert check("a + b", None) == []
    assert [each.code for each in check("a + nope(b)", None)] == ["row_expression.unknown_function"]


@pytest.mark.parametrize(
    "name", ["city", "größe", "Umsatz (€)", 'a"b', "a\\b", "row", "in", "1st", "a b", "true", "\n"]
)
def test_any_column_can_be_named(name: str) -> None:
    table = Table.from_rows([{name: 5}])
    assert values(table, f"{written(name)} + 1") == [6]
    assert written("Umsatz (€)") == 'row["Umsatz (€)"]'


INTEGERS = st.one_of(st.integers(-1000, 1000), st.integers(-(10**18), 10**18), st.integers(-(10**37), 10**37))
DECIMALS = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=3)


@given(
    st.lists(st.tuples(INTEGERS, INTEGERS), min_size=1, max_size=20),
    st.sampled_from(
        [
            "a + b",
            "a - b * 2",
            "a if a > b else b",
            "abs(a) + 1",
            "a == b or a < 0",
            "a % 7",
            "a // 3",
            "-a",
            "a * b",
        ]
    ),
)
def test_integers_agree_with_python(rows: list[tuple[int, int]], source: str) -> None:
    table = Table.from_rows([{"a": a, "b": b} for a, b in rows])
    expected = [eval(source, {"__builtins__": {"abs": abs}}, {"a": a, "b": b}) for a, b in rows]
    if any(abs(value) >= 10**38 for value in expected):
        with pytest.raises(NodeError) as caught:
            evaluate(table, source, where="")
        assert caught.value.problem.code == "row_expression.too_long"
    else:
        assert values(table, source) == expected


@given(
    st.lists(st.tuples(DECIMALS, DECIMALS), min_size=1, max_size=20),
    st.sampled_from(["a + b", "a - b", "a * b", "a * 3 - b", "-a"]),
)
def test_decimals_agree_with_fractions(rows: list[tuple[Decimal, Decimal]], source: str) -> None:
    table = Table.from_rows([{"a": a, "b": b} for a, b in rows])
    expected = [eval(source, {"__builtins__": {}}, {"a": Fraction(a), "b": Fraction(b)}) for a, b in rows]
    assert [Fraction(value) for value in values(table, source)] == expected


@given(
    st.lists(st.floats(-1e13, 1e13, allow_nan=False), min_size=1, max_size=20),
    st.integers(0, 6),
)
def test_rounding_is_that_of_the_written_digits(numbers: list[float], digits: int) -> None:
    found = values(Table.from_rows([{"a": number} for number in numbers]), f"round(a, {digits})")
    for number, rounded in zip(numbers, found, strict=True):
        exact = Fraction(repr(number)) * 10**digits
        half_up = (abs(exact) + Fraction(1, 2)).__floor__() * (1 if exact >= 0 else -1)
        assert rounded == float(Fraction(half_up, 10**digits))
