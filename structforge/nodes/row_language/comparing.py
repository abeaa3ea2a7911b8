"""Kernels of equality, order and membership over whole columns, by exact value.

Invariant: a number counts with the digits it is written with, so a whole number beyond 2^53 is never compared as a
float; rows where the digits decide are left to the cell by cell way.
"""

from collections.abc import Callable
from typing import Any

import polars as pl

from structforge.nodes.row_language.arithmetic import EXACT_FLOAT, aligned, bound, over_power_of_ten
from structforge.nodes.row_language.cells import EXACT, NUMERIC, Cells, Kind
from structforge.nodes.row_language.operations import Fast, Kernel

_SURE_DIGITS = 10**15
"""Numbers of so few digits are the shortest digits of the float nearest to them."""
_SURE_SCALE = 22


def rows_of(*cells: Cells) -> int:
    """Return how many rows the result of an operation has."""
    return next((len(one) for one in cells if not one.constant), 1)


def _truth(series: pl.Series, doubtful: pl.Series | None = None) -> Fast:
    return Fast(Cells(Kind.BOOLEAN, series), doubtful)


def _compared(left: Cells, right: Cells) -> tuple[pl.Series, pl.Series, pl.Series | None] | None:
    """Return two series that compare like the cells, and doubtful rows; None when the kinds have no order."""
    if left.kind in EXACT and right.kind in EXACT:
        one, other, _, doubtful = aligned(left, right)
        if one.dtype != other.dtype:
            one, other = one.cast(pl.Int128), other.cast(pl.Int128)
        return one, other, doubtful
    if left.kind in NUMERIC and right.kind in NUMERIC:
        one, one_doubt = _comparable(left)
        other, other_doubt = _comparable(right)
        if one_doubt is not None and other_doubt is not None:
            return one, other, one_doubt | other_doubt
        return one, other, one_doubt if other_doubt is None else other_doubt
    if left.kind is right.kind and left.kind in (Kind.TEXT, Kind.BOOLEAN):
        return left.series, right.series, None
    return None


def _comparable(cells: Cells) -> tuple[pl.Series, pl.Series | None]:
    """Return numbers as floats that compare with the digits of floats, and the rows where they may not."""
    if cells.kind is Kind.NUMBER:
        return cells.series, None
    floats = cells.series.cast(pl.Float64)
    if cells.kind is Kind.INTEGER:
        large = bound(cells.series) > EXACT_FLOAT
        return floats, (floats.abs() >= EXACT_FLOAT) if large else None
    sure = cells.scale <= _SURE_SCALE and bound(cells.series) < _SURE_DIGITS
    doubtful = None if sure else floats.abs() >= (_SURE_DIGITS if cells.scale <= _SURE_SCALE else -1.0)
    return over_power_of_ten(floats, min(cells.scale, 300)), doubtful


def equal(left: Cells, right: Cells) -> Fast | None:
    """Compare by value; null equals null only."""
    if left.kind is Kind.JSON or right.kind is Kind.JSON:
        if Kind.NOTHING in (left.kind, right.kind):
            return _truth((right if left.kind is Kind.NOTHING else left).empty())
        return None
    if Kind.NOTHING in (left.kind, right.kind):
        return _truth(left.empty() & right.empty())
    pair = _compared(left, right)
    if pair is None:
        return _truth(left.empty() & right.empty())
    one, other, doubtful = pair
    result = one.eq_missing(other)
    return _truth(result, doubtful)


def not_equal(left: Cells, right: Cells) -> Fast | None:
    """Tell whether values differ."""
    found = equal(left, right)
    return None if found is None else Fast(Cells(Kind.BOOLEAN, ~found.cells.series), found.doubtful)


def _ordered(test: Callable[[Any, Any], pl.Series]) -> Kernel:
    def kernel(left: Cells, right: Cells) -> Fast | None:
        if Kind.NOTHING in (left.kind, right.kind):
            return _truth(pl.Series([False], dtype=pl.Boolean))
        if Kind.BOOLEAN in (left.kind, right.kind):
            return None
        pair = _compared(left, right)
        if pair is None:
            return None
        one, other, doubtful = pair
        return _truth(test(one, other).fill_null(False), doubtful)

    return kernel


less = _ordered(lambda a, b: a < b)
less_or_equal = _ordered(lambda a, b: a <= b)
greater = _ordered(lambda a, b: a > b)
greater_or_equal = _ordered(lambda a, b: a >= b)


def contained(item: Cells, holder: Cells) -> Fast | None:
    """Tell whether a text holds a part; null is in no text."""
    if holder.kind is not Kind.TEXT or item.kind is not Kind.TEXT:
        return None
    part = pl.lit(item.value(), pl.String) if item.constant else pl.lit(item.series)
    whole = pl.lit(holder.value(), pl.String) if holder.constant else pl.lit(holder.series)
    return _truth(pl.select(whole.str.contains(part, literal=True).fill_null(False)).to_series())


def not_contained(item: Cells, holder: Cells) -> Fast | None:
    """Tell whether a text lacks a part, or a list the item."""
    found = contained(item, holder)
    return None if found is None else Fast(Cells(Kind.BOOLEAN, ~found.cells.series), found.doubtful)


def truth(cells: Cells) -> pl.Series:
    """Return which cells count as true: not null, not zero, not empty."""
    match cells.kind:
        case Kind.NOTHING:
            return pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(cells))
        case Kind.BOOLEAN:
            return cells.series.fill_null(False)
        case Kind.TEXT:
            return (cells.series != "").fill_null(False)
        case Kind.JSON:
            return pl.Series([bool(cell) for cell in cells.data], dtype=pl.Boolean)
    return (cells.series != 0).fill_null(False)
