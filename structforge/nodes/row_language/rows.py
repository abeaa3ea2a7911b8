"""The rows an expression is computed for: all of a table, or those that take a branch.

Invariant: a column is read once, and of a branch's rows only the columns that it names; each row knows its number
in the table.
"""

from typing import Any

import polars as pl

from structforge.nodes.row_language.cells import (
    AnyCells,
    Cells,
    Kind,
    Part,
    joined,
    narrowed,
    nothing,
    of_values,
)
from structforge.sdk.table_cells import cells_of
from structforge.sdk.tables import Column, Table

_EXACT_FLOAT = 2.0**53


class Rows:
    """Some rows of a table."""

    def __init__(self, table: Table, within: "Rows | None" = None, indexes: pl.Series | None = None) -> None:
        self.table = table
        self.height = table.height if indexes is None else len(indexes)
        self._within = within
        self._indexes = indexes
        self._read: dict[str, AnyCells] = {}

    def take(self, indexes: pl.Series) -> "Rows":
        """Return the rows at these positions."""
        return Rows(self.table, self, indexes)

    def number(self, index: int) -> int:
        """Return the number of a row in the table, from 1."""
        if self._within is None or self._indexes is None:
            return index + 1
        return self._within.number(int(self._indexes[index]))

    def column(self, name: str) -> AnyCells:
        """Return the cells of a column."""
        if name not in self._read:
            if self._within is not None and self._indexes is not None:
                self._read[name] = self._within.column(name).take(self._indexes)
            elif self.table.unknown and name not in self.table.columns:
                self._read[name] = nothing(self.height)
            else:
                self._read[name] = of_column(self.table.column(name))
        return self._read[name]

    def objects(self) -> Cells:
        """Return each row as an object."""
        names = self.table.columns
        columns = [self.column(name) for name in names]
        values = [column.values() * (self.height if column.constant else 1) for column in columns]
        return Cells(Kind.JSON, [dict(zip(names, cells, strict=True)) for cells in zip(*values, strict=True)])


def of_column(column: Column) -> AnyCells:
    """Return the cells of a table's column."""
    series, dtype = column.series, column.series.dtype
    if column.mark is not None:
        return Cells(Kind.JSON, cells_of(series, column.mark, column.written))
    if dtype == pl.Null:
        return nothing(len(series))
    if dtype == pl.Boolean:
        return Cells(Kind.BOOLEAN, series)
    if dtype == pl.String:
        return Cells(Kind.TEXT, series)
    if dtype == pl.Float64:
        return _whole_apart(series) if column.written == "3" else Cells(Kind.NUMBER, series)
    if dtype.is_decimal():
        scale: Any = getattr(dtype, "scale", 0)
        return Cells(Kind.DECIMAL if scale else Kind.INTEGER, narrowed(series.to_physical()), scale)
    if dtype == pl.Int64:
        return Cells(Kind.INTEGER, series)
    return of_values(series.to_list())


def _whole_apart(series: pl.Series) -> AnyCells:
    """Split a column of numbers that writes `3` for whole ones: those are integers."""
    whole = ((series == series.floor()) & (series.abs() < _EXACT_FLOAT)).fill_null(False)
    integers, rest = whole.arg_true(), (~whole).arg_true()
    return joined(
        [
            Part(integers, Cells(Kind.INTEGER, series.gather(integers).cast(pl.Int64))),
            Part(rest, Cells(Kind.NUMBER, series.gather(rest))),
        ],
        len(series),
    )
