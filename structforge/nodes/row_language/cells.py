"""Cells of one kind while a row expression is computed, and rows whose cells are of several kinds.

Invariant: cells hold exact values. Integers and decimals are whole numbers of 64 or 128 bits with a number of
decimals; what fits nowhere (lists, objects, longer numbers) is a list of JSON values. Nothing is rounded or cut here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import polars as pl

from structforge.sdk.lazy_module import LazyModule

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = LazyModule("pyarrow")

DIGITS = 38
"""So many digits a decimal of a table has."""
INT64 = range(-(2**63), 2**63)
INT128 = range(-(2**127), 2**127)
WIDE = Context(prec=10_000, Emax=999_999, Emin=-999_999)
"""A context in which no decimal of a table is rounded."""


class Kind(StrEnum):
    """What the cells of a column are."""

    NOTHING = "nothing"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    NUMBER = "number"
    TEXT = "text"
    JSON = "json"


EXACT = frozenset({Kind.INTEGER, Kind.DECIMAL})
NUMERIC = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.NUMBER})


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one kind; `constant` ones hold a single cell that stands for every row."""

    kind: Kind
    data: Any
    """A polars series (`Int64` or `Int128` for integers and decimals); a list of JSON values for `JSON`."""
    scale: int = 0
    """Decimals after the point: the value of a decimal is `data / 10 ** scale`."""
    constant: bool = False

    def __len__(self) -> int:
        return len(self.data)

    @property
    def series(self) -> pl.Series:
        """Return the series of cells that are not JSON."""
        assert isinstance(self.data, pl.Series)
        return self.data

    def values(self) -> list[Any]:
        """Return the cells as JSON values, exact decimals among them."""
        if self.kind is Kind.JSON:
            return list(self.data)
        found = self.series.to_list()
        if self.kind is Kind.DECIMAL:
            return [None if cell is None else WIDE.scaleb(Decimal(cell), -self.scale) for cell in found]
        return found

    def value(self) -> Any:
        """Return the value of a constant."""
        return self.values()[0]

    def at(self, index: int) -> Any:
        """Return one cell as a JSON value."""
        if self.constant:
            return self.value()
        return self.take(pl.Series([index], dtype=pl.UInt32)).values()[0]

    def take(self, indexes: pl.Series) -> "Cells":
        """Return the cells at these positions."""
        if self.constant:
            return self
        if self.kind is Kind.JSON:
            return Cells(self.kind, [self.data[index] for index in indexes.to_list()])
        return Cells(self.kind, self.series.gather(indexes), self.scale)

    def spread(self, height: int) -> "Cells":
        """Return the cells with one for each row."""
        if not self.constant:
            return self
        if self.kind is Kind.JSON:
            return Cells(self.kind, self.data * height)
        return Cells(self.kind, self.series.new_from_index(0, height), self.scale)

    def none(self) -> "Cells":
        """Return no cells, of the same kind."""
        return Cells(self.kind, [] if self.kind is Kind.JSON else self.series.clear(), self.scale)

    def empty(self) -> pl.Series:
        """Return which cells are null."""
        if self.kind is Kind.JSON:
            return pl.Series([cell is None for cell in self.data], dtype=pl.Boolean)
        return self.series.is_null()


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a split that hold cells of one kind."""

    rows: pl.Series
    """Positions, ascending."""
    cells: Cells


@dataclass(frozen=True, slots=True)
class Split:
    """Rows whose cells are of several kinds, by kind; each row is in exactly one part."""

    parts: tuple[Part, ...]
    height: int

    constant = False

    def take(self, indexes: pl.Series) -> "Cells | Split":
        """Return the cells at these positions."""
        part_of, within = self.located()
        part_of, within = part_of.gather(indexes), within.gather(indexes)
        parts = []
        for number, part in enumerate(self.parts):
            rows = (part_of == number).arg_true()
            parts.append(Part(rows, part.cells.take(within.gather(rows))))
        return joined(parts, len(indexes))

    def located(self) -> tuple[pl.Series, pl.Series]:
        """Return the number of each row's part, and the row's position in it."""
        numbers = [
            (part.rows, pl.Series([number], dtype=pl.UInt32).new_from_index(0, len(part.rows)))
            for number, part in enumerate(self.parts)
        ]
        positions = [
            (part.rows, pl.arange(len(part.rows), dtype=pl.UInt32, eager=True)) for part in self.parts
        ]
        return scatter(numbers, self.height, pl.UInt32), scatter(positions, self.height, pl.UInt32)

    def values(self) -> list[Any]:
        """Return the cells as JSON values."""
        found: list[Any] = [None] * self.height
        for part in self.parts:
            for row, cell in zip(
                part.rows.to_list(), part.cells.spread(len(part.rows)).values(), strict=True
            ):
                found[row] = cell
        return found

    def at(self, index: int) -> Any:
        """Return one cell as a JSON value."""
        return self.values()[index]

    def empty(self) -> pl.Series:
        """Return which cells are null."""
        return scatter(
            [(part.rows, part.cells.spread(len(part.rows)).empty()) for part in self.parts],
            self.height,
            pl.Boolean,
        )


AnyCells = Cells | Split


def whole_series(values: Sequence[int | None]) -> pl.Series | None:
    """Return a series of integers, 64 bits wide if they fit; None when one has more than 128 bits."""
    low = min((value for value in values if value is not None), default=0)
    high = max((value for value in values if value is not None), default=0)
    if low in INT64 and high in INT64:
        return pl.Series(values, dtype=pl.Int64)
    if low in INT128 and high in INT128:
        return pl.Series(values, dtype=pl.Int128)
    return None


def narrowed(series: pl.Series) -> pl.Series:
    """Return integers in 64 bits if all of them fit, which is much faster to compute with."""
    if series.dtype == pl.Int64:
        return series
    low, high = series.min(), series.max()
    if low is None or (low in INT64 and high in INT64):
        return series.cast(pl.Int64)
    return series


def nothing(height: int, *, constant: bool = False) -> Cells:
    """Return null cells."""
    return Cells(
        Kind.NOTHING, pl.Series([None] * (1 if constant else height), dtype=pl.Null), constant=constant
    )


def constant(value: Any) -> Cells:
    """Return one value that stands for every row."""
    cells = of_values([value])
    return Cells(cells.kind, cells.data, cells.scale, constant=True)


_KIND_OF: dict[type, Kind] = {
    bool: Kind.BOOLEAN,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    str: Kind.TEXT,
    Decimal: Kind.DECIMAL,
    list: Kind.JSON,
    dict: Kind.JSON,
}
_DTYPES: dict[Kind, Any] = {Kind.BOOLEAN: pl.Boolean, Kind.NUMBER: pl.Float64, Kind.TEXT: pl.String}


def of_values(values: list[Any]) -> Cells:
    """Return JSON values as cells of the narrowest kind that holds all of them."""
    kinds = {_KIND_OF.get(kind, Kind.JSON) for kind in set(map(type, values)) - {type(None)}}
    if not kinds:
        return nothing(len(values))
    kind = kinds.pop() if len(kinds) == 1 else Kind.JSON
    if kind is Kind.INTEGER:
        series = whole_series(values)
        return Cells(Kind.JSON, values) if series is None else Cells(kind, series)
    if kind is Kind.DECIMAL:
        return _of_decimals(values)
    if kind is Kind.JSON:
        return Cells(kind, values)
    return Cells(kind, pl.Series(values, dtype=_DTYPES[kind]))


def _of_decimals(values: list[Decimal | None]) -> Cells:
    exponents = {value.as_tuple().exponent for value in values if value is not None}
    if len(exponents) == 1:
        scale = max(0, -int(exponents.pop()))
        series = whole_series([None if value is None else int(WIDE.scaleb(value, scale)) for value in values])
        if series is not None:
            return Cells(Kind.DECIMAL, series, scale)
    return Cells(Kind.JSON, values)


def scatter(parts: Iterable[tuple[pl.Series, pl.Series]], height: int, dtype: Any) -> pl.Series:
    """Return one series of what lies at these positions; every position is given once."""
    found = [(rows, series.cast(dtype)) for rows, series in parts]
    if not found:
        return pl.Series([], dtype=dtype)
    rows = pl.concat([rows.cast(pl.UInt32) for rows, _ in found])
    series = pl.concat([series for _, series in found])
    if len(rows) != height:
        raise AssertionError("a row is in no part or in two")
    return series.gather(rows.arg_sort())


def joined(parts: Sequence[Part], height: int) -> AnyCells:
    """Return the rows of several parts as one, split by kind where kinds differ."""
    by_kind: dict[tuple[Kind, int], list[Part]] = {}
    for part in parts:
        by_kind.setdefault((part.cells.kind, part.cells.scale), []).append(part)
    empty = by_kind.pop((Kind.NOTHING, 0), [])
    if not by_kind:
        return nothing(height)
    if empty:
        next(iter(by_kind.values())).extend(empty)
    merged = [_merged(kind, scale, same) for (kind, scale), same in by_kind.items()]
    if len(merged) == 1:
        return merged[0].cells
    return Split(tuple(merged), height)


def _merged(kind: Kind, scale: int, parts: list[Part]) -> Part:
    rows = pl.concat([part.rows.cast(pl.UInt32) for part in parts])
    order = rows.arg_sort()
    spread = [part.cells.spread(len(part.rows)) for part in parts]
    if kind is Kind.JSON:
        values = [cell for cells in spread for cell in cells.values()]
        return Part(rows.gather(order), Cells(kind, [values[index] for index in order.to_list()]))
    dtypes = [cells.series.dtype for cells in spread if cells.kind is not Kind.NOTHING]
    dtype = pl.Int128 if pl.Int128 in dtypes else dtypes[0]
    series = pl.concat([cells.series.cast(dtype) for cells in spread])
    return Part(rows.gather(order), Cells(kind, series.gather(order), scale))


def with_scale(series: pl.Series, scale: int) -> pl.Series:
    """Return whole numbers as decimals: 125 with 2 is 1.25. No digit is touched."""
    whole = series.cast(pl.Decimal(DIGITS, 0))
    if not scale:
        return whole
    chunk = whole.rechunk().to_arrow()
    array = pa.Array.from_buffers(
        pa.decimal128(DIGITS, scale), len(chunk), chunk.buffers(), offset=chunk.offset
    )
    return pl.Series(series.name, array)
