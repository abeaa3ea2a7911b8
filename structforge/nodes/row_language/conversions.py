"""Kernels that turn columns into numbers, and of the functions of regular expressions.

Invariant: only plain spellings of numbers are read here (digits, a minus, a point); all others are left to the
`{{ }}` language. Patterns run in the same library there and here.
"""

from collections.abc import Callable
from typing import Any

import polars as pl

from structforge.domain.expressions.patterns import MAX_PATTERN_CHARS, groups_in
from structforge.nodes.row_language.arithmetic import EXACT_FLOAT, as_floats, one_zero
from structforge.nodes.row_language.cells import EXACT, Cells, Kind, narrowed
from structforge.nodes.row_language.operations import Fast, Kernel

_PLAIN_INTEGER = r"^-?[0-9]{1,18}$"
_PLAIN_NUMBER = r"^-?[0-9]{1,30}(?:\.[0-9]{1,30})?$"


def to_integer(value: Cells, default: Cells | None = None) -> Fast | None:
    """Read whole numbers; of numbers the fraction is cut off."""
    if value.kind is Kind.INTEGER:
        return Fast(value)
    if value.kind is Kind.DECIMAL and value.scale <= 37:
        unit = pl.Series([10**value.scale], dtype=pl.Int128)
        wide = value.series.cast(pl.Int128)
        return Fast(Cells(Kind.INTEGER, narrowed((wide.abs() // unit) * wide.sign())))
    if value.kind is Kind.NUMBER:
        large = value.series.abs() >= EXACT_FLOAT
        whole = value.series.cast(pl.Int64, strict=False)
        return Fast(Cells(Kind.INTEGER, whole), large if large.any() else None)
    if value.kind is Kind.TEXT:
        plain = value.series.str.contains(_PLAIN_INTEGER)
        return _read(value, plain, Kind.INTEGER, pl.Int64)
    return None


def to_number(value: Cells, default: Cells | None = None) -> Fast | None:
    """Read floating point numbers."""
    if value.kind is Kind.NUMBER:
        return Fast(value)
    if value.kind in EXACT:
        floats, doubtful = as_floats(value)
        return Fast(Cells(Kind.NUMBER, floats), doubtful)
    if value.kind is Kind.TEXT:
        return _read(value, value.series.str.contains(_PLAIN_NUMBER), Kind.NUMBER, pl.Float64)
    return None


def _read(value: Cells, plain: pl.Series, kind: Kind, dtype: Any) -> Fast:
    found = value.series.set(~plain.fill_null(False), None).cast(dtype, strict=False)
    if kind is Kind.NUMBER:
        found = one_zero(found)
    # Null cells are doubtful too: a default stands for them as the other language says.
    return Fast(Cells(kind, found), found.is_null() if found.null_count() else None)


def _pattern(cells: Cells) -> str | None:
    form = cells.value() if cells.constant else None
    return form if isinstance(form, str) and len(form) <= MAX_PATTERN_CHARS else None


def _searched(kind: Kind, value: Cells, find: Callable[[pl.Series], pl.Series]) -> Fast | None:
    if value.kind is not Kind.TEXT:
        return None
    try:
        return Fast(Cells(kind, find(value.series)))
    except pl.exceptions.PolarsError:
        return None


def matches(value: Cells, pattern: Cells) -> Fast | None:
    """Tell where a pattern is found."""
    form = _pattern(pattern)
    return None if form is None else _searched(Kind.BOOLEAN, value, lambda texts: texts.str.contains(form))


def extract(value: Cells, pattern: Cells, group: Cells | None = None) -> Fast | None:
    """Return what a pattern found first."""
    form = _pattern(pattern)
    if form is None:
        return None
    number = min(groups_in(form), 1) if group is None else group.value() if group.constant else None
    if type(number) is not int or not 0 <= number <= groups_in(form):
        return None
    return _searched(Kind.TEXT, value, lambda texts: texts.str.extract(form, number))


def replace_pattern(value: Cells, pattern: Cells, replacement: Cells) -> Fast | None:
    """Replace everything a pattern finds."""
    form, new = _pattern(pattern), _pattern(replacement)
    if form is None or new is None:
        return None
    return _searched(Kind.TEXT, value, lambda texts: texts.str.replace_all(form, new))


def extreme(pick: Callable[..., Any]) -> Kernel:
    """Return the kernel of the smallest or largest of a row's values; nulls are left out."""

    def kernel(*values: Cells) -> Fast | None:
        kinds = {cells.kind for cells in values}
        if len(values) < 2 or kinds not in ({Kind.INTEGER}, {Kind.NUMBER}, {Kind.TEXT}):
            return None
        columns = [pl.lit(cells.series) for cells in values if not cells.constant]
        columns += [pl.lit(cells.value(), cells.series.dtype) for cells in values if cells.constant]
        return Fast(Cells(kinds.pop(), pl.select(pick(*columns)).to_series()))

    return kernel


smallest = extreme(pl.min_horizontal)
largest = extreme(pl.max_horizontal)
