"""What makes cells equal, as expressions of polars: by exact value, whatever type their columns have.

Invariant: two cells have the same key exactly when they are equal by `docs/values.md`; a number meets a text only
when the text is that number as it is written shortest. Join, group and append stand on it.
"""

from decimal import Decimal
from typing import Any

import polars as pl

from structforge.domain.numbers import exact, is_number
from structforge.domain.values import canonical_json
from structforge.sdk.table_cells import WIDE, cells_of
from structforge.sdk.tables import Column


def plain_digits(value: int | float | Decimal) -> str:
    """Return a number in its shortest way without an exponent: `1`, `1.5`, `0.1`; a float by its digits."""
    digits = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not digits:
        return "0"
    text = format(digits, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def text_key(column: Column) -> pl.Series:
    """Return each cell as a text that is the same for equal cells of columns of any types; null stays null."""
    series = column.series
    if column.mark is not None:
        return _json_keys(column)
    if series.dtype == pl.String:
        return series
    if series.dtype == pl.Float64:
        return _float_keys(series)
    if series.dtype.is_decimal():
        return _decimal_keys(series)
    return series.cast(pl.String)


def group_key(column: Column) -> pl.Series:
    """Return a column that is the same for equal cells of one column, and cheap to group by."""
    return column.series if column.mark is None else _json_keys(column)


def order_key(column: Column) -> pl.Series:
    """Return a column in the order of the cells; numbers that no one type holds are ordered by their value."""
    if column.mark != "mixed":
        return column.series
    cells = _cells(column)
    if not all(cell is None or is_number(cell) for cell in cells):
        return column.series
    values = [None if cell is None else exact(cell) for cell in cells]
    places = {value: place for place, value in enumerate(sorted({one for one in values if one is not None}))}
    numbers = [None if value is None else places[value] for value in values]
    return pl.Series(column.series.name, numbers, dtype=pl.Int64)


def matching_keys(left: Column, right: Column) -> tuple[pl.Series, pl.Series]:
    """Return both columns with keys of one type."""
    one, other = left.series.dtype, right.series.dtype
    if left.mark is None and right.mark is None:
        if pl.Null in (one, other):
            return left.series.cast(pl.String), right.series.cast(pl.String)
        if one == other:
            return left.series, right.series
        if {one, other} == {pl.Int64(), WIDE}:
            return left.series.cast(WIDE), right.series.cast(WIDE)
    return text_key(left), text_key(right)


def _json_keys(column: Column) -> pl.Series:
    keys = [None if cell is None else canonical_json(cell).decode() for cell in _cells(column)]
    return pl.Series(column.series.name, keys, dtype=pl.String)


def _cells(column: Column) -> list[Any]:
    return cells_of(column.series, column.mark, column.written)


def _float_keys(series: pl.Series) -> pl.Series:
    cell = pl.col("cell")
    text = cell.cast(pl.String)
    trimmed = pl.when(text.str.ends_with(".0")).then(text.str.head(-2)).otherwise(text)
    keys = series.to_frame("cell").select(pl.when(cell == 0).then(pl.lit("0")).otherwise(trimmed))
    made = keys.to_series().alias(series.name)
    powers = made.str.contains("e", literal=True)
    if not powers.any():
        return made
    spelled: dict[Any, str] = {cell: plain_digits(float(cell)) for cell in made.filter(powers).unique()}
    return made.replace(spelled)


def _decimal_keys(series: pl.Series) -> pl.Series:
    text = series.cast(pl.String)
    if not series.dtype.scale:  # type: ignore[attr-defined]
        return text
    return text.str.strip_chars_end("0").str.strip_chars_end(".").replace({"-0": "0"})
