"""Kernels of `+ - * / // %` and signs over whole columns.

Invariant: integers and decimals are computed as whole numbers and never wrap: what may not fit into 128 bits, and
every division by zero, is marked doubtful and left to the cell by cell way.
"""

from collections.abc import Callable
from typing import Any

import polars as pl

from structforge.nodes.row_language.cells import EXACT, INT64, INT128, NUMERIC, Cells, Kind, narrowed, nothing
from structforge.nodes.row_language.operations import Fast

EXACT_FLOAT = 2**53
"""Whole numbers up to here are floats without loss."""
_NEAR_128_BITS = 1.6e38
_POWERS_OF_TEN = 38


def bound(series: pl.Series) -> int:
    """Return the largest absolute value of a column of integers."""
    low, high = series.min(), series.max()
    return 0 if low is None else max(abs(int(low)), abs(int(high)))  # type: ignore[arg-type]


def _either(*masks: pl.Series | None) -> pl.Series | None:
    found = [mask for mask in masks if mask is not None]
    if not found:
        return None
    result = found[0]
    for mask in found[1:]:
        result = result | mask
    return result


def _widened(*series: pl.Series, reach: int) -> tuple[pl.Series, ...]:
    """Return the columns in the width in which a result up to `reach` fits, if any does."""
    if reach in INT64 and all(one.dtype == pl.Int64 for one in series):
        return series
    return tuple(one.cast(pl.Int128) for one in series)


def scaled_up(series: pl.Series, places: int) -> tuple[pl.Series, pl.Series | None]:
    """Return whole numbers times a power of ten, and the rows where that does not fit into 128 bits."""
    if not places:
        return series, None
    if places > _POWERS_OF_TEN:
        return series, pl.Series([True], dtype=pl.Boolean).new_from_index(0, len(series))
    factor = 10**places
    # The factor itself has to fit, also where all numbers are 0 or none is there.
    reach = max(bound(series), 1) * factor
    (wide,) = _widened(series, reach=reach)
    if reach in INT128:
        return wide * pl.Series([factor], dtype=wide.dtype), None
    return wide * pl.Series([factor], dtype=pl.Int128), wide.abs() > INT128.stop // factor


def aligned(left: Cells, right: Cells) -> tuple[pl.Series, pl.Series, int, pl.Series | None]:
    """Return two exact columns as whole numbers with the same decimals, the decimals, and doubtful rows."""
    scale = max(left.scale, right.scale)
    one, one_doubt = scaled_up(left.series, scale - left.scale)
    other, other_doubt = scaled_up(right.series, scale - right.scale)
    return one, other, scale, _either(one_doubt, other_doubt)


def one_zero(series: pl.Series) -> pl.Series:
    """Return floats with 0.0 for -0.0, which is no number that people know. (Polars leaves `+ 0.0` out.)"""
    zero = series == 0
    return series.set(zero.fill_null(False), 0.0) if zero.any() else series


def quotient(left: pl.Series, right: pl.Series) -> pl.Series:
    """Return the quotients of floats, each rounded once.

    Polars divides by a single value as multiplication by its reciprocal, which is not the same; so there is one
    divisor for each row.
    """
    return left / (right.new_from_index(0, len(left)) if len(right) == 1 else right)


def over_power_of_ten(series: pl.Series, places: int) -> pl.Series:
    """Return floats divided by a power of ten, rounded once."""
    return quotient(series, pl.Series([10.0**places])) if places else series


def as_floats(cells: Cells) -> tuple[pl.Series, pl.Series | None]:
    """Return numbers as the nearest floats, and the rows where that takes exact arithmetic."""
    if cells.kind is Kind.NUMBER:
        return cells.series, None
    floats = cells.series.cast(pl.Float64)
    if not cells.scale:
        return floats, None
    doubtful = None
    if cells.scale > 22:
        doubtful = cells.series.is_not_null()
    elif bound(cells.series) >= EXACT_FLOAT:
        doubtful = floats.abs() >= EXACT_FLOAT
    return over_power_of_ten(floats, min(cells.scale, 300)), doubtful


def _exact(kind: Kind, series: pl.Series, scale: int, doubtful: pl.Series | None) -> Fast:
    return Fast(Cells(kind, narrowed(series) if doubtful is None else series, scale), doubtful)


def _kind(left: Cells, right: Cells) -> Kind:
    return Kind.DECIMAL if Kind.DECIMAL in (left.kind, right.kind) else Kind.INTEGER


def _rows(left: Cells, right: Cells) -> int:
    return len(right) if left.constant else len(left)


def _floats(operate: Callable[[Any, Any], Any], left: Cells, right: Cells) -> Fast:
    one, one_doubt = as_floats(left)
    other, other_doubt = as_floats(right)
    result = one_zero(operate(one, other))
    finite = result.is_finite()
    endless = None if finite.all() else ~finite
    return Fast(Cells(Kind.NUMBER, result), _either(one_doubt, other_doubt, endless))


def _sum_like(operate: Callable[[Any, Any], Any]) -> Callable[[Cells, Cells], Fast | None]:
    def kernel(left: Cells, right: Cells) -> Fast | None:
        if Kind.NOTHING in (left.kind, right.kind):
            return Fast(nothing(_rows(left, right)))
        if left.kind in EXACT and right.kind in EXACT:
            one, other, scale, doubtful = aligned(left, right)
            reach = bound(one) + bound(other)
            one, other = _widened(one, other, reach=reach)
            if reach not in INT128:
                estimate = operate(one.cast(pl.Float64), other.cast(pl.Float64))
                doubtful = _either(doubtful, estimate.abs() > _NEAR_128_BITS)
            result = operate(one, other)
            return _exact(_kind(left, right), result, scale, doubtful)
        if left.kind in NUMERIC and right.kind in NUMERIC:
            return _floats(operate, left, right)
        return None

    return kernel


subtract = _sum_like(lambda a, b: a - b)
_add_numbers = _sum_like(lambda a, b: a + b)


def add(left: Cells, right: Cells) -> Fast | None:
    """Add numbers, join texts."""
    if left.kind is Kind.TEXT and right.kind is Kind.TEXT:
        return Fast(Cells(Kind.TEXT, left.series + right.series))
    return _add_numbers(left, right)


def multiply(left: Cells, right: Cells) -> Fast | None:
    """Multiply numbers."""
    if Kind.NOTHING in (left.kind, right.kind):
        return Fast(nothing(_rows(left, right)))
    if left.kind in EXACT and right.kind in EXACT:
        reach = bound(left.series) * bound(right.series)
        one, other = _widened(left.series, right.series, reach=reach)
        doubtful = None
        if reach not in INT128:
            doubtful = (one.cast(pl.Float64) * other.cast(pl.Float64)).abs() > _NEAR_128_BITS
        return _exact(_kind(left, right), one * other, left.scale + right.scale, doubtful)
    if left.kind in NUMERIC and right.kind in NUMERIC:
        return _floats(lambda a, b: a * b, left, right)
    return None


def divide(left: Cells, right: Cells) -> Fast | None:
    """Divide numbers; both sides of exact ones are made whole first, so that one rounding is all there is."""
    if Kind.NOTHING in (left.kind, right.kind):
        return Fast(nothing(_rows(left, right)))
    if left.kind in EXACT and right.kind in EXACT:
        one, other, _, doubtful = aligned(left, right)
        if max(bound(one), bound(other)) > EXACT_FLOAT:
            large = (one.cast(pl.Float64).abs() >= EXACT_FLOAT) | (
                other.cast(pl.Float64).abs() >= EXACT_FLOAT
            )
            doubtful = _either(doubtful, large)
        one, other = one.cast(pl.Float64), other.cast(pl.Float64)
    elif left.kind in NUMERIC and right.kind in NUMERIC and Kind.DECIMAL not in (left.kind, right.kind):
        doubtful = None
        for cells in (left, right):
            if cells.kind is Kind.INTEGER and bound(cells.series) > EXACT_FLOAT:
                doubtful = _either(doubtful, cells.series.cast(pl.Float64).abs() >= EXACT_FLOAT)
        one, other = left.series.cast(pl.Float64), right.series.cast(pl.Float64)
    else:
        return None
    result = one_zero(quotient(one, other))
    zero = (other == 0) if (other == 0).any() else None
    endless = None if zero is None and result.is_finite().all() else ~result.is_finite()
    return Fast(Cells(Kind.NUMBER, result), _either(doubtful, endless))


def _whole_division(
    operate: Callable[[Any, Any], Any], of_floats: Callable[[Cells, Cells], Fast], *, keeps_places: bool
) -> Callable[[Cells, Cells], Fast | None]:
    def kernel(left: Cells, right: Cells) -> Fast | None:
        if Kind.NOTHING in (left.kind, right.kind):
            return Fast(nothing(_rows(left, right)))
        if left.kind in EXACT and right.kind in EXACT:
            one, other, scale, doubtful = aligned(left, right)
            one, other = _widened(one, other, reach=max(bound(one), bound(other)))
            result = operate(one, other)
            zero = other == 0
            doubtful = _either(doubtful, zero if zero.any() else None)
            return _exact(_kind(left, right), result, scale if keeps_places else 0, doubtful)
        if left.kind in NUMERIC and right.kind in NUMERIC:
            return of_floats(left, right)
        return None

    return kernel


def _float_steps(left: Cells, right: Cells) -> tuple[pl.Series, pl.Series, pl.Series | None]:
    """Return quotient rounded down, remainder, and doubtful rows of floats by whole divisors.

    With a whole divisor all products here are exact, so the comparison with the dividend decides.
    """
    one, one_doubt = as_floats(left)
    other, other_doubt = as_floats(right)
    steps = quotient(one, other)
    steps = (steps.abs().floor() * steps.sign()).fill_nan(0.0)
    rest = one - steps * other
    doubtful = _either(
        one_doubt,
        other_doubt,
        (other != other.floor()) | (other == 0) | (other.abs() >= 2.0**31),
        (one.abs() >= EXACT_FLOAT / 2) | (rest * one.sign() < 0) | (rest.abs() >= other.abs()),
    )
    against = (rest != 0) & ((rest < 0) != (other < 0))
    return steps - against.cast(pl.Float64), rest + other * against.cast(pl.Float64), doubtful


def _floor_floats(left: Cells, right: Cells) -> Fast:
    steps, _, doubtful = _float_steps(left, right)
    return Fast(Cells(Kind.NUMBER, one_zero(steps)), doubtful)


def _rest_floats(left: Cells, right: Cells) -> Fast:
    _, rest, doubtful = _float_steps(left, right)
    return Fast(Cells(Kind.NUMBER, one_zero(rest)), doubtful)


divide_down = _whole_division(lambda a, b: a // b, _floor_floats, keeps_places=False)
remainder = _whole_division(lambda a, b: a % b, _rest_floats, keeps_places=True)


def power(base: Cells, times: Cells) -> Fast | None:
    """Raise integers and decimals to a small whole power."""
    count = times.value() if times.constant else None
    if isinstance(count, float) and count.is_integer():
        count = int(count)
    if base.kind not in EXACT or type(count) is not int or not 1 <= count <= 4:
        return None
    result = Fast(base)
    for _ in range(count - 1):
        product = multiply(result.cells, base)
        if product is None or product.doubtful is not None:
            return None
        result = product
    return result


def negate(value: Cells) -> Fast | None:
    """Change the sign."""
    if value.kind is Kind.NUMBER:
        return Fast(Cells(Kind.NUMBER, one_zero(-value.series)))
    if value.kind in EXACT:
        (wide,) = _widened(value.series, reach=bound(value.series))
        return _exact(value.kind, pl.Series([0], dtype=wide.dtype) - wide, value.scale, None)
    return None


def absolute(value: Cells) -> Fast | None:
    """Drop the sign."""
    if value.kind is Kind.NUMBER:
        return Fast(Cells(Kind.NUMBER, value.series.abs()))
    if value.kind in EXACT:
        (wide,) = _widened(value.series, reach=bound(value.series))
        return _exact(value.kind, wide.abs(), value.scale, None)
    return None


def square_root(value: Cells) -> Fast | None:
    """Return square roots, which every library rounds alike."""
    if value.kind not in (Kind.INTEGER, Kind.NUMBER):
        return None
    floats = value.series.cast(pl.Float64)
    return Fast(Cells(Kind.NUMBER, one_zero(floats.sqrt())), (floats < 0) | (floats.abs() >= EXACT_FLOAT))
