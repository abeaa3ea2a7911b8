"""What expressions mean: values, references, positions, defaults, and what keeps its type."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes

from structforge.domain.expressions import (
    ALLOWED_NODES,
    CODES,
    ExpressionError,
    Skipped,
    compile_value,
    parse,
    parse_expression,
    read_expression,
)
from structforge.domain.expressions.checks import TESTS
from structforge.domain.expressions.functions import FUNCTIONS, METHODS

SCOPE: dict[str, Any] = {
    "fetch_orders": {
        "body": {
            "lines": [
                {"name": "pear", "price": 10, "open": True},
                {"name": "apple", "price": 2.5, "open": False, "note": None},
            ],
            "items": 3,
            "two words": "x",
        }
    },
    "text": "{{ secret }}",
    "empty": [],
    "nothing": None,
    "skipped": Skipped("skipped"),
}

VALUES: list[tuple[str, Any]] = [
    ("{{ fetch_orders.body.lines[0].price * 1.2 }}", 12.0),
    ("{{ fetch_orders.body.items }}", 3),
    ("{{ fetch_orders.body['two words'] }}", "x"),
    ("{{ fetch_orders.body.lines[-1].name }}", "apple"),
    ("{{ fetch_orders.body.lines.1.name }}", "apple"),
    ("{{ fetch_orders.body.lines | map(attribute='price') | sum }}", 12.5),
    ("{{ fetch_orders.body.lines | selectattr('open') | map(attribute='name') | join(', ') }}", "pear"),
    ("{{ fetch_orders.body.lines | selectattr('price', 'gt', 5) | length }}", 1),
    ("{{ fetch_orders.body.lines | rejectattr('note', 'defined') | map(attribute='name') }}", ["pear"]),
    ("{{ fetch_orders.body.lines | sort(attribute='price') | map(attribute='name') }}", ["apple", "pear"]),
    ("{{ fetch_orders.body.lines | max(attribute='price') }}", SCOPE["fetch_orders"]["body"]["lines"][0]),
    ("{{ fetch_orders.body.lines[0].items() }}", [["name", "pear"], ["price", 10], ["open", True]]),
    ("{{ fetch_orders.body.keys() }}", ["lines", "items", "two words"]),
    ("{{ length(empty) }}", 0),
    ("{{ 'a' ~ 1 ~ none ~ true ~ [1, none] }}", "a1true[1,null]"),
    ("a{{ nothing }}b{{ true }}{{ {'k': [1.0]} }}", 'abtrue{"k":[1.0]}'),
    ("{{ 7 // 2 }}{{ 7 % 4 }}{{ 2 ** 10 }}{{ -7 + 0 }}", "331024-7"),
    ("{{ 1 < 2 < 3 and not (3 in [1, 2]) }}", True),
    ("{{ 'yes' if empty else 'no' }}", "no"),
    ("{{ 'yes' if empty }}", None),
    ("{{ nothing or 5 }}", 5),
    ("{{ (1, 2) }}", [1, 2]),
    ("{{ 'abcdef'[1:4] }}", "bcd"),
    ("{{ [1, 2, 3][::-1] }}", [3, 2, 1]),
    ("{{ range(3) }}", [0, 1, 2]),
    ("{{ round(2.567, 2) }}", 2.57),
    ("{{ 2.6 | round }}", 3),
    ("{{ 2.1 | round(0, 'ceil') }}", 3),
    ("{{ ' x ' | trim | upper }}", "X"),
    ("{{ 'a,b' | split(',') }}", ["a", "b"]),
    ("{{ 'a-b'.replace('-', '+') }}", "a+b"),
    ("{{ ', '.join(['a', 'b']) }}", "a, b"),
    ("{{ '12' | int + '0.5' | float }}", 12.5),
    ("{{ 'x' | int(0) }}", 0),
    ("{{ [3, 1, 3, 1.0] | unique }}", [3, 1]),
    ("{{ [1, 2, 3] | batch(2) }}", [[1, 2], [3]]),
    ("{{ {'a': [1]} | tojson }}", '{"a":[1]}'),
    ("{{ '[1, {}]' | fromjson }}", [1, {}]),
    ("{{ {'a b': 'c&d'} | urlencode }}", "a+b=c%26d"),
    ("{{ 'hé' | base64_encode | base64_decode }}", "hé"),
    ("{{ '31.05.2024' | parse_date('%d.%m.%Y') | add_days(1) | format_date('%Y/%m/%d') }}", "2024/06/01"),
    ("{{ days_between('2024-01-01', '2024-03-01') }}", 60),
    ("{{ 5 is divisibleby 5 and 'a' is string and 1 is not none }}", True),
    ("{{ ['1', 'x'] | map('int', 0) }}", [1, 0]),
    ('{{ "{{" }} and {{ "}}" }}', "{{ and }}"),
    ("{{ {'a': {'b': 1}}.a.b }}", 1),
    ("{{ '\\u00e9\\ud83d\\ude00\\n' }}", "é😀\n"),
    ("{{ text }}", "{{ secret }}"),
    ("see {{ text }}", "see {{ secret }}"),
    ("{% if x %} {# note #} }} stays", "{% if x %} {# note #} }} stays"),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_evaluates(text: str, value: object) -> None:
    result = parse(text).evaluate(SCOPE)
    assert result == value
    assert type(result) is type(value)


DEFAULTS: list[tuple[str, Any]] = [
    ("{{ fetch_orders.nope.deeper[3] | default('d') }}", "d"),
    ("{{ default(unknown.x, 1) }}", 1),
    ("{{ skipped.body | default(2) }}", 2),
    ("{{ empty | first | default(3) }}", 3),
    ("{{ first(empty).name | default(4) }}", 4),
    ("{{ nothing.field | default(5) }}", 5),
    ("{{ nothing | default(6) }}", 6),
    ("{{ nothing | default(6, true) }}", 6),
    ("{{ fetch_orders.body.items | default(7) }}", 3),
    ("{{ skipped is defined }}", False),
    ("{{ fetch_orders.nope is defined }}", False),
    ("{{ fetch_orders.nope is undefined }}", True),
    ("{{ fetch_orders.body is not defined }}", False),
]


@pytest.mark.parametrize(("text", "value"), DEFAULTS)
def test_a_default_stands_in_for_what_is_missing(text: str, value: object) -> None:
    assert parse(text).evaluate(SCOPE) == value


FAILURES = [
    ("{{ fetch_orders.bdy.x }}", "expression.missing_key", "bdy", "body"),
    ("a {{ fetch_ordrs.body }}", "expression.unknown_name", "fetch_ordrs", "fetch_orders"),
    ("{{ fetch_orders.body.lines[2].name }}", "expression.index_out_of_range", "[2]", "0 to 1"),
    (
        "{{ fetch_orders.body.lines[empty|length + 7] }}",
        "expression.index_out_of_range",
        "[empty|length + 7]",
        "",
    ),
    ("{{ fetch_orders.body.lines.name }}", "expression.missing_key", "name", "map"),
    ("{{ name.name.name }}", "expression.unknown_name", "name", ""),
    ("{{ fetch_orders.body.lines[0]['name'].body }}", "expression.missing_key", "body", ""),
    ("{{ nothing.field }}", "expression.missing_key", "field", "default"),
    ("{{ skipped.body }}", "expression.skipped_step", "skipped", "default"),
    ("{{ empty | first }}", "expression.index_out_of_range", "first", "default"),
    ("{{ fetch_orders.body.lines | map(attribute='nme') }}", "expression.missing_key", "map", "name"),
    ("{{ fetch_orders[skipped.x] | default(1) }}", "expression.skipped_step", "skipped", ""),
    ("{{ (unknown + 1) | default(1) }}", "expression.unknown_name", "unknown", ""),
    ("{{ 'x' + 1 }}", "expression.type", "'x' + 1", "~"),
    ("{{ 1 / 0 }}", "expression.type", "1 / 0", "divisor"),
    ("{{ 1 + ('a' < 2) }}", "expression.type", "'a' < 2", ""),
    ("{{ [1, 'a'] | sort }}", "expression.type", "sort", ""),
    ("{{ 'x' | int }}", "expression.type", "int", "default"),
    ("{{ 'x' | uper }}", "expression.unknown_function", "uper", "upper"),
    ("{{ 'x'.uper() }}", "expression.unknown_function", "uper", "upper"),
    ("{{ 1 is evn }}", "expression.unknown_function", "is evn", "even"),
    ("{{ 'x' | round(1, 2, 3, 4) }}", "expression.arguments", "round", "digits"),
    ("{{ 'x' | default }}", "expression.arguments", "default", ""),
    ("{{ 1 + }}", "expression.syntax", "", ""),
    ("{{ 1 2 }}", "expression.syntax", "2", ""),
    ("x {{ 1", "expression.syntax", "{{", "}}"),
    ("{{ (1 }}", "expression.syntax", "}", ""),
    ("{{ a $ b }}", "expression.syntax", "$", ""),
    ("{{ 'a\\d' }}", "expression.syntax", "'a\\d'", "\\\\"),
    ("{{ }}", "expression.syntax", " ", ""),
    ("{{- 1 }}", "expression.not_supported", "{{-", ""),
    ("{{ 1 -}}", "expression.not_supported", "-}}", ""),
    ("{{ range(*[1]) }}", "expression.not_supported", "range", ""),
    ("\r\n{{ 1 +\r\n nope }}", "expression.unknown_name", "nope", ""),
    ("é😀 {{ 'é😀' ~ nope }}", "expression.unknown_name", "nope", ""),
]


@pytest.mark.parametrize(("text", "code", "excerpt", "hint"), FAILURES)
def test_a_failure_names_its_exact_position(text: str, code: str, excerpt: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text).evaluate(SCOPE)
    error = caught.value
    assert (error.code, error.text[error.start : error.end]) == (code, excerpt)
    assert error.code in CODES
    assert hint in error.hint
    assert error.problem.details["start"] == error.start


def test_the_position_is_that_of_the_failing_occurrence() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("{{ a.b.b.b }}").evaluate({"a": {"b": {"b": {}}}})
    assert (caught.value.start, caught.value.end) == (9, 10)


def test_references_are_found_without_running() -> None:
    template = parse("{{ a.b[0].c + b[d.e].f }} {{ range(x) }} {{ y.z.upper() | default(w) }}")
    assert [(r.name, r.path, template.text[slice(*r.position)]) for r in template.references] == [
        ("a", ("b", 0, "c"), "a.b[0].c"),
        ("b", (), "b"),
        ("d", ("e",), "d.e"),
        ("x", (), "x"),
        ("y", ("z",), "y.z"),
        ("w", (), "w"),
    ]
    assert parse("{{ a['b c'][-1] }}").references[0].path == ("b c", -1)


def test_a_constant_tree_is_returned_as_it_is() -> None:
    tree: Any = {"a": [1, "x", {"b": None}]}
    compiled = compile_value(tree)
    assert compiled.is_constant
    assert compiled.resolve({}) is tree


def test_a_tree_is_resolved_and_its_constant_parts_are_shared() -> None:
    tree: Any = {"url": "u/{{ n }}", "rows": [{"name": "{{ n }}"}, {"deep": [1]}]}
    compiled = compile_value(tree)
    assert not compiled.is_constant
    assert compiled.resolve({"n": 5}) == {"url": "u/5", "rows": [{"name": 5}, {"deep": [1]}]}
    assert compiled.resolve({"n": 5})["rows"][1] is tree["rows"][1]
    assert tree["url"] == "u/{{ n }}"
    assert [(r.name, r.parameter_path) for r in compiled.references] == [
        ("n", "parameters.url"),
        ("n", "parameters.rows[0].name"),
    ]


def test_every_problem_of_a_tree_is_collected() -> None:
    compiled = compile_value({"a": "{{ 1 + }}", "b": [{"c d": "{{ x | nope }}"}], "e": "{{ fine }}"})
    assert [(p.code, p.parameter_path) for p in compiled.problems] == [
        ("expression.syntax", "parameters.a"),
        ("expression.unknown_function", 'parameters.b[0]["c d"]'),
    ]
    assert not compiled.is_constant
    with pytest.raises(ExpressionError, match="well-formed"):
        compiled.resolve({"fine": 1})


def test_an_evaluation_error_names_the_parameter() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_value({"rows": [{"name": "{{ a.b }}"}]}).resolve({"a": {}})
    assert caught.value.parameter_path == "parameters.rows[0].name"
    assert caught.value.problem.where == "parameters.rows[0].name: characters 5-6"


def test_a_row_expression_parses_to_allowed_nodes_with_offsets() -> None:
    expression = parse_expression("price * 1.2")
    assert isinstance(expression, nodes.Mul) and type(expression) in ALLOWED_NODES
    parsed = read_expression("price + lower(name)")
    assert isinstance(parsed.expression, nodes.Add)
    assert parsed.span(parsed.expression.right) == (8, 13)
    with pytest.raises(ExpressionError):
        parse_expression("price }} x")


def test_the_result_of_a_method_does_not_depend_on_a_key_of_its_name() -> None:
    scope = {"d": {"items": 1, "keys": 2, "get": 3}}
    assert parse("{{ d.items }}").evaluate(scope) == 1
    assert parse("{{ d.keys() }}").evaluate(scope) == ["items", "keys", "get"]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(TEXT, children, max_size=4),
    max_leaves=12,
)


@given(TEXT.filter(lambda text: "{{" not in text))
def test_constant_text_is_returned_unchanged(text: str) -> None:
    template = parse(text)
    assert template.is_constant and template.evaluate({}) == text


@given(JSON)
def test_a_whole_text_expression_keeps_value_and_type(value: Any) -> None:
    assert parse("{{ value }}").evaluate({"value": value}) is value


@given(TEXT, TEXT)
def test_data_is_never_evaluated(before: str, after: str) -> None:
    data = before + "{{ 1 + 1 }}{{" + after
    assert parse("{{ d }}").evaluate({"d": data}) == data
    assert parse("<{{ d }}>").evaluate({"d": data}) == f"<{data}>"
    assert parse("{{ d ~ d }}").evaluate({"d": data}) == data + data


def test_the_documentation_names_every_function_test_and_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text()
    words = set(re.findall(r"[a-z_0-9]+(?:\.[a-z_]+)?", page))
    assert {*FUNCTIONS, *TESTS, *CODES, *(name for methods in METHODS.values() for name in methods)} <= words


def test_coalesce_computes_no_more_than_it_needs() -> None:
    assert parse("{{ coalesce(none, a, 1 / 0) }}").evaluate({"a": 5}) == 5
    assert parse("{{ none | coalesce(none) }}").evaluate({}) is None


def test_a_comparison_inside_arithmetic_fails_at_its_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("{{ (a < 2) + 1 }}").evaluate({"a": 1})
    assert (caught.value.start, caught.value.code) == (4, "expression.type")
