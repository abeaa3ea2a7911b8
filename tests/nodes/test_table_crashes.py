"""Table nodes over any JSON rows: a result or an error with a code, never a crash, and what goes through comes out."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structforge.nodes.table_columns import Transform
from structforge.nodes.table_groups import Aggregate
from structforge.nodes.table_joins import Append, Join
from structforge.nodes.table_rows import Filter, Sort
from structforge.sdk import ArtifactRef, Node, NodeError, tables
from structforge.sdk.tables import load_table_json
from structforge.sdk.testing import Bench

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, 10**50, 2**53 + 1, -(2**63)]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([Decimal("0.10"), Decimal("12345678901234567.89"), Decimal("1E+3"), Decimal("1E-30")]),
    TEXTS,
    st.sampled_from(["1", "1.0", "true", "2024-03-01", "[1]"]),
)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["a", "b", "key 0", "row", "len", "literal", "", "a.b", "é", "*", "^a.*$"])
ROWS = st.lists(st.dictionaries(NAMES, JSON, max_size=4), max_size=6)
OPERATORS = st.sampled_from(
    [
        "equals",
        "not_equals",
        "greater",
        "less_or_equal",
        "between",
        "contains",
        "starts_with",
        "matches",
        "in",
    ]
    + ["not_in", "is_empty"]
)
CASTS = st.sampled_from(["text", "number", "integer", "decimal", "boolean", "date", "datetime"])
FUNCTIONS = st.sampled_from(["sum", "mean", "median", "min", "max", "count", "distinct", "first", "last"])
PARTS = st.sampled_from([None, "year", "month", "hour"])
CONDITIONS = st.fixed_dictionaries(
    {"column": NAMES, "operator": OPERATORS, "value": JSON | st.lists(PLAIN, min_size=2, max_size=2)}
)

CALLS = st.one_of(
    st.tuples(st.just(Filter()), st.fixed_dictionaries({"conditions": st.lists(CONDITIONS, max_size=2)})),
    st.tuples(
        st.just(Sort()),
        st.fixed_dictionaries(
            {
                "by": st.lists(
                    st.fixed_dictionaries({"column": NAMES, "descending": st.booleans()}), max_size=2
                )
            }
        ),
    ),
    st.tuples(
        st.just(Transform()),
        st.fixed_dictionaries(
            {
                "cast": st.lists(st.fixed_dictionaries({"column": NAMES, "type": CASTS}), max_size=2),
                "on_bad_value": st.sampled_from(["error", "empty"]),
                "drop": st.lists(NAMES, max_size=1),
                "flatten": st.booleans(),
                "nest": st.booleans(),
            }
        ),
    ),
    st.tuples(
        st.just(Aggregate()),
        st.fixed_dictionaries(
            {
                "group_by": st.lists(st.fixed_dictionaries({"column": NAMES, "part": PARTS}), max_size=2),
                "measures": st.lists(
                    st.fixed_dictionaries({"function": FUNCTIONS, "column": NAMES}), min_size=1, max_size=2
                ),
            }
        ),
    ),
    st.tuples(
        st.just(Join()),
        st.fixed_dictionaries(
            {
                "how": st.sampled_from(["inner", "left", "full", "semi", "anti"]),
                "left_on": st.lists(NAMES, min_size=1, max_size=2),
            }
        ),
    ),
    st.tuples(st.just(Append()), st.fixed_dictionaries({"source_column": NAMES})),
)


def rows_of(value: Any, bench: Bench) -> Any:
    ref = ArtifactRef.from_json(value)
    return value if ref is None else load_table_json(bench.artifacts.path(ref))


@settings(deadline=None, max_examples=300)
@given(CALLS, ROWS, ROWS, st.sampled_from([tables.MAX_INLINE_BYTES, -1]))
def test_no_rows_crash_a_table_node(
    call: tuple[Node[Any], dict[str, Any]], rows: list[Any], others: list[Any], limit: int
) -> None:
    node, parameters = call
    inputs: dict[str, Any] = {"in": rows}
    if isinstance(node, Join):
        inputs = {"left": rows, "right": others}
    elif isinstance(node, Append):
        inputs = {"in": [rows, others]}
    with Bench() as bench, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "MAX_INLINE_BYTES", limit)
        try:
            result = bench.run(node, parameters, inputs).value
        except NodeError as error:
            assert error.problem.code
            return
        found = rows_of(result, bench)
        # Another node takes what this one gives, and changes nothing.
        assert rows_of(bench.run(Sort(), {}, {"in": result}).value, bench) == found


@settings(deadline=None, max_examples=300)
@given(ROWS)
def test_both_forms_of_any_table_are_the_same(rows: list[Any]) -> None:
    with Bench() as bench, pytest.MonkeyPatch.context() as patch:
        small = rows_of(bench.run(Sort(), {}, {"in": rows}).value, bench)
        assert [name for row in small[:1] for name in row] == list(
            dict.fromkeys(name for row in rows for name in row)
        )
        patch.setattr(tables, "MAX_INLINE_BYTES", -1)
        assert rows_of(bench.run(Sort(), {}, {"in": rows}).value, bench) == small
        assert rows_of(bench.run(Sort(), {}, {"in": small}).value, bench) == small
