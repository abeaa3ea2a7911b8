"""Comparisons of a column of numbers with one number, exact for every pair of types.

Invariant: a cell is compared by its exact value, a float counting with the digits it is written with, so nothing
is rounded to the type of the column before it is compared.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal

import polars as pl

from structforge.sdk.table_cells import DIGITS, INT64

_CONTEXT = Context(prec=2 * DIGITS, Emax=10_000, Emin=-10_000)
_LARGEST = 10**DIGITS
_BEYOND = 400
"""No number of a table has so many digits before or behind the point."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a number lies among the values that a column can hold."""

    below: pl.Expr | None
    """The largest such value that is not above the number; None when all are above it."""
    exact: bool
    """It is the number itself."""


def bound_of(dtype: pl.DataType, value: Decimal) -> Bound:
    """Return where a finite number lies among the values of a column of numbers."""
    if dtype == pl.Float64:
        return _among_floats(value)
    scale: int = dtype.scale if dtype.is_decimal() else 0  # type: ignore[attr-defined]
    least, most = (-_LARGEST + 1, _LARGEST - 1) if dtype.is_decimal() else (INT64.start, INT64.stop - 1)
    if value.adjusted() > _BEYOND:
        return Bound(None if value < 0 else _literal(most, scale, dtype), False)
    shifted = (
        value.scaleb(scale, _CONTEXT) if value.adjusted() > -_BEYOND else Decimal(-1 if value < 0 else 0)
    )
    units = int(shifted.to_integral_value(ROUND_FLOOR))
    if units < least:
        return Bound(None, False)
    if units > most:
        return Bound(_literal(most, scale, dtype), False)
    return Bound(_literal(units, scale, dtype), units == shifted and value.adjusted() > -_BEYOND or not value)


def equal(column: pl.Expr, bound: Bound) -> pl.Expr:
    """Return the expression that a cell is the number; null for null."""
    if bound.below is None or not bound.exact:
        return _known(column, value=False)
    return column == bound.below


def above(column: pl.Expr, bound: Bound, *, or_equal: bool) -> pl.Expr:
    """Return the expression that a cell is larger than the number (or equal to it); null for null."""
    if bound.below is None:
        return _known(column, value=True)
    return column >= bound.below if or_equal and bound.exact else column > bound.below


def under(column: pl.Expr, bound: Bound, *, or_equal: bool) -> pl.Expr:
    """Return the expression that a cell is smaller than the number (or equal to it); null for null."""
    return ~above(column, bound, or_equal=not or_equal)


def _among_floats(value: Decimal) -> Bound:
    near = float(value)
    if near in (float("inf"), float("-inf")):
        return Bound(None if near < 0 else pl.lit(1.7976931348623157e308), False)
    digits = Decimal(repr(near))
    if digits == value:
        return Bound(pl.lit(near), True)
    return Bound(pl.lit(near), False) if digits < value else Bound(_next_below(near), False)


def _next_below(value: float) -> pl.Expr | None:
    below = math.nextafter(value, -math.inf)
    return None if math.isinf(below) else pl.lit(below)


def _literal(units: int, scale: int, dtype: pl.DataType) -> pl.Expr:
    if not dtype.is_decimal():
        return pl.lit(units, pl.Int64)
    return pl.lit(Decimal(units).scaleb(-scale, _CONTEXT), dtype)


def _known(column: pl.Expr, *, value: bool) -> pl.Expr:
    return pl.when(column.is_not_null()).then(pl.lit(value))
