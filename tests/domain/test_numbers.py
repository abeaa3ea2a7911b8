"""Numbers of expressions against `int`, `Decimal` and `Fraction`: exact, rounded by one rule, never infinite."""

import math
import operator
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structforge.domain.expressions import ExpressionError, parse
from structforge.domain.numbers import (
    Number,
    decimal_of,
    exact,
    read_number,
    rounded,
    settled,
    whole,
    written,
)
from structforge.domain.values import content_hash, encode_json, plain_json, same_value

INTEGERS = st.integers(-(10**30), 10**30) | st.integers(-100, 100)
DECIMALS = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places), st.integers(-(10**25), 10**25), st.integers(0, 12)
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e150, max_value=1e150)
EXACT_NUMBERS = INTEGERS | DECIMALS
NUMBERS = EXACT_NUMBERS | FLOATS


def evaluated(source: str, **scope: Any) -> Any:
    return parse("{{ " + source + " }}").evaluate(scope)


def fraction(value: Number) -> Fraction:
    return Fraction(exact(value))


EXACT_OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
}


@given(st.sampled_from(sorted(EXACT_OPERATORS)), EXACT_NUMBERS, EXACT_NUMBERS)
def test_integers_and_decimals_are_exact(symbol: str, left: Number, right: Number) -> None:
    if symbol in ("//", "%") and not right:
        with pytest.raises(ExpressionError, match="zero"):
            evaluated(f"a {symbol} b", a=left, b=right)
        return
    found = evaluated(f"a {symbol} b", a=left, b=right)
    assert fraction(found) == EXACT_OPERATORS[symbol](fraction(left), fraction(right))
    if isinstance(left, int) and isinstance(right, int):
        assert type(found) is int


@given(EXACT_NUMBERS, EXACT_NUMBERS.filter(bool))
def test_a_quotient_is_rounded_once(left: Number, right: Number) -> None:
    found = evaluated("a / b", a=left, b=right)
    assert type(found) is float
    assert found == float(fraction(left) / fraction(right))


@given(st.sampled_from(["+", "-", "*"]), FLOATS, NUMBERS)
def test_with_a_float_the_result_is_that_of_floats(symbol: str, left: float, right: Number) -> None:
    found = evaluated(f"a {symbol} b", a=left, b=right)
    assert found == EXACT_OPERATORS[symbol](left, float(right))
    assert type(found) is float


@given(NUMBERS, NUMBERS)
def test_numbers_compare_by_their_exact_value(left: Number, right: Number) -> None:
    for symbol, test in (
        ("==", operator.eq),
        ("!=", operator.ne),
        ("<", operator.lt),
        ("<=", operator.le),
        (">", operator.gt),
        (">=", operator.ge),
    ):
        assert evaluated(f"a {symbol} b", a=left, b=right) is test(fraction(left), fraction(right))
    assert evaluated("a in [b]", a=left, b=right) is (fraction(left) == fraction(right))
    assert same_value(left, right) is (content_hash(left) == content_hash(right))


@given(st.lists(NUMBERS, max_size=8))
def test_order_and_choice_are_by_exact_value(numbers: list[Number]) -> None:
    assert [exact(each) for each in evaluated("x | sort", x=numbers)] == sorted(map(exact, numbers))
    assert len(evaluated("x | unique", x=numbers)) == len({fraction(each) for each in numbers})
    if numbers:
        assert exact(evaluated("x | max", x=numbers)) == max(map(exact, numbers))
        assert exact(evaluated("x | min", x=numbers)) == min(map(exact, numbers))


@given(st.lists(EXACT_NUMBERS, max_size=20))
def test_a_sum_of_exact_numbers_is_exact(numbers: list[Number]) -> None:
    assert fraction(evaluated("x | sum", x=numbers)) == sum(map(fraction, numbers))
    if numbers:
        mean = evaluated("x | mean", x=numbers)
        assert mean == float(sum(map(fraction, numbers), Fraction(0)) / len(numbers))


@given(st.lists(FLOATS, min_size=1, max_size=30))
def test_a_sum_of_floats_is_rounded_once(numbers: list[float]) -> None:
    assert evaluated("x | sum", x=numbers) == math.fsum(numbers)


@given(NUMBERS, st.integers(-20, 20))
def test_rounding_is_half_away_from_zero_on_the_digits(value: Number, places: int) -> None:
    for source, direction in (
        ("round(x, n)", ROUND_HALF_UP),
        ("ceil(x, n)", ROUND_CEILING),
        ("floor(x, n)", ROUND_FLOOR),
    ):
        with localcontext(prec=400):
            wanted = Decimal(str(value) if isinstance(value, float) else value).quantize(
                Decimal(1).scaleb(-places), rounding=direction
            )
        found = evaluated(source, x=value, n=places)
        if isinstance(value, float) and places:
            assert found == float(wanted) and type(found) is float
        else:
            assert Fraction(found if isinstance(found, int) else exact(found)) == Fraction(wanted)
        assert places or type(found) is int


ROUNDED = [
    ("2.675 | round(2)", 2.68),
    ("x | round(2)", 2.68),
    ("-2.5 | round", -3),
    ("2.5 | round", 3),
    ("0.5 | round", 1),
    ("1.13 | round(2, 'floor')", 1.13),
    ("1.005 | round(2)", 1.01),
    ("1.1 | round(2, 'ceil')", 1.1),
    ("(0 - 1.15) | floor(1)", -1.2),
    ("1234 | round(-2)", 1200),
    ("-0.04 | round(1)", 0.0),
    ("x | fixed(2)", "2.68"),
    ("0 | fixed(2)", "0.00"),
    ("-0.001 | fixed(2)", "0.00"),
    ("2.5 | fixed(0)", "3"),
    ("12345678901234567890.125 | fixed(2)", "12345678901234567890.13"),
    ("1234567.891 | thousands", "1,234,567.891"),
    ("-1234567.895 | thousands(2)", "-1,234,567.90"),
    ("1234.5 | thousands(2, '.', ',')", "1.234,50"),
    ("123 | thousands", "123"),
    ("1234567.5 | format_number('de', 2)", "1.234.567,50"),
    ("1234567.5 | format_number('en-in')", "12,34,567.5"),
    ("1234567.5 | format_number('ch')", "1’234’567.5"),
    ("1234567.5 | format_number('en_US', 1)", "1,234,567.5"),
    ("1234.5 | format_number('#,##0.00')", "1,234.50"),
    ("0.5 | format_number('#,##0.##')", "0.5"),
    ("5 | format_number('000')", "005"),
    ("0.256 | format_number('0.0 %')", "25.6 %"),
    ("-3 | format_number('0.00 EUR')", "-3.00 EUR"),
    ("5000 | format_number('$#,##0')", "$5,000"),
]


@pytest.mark.parametrize(("source", "value"), ROUNDED)
def test_rounds_and_writes(source: str, value: object) -> None:
    found = evaluated(source, x=2.675)
    assert found == value and type(found) is type(value)


SCOPE: dict[str, Any] = {
    "big": 9007199254740992,
    "tenth": 0.1,
    "two": 2.0,
    "a": 1,
    "b": 0,
    "wide": Decimal("12345678901234567890.12"),
}

RESULTS = [
    ("0.1 + 0.2", 0.3),
    ("9223372036854775807 + 1", 9223372036854775808),
    ("10000000000 * 10000000000", 10**20),
    ("7 // 2", 3),
    ("-7 // 2", -4),
    ("-7 % 4", 1),
    ("-7.5 // 2", -4),
    ("-7.5 % 2", 0.5),
    ("1 // 0.1", 10),
    ("6 / 3", 2.0),
    ("2 ** 100", 2**100),
    ("1.1 ** 2", 1.21),
    ("2 ** -1", 0.5),
    ("9007199254740993 == 9007199254740992.0", False),
    ("big == 9007199254740992.0", True),
    ("tenth == 0.1", True),
    ("1 == 1.0 and 1.0 == 1", True),
    ("true == 1", False),
    ("'1' == 1", False),
    ("[1, 2][1.0]", 2),
    ("[1, 2, 3][:two]", [1, 2]),
    ("'ab' * 2.0", "abab"),
    ("4.0 is even", True),
    ("range(3.0)", [0, 1, 2]),
    ("a / b if b else 0", 0),
    ("case(b, a / b, -1)", -1),
    ("([0.1] * 10) | sum", 1.0),
    ("([tenth] * 10) | sum", 1.0),
    ("[none, 1, 2] | sum", 3),
    ("[none, 1, 2] | mean", 1.5),
    ("[none, 1] | min", 1),
    ("[none, none] | max", None),
    ("[3, none, 1] | sort", [1, 3, None]),
    ("[3, none, 1] | sort(true)", [3, 1, None]),
    ("['b', '', none] | sort", ["", "b", None]),
    ("[true, false] | sort", [False, True]),
    ("[1, 1.0, true, '1', none, none, ''] | unique", [1, True, "1", None, ""]),
    ("'12' | integer", 12),
    ("' +12 ' | integer", 12),
    ("'1e3' | integer", 1000),
    ("'3.0' | integer", 3),
    ("2.7 | integer", 2),
    ("-2.7 | int", -2),
    ("'007' | integer", 7),
    ("true | integer", 1),
    ("'.5' | number", 0.5),
    ("'12345678901234567890' | integer", 12345678901234567890),
    ("'0.10' | decimal", 0.1),
    ("'12345678901234567890.10' | decimal | text", "12345678901234567890.1"),
    ("'x' | number(none)", None),
    ("0.30 ~ ''", "0.3"),
    ("12.0 ~ ''", "12.0"),
    ("10 / 2 ~ ''", "5.0"),
    ("wide ~ '' ", "12345678901234567890.12"),
    ("[wide] ~ '' ", "[12345678901234567890.12]"),
    ("0 | default(5, true)", 0),
    ("false | default(5, true)", False),
    ("'' | default(5, true)", 5),
    ("'' | default(5)", ""),
    ("none | default(5)", 5),
    ("coalesce(none, '', 1)", ""),
    ("coalesce(none, 1, 1 / 0)", 1),
    ("[none, 1] | map('coalesce', 0)", [0, 1]),
    ("none in 'None'", False),
    ("'' is empty and none is empty and [] is empty and not (0 is empty)", True),
    ("'false' | bool", False),
    ("'Yes' | bool", True),
]


@pytest.mark.parametrize(("source", "value"), RESULTS)
def test_gives_the_right_value(source: str, value: object) -> None:
    found = evaluated(source, **SCOPE)
    assert found == value
    assert type(found) is type(value)


REFUSED = [
    "'1_000' | integer",
    "'１２' | integer",
    "'١٢' | int",
    "'2.7' | integer",
    "'inf' | number",
    "'nan' | float",
    "'0x10' | int",
    "'1,000' | number",
    "'' | integer",
    "'1e400' | number",
    "none | number",
    "true + 1",
    "none + 1",
    "1 / 0",
    "1 // 0",
    "1 % 0",
    "1 / 0.0",
    "1.5 % 0",
    "0 ** -1",
    "(-8) ** 0.5",
    "1 < '2'",
    "true < 2",
    "[1, true] | sort",
    "[1, 'a'] | max",
    "[[1], ['a']] | sort",
    "'maybe' | bool",
    "5 in '25'",
    "x * x",
    "x ** 2",
    "x / y",
    "x | round('2')",
    "1 | round(2.5)",
    "1 | format_number('xx')",
    "-1 | sqrt",
    "0 | log",
    "1000 | exp",
]
FOREIGN = (
    "Traceback",
    "NoneType",
    "None",
    "True",
    "False",
    "Error(",
    "decimal.",
    "int()",
    "float()",
    "Python",
    "dict",
)


@pytest.mark.parametrize("source", REFUSED)
def test_refuses_in_its_own_words(source: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluated(source, x=1e300, y=1e-300)
    error = caught.value
    assert error.end > error.start
    assert not any(word in error.message + error.hint for word in FOREIGN)


@given(st.integers(), st.integers(0, 10), st.sampled_from(["", " ", "\t"]))
def test_a_text_that_is_a_number_is_read_exactly(digits: int, places: int, blank: str) -> None:
    value = Decimal(digits).scaleb(-places)
    text = f"{blank}{value:f}{blank}"
    assert exact(read_number(text) or 0) == value
    assert evaluated("x | decimal == y", x=text, y=settled(value)) is True


@given(st.text(max_size=12))
def test_a_text_is_a_number_only_as_json_writes_one(text: str) -> None:
    found = read_number(text)
    if found is not None:
        assert text.isascii() and "_" not in text
        assert Decimal(text.strip()) == found


@given(NUMBERS)
def test_a_number_is_the_same_after_every_journey(value: Number) -> None:
    once = plain_json(encode_json(value))  # type: ignore[arg-type]
    assert exact(once) == exact(value)
    assert evaluated("x ~ ''", x=once) == evaluated(
        "x ~ ''", x=settled(value) if isinstance(value, Decimal) else value
    )
    assert type(plain_json(encode_json(once))) is type(once)


@given(DECIMALS)
def test_a_decimal_is_written_in_plain_digits(value: Decimal) -> None:
    text = written(value)
    assert Decimal(text) == value
    assert "e" not in text.lower() and (not text.endswith("0") or "." not in text or text.endswith(".0"))


def test_whole_numbers_of_every_kind_are_whole() -> None:
    assert [whole(each) for each in (3, 3.0, Decimal("3.00"), Decimal("3E+2"), 1e23)] == [
        3,
        3,
        3,
        300,
        10**23,
    ]
    assert [whole(each) for each in (3.5, Decimal("0.1"), True, "3", None, math.inf)] == [None] * 6
    assert decimal_of(10**40) == Decimal(10**40)


def test_decimals_hold_their_units() -> None:
    for value in (read_number("1e3"), decimal_of(1e22), rounded(Decimal("1234.5"), -2)):
        assert isinstance(value, Decimal)
        assert value.as_tuple().exponent == 0
    assert (
        read_number("1e3") == 1000 and decimal_of(1e22) == 10**22 and rounded(Decimal("1234.5"), -2) == 1200
    )
