"""Turns computed cells into the column of a table.

Invariant: cells of one kind stay what they are; of several kinds become one kind that holds them all without loss,
also when no row takes the branch of a kind, so that a column has the same type every day.
"""

from collections.abc import Sequence

import polars as pl

from structforge.nodes.row_language.arithmetic import EXACT_FLOAT, bound
from structforge.nodes.row_language.cells import AnyCells, Cells, Kind, Split, scatter, with_scale
from structforge.sdk.table_cells import DIGITS, column_of, json_column, spelled
from structforge.sdk.tables import Column

_DIGITS_END = 10**DIGITS


class TooLong(Exception):
    """A number has more digits than a cell of a table holds."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def to_column(cells: AnyCells, height: int) -> Column:
    """Return the cells as a column. Raises: TooLong with the position of a row."""
    if isinstance(cells, Split):
        return _mixed(cells)
    whole = cells.spread(height)
    if whole.kind in (Kind.INTEGER, Kind.DECIMAL):
        return Column(_exact(whole))
    if whole.kind is Kind.JSON:
        return _json(whole.values())
    return Column(whole.series)


def _exact(cells: Cells) -> pl.Series:
    series = cells.series
    if cells.kind is Kind.INTEGER and series.dtype == pl.Int64:
        return series
    if series.dtype == pl.Int128:
        long = (series >= pl.Series([_DIGITS_END], dtype=pl.Int128)) | (
            series <= pl.Series([-_DIGITS_END], dtype=pl.Int128)
        )
        if long.any():
            raise TooLong(int(long.arg_true()[0]))
    if cells.scale > DIGITS:
        return _shorter(cells)
    return with_scale(series, cells.scale)


def _shorter(cells: Cells) -> pl.Series:
    """Return decimals with more places than a column has, without zeros at the end."""
    found, _, _ = column_of("", cells.values())
    if found.dtype.is_decimal() or found.dtype == pl.Int64:
        return found
    raise TooLong(next(index for index, cell in enumerate(cells.values()) if cell is not None))


def _mixed(cells: Split) -> Column:
    kinds = {part.cells.kind for part in cells.parts}
    if kinds == {Kind.INTEGER, Kind.NUMBER}:
        column = _floats(cells)
        if column is not None:
            return column
    values = cells.values()
    if Kind.TEXT in kinds:
        return Column(pl.Series([spelled(value) for value in values], dtype=pl.String))
    if Kind.BOOLEAN in kinds or Kind.JSON in kinds:
        column = _json(values)
        if column.mark is not None or Kind.JSON in kinds:
            return column
        return Column(json_column("", values), "mixed")
    return _numbers(cells, kinds, values)


def _floats(cells: Split) -> Column | None:
    """Return integers and numbers as numbers, None when an integer has more digits than a number holds."""
    series = [part.cells.spread(len(part.rows)).series for part in cells.parts]
    if any(bound(one) > EXACT_FLOAT for one in series if one.dtype != pl.Float64):
        return None
    rows = zip((part.rows for part in cells.parts), series, strict=True)
    whole = any(((one == one.floor()).any()) for one in series if one.dtype == pl.Float64)
    return Column(scatter(rows, cells.height, pl.Float64), None, None if whole else "3")


def _numbers(cells: Split, kinds: set[Kind], values: Sequence[object]) -> Column:
    """Return numbers of several kinds as one column; which one does not depend on the rows unless digits do."""
    column = _json(values)
    dtype = column.series.dtype
    if dtype not in (pl.Int64, pl.Null):
        return column
    if Kind.NUMBER in kinds:
        return Column(column.series.cast(pl.Float64)) if dtype == pl.Null else column
    scale = max(part.cells.scale for part in cells.parts)
    return Column(column.series.cast(pl.Decimal(DIGITS, scale))) if scale < DIGITS // 2 else column


def _json(values: Sequence[object]) -> Column:
    for index, value in enumerate(values):
        if type(value) is int and not -_DIGITS_END < value < _DIGITS_END:
            raise TooLong(index)
    return Column(*column_of("", values))
