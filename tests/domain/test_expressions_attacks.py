"""What hostile expressions and hostile data get: one `ExpressionError`, soon, and no Python object."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from structforge.domain.expressions import ExpressionError, compile_value, parse, parse_expression
from structforge.domain.expressions.checks import TESTS
from structforge.domain.expressions.functions import FUNCTIONS, METHODS
from structforge.domain.expressions.syntax import MAX_NESTING
from structforge.domain.numbers import held_by_float
from structforge.domain.values import journal_safe

SCOPE: dict[str, Any] = {
    "s": "text",
    "n": 3,
    "rows": [{"a": 1}, {"a": 2}],
    "d": {"items": 1, "get": {"x": 1}},
    "nil": None,
    "big": "x" * 1_000_000,
}

OBJECTS = [
    "s.__class__",
    "s.__class__.__mro__[1].__subclasses__()",
    "s['__class__']",
    "s.format",
    "s.format(1)",
    "'{0.__class__}'.format(s)",
    "'{0}'.format_map(d)",
    "'%s' % s",
    "'%(x)s' % d",
    "s | attr('__class__')",
    "s | format(1)",
    "rows | map(attribute='__class__')",
    "rows | map(attribute='__class__.__mro__')",
    "rows | map('attr', '__class__')",
    "rows | selectattr('a', 'callable')",
    "rows | map('__import__')",
    "rows | sort(attribute='__class__')",
    "rows | sum(attribute='__len__')",
    "cycler('a')",
    "joiner(',')",
    "namespace(a=1)",
    "lipsum()",
    "lipsum.__globals__",
    "cycler.__init__.__globals__",
    "self",
    "self.__init__",
    "context",
    "loop",
    "caller()",
    "super()",
    "environment",
    "request",
    "dict",
    "dict(a=1)",
    "range",
    "range.__self__",
    "upper",
    "s.upper.__self__",
    "s.encode()",
    "s.translate({})",
    "s.mro()",
    "d.pop('items')",
    "d.update(d)",
    "d.setdefault('a', 1)",
    "d.get.__self__",
    "d.__getitem__('items')",
    "rows.append(1)",
    "rows.sort()",
    "rows.__add__([])",
    "n.__class__",
    "n.bit_length()",
    "n.to_bytes(8)",
    "nil.__class__",
    "true.__class__",
    "(1.0).hex()",
    "[].__class__",
    "{}.__class__",
    "().__class__.__base__",
    "d.items.__class__",
    "d.items()()",
    "s.upper()()",
    "[s.upper][0]()",
    "rows[0].get('a').__class__",
    "s | map('upper').__class__",
    "ｓ.__class__",
    "s.__ｃlass__",
    "_",
    "__builtins__",
    "__import__('os')",
    "().__doc__",
    "s | safe",
    "s | xmlattr",
    "s | tojson | attr('x')",
    "s is sameas s",
    "s is filter",
    "import os",
    "lambda: 1",
    "[x for x in rows]",
    "s := 1",
    "a = 1",
    "`id`",
    "s; s",
    "s if",
    "not",
]


@pytest.mark.parametrize("source", OBJECTS)
def test_no_python_object_is_reachable(source: str) -> None:
    with pytest.raises(ExpressionError):
        parse("{{ " + source + " }}").evaluate(SCOPE)


EXPENSIVE = [
    "'a' * 10**9",
    "10**9 * 'a'",
    "[1] * 10**9",
    "2 ** (2 ** (2 ** (2 ** (2 ** 2))))",
    "2 ** 1000000000",
    "(-2) ** 1000000001",
    "10.0 ** 4300",
    "1e4299 * 10",
    "(1e308 | number) * 10",
    "number(1e400)",
    "0.5 ** 20000",
    "1.1 ** 100000",
    "9" * 5000,
    "9" * 4200 + " * " + "9" * 4200,
    "1e4300",
    "1e-4301",
    "1e99999999999",
    "(-8) ** 0.5",
    "range(10**9)",
    "range(0, -10**9, -1)",
    "range(10**30)",
    "s.center(10**9)",
    "s.ljust(10**9)",
    "s | rjust(10**9)",
    "s.zfill(10**9)",
    "s | indent(10**9)",
    "(big ~ big) | length",
    "big.replace('x', big)",
    "big.replace('', big)",
    "big.join(range(1000))",
    "rows | join(big) ~ big",
    "range(1000) | batch(1) | map('batch', 10**6, 0)",
    "[1] | batch(10**9, 0)",
    "(big ~ '').lstrip('y' * 1000000)",
    "[[[['x' * 1000] * 1000] * 1000] * 1000]",
    "[[[[s] * 1000] * 1000] * 1000] | tojson",
    "([9 ** 4000] * 1000000) | tojson",
    "[[0.1 ** 4000] * 1000] * 1000",
    "([9 ** 4000] * 1000000) | join",
    "[range(1000)] * 1000 == [range(1000)] * 1000 and [range(10**6)] * 10 == [range(10**6)] * 10",
    "range(10**6) | map('range') | length",
    "[big] * 1000 | sort",
    "[big, big, big, big, big, big, big, big, big, big, big, big] | map('upper')",
    "s | tojson(10**9)",
    "'[' * 100000 | fromjson",
    "('[' * 100000) | fromjson",
    "('9' * 100000) | int",
    "('9' * 100000) | fromjson",
    "1 | round(10**9)",
    "1e308 | round(-309)",
    "'2024-01-01' | add_days(1e300)",
    "'2024-01-01' | add_months(1e300)",
    "big | replace_pattern('', big)",
    "big | replace_pattern('x', '$0$0')",
    "s | matches('(((a{1000}){1000}){1000})')",
    "range(10**5) | map('text') | map('matches', '(a+)+b')",
    "1 | fixed(10**9)",
    "big | extract('x', 10**9)",
    "'2024-01-01' | format_date('%1000000000d')",
    "'x' | parse_date('%d%d%d%d')",
    "(big | upper) ~ (big | upper)",
    "range(10**6) | map('string') | join(big)",
]


@pytest.mark.parametrize("source", EXPENSIVE)
def test_work_and_size_are_bounded(source: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("{{ " + source + " }}").evaluate(SCOPE)
    assert caught.value.code in (
        "expression.too_large",
        "expression.too_much_work",
        "expression.type",
        "expression.arguments",
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "(" * 200 + "1" + ")" * 200 + " }}",
        "{{ " + "[" * 100_000 + " }}",
        "{{ " + "not " * 2000 + "1 }}",
        "{{ " + "-" * 5000 + "1 }}",
        "{{ " + "1 if 1 else " * 700 + "1 }}",
        "{{ a" + ".b" * 4000 + " }}",
        "{{ 1" + "+1" * 4000 + " }}",
        "{{ 1" + "|abs" * 2000 + " }}",
        "{{ " + "1 ~ " * 3000,
        "{{ '" + "x" * 1_000_000 + "' }}",
        "{{ x }}" * 100_000,
        "{{" * 500_000,
        "{{ " * 300_000,
        "{{ " + "9" * 9_000 + " }}",
        "x" * 1_100_000 + "{{ 1 }}",
    ],
    ids=range(16),
)
def test_a_huge_or_deep_text_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text).evaluate({"x": 1})
    assert caught.value.code in ("expression.too_large", "expression.syntax")


def test_a_deep_parameter_tree_is_a_problem_not_a_crash() -> None:
    tree: Any = "{{ x }}"
    for _ in range(100_000):
        tree = [tree]
    assert [problem.code for problem in compile_value(tree).problems] == ["expression.too_large"]


def test_evaluating_changes_nothing_in_the_scope() -> None:
    scope = {"rows": [3, 1, 2], "d": {"b": {"x": 1}}}
    for source in ("rows | sort", "rows | reverse", "rows | append(1)", "d | merge({'c': 1})", "rows + rows"):
        parse("{{ " + source + " }}").evaluate(scope)
    assert scope == {"rows": [3, 1, 2], "d": {"b": {"x": 1}}}


def test_no_function_is_reachable_from_a_value() -> None:
    for name in (*FUNCTIONS, *TESTS, *(name for methods in METHODS.values() for name in methods)):
        for value in (1, 1.5, True, None, "x", [], {}):
            with pytest.raises(ExpressionError):
                parse(f"{{{{ v.{name} }}}}").evaluate({"v": value})


WORDS = """
a b s rows d 0 1 2.5 'x' none true . , : ( ) [ ] { } + - * / // % ** ~ | == != < > <= >= in not and or if
else is defined default first map attribute = sum join length upper range [0] .a .get() () string __class__
tojson 1e308 0.1 2.50 round fixed decimal extract case coalesce group_by year 99999999999999999999 *rows **d
"""
PIECES = st.sampled_from(WORDS.split())
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
EXACT = st.decimals(allow_nan=False, allow_infinity=False, places=20).filter(
    lambda value: held_by_float(value) is None
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | EXACT
    | TEXT,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXT, children, max_size=3),
    max_leaves=8,
)


@settings(max_examples=1500)
@given(st.lists(PIECES, max_size=14).map(" ".join), JSON, JSON)
def test_evaluation_is_total(source: str, a: Any, b: Any) -> None:
    scope = {"a": a, "b": b, **SCOPE}
    for text in ("{{ " + source + " }}", "t {{ " + source + " }}"):
        try:
            value = parse(text).evaluate(scope)
        except ExpressionError as error:
            assert 0 <= error.start <= error.end <= len(text)
            assert error.message
        else:
            assert journal_safe(value) == value


@settings(max_examples=600)
@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(JSON, max_size=4))
def test_every_function_is_total(name: str, arguments: list[Any]) -> None:
    names = [f"v{index}" for index in range(len(arguments))]
    try:
        value = parse(f"{{{{ {name}({', '.join(names)}) }}}}").evaluate(
            dict(zip(names, arguments, strict=True))
        )
    except ExpressionError as error:
        assert error.start <= error.end
    else:
        assert journal_safe(value) == value


@settings(max_examples=600)
@given(
    st.sampled_from(sorted({n for m in METHODS.values() for n in m})), st.lists(JSON, min_size=1, max_size=4)
)
def test_every_method_is_total(name: str, arguments: list[Any]) -> None:
    names = [f"v{index}" for index in range(len(arguments))]
    try:
        value = parse(f"{{{{ v0.{name}({', '.join(names[1:])}) }}}}").evaluate(
            dict(zip(names, arguments, strict=True))
        )
    except ExpressionError as error:
        assert error.start <= error.end
    else:
        assert journal_safe(value) == value


@settings(max_examples=500)
@given(st.text(max_size=60))
@example("\x00")
@example("'\ud800'")
@example("\\")
@example("0x")
@example("1_0")
@example("²")
@example("a\u2028b")
def test_any_text_parses_or_is_refused(source: str) -> None:
    for attempt in (lambda: parse("{{" + source + "}}"), lambda: parse_expression(source)):
        try:
            attempt()
        except ExpressionError as error:
            assert error.code.startswith("expression.")


def test_brackets_nest_up_to_the_limit() -> None:
    assert parse("{{ " + "(" * MAX_NESTING + "1" + ")" * MAX_NESTING + " }}").evaluate({}) == 1
    with pytest.raises(ExpressionError) as caught:
        parse("{{ " + "(" * (MAX_NESTING + 1) + "1" + ")" * (MAX_NESTING + 1) + " }}")
    assert (caught.value.start, caught.value.end) == (3 + MAX_NESTING, 4 + MAX_NESTING)
