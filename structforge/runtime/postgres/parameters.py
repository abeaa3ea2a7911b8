"""Values on their way in: JSON values in the text form of the type that the statement wants.

Invariant: the type comes from the statement, never from what happens to be in the value; what does not fit is an
error that names the value and the type.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from structforge.domain.errors import sentence
from structforge.domain.values import encode_json
from structforge.runtime.postgres.types import (
    ARRAYS,
    BOOLEAN,
    INT4,
    INT8,
    JSONB,
    NUMERIC,
    TEXT,
    Kind,
    PgType,
    Types,
)
from structforge.sdk import NodeError

_OFFSET = re.compile(r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s*(?:[zZ]|[+-]\d\d(?::?\d\d)?)\Z")
_EXPANDED = re.compile(r"\s*([+-])(\d{4,6})(-\d\d-\d\d.*)\Z", re.DOTALL)
_DATED = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMP_TZ})
_EXACT = frozenset({Kind.INTEGER, Kind.NUMERIC, Kind.FLOAT, Kind.MONEY})
_SPELLED = frozenset({Kind.TEXT, Kind.OTHER})
_NEEDS_QUOTES = re.compile(r'[\s{}",;\\]')


class UnfitError(Exception):
    """A value does not fit the type; `fraction` says that a number with decimals met a whole one."""

    def __init__(self, value: Any, wanted: PgType, *, fraction: bool = False) -> None:
        super().__init__()
        self.value = value
        self.wanted = wanted
        self.fraction = fraction


def literal(value: Any, wanted: PgType, types: Types) -> str | None:
    """Return a JSON value in the text form of a type; null is NULL for every type. Raises: UnfitError."""
    if value is None:
        return None
    if wanted.kind is Kind.JSON:
        return encode_json(value).decode()
    match value:
        case bool():
            return _of_boolean(value, wanted)
        case int() | float() | Decimal():
            return _of_number(value, wanted)
        case str():
            return _of_text(value, wanted)
        case list():
            return _of_list(value, wanted, types)
        case dict():
            return _of_object(value, wanted, types)
    raise UnfitError(value, wanted)


def _of_boolean(value: bool, wanted: PgType) -> str:
    if wanted.kind is Kind.BOOLEAN or wanted.kind is Kind.TEXT:
        return "true" if value else "false"
    raise UnfitError(value, wanted)


def _of_number(value: int | float | Decimal, wanted: PgType) -> str:
    if wanted.kind is Kind.INTEGER:
        if not isinstance(value, int) and value != int(value):
            raise UnfitError(value, wanted, fraction=True)
        return str(int(value))
    if wanted.kind in _EXACT or wanted.kind in _SPELLED:
        return f"{value:f}" if isinstance(value, Decimal) else encode_json(value).decode()
    raise UnfitError(value, wanted)


def _of_text(value: str, wanted: PgType) -> str:
    if wanted.kind not in _DATED:
        return value
    if wanted.kind is Kind.TIMESTAMP and _OFFSET.search(value):
        return _in_utc(value, wanted)
    # ISO 8601 writes years before 1 and beyond 9999 with a sign, PostgreSQL with `BC` and without one.
    expanded = _EXPANDED.match(value)
    if expanded is None:
        return value
    sign, year, rest = expanded.groups()
    return f"{int(year) + 1:04d}{rest} BC" if sign == "-" else f"{year}{rest}"


def _in_utc(value: str, wanted: PgType) -> str:
    """Return a moment with an offset for a column that keeps none: in UTC, as the connection's clock is."""
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    except (ValueError, OverflowError) as error:
        raise UnfitError(value, wanted) from error


def _of_list(value: list[Any], wanted: PgType, types: Types) -> str:
    match wanted.kind:
        case Kind.ARRAY:
            element = types.of(wanted.element)
            return _array(value, wanted, element, types)
        case Kind.VECTOR:
            return " ".join(_of_number(each, PgType("integer", Kind.INTEGER)) for each in value)
        case Kind.COMPOSITE if len(value) == len(wanted.fields):
            return _row(zip(value, (oid for _, oid in wanted.fields), strict=True), types)
        case Kind.TEXT:
            return encode_json(value).decode()
    raise UnfitError(value, wanted)


def _of_object(value: dict[str, Any], wanted: PgType, types: Types) -> str:
    match wanted.kind:
        case Kind.TEXT:
            return encode_json(value).decode()
        case Kind.HSTORE:
            return ", ".join(f"{_quoted(key)}=>{_hstore_value(each)}" for key, each in value.items())
        case Kind.COMPOSITE if value.keys() <= {name for name, _ in wanted.fields}:
            return _row(((value.get(name), oid) for name, oid in wanted.fields), types)
    raise UnfitError(value, wanted)


def _array(value: list[Any], wanted: PgType, element: PgType, types: Types) -> str:
    """Write an array; a list inside is a further dimension, except where the elements are JSON."""
    parts = []
    for each in value:
        if isinstance(each, list) and element.kind is not Kind.JSON:
            parts.append(_array(each, wanted, element, types))
        else:
            text = literal(each, element, types)
            parts.append("NULL" if text is None else _element(text))
    return "{" + wanted.delimiter.join(parts) + "}"


def _element(text: str) -> str:
    plain = text and not _NEEDS_QUOTES.search(text) and text.upper() != "NULL"
    return text if plain else _quoted(text)


def _row(cells: Iterable[tuple[Any, int]], types: Types) -> str:
    texts = [literal(value, types.of(oid), types) for value, oid in cells]
    return "(" + ",".join("" if text is None else _quoted(text) for text in texts) + ")"


def _hstore_value(value: Any) -> str:
    if value is None:
        return "NULL"
    return _quoted(value if isinstance(value, str) else encode_json(value).decode())


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def implied_type(values: Sequence[Any]) -> int:
    """Return the type that the values of one name have by themselves, where the statement leaves it open."""
    given = [value for value in values if value is not None]
    kinds = {type(value) for value in given}
    if not kinds or kinds == {str}:
        return TEXT
    if kinds == {bool}:
        return BOOLEAN
    if kinds <= {int, float, Decimal}:
        return _implied_number(given)
    if kinds == {list}:
        return _implied_array(given)
    return JSONB


def _implied_number(values: Sequence[Any]) -> int:
    if any(not isinstance(value, int) for value in values):
        return NUMERIC
    largest = max(max(value, -value - 1) for value in values)
    return INT4 if largest < 2**31 else INT8 if largest < 2**63 else NUMERIC


def _implied_array(values: Sequence[list[Any]]) -> int:
    inner = [element for value in values for element in value]
    if any(isinstance(element, list | dict) for element in inner):
        return JSONB
    element = implied_type(inner)
    return JSONB if element == JSONB else ARRAYS[element]


def unfit(name: str, where: str, error: UnfitError) -> NodeError:
    """Return the error that names value and type."""
    shown = encode_json(error.value).decode()
    return NodeError(
        "database.value",
        sentence(
            "The value `{name}` does not fit: the statement takes {wanted} there, and this is {value}.",
            name=name,
            wanted=error.wanted.name,
            value=shown if len(shown) <= 80 else f"{shown[:80]}…",
        ),
        where=where,
        hint=_hint(error, name),
    )


def _hint(error: UnfitError, name: str) -> str:
    if error.fraction:
        return sentence(
            "Round it, or let the statement say that decimals are meant: `%({name})s::numeric`.", name=name
        )
    if error.wanted.kind is Kind.ARRAY:
        return "Give a list, whose elements are of that type."
    return "Give a value of that type, or let the statement convert it: `%(name)s::text`."
