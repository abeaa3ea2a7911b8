"""Columns of several tables below each other, of one type that loses nothing.

Invariant: the result is what the cells would give as one column of JSON rows: the types of tables, text where text is
among other kinds.
"""

from collections.abc import Sequence
from itertools import chain

import polars as pl

from structforge.sdk.table_cells import DIGITS, WIDE, Written, cells_of, column_of, spelled_column
from structforge.sdk.tables import Column

_SAFE = 2**53
"""Integers up to here are the same as binary64."""


def stacked(columns: Sequence[Column]) -> Column:
    """Return the cells of all columns, in order.

    A column without a value has no say in the type, nor has one without rows where there is another.
    """
    typed = [column for column in columns if column.series.dtype != pl.Null]
    filled = [column for column in typed if len(column.series)] or typed
    columns = [column for column in columns if len(column.series)] or columns
    types = {(column.series.dtype, column.mark) for column in filled}
    if len(types) <= 1:
        dtype, mark = next(iter(types), (pl.Null(), None))
        return Column(_one_below_other(columns, dtype), mark, _one_way(filled))
    if all(column.mark is None for column in filled):
        made = _of_flat_kinds(columns, [column.series.dtype for column in filled])
        if made is not None:
            return made
    cells = list(chain.from_iterable(cells_of(one.series, one.mark, one.written) for one in columns))
    return Column(*column_of("", cells))


def _of_flat_kinds(columns: Sequence[Column], dtypes: Sequence[pl.DataType]) -> Column | None:
    """Return the columns cast to a type they share, where that is quick; None where cells have to be looked at."""
    if pl.String in dtypes:
        texts = [Column(_spelled(column)) for column in columns]
        return Column(_one_below_other(texts, pl.String()))
    if set(dtypes) == {pl.Int64(), WIDE}:
        return Column(_one_below_other(columns, WIDE))
    if set(dtypes) == {pl.Int64(), pl.Float64()}:
        return _floats(columns)
    if all(dtype.is_decimal() or dtype == pl.Int64 for dtype in dtypes):
        scale = max(dtype.scale for dtype in dtypes if dtype.is_decimal())  # type: ignore[attr-defined]
        try:
            return Column(_one_below_other(columns, pl.Decimal(DIGITS, scale)))
        except pl.exceptions.PolarsError:
            return None
    return None


def _floats(columns: Sequence[Column]) -> Column | None:
    floats = [column for column in columns if column.series.dtype == pl.Float64]
    whole = any(
        column.written != "3" and bool((column.series == column.series.floor()).any()) for column in floats
    )
    for column in columns:
        if column.series.dtype == pl.Int64 and not column.series.is_between(-_SAFE, _SAFE).all():
            return None
    return Column(_one_below_other(columns, pl.Float64()), written=None if whole else "3")


def _one_below_other(columns: Sequence[Column], dtype: pl.DataType) -> pl.Series:
    parts = [column.series.cast(dtype).alias("") for column in columns]
    return pl.concat(parts) if parts else pl.Series("", [], dtype=dtype)


def _spelled(column: Column) -> pl.Series:
    text = spelled_column(pl.col("cell"), column.series.dtype, column.written)
    return column.series.to_frame("cell").select(text.alias("cell")).to_series()


def _one_way(columns: Sequence[Column]) -> Written | None:
    ways = {column.written for column in columns}
    return ways.pop() if len(ways) == 1 else None


def nulls(height: int) -> Column:
    """Return a column without a value and without a type."""
    return Column(pl.repeat(None, height, dtype=pl.Null, eager=True))
