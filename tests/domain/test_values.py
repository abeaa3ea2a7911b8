"""Strict JSON at the edge, canonical hashes, and the total function that makes any object journal-safe."""

import math
from collections import OrderedDict
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structforge.domain.numbers import exact
from structforge.domain.values import (
    MAX_DEPTH,
    InvalidValueError,
    canonical_json,
    content_hash,
    decode_json,
    encode_json,
    journal_safe,
    journal_safe_bytes,
    plain_json,
    readable_json,
    same_value,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda children: st.lists(children, max_size=5) | st.dictionaries(TEXT, children, max_size=5),
    max_leaves=30,
)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


REFUSED = [
    (b"[1, NaN]", "value.not_finite", "byte 4"),
    (b"-Infinity", "value.not_finite", "byte 0"),
    (b'{"a": 1e4300}', "value.too_many_digits", "byte 6"),
    (b'{"a": 1.00000000000000000000e-4300}', "value.too_many_digits", "byte 6"),
    (b'{"a": 1e9999999999999999999}', "value.too_many_digits", "byte 6"),
    (b'{"a": 1e-9999999999999999999}', "value.too_many_digits", "byte 6"),
    (b"0." + b"1" * 9000, "value.too_many_digits", "byte 0"),
    (b'{"a": ["x\\u0000y"]}', "value.nul", "$.a[0]"),
    (b'{"a\\u0000": 1}', "value.nul", "$"),
    (b'{"a b": "\\ud800"}', "value.lone_surrogate", '$["a b"]'),
    (b'"\xff"', "value.not_utf8", "byte 1"),
    (b"9" * 4301, "value.too_many_digits", "byte 0"),
    (b"[" * 201 + b"]" * 201, "value.too_deep", "byte 200"),
    (b"[" * 100_000, "value.too_deep", "byte 200"),
    (b'{"a":' * 100_000, "value.too_deep", "byte 1000"),
    (b"[1,]", "value.syntax", "byte 3"),
    ('["é" 1]'.encode(), "value.syntax", "byte 6"),
    (b"", "value.syntax", "byte 0"),
    (b'"a\x00b"', "value.syntax", "byte 2"),
    (b'{"a":1}x', "value.syntax", "byte 7"),
]


@pytest.mark.parametrize(("data", "code", "where"), REFUSED)
def test_refuses_what_cannot_be_stored_and_says_where(data: bytes, code: str, where: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        decode_json(data, max_bytes=10**6)
    problem = caught.value.problem
    assert (problem.code, problem.where) == (code, where)
    assert problem.message.endswith(".") and problem.hint


def test_refuses_more_bytes_than_allowed() -> None:
    with pytest.raises(InvalidValueError) as caught:
        decode_json(b"[1,2]", max_bytes=4)
    assert caught.value.problem.code == "value.too_large"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"18446744073709551616", 2**64),
        (b"-9223372036854775809", -(2**63) - 1),
        (b"9" * 4300, int("9" * 4300)),
        (b"9223372036854775808", 2**63),
        (b"[-9223372036854775808,18446744073709551615]", [-(2**63), 2**64 - 1]),
        (b"1e400", Decimal("1e400")),
        (b"-1.5e-400", Decimal("-1.5e-400")),
        (b"999999999999999.99", Decimal("999999999999999.99")),
        (b"[0.000000000000000000, 0e500]", [0.0, 0.0]),
        (b"0.12345678901234567890", Decimal("0.12345678901234567890")),
        (b"0.30000000000000004", 0.30000000000000004),
        (b"9007199254740993.0", Decimal("9007199254740993.0")),
        (b"12345678901234567.8", Decimal("12345678901234567.8")),
        (b'["1.2.3.4.5.6.7.8.9.0", 1.10]', ["1.2.3.4.5.6.7.8.9.0", 1.1]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"\\\\u0000"', "\\u0000"),
        (b'"NaN [ { 99999999999999999999"', "NaN [ { 99999999999999999999"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"[" * 200 + b"]" * 200, nested(200)),
        (b"[" + b",".join([b"[]"] * 1000) + b"]", [[]] * 1000),
    ],
)
def test_decodes_exactly(data: bytes, value: object) -> None:
    found = decode_json(data, max_bytes=10**6)
    assert found == value
    assert type(found) is type(value)


def test_a_number_between_two_parsers_is_written_with_every_digit() -> None:
    value = {
        "big": 2**70,
        "money": Decimal("12345678901234567890.10"),
        "rows": [Decimal("1E+30"), 0.1, 2**64],
    }
    text = b'{"big":1180591620717411303424,"money":12345678901234567890.1,'
    text += b'"rows":[1000000000000000000000000000000,0.1,18446744073709551616]}'
    assert encode_json(value) == text
    assert same_value(decode_json(text, max_bytes=1000), value)
    assert same_value(plain_json(text), value)
    assert "12345678901234567890.1" in readable_json(value)


FINITE = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40
) | st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent), st.integers(), st.integers(-300, 300)
)


@given(FINITE)
def test_a_decimal_keeps_its_value_through_json(value: Decimal) -> None:
    data = encode_json([value])
    found = decode_json(data, max_bytes=10**5)
    assert isinstance(found, list)
    assert exact(found[0]) == value  # type: ignore[arg-type]
    assert journal_safe([value]) == found
    assert [type(item) for item in journal_safe([value])] == [type(item) for item in found]  # type: ignore[union-attr]
    assert content_hash(value) == content_hash(found[0])


@given(
    st.integers(-(10**25), 10**25), st.integers(0, 30), st.sampled_from(["", "e5", "E-7", "e+300", "e-320"])
)
def test_a_literal_keeps_its_value(digits: int, point: int, exponent: str) -> None:
    text = format(Decimal(digits).scaleb(-point), "f") + exponent
    found = decode_json(text.encode(), max_bytes=10**5)
    assert exact(found) == Decimal(text)  # type: ignore[arg-type]
    assert exact(plain_json(text)) == Decimal(text)
    if isinstance(found, float):
        assert Decimal(repr(found)) == Decimal(text)


@given(JSON)
def test_values_are_the_same_when_their_canonical_json_is(value: Any) -> None:
    assert same_value(value, decode_json(encode_json(value), max_bytes=10**7))
    assert not same_value([value], [value, value])
    assert not same_value(True, 1) and not same_value(0, False) and not same_value("1", 1)
    assert same_value({"a": [1, Decimal("0.1")]}, {"a": [1.0, 0.1]})


@given(JSON)
def test_encoding_round_trips(value: Any) -> None:
    data = encode_json(value)
    assert decode_json(data, max_bytes=10**7) == value
    assert journal_safe_bytes(value) == (value, data)


@given(JSON)
def test_the_hash_does_not_depend_on_the_order_of_keys(value: Any) -> None:
    def reversed_keys(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: reversed_keys(item[key]) for key in reversed(list(item))}
        return [reversed_keys(part) for part in item] if isinstance(item, list) else item

    assert content_hash(reversed_keys(value)) == content_hash(value)


def test_canonical_json_has_one_form_for_equal_numbers() -> None:
    assert canonical_json({"b": 1.0, "a": [-0.0, 1e22, 0.5, "1.0"]}) == (
        b'{"a":[0,10000000000000000000000,0.5,"1.0"],"b":1}'
    )
    assert content_hash(1.0) == content_hash(1) == content_hash(Decimal("1.00")) != content_hash(True)
    assert content_hash(0.1) == content_hash(Decimal("0.10"))
    assert content_hash(1e23) == content_hash(10**23)
    assert (
        canonical_json([Decimal("1e400"), Decimal("0.0000001"), 1e-7]) == b"[1" + b"0" * 400 + b",1e-7,1e-7]"
    )


def test_journal_safe_returns_a_detached_copy() -> None:
    value = {"a": [1]}
    copy = journal_safe(value)
    value["a"].append(2)
    assert copy == {"a": [1]}


class Colour(Enum):
    RED = "red"


class Liar(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise RuntimeError("no items for you")

    def __len__(self) -> int:
        raise RuntimeError("no length either")


class Shout(str):
    def __str__(self) -> str:
        return "other"


CONVERTED = [
    (date(2024, 5, 31), "2024-05-31"),
    (datetime(2024, 5, 31, 12, tzinfo=UTC), "2024-05-31T12:00:00+00:00"),
    (Decimal("0.10"), 0.1),
    (Decimal("3"), 3),
    (Decimal("3.00"), 3.0),
    (Decimal("0.1234567890123456789"), Decimal("0.1234567890123456789")),
    (Decimal("1E+400"), 10**400),
    ((1, (2, None)), [1, [2, None]]),
    (Colour.RED, "red"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (Liar(a=[1]), {"a": [1]}),
    (Shout("same"), "same"),
    (2**70, 2**70),
    (1234567890123456789, 1234567890123456789),
    (nested(200), nested(200)),
]


@pytest.mark.parametrize(("value", "safe"), CONVERTED, ids=range(len(CONVERTED)))
def test_converts_what_has_a_plain_form(value: object, safe: object) -> None:
    result, data = journal_safe_bytes({"v": value, "null": None} if value != nested(200) else value)
    expected = {"v": safe, "null": None} if value != nested(200) else safe
    assert result == expected
    assert type(result) is type(expected)
    assert decode_json(data, max_bytes=10**6) == expected


def cyclic() -> list[Any]:
    value: list[Any] = [1]
    value.append({"again": value})
    return value


def laughs() -> list[Any]:
    value: list[Any] = ["ha"]
    for _ in range(60):
        value = [value, value]
    return value


UNSAFE = [
    (math.nan, "value.not_finite", "$"),
    ({"a": [None, math.nan]}, "value.not_finite", "$.a[1]"),
    ({"a": (math.inf,)}, "value.not_finite", "$.a[0]"),
    (Decimal("NaN"), "value.not_finite", "$"),
    (Decimal("sNaN"), "value.not_finite", "$"),
    ({"a": Decimal("1E+999999")}, "value.too_many_digits", "$.a"),
    ({"a": Decimal("1E-999999")}, "value.too_many_digits", "$.a"),
    ({"a": "x\0"}, "value.nul", "$.a"),
    ({"a": "\ud800"}, "value.lone_surrogate", "$.a"),
    ({"\udfff": 1}, "value.lone_surrogate", "$"),
    (10**4300, "value.too_many_digits", "$"),
    (nested(201), "value.too_deep", "$" + "[0]" * 200),
    (nested(100_000), "value.too_deep", "$" + "[0]" * 200),
    (cyclic(), "value.cycle", "$[1].again"),
    (laughs(), "value.too_large", None),
    (["x" * 1_000_000] * 1_000, "value.too_large", None),
    (b"x", "value.unsupported", "$"),
    ({1, 2}, "value.unsupported", "$"),
    ([object()], "value.unsupported", "$[0]"),
    ({1: 2}, "value.key_not_text", "$"),
    ((item for item in ()), "value.unsupported", "$"),
    (1j, "value.unsupported", "$"),
]


@pytest.mark.parametrize(("value", "code", "where"), UNSAFE, ids=range(len(UNSAFE)))
def test_explains_what_has_no_plain_form(value: object, code: str, where: str | None) -> None:
    with pytest.raises(InvalidValueError) as caught:
        journal_safe(value)
    problem = caught.value.problem
    assert problem.code == code
    assert where is None or problem.where == where
    assert problem.hint


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary(max_size=5)
    | st.decimals()
    | st.datetimes()
    | st.complex_numbers()
    | st.just(object()),
    lambda children: (
        st.lists(children, max_size=4)
        | st.tuples(children, children)
        | st.dictionaries(st.text(st.characters()) | st.integers(), children, max_size=4)
    ),
    max_leaves=20,
)


@given(ANYTHING)
def test_any_object_has_a_definite_outcome(value: object) -> None:
    try:
        safe, data = journal_safe_bytes(value)
    except InvalidValueError as error:
        assert error.problem.code.startswith("value.")
    else:
        assert decode_json(data, max_bytes=10**7) == safe
        assert journal_safe(safe) == safe


def test_a_hostile_object_cannot_raise_its_own_error() -> None:
    class Hostile:
        @property
        def __class__(self) -> Any:
            raise RuntimeError("boo")

    with pytest.raises(InvalidValueError):
        journal_safe([Hostile()])


def test_depth_is_counted_in_containers() -> None:
    assert MAX_DEPTH == 200
    assert decode_json(b"[" * 199 + b'{"a":1}' + b"]" * 199, max_bytes=10**6)


def test_one_long_decimal_makes_no_large_value_too_large() -> None:
    rows = [{"a": index, "b": 0.5, "c": None} for index in range(100_000)]
    rows.append({"a": Decimal("0.12345678901234567891")})
    assert journal_safe(rows) == rows
