"""Table nodes beside plain Python: the same rows in, the same rows out, whichever way a table travels."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from structforge.nodes import table_figures
from structforge.nodes.table_groups import Aggregate
from structforge.nodes.table_joins import Append, Join
from structforge.nodes.table_rows import Filter, Sort
from structforge.sdk import ArtifactRef, Node, tables
from structforge.sdk.tables import load_table_json
from structforge.sdk.testing import Bench
from tests.support import table_oracle as oracle

INTEGERS = st.one_of(
    st.integers(-3, 3),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(2**53 - 2, 2**53 + 2),
    st.integers(-(10**36), 10**36),
)
DECIMALS = st.integers(-(10**20), 10**20).map(lambda digits: Decimal(digits).scaleb(-3))
FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0),
    st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0, 1.5, 2.0, 9007199254740992.0, 1e16, 1e-7]),
)
TEXTS = st.one_of(
    st.text("aB1.0é\U0001f600 ", max_size=3), st.sampled_from(["1", "1.0", "01", "", "0.1", "-1"])
)
"""Without what no journal holds: NUL and lone surrogates."""
KINDS: dict[str, Any] = {"integer": INTEGERS, "decimal": DECIMALS, "number": FLOATS, "text": TEXTS}
NUMBERS = st.sampled_from(["integer", "decimal", "number"])
WANTED = st.one_of(INTEGERS, DECIMALS, FLOATS)
LIMITS = st.sampled_from([tables.MAX_INLINE_BYTES, -1])
"""Tables travel as rows while they are small, or always as artifacts."""


@st.composite
def columns(draw: st.DrawFn, kind: st.SearchStrategy[str], most: int = 12) -> list[Any]:
    """Draw the cells of a column of one kind, some of them null."""
    return draw(st.lists(st.none() | KINDS[draw(kind)], max_size=most))


ANY = st.sampled_from(list(KINDS))


def run(node: Node[Any], parameters: dict[str, Any], inputs: dict[str, Any], limit: int) -> list[Any]:
    """Return the rows that a node gives."""
    with Bench() as bench, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "MAX_INLINE_BYTES", limit)
        # What comes in travels in the same form as what goes out.
        given = {port: travelling(value, bench) for port, value in inputs.items()}
        result = bench.run(node, parameters, given).value
        ref = ArtifactRef.from_json(result)
        return result if ref is None else load_table_json(bench.artifacts.path(ref))


def travelling(value: Any, bench: Bench) -> Any:
    """Return a table, or a list of tables, as the node before would pass it on."""
    if value and isinstance(value[0], list):
        return [travelling(one, bench) for one in value]
    return bench.run(Sort(), {}, {"in": value}).value


def numbered(cells: list[Any], name: str = "a") -> list[dict[str, Any]]:
    return [{"n": index, name: cell} for index, cell in enumerate(cells)]


@settings(deadline=None)
@given(
    columns(NUMBERS),
    st.sampled_from(["equals", "not_equals", "greater", "greater_or_equal", "less", "less_or_equal"]),
    WANTED,
    st.booleans(),
    LIMITS,
)
def test_filter_compares_numbers_by_value(
    cells: list[Any], operator: str, wanted: Any, as_text: bool, limit: int
) -> None:
    assume(any(cell is not None for cell in cells))
    rows = numbered(cells)
    given_value = (
        repr(wanted) if as_text and isinstance(wanted, float) else str(wanted) if as_text else wanted
    )
    condition = {"column": "a", "operator": operator, "value": given_value}
    kept = run(Filter(), {"conditions": [condition]}, {"in": rows}, limit)
    assert oracle.same_rows(kept, oracle.filtered(rows, "a", operator, wanted))


@settings(deadline=None)
@given(columns(st.just("text")), st.sampled_from(["equals", "greater", "less_or_equal"]), TEXTS, LIMITS)
def test_filter_compares_texts(cells: list[Any], operator: str, wanted: str, limit: int) -> None:
    assume(any(cell is not None for cell in cells))
    rows = numbered(cells)
    condition = {"column": "a", "operator": operator, "value": wanted}
    kept = run(Filter(), {"conditions": [condition]}, {"in": rows}, limit)
    assert oracle.same_rows(kept, oracle.filtered(rows, "a", operator, wanted))


@settings(deadline=None)
@given(columns(ANY), columns(ANY), st.booleans(), st.booleans(), LIMITS)
def test_sort(one: list[Any], other: list[Any], down: bool, also_down: bool, limit: int) -> None:
    rows = [{"n": index, "a": a, "b": b} for index, (a, b) in enumerate(zip(one, other, strict=False))]
    assume(rows)
    by = [{"column": "a", "descending": down}, {"column": "b", "descending": also_down}]
    found = run(Sort(), {"by": by}, {"in": rows}, limit)
    assert oracle.same_rows(found, oracle.ordered(rows, [("a", down), ("b", also_down)]))


@settings(deadline=None)
@given(
    columns(ANY),
    columns(NUMBERS),
    st.sampled_from(["sum", "mean", "min", "max", "first", "last", "count", "distinct"]),
    LIMITS,
    st.booleans(),
)
def test_aggregate(keys: list[Any], cells: list[Any], function: str, limit: int, streamed: bool) -> None:
    rows = [{"k": key, "a": cell} for key, cell in zip(keys, cells, strict=False)]
    assume(any(row["a"] is not None for row in rows))
    assume(function not in ("sum", "mean") or all(abs(row["a"] or 0) < 1e300 for row in rows))
    parameters = {
        "group_by": [{"column": "k"}],
        "measures": [{"function": function, "column": "a", "name": "f"}],
    }
    with pytest.MonkeyPatch.context() as patch:
        # As large tables are grouped, or as small ones are.
        patch.setattr(table_figures, "STREAMED_ROWS", 0 if streamed else 1_000_000)
        found = run(Aggregate(), parameters, {"in": rows}, limit)
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(oracle.value(row["k"]), []).append(row)
    expected = [
        {"k": group[0]["k"], "f": oracle.figure(function, [row["a"] for row in group])}
        for group in groups.values()
    ]
    assert oracle.same_rows(found, oracle.ordered(expected, [("k", False)]))


@settings(deadline=None)
@given(columns(ANY, 8), columns(ANY, 8), st.sampled_from(["inner", "left", "full", "semi", "anti"]), LIMITS)
def test_join(one: list[Any], other: list[Any], how: str, limit: int) -> None:
    assume(one and other)
    left = [{"k": key, "l": index} for index, key in enumerate(one)]
    right = [{"k": key, "r": index} for index, key in enumerate(other)]
    found = run(Join(), {"how": how, "left_on": ["k"]}, {"left": left, "right": right}, limit)
    expected = oracle.joined(left, right, how)
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        # A column of both kinds is text, so a key that only the right table has may be spelled.
        assert (
            oracle.meet(row["k"], wanted["k"])
            or row["k"] == wanted["k"]
            or str(row["k"]) == spelled(wanted["k"])
        )
        assert {name: cell for name, cell in row.items() if name != "k"} == {
            name: cell for name, cell in wanted.items() if name != "k"
        }


def spelled(cell: Any) -> str | None:
    return None if cell is None else tables.Table.from_rows([{"a": cell}, {"a": ""}]).rows()[0]["a"]


@settings(deadline=None)
@given(st.lists(columns(ANY, 5), min_size=1, max_size=3), LIMITS)
def test_append(parts: list[list[Any]], limit: int) -> None:
    """Appending gives what one list of all rows gives: the same types, the same cells."""
    parts = [part for part in parts if part]
    assume(parts)
    found = run(Append(), {}, {"in": [numbered(part) for part in parts]}, limit)
    together = run(Sort(), {}, {"in": oracle.appended([numbered(part) for part in parts])}, limit)
    assert oracle.same_rows(found, together)
