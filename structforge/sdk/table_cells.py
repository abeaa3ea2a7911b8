"""Cells of tables: JSON rows to typed columns and back, without a digit or a field lost.

Invariant: what `columns_of` reads, `rows_of` gives back. Lists, objects and columns of several kinds stand as
JSON text with a mark, so that no value is forced into a type that its neighbours have.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any, Literal

import polars as pl
from polars.selectors import by_name

from structforge.domain.values import JsonValue, decode_json, encode_json, journal_safe

Mark = Literal["list", "object", "mixed"]
"""What the JSON texts of a column stand for: lists, objects, or values of several kinds."""

Written = Literal["3", "3.0"]
"""How a column of numbers writes a whole value; `3.0` where nothing is said."""

CellType = Literal[
    "integer", "decimal", "number", "text", "boolean", "list", "object", "mixed", "null"
]  # fmt: skip
"""The type of a column as people see it; `null` has no value in it yet."""

WIDE = pl.Decimal(38, 0)
"""Integers that 64 bits do not hold."""
DIGITS = 38
INT64 = range(-(2**63), 2**63)
_EXACT_FLOAT = 2**53
_MAX_CELLS_BYTES = 1 << 31


def named(name: str) -> pl.Expr:
    """Return the expression of a column by its very name: polars takes `*` and `^a.*$` for patterns elsewhere."""
    return by_name(name).as_expr()


def names_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the fields of the rows in the order in which they first occur."""
    return list(dict.fromkeys(chain.from_iterable(rows)))


def column_of(name: str, cells: Sequence[Any]) -> tuple[pl.Series, Mark | None, Written | None]:
    """Return JSON values as a typed column, with its mark and its way of writing whole numbers.

    A column that holds text and something else becomes text, each value as JSON spells it.
    """
    kinds = _kinds(cells)
    if kinds - _PLAIN:
        cells = [journal_safe(cell) for cell in cells]
        kinds = _kinds(cells)
    if not kinds:
        return pl.Series(name, [None] * len(cells), dtype=pl.Null), None, None
    if kinds == {str}:
        return pl.Series(name, cells, dtype=pl.String), None, None
    if kinds == {bool}:
        return pl.Series(name, cells, dtype=pl.Boolean), None, None
    if kinds <= _NUMBERS:
        found = _numbers(name, cells, kinds)
        if found is not None:
            return found[0], None, found[1]
    if str in kinds:
        return pl.Series(name, [spelled(cell) for cell in cells], dtype=pl.String), None, None
    mark: Mark = "list" if kinds == {list} else "object" if kinds == {dict} else "mixed"
    return json_column(name, cells), mark, None


def json_column(name: str, cells: Iterable[Any]) -> pl.Series:
    """Return JSON values as a column of JSON texts; null stays null."""
    texts = [None if cell is None else encode_json(cell).decode() for cell in cells]
    return pl.Series(name, texts, dtype=pl.String)


def json_cells_of(column: pl.Series) -> list[JsonValue]:
    """Return the values of a column of JSON texts."""
    text = "[" + ",".join("null" if cell is None else cell for cell in column) + "]"
    cells = decode_json(text.encode(), max_bytes=_MAX_CELLS_BYTES)
    return cells if isinstance(cells, list) else []


def cells_of(column: pl.Series, mark: Mark | None = None, written: Written | None = None) -> list[Any]:
    """Return the JSON values of a column of a normal frame."""
    if mark is not None:
        return json_cells_of(column)
    cells: list[Any] = column.to_list()
    if column.dtype == WIDE:
        return [None if cell is None else int(cell) for cell in cells]
    if written == "3" and column.dtype == pl.Float64:
        return [int(cell) if cell is not None and cell.is_integer() else cell for cell in cells]
    return cells


def spelled(value: Any) -> str | None:
    """Return a value as text: a text as it is, anything else as JSON spells it, null as null."""
    return value if value is None or isinstance(value, str) else encode_json(value).decode()


def spelled_column(column: pl.Expr, dtype: pl.DataType, written: Written | None = None) -> pl.Expr:
    """Return the expression of a column as text, each value as JSON spells it."""
    if dtype == pl.Float64 and written == "3":
        text = column.cast(pl.String)
        return pl.when(text.str.ends_with(".0")).then(text.str.head(-2)).otherwise(text)
    if isinstance(dtype, pl.Decimal) and dtype.scale:
        # JSON writes no zeros at the end of a fraction, but one where nothing else is left of it.
        return column.cast(pl.String).str.replace(r"(\.\d+?)0+$", "$1")
    return column.cast(pl.String)


def type_name(dtype: pl.DataType, mark: Mark | None = None) -> CellType:
    """Return what people call the type of a column of a normal frame."""
    if mark is not None:
        return mark
    if dtype == pl.Int64 or dtype == WIDE:
        return "integer"
    if dtype.is_decimal():
        return "decimal"
    if dtype == pl.Float64:
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    return "null" if dtype == pl.Null else "text"


def normal(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Mark]]:
    """Return any frame with cells of the types of tables, and the marks of the columns that hold JSON now.

    Dates and times become ISO 8601 text, NaN and infinity null, lists and structs JSON text, narrow numbers
    wide ones.
    """
    marks: dict[str, Mark] = {}
    changes: list[pl.Expr | pl.Series] = []
    for name, dtype in frame.schema.items():
        if dtype.is_nested():
            marks[name] = "object" if isinstance(dtype, pl.Struct) else "list"
            changes.append(json_column(name, map(_plain, frame.get_column(name).to_list())))
        elif dtype in (pl.Int128, pl.UInt64, pl.UInt128):
            changes.append(narrowed(frame.get_column(name)))
        elif dtype == pl.Float64 and frame.get_column(name).alias("").is_finite().all():
            continue
        elif (change := _flat(named(name), dtype)) is not None:
            changes.append(change.alias(name))
    return (frame.with_columns(changes) if changes else frame), marks


def narrowed(column: pl.Series) -> pl.Series:
    """Return integers in 64 bits where all fit, else with 38 digits. Raises: PolarsError beyond that."""
    try:
        return column.cast(pl.Int64)
    except pl.exceptions.PolarsError:
        return column.cast(WIDE)


def _flat(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    """Return how a flat column that is not of a table's types becomes one; None when it is."""
    if dtype.is_float():
        wide = column if dtype == pl.Float64 else column.cast(pl.String).cast(pl.Float64)
        return pl.when(wide.is_finite()).then(wide).otherwise(None)
    for kind, change in _FLAT.items():
        if dtype == kind:
            return change(column, dtype)
    if dtype.is_integer() and dtype != pl.Int64:
        return column.cast(pl.Int64)
    if dtype.is_decimal() and dtype.precision != DIGITS:  # type: ignore[attr-defined]
        return column.cast(pl.Decimal(DIGITS, dtype.scale))  # type: ignore[attr-defined]
    return None


_FLAT: dict[Any, Callable[[pl.Expr, Any], pl.Expr]] = {
    pl.Date: lambda column, _: column.dt.to_string("%Y-%m-%d"),
    pl.Datetime: lambda column, dtype: column.dt.to_string(
        f"%Y-%m-%dT%H:%M:%S%.f{'%:z' if dtype.time_zone else ''}"
    ),
    pl.Time: lambda column, _: column.dt.to_string("%H:%M:%S%.f"),
    pl.Duration: lambda column, _: column.dt.total_seconds(fractional=True),
    pl.Categorical: lambda column, _: column.cast(pl.String),
    pl.Enum: lambda column, _: column.cast(pl.String),
    pl.Binary: lambda column, _: pl.lit("\\x") + column.bin.encode("hex"),
}

_PLAIN = frozenset({str, int, float, bool, Decimal, list, dict})
_NUMBERS = frozenset({int, float, Decimal})


def _kinds(cells: Sequence[Any]) -> set[type]:
    return set(map(type, cells)) - {type(None)}


def _numbers(name: str, cells: Sequence[Any], kinds: set[type]) -> tuple[pl.Series, Written | None] | None:
    """Return numbers as one exact column; None when no column of a table holds them all."""
    if kinds == {int}:
        try:
            return pl.Series(name, cells, dtype=pl.Int64), None
        except (OverflowError, TypeError, pl.exceptions.PolarsError):
            return _decimals(name, cells)
    if kinds == {float}:
        return pl.Series(name, [_finite(cell) for cell in cells], dtype=pl.Float64), None
    if Decimal not in kinds and all(_is_exact(cell) for cell in cells):
        whole_floats = any(type(cell) is float and cell.is_integer() for cell in cells)
        floats = [None if cell is None else _finite(float(cell)) for cell in cells]
        return pl.Series(name, floats, dtype=pl.Float64), None if whole_floats else "3"
    return _decimals(name, cells)


def _finite(cell: float | None) -> float | None:
    return cell if cell is None or math.isfinite(cell) else None


def _is_exact(cell: Any) -> bool:
    """Tell whether a number is the same as binary64, which counts with its shortest digits."""
    return type(cell) is not int or -_EXACT_FLOAT <= cell <= _EXACT_FLOAT


def _decimals(name: str, cells: Sequence[Any]) -> tuple[pl.Series, None] | None:
    exact = [_decimal(cell) for cell in cells]
    whole = scale = 0
    for number in exact:
        if number is not None:
            exponent = number.as_tuple().exponent
            scale = max(scale, -exponent if isinstance(exponent, int) else 0)
            whole = max(whole, number.adjusted() + 1)
    if whole + scale > DIGITS:
        return None
    return pl.Series(name, exact, dtype=pl.Decimal(DIGITS, scale)), None


def _decimal(cell: Any) -> Decimal | None:
    """Return a number with the digits it is written with; none that is not finite."""
    if cell is None:
        return None
    exact = Decimal(repr(cell)) if type(cell) is float else Decimal(cell)
    return exact if exact.is_finite() else None


def _plain(value: Any) -> Any:
    """Return what polars has inside a list or a struct as JSON."""
    match value:
        case pl.Series() | list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case float():
            return _finite(value)
        case bytes():
            return f"\\x{value.hex()}"
        case None | bool() | int() | str() | Decimal():
            return value
    total_seconds = getattr(value, "total_seconds", None)
    return journal_safe(value) if total_seconds is None else total_seconds()
