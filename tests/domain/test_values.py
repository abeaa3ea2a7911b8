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

from structforge.domain.values import (
    MAX_DEPTH,
    InvalidValueError,
    canonical_json,
    content_hash,
    decode_json,
    encode_json,
    journal_safe,
    journal_safe_bytes,
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
    (b'{"a": 1e400}', "value.not_finite", "byte 6"),
    (b'{"a": 1.00000000000000000000e400}', "value.not_finite", "byte 6"),
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
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"\\\\u0000"', "\\u0000"),
        (b'"NaN [ { 99999999999999999999"', "NaN [ { 99999999999999999999"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b"[" * 200 + b"]" * 200, nested(200)),
        (b"[" + b",".join([b"[]"] * 1000) + b"]", [[]] * 1000),
    ],
)
def test_decodes_exactly(data: bytes, value: object) -> None:
    assert decode_json(data, max_bytes=10**6) == value


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
    assert content_hash(1.0) == content_hash(1) != content_hash(True)


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
    (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
    (Decimal("1E+999999"), "1E+999999"),
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
