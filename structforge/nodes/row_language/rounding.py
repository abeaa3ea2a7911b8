"""Kernels of rounding over whole columns: half away from zero on the digits as written.

Invariant: a float is rounded by comparing it with floats that are nearest to decimals of at most 15 digits, which
orders it as its shortest digits do; larger ones are left to the cell by cell way.
"""

from typing import Any

import polars as pl

from structforge.nodes.row_language.arithmetic import bound, one_zero, over_power_of_ten, scaled_up
from structforge.nodes.row_language.cells import DIGITS, EXACT, Cells, Kind, narrowed, with_scale
from structforge.nodes.row_language.operations import Fast

_SURE = 10.0**14
_MOST_DIGITS = 22
_METHODS = ("common", "floor", "ceil")


def rounded(value: Cells, digits: Cells | None = None, method: Cells | None = None) -> Fast | None:
    """Round; without digits to an integer."""
    places = 0 if digits is None else _constant(digits)
    how = "common" if method is None else _constant(method)
    if isinstance(places, float) and places.is_integer():
        places = int(places)
    if how not in _METHODS or type(places) is not int or not -_MOST_DIGITS <= places <= _MOST_DIGITS:
        return None
    if value.kind in EXACT:
        return _exact(value, places, how, whole=places == 0)
    if value.kind is Kind.NUMBER:
        return _number(value.series, places, how, whole=places == 0)
    return None


def down(value: Cells, digits: Cells | None = None) -> Fast | None:
    """Round toward minus infinity."""
    return rounded(value, digits, _FLOOR)


def up(value: Cells, digits: Cells | None = None) -> Fast | None:
    """Round toward plus infinity."""
    return rounded(value, digits, _CEIL)


_FLOOR = Cells(Kind.TEXT, pl.Series(["floor"]), constant=True)
_CEIL = Cells(Kind.TEXT, pl.Series(["ceil"]), constant=True)


def _constant(cells: Cells) -> Any:
    return cells.value() if cells.constant else None


def _exact(value: Cells, places: int, how: str, *, whole: bool) -> Fast | None:
    kind = Kind.INTEGER if whole else value.kind
    drop = value.scale - places
    if drop <= 0:
        return Fast(Cells(kind, value.series, value.scale))
    if drop > 37:
        return None
    wide = value.series.cast(pl.Int128)
    unit = pl.Series([10**drop], dtype=pl.Int128)
    if how == "floor":
        found = wide // unit
    elif how == "ceil":
        none = pl.Series([0], dtype=pl.Int128)
        found = none - ((none - wide) // unit)
    else:
        half = pl.Series([10**drop // 2], dtype=pl.Int128)
        size = (wide.abs() // unit) + ((wide.abs() % unit) >= half).cast(pl.Int128)
        found = size * wide.sign()
    if places >= 0:
        return Fast(Cells(kind, narrowed(found), places))
    back, doubtful = scaled_up(narrowed(found), -places)
    return Fast(Cells(kind, back if doubtful is not None else narrowed(back), 0), doubtful)


def _number(series: pl.Series, places: int, how: str, *, whole: bool) -> Fast:
    steps, doubtful = _steps(series, places, how)
    result = one_zero(_divided(steps, places))
    if whole:
        sure = result.set(doubtful.fill_null(False), 0.0)
        return Fast(Cells(Kind.INTEGER, sure.cast(pl.Int64)), _if_any(doubtful))
    return Fast(Cells(Kind.NUMBER, result), _if_any(doubtful))


def _steps(series: pl.Series, places: int, how: str) -> tuple[pl.Series, pl.Series]:
    """Return the rounded numbers in units of the last place, and the rows that are too large to be sure."""
    size = series.abs()
    scaled = _divided(size, -places)
    steps = scaled.floor()
    # `scaled` may be rounded onto a whole number from either side; the comparisons are right for both.
    if how == "common":
        steps = steps + (size >= _divided(steps + 0.5, places)).cast(pl.Float64)
    else:
        above = size >= _divided(steps + 1.0, places)
        below = size < _divided(steps, places)
        steps = steps + above.cast(pl.Float64) - below.cast(pl.Float64)
        exact = size == _divided(steps, places)
        away = (series > 0) if how == "ceil" else (series < 0)
        steps = steps + (away & ~exact).cast(pl.Float64)
    return steps * series.sign(), scaled >= _SURE


def _divided(series: pl.Series, places: int) -> pl.Series:
    """Return `series / 10 ** places`, rounded once."""
    return over_power_of_ten(series, places) if places >= 0 else series * 10.0**-places


def _if_any(mask: pl.Series) -> pl.Series | None:
    return mask if mask.any() else None


def fixed(value: Cells, digits: Cells) -> Fast | None:
    """Return texts with exactly so many decimals."""
    places = _constant(digits)
    if isinstance(places, float) and places.is_integer():
        places = int(places)
    if type(places) is not int or not 0 <= places <= _MOST_DIGITS:
        return None
    if value.kind is Kind.NUMBER:
        steps, doubtful = _steps(value.series, places, "common")
        whole = steps.set(doubtful.fill_null(False), 0.0).cast(pl.Int64)
        return Fast(Cells(Kind.TEXT, _digits(whole, places)), _if_any(doubtful))
    if value.kind in EXACT:
        rounded_off = _exact(value, places, "common", whole=False)
        if rounded_off is None or rounded_off.doubtful is not None:
            return None
        found = rounded_off.cells
        whole, doubt = scaled_up(found.series, places - found.scale)
        if bound(whole) >= 10**DIGITS:
            return None
        return Fast(Cells(Kind.TEXT, _digits(whole, places)), doubt)
    return None


def _digits(whole: pl.Series, places: int) -> pl.Series:
    return with_scale(whole, places).cast(pl.String)
