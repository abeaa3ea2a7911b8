"""Cells of results: PostgreSQL's text form, by its type, as JSON values.

Invariant: every value of every type gives a cell; none refuses the query, and no digit is lost. What JSON cannot
hold (NaN, infinity) is null, and is counted.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import Any

from structforge.domain.errors import InvalidError
from structforge.domain.numbers import MAX_DIGITS
from structforge.domain.values import decode_json
from structforge.runtime.postgres.types import Kind, PgType, Types

Reader = Callable[[str], Any]

_DATE = re.compile(r"(\d+)-(\d\d-\d\d)")
_TIME = re.compile(r"(\d\d:\d\d:\d\d)(?:\.(\d+))?(?:([+-]\d\d)(:.*)?)?")
_HSTORE = re.compile(r'"((?:[^"\\]|\\.)*)"=>(?:NULL|"((?:[^"\\]|\\.)*)")', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_FIELD = re.compile(r'"((?:[^"\\]|\\.|"")*)"|([^,()"]*)', re.DOTALL)
_FIELD_ESCAPED = re.compile(r'\\(.)|"(")', re.DOTALL)

COLUMN_TYPES = {
    Kind.BOOLEAN: "boolean",
    Kind.INTEGER: "integer",
    Kind.NUMERIC: "decimal",
    Kind.MONEY: "decimal",
    Kind.FLOAT: "number",
    Kind.ARRAY: "list",
    Kind.VECTOR: "list",
    Kind.RECORD: "list",
    Kind.JSON: "object",
    Kind.HSTORE: "object",
    Kind.COMPOSITE: "object",
}
"""The type of a table's column; text for all others."""


@dataclass(slots=True)
class Column:
    """A column of a result, and what was found on the way."""

    name: str
    type: PgType
    modifier: int
    read: Reader = field(init=False)
    nulled: int = 0
    """Values that JSON cannot hold, given as null."""
    as_text: int = 0
    """Values given as text because no JSON value has their form."""

    @property
    def scale(self) -> int | None:
        """The number of decimals of `numeric(p, s)`; none when every row may have its own."""
        if self.type.kind is not Kind.NUMERIC or self.modifier < 0:
            return None
        return (((self.modifier - 4) & 0x7FF) ^ 1024) - 1024

    @property
    def table_type(self) -> str:
        """The type of a table's column, as far as it is known without rows."""
        scale = self.scale
        if scale is not None and scale <= 0:
            return "integer"
        return COLUMN_TYPES.get(self.type.kind, "text")


class CellReader:
    """Reads cells by type. `money_scale` is how many decimals the database's `money` has."""

    def __init__(self, types: Types, money_scale: int) -> None:
        self._types = types
        self._money_scale = money_scale

    def columns(self, described: Sequence[tuple[str, int, int]]) -> list[Column]:
        """Return the columns (name, type, modifier) of a result, each name once: a second `id` is `id_2`."""
        columns: list[Column] = []
        taken: set[str] = set()
        given = {name for name, _, _ in described}
        for wanted, oid, modifier in described:
            name, number = wanted, 2
            while name in taken or (name != wanted and name in given):
                name, number = f"{wanted}_{number}", number + 1
            taken.add(name)
            column = Column(name, self._types.of(oid), modifier)
            column.read = self._reader(column.type, column)
            columns.append(column)
        return columns

    def _reader(self, of: PgType, column: Column) -> Reader:
        match of.kind:
            case Kind.BOOLEAN:
                return "t".__eq__
            case Kind.INTEGER:
                return int
            case Kind.FLOAT:
                return lambda text: _float(text, column)
            case Kind.NUMERIC:
                return lambda text: _numeric(text, column)
            case Kind.MONEY:
                return lambda text: _money(text, self._money_scale)
            case Kind.JSON:
                return lambda text: _json(text, column)
            case Kind.DATE:
                return _date
            case Kind.TIMESTAMP | Kind.TIMESTAMP_TZ:
                return _timestamp
            case Kind.TIME:
                return _time
            case Kind.ARRAY:
                element = self._later(of.element, column)
                return lambda text: _array(text, of.delimiter, element)
            case Kind.VECTOR:
                return lambda text: [int(each) for each in text.split()]
            case Kind.HSTORE:
                return _hstore
            case Kind.COMPOSITE:
                fields = [(name, self._later(oid, column)) for name, oid in of.fields]
                return lambda text: _composite(text, fields)
            case Kind.RECORD:
                return _record
            case Kind.VOID:
                return lambda text: None
        return str

    def _later(self, oid: int, column: Column) -> Reader:
        """Return a reader that is made when it is needed: a type may be made of itself."""
        return lambda text: self._reader(self._types.of(oid), column)(text)


def even_out(column: Column, cells: list[Any]) -> str:
    """Give all cells of a column one kind, in place; return the table type of the column.

    Exact numbers without a scale of their own are integers when all of them are, else decimals.
    """
    if column.type.kind not in (Kind.NUMERIC, Kind.JSON):
        return column.table_type
    kinds = {type(cell) for cell in cells if cell is not None}
    if column.type.kind is Kind.JSON:
        return "object" if kinds <= {dict} else "list" if kinds == {list} else "mixed"
    if str in kinds:
        cells[:] = [
            f"{cell:f}" if isinstance(cell, Decimal) else str(cell) if isinstance(cell, int) else cell
            for cell in cells
        ]
        return "text"
    if kinds == {int} or column.table_type == "integer":
        return "integer"
    cells[:] = [Decimal(cell) if type(cell) is int else cell for cell in cells]
    return "decimal"


def _digits(cell: int | Decimal | str | None) -> str | None:
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell) if isinstance(cell, int) else cell


def _float(text: str, column: Column) -> float | None:
    value = float(text)
    if isfinite(value):
        return value
    column.nulled += 1
    return None


def _numeric(text: str, column: Column) -> int | Decimal | str | None:
    if len(text) > MAX_DIGITS:
        column.as_text += 1
        return text
    if "." in text:
        return Decimal(text)
    if text[-1].isdecimal():
        return int(text)
    column.nulled += 1
    return None


def _money(text: str, scale: int) -> Decimal:
    """Read an amount however the database's country writes it: only its digits and its sign count."""
    digits = int("".join(character for character in text if character in "0123456789"))
    return Decimal(-digits if "-" in text or "(" in text else digits).scaleb(-scale)


def _json(text: str, column: Column) -> Any:
    data = text.encode()
    try:
        return decode_json(data, max_bytes=len(data))
    except InvalidError:
        # `json` keeps what no JSON value here can be: a NUL, half a surrogate pair, numbers without end.
        column.as_text += 1
        return text


def _date(text: str) -> str:
    """Return ISO 8601: `-0043-03-15` is 44 BC, `+10000-01-01` is beyond four digits."""
    if len(text) == 10 and text[4] == "-":
        return text
    found = _DATE.match(text)
    if found is None:  # infinity
        return text
    year, rest = int(found[1]), found[2]
    if text.endswith(" BC"):
        return f"{1 - year:05d}-{rest}" if year > 1 else f"0000-{rest}"
    return f"+{year}-{rest}" if year > 9999 else f"{year:04d}-{rest}"


def _timestamp(text: str) -> str:
    day, blank, rest = text.partition(" ")
    if not blank:  # infinity
        return text
    clock, blank, _ = rest.partition(" ")
    return f"{_date(f'{day} BC' if blank else day)}T{_time(clock)}"


def _time(text: str) -> str:
    found = _TIME.fullmatch(text)
    if found is None:
        return text
    clock, fraction, hours, minutes = found.groups()
    offset = "" if hours is None else f"{hours}{minutes or ':00'}"
    return f"{clock}.{fraction:0<6}{offset}" if fraction else f"{clock}{offset}"


def _array(text: str, delimiter: str, element: Reader) -> list[Any]:
    at = text.index("{") if text.startswith("[") else 0  # bounds: `[0:2]={…}`
    top: list[Any] = []
    stack: list[list[Any]] = []
    current = top
    while at < len(text):
        character = text[at]
        if character == "{":
            inner: list[Any] = []
            current.append(inner)
            stack.append(current)
            current = inner
            at += 1
        elif character == "}":
            current = stack.pop()
            at += 1
        elif character == delimiter:
            at += 1
        elif character == '"':
            raw, at = _quoted(text, at)
            current.append(element(raw))
        else:
            end = at
            while text[end] != delimiter and text[end] != "}":
                end += 1
            raw, at = text[at:end], end
            current.append(None if raw == "NULL" else element(raw))
    (result,) = top
    return list(result)


def _quoted(text: str, at: int) -> tuple[str, int]:
    """Return a quoted element and where the text goes on."""
    end = at + 1
    while text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    raw = text[at + 1 : end]
    return (_ESCAPED.sub(r"\1", raw) if "\\" in raw else raw), end + 1


def _hstore(text: str) -> dict[str, str | None]:
    return {
        _ESCAPED.sub(r"\1", found[1]): None if found[2] is None else _ESCAPED.sub(r"\1", found[2])
        for found in _HSTORE.finditer(text)
    }


def _record(text: str) -> list[str | None]:
    cells: list[str | None] = []
    at = 1
    while at < len(text):
        found = _FIELD.match(text, at)
        if found is None:
            break
        quoted, plain = found.groups()
        if quoted is not None:
            cells.append(_FIELD_ESCAPED.sub(lambda each: each[1] or each[2], quoted))
        else:
            cells.append(plain or None)
        at = found.end() + 1
    return cells


def _composite(text: str, fields: Sequence[tuple[str, Reader]]) -> dict[str, Any]:
    cells = _record(text) if fields else []
    return {
        name: None if cell is None else read(cell) for (name, read), cell in zip(fields, cells, strict=False)
    }
