"""A lazy value is seen as the data it stands for: random expressions give the same on both, or the same error."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structforge.domain.expressions import ExpressionError, Keep, Lazy, LazyScope, Reading, parse
from structforge.domain.values import encode_json

TABLE = [{"n": n, "city": ("Oslo", "Rome", None)[n % 3], "half": n / 2} for n in range(7)]
VALUES: dict[str, Any] = {
    "table": TABLE,
    "none_in_it": [],
    "object": {"rows": [{"n": 1}, {"n": 5}], "name": "Ada", "deep": {"list": [1, 2, 3]}},
    "list": [3, 1, 2, "x", None, [4], {"n": 9}],
    "text": "abc abc",
    "number": 12,
    "nothing": None,
}
MARK = "$stored"


class Stored(Lazy):
    """Stands for one of `VALUES`; counts how often it was read whole."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.value = VALUES[name]
        self.read = 0

    @property
    def reference(self) -> Any:
        return {MARK: self.name}

    @property
    def columns(self) -> list[str] | None:
        if self.name == "none_in_it":
            # As rows tell them; a real table without rows knows more (tests/engine/test_large_values.py).
            return []
        return list(self.value[0]) if self.name == "table" else None

    @property
    def rows(self) -> int:
        return len(self.value) if self.columns is not None else 0

    def content(self) -> tuple[Any, bool]:
        self.read += 1
        return self.value, False

    def part(self, start: int, stop: int, columns: Sequence[str] | None = None) -> list[Any]:
        return [
            {name: cell for name, cell in row.items() if columns is None or name in columns}
            for row in self.value[start:stop]
        ]


def opened(value: Any) -> Lazy | None:
    found = value.get(MARK) if isinstance(value, dict) and len(value) == 1 else None
    return Stored(found) if isinstance(found, str) else None


def stands_for(data: Any) -> Any:
    """Return names in which each of `VALUES` is stored elsewhere, as lists, objects and texts may be."""
    return {name: {MARK: name} if isinstance(data[name], list | dict | str) else data[name] for name in data}


PLAIN = {**VALUES, "inside": {"t": TABLE, "all": [TABLE, "x", VALUES["object"]]}}
TRAVELLED = {
    **stands_for(VALUES),
    "inside": {"t": {MARK: "table"}, "all": [{MARK: "table"}, "x", {MARK: "object"}]},
}

_roots = st.sampled_from([*PLAIN, "inside.t", "inside.all", "inside.all[0]", "inside.all[2].rows"])
_places = st.sampled_from(["0", "2", "-1", "99", "1:3", "::-1", "::2", "-3:", ":0", "'n'", "number", "5:2"])
_fields = st.sampled_from(["n", "city", "rows", "name", "deep", "list", "missing"])
_filters = st.sampled_from(
    ["length", "count", "first", "last", "columns", "sum", "max", "min", "unique", "reverse", "tojson", "string",
     "bool",
     "keys", "values", "items", "flatten", "sort(attribute='n')", "sum(attribute='n')", "sum('n')",
     "map(attribute='n')", "map(attribute='city', default='?')", "map(attribute='missing')", "map('length')",
     "map('string')", "min(attribute='n')", "max(attribute='half')", "join('-', attribute='n')",
     "selectattr('n', 'gt', 2)", "rejectattr('city', 'none')", "batch(2)", "default('d')", "default('d', true)",
     "first | default(0)", "append(1)", "list", "upper", "merge({'z': 1})", "get('rows', 0)",
     "unique(attribute='city')"]
)  # fmt: skip
_tests = st.sampled_from(
    ["defined", "undefined", "none", "empty", "list", "mapping", "string", "number", "sequence", "boolean", "truthy",
     "true", "eq(3)", "contains(1)", "in([1])"]
)  # fmt: skip


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = inner.map(lambda text: f"({text})")
    operators = st.sampled_from(["+", "==", "!=", "~", "in", "and", "or", "<", "*", "-"])
    return st.one_of(
        st.tuples(one, _places).map(lambda two: f"{two[0]}[{two[1]}]"),
        st.tuples(one, _fields).map(lambda two: f"{two[0]}.{two[1]}"),
        st.tuples(one, _filters).map(lambda two: f"{two[0]} | {two[1]}"),
        st.tuples(one, _tests).map(lambda two: f"{two[0]} is {two[1]}"),
        st.tuples(one, operators, one).map(" ".join),
        one.map("not {}".format),
        st.tuples(one, one, one).map(lambda three: f"{three[0]} if {three[1]} else {three[2]}"),
        st.tuples(one, one).map(lambda two: f"[{two[0]}, {two[1]}]"),
        one.map(lambda text: f"{{'k': {text}, 'j': 1}}"),
        st.tuples(one, st.sampled_from(["count(1)", "keys()", "upper()", "get('n', 0)"])).map(".".join),
    )


EXPRESSIONS = st.recursive(_roots, _grown, max_leaves=5)


def outcome(text: str, scope: Any) -> Any:
    """Return what a text gives, in bytes, or what its error says."""
    try:
        return encode_json(parse(text).evaluate(scope))
    except ExpressionError as error:
        return error.code, error.message, error.hint, error.start, error.end


@settings(max_examples=1_500, deadline=None)
@given(EXPRESSIONS, st.sampled_from(["{{{{ {} }}}}", "a {{{{ {} }}}} b"]))
def test_an_expression_gives_the_same_however_its_values_travel(expression: str, form: str) -> None:
    text = form.format(expression)
    assert outcome(text, LazyScope(TRAVELLED, Reading(opened))) == outcome(text, PLAIN)


@settings(max_examples=500, deadline=None)
@given(EXPRESSIONS, st.sampled_from([Keep.TABLE, Keep.INNER, Keep.ALL]))
def test_what_is_handed_on_stands_for_the_same(expression: str, keep: Keep) -> None:
    text = f"{{{{ {expression} }}}}"
    try:
        given_on = parse(text).evaluate(LazyScope(TRAVELLED, Reading(opened, keep)))
    except ExpressionError as error:
        assert (error.code, error.message) == outcome(text, PLAIN)[:2]
        return
    reading = Reading(opened)
    plain = outcome(text, PLAIN)
    # A value that is kept as a reference does not weigh what its data does.
    assert encode_json(reading.result(reading.seen(given_on))) == plain or plain[0] == "expression.too_large"


@pytest.mark.parametrize(
    "text",
    ["table | length", "table | columns", "table[3].n", "table | first", "table | last", "table[2:4]",
     "table | map(attribute='n') | sum", "table | sum(attribute='n')", "table is empty", "not table", "table or 1",
     "1 if table else 2", "[table, 1] | first | length", "{'t': table}.t | length", "table | max(attribute='n')",
     "inside.t | length", "inside.all[0][1].city", "table is list and table is defined"],
)  # fmt: skip
def test_of_a_table_no_more_is_read_than_is_looked_at(text: str) -> None:
    made: list[Stored] = []

    def opening(value: Any) -> Lazy | None:
        found = opened(value)
        if isinstance(found, Stored):
            made.append(found)
        return found

    parse(f"{{{{ {text} }}}}").evaluate(LazyScope(TRAVELLED, Reading(opening)))
    assert [lazy.name for lazy in made if lazy.read] in ([], ["table"] if text == "table or 1" else [])
