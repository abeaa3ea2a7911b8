"""Columns turned into text, numbers or true and false, without a digit or a field lost.

Invariant: a cell that does not fit is an error with its row, or null where that is asked for; never another value.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import polars as pl

from structforge.domain.errors import sentence
from structforge.domain.numbers import decimal_of, held_by_float, read_number
from structforge.nodes.row_language.arithmetic import one_zero
from structforge.sdk import NodeError
from structforge.sdk.table_cells import DIGITS, WIDE, column_of, spelled_column
from structforge.sdk.tables import Column

PlainType = Literal["text", "number", "integer", "decimal", "boolean"]

TRUE = ("true", "yes", "y", "1", "on")
FALSE = ("false", "no", "n", "0", "off")

_FEW = r"^-?(?:0|[1-9][0-9]{0,14})$"
"""Integers that every type of number holds."""
_SHORT = r"^-?(?:0|[1-9][0-9]{0,7})(?:\.[0-9]{1,7})?$"
"""Numbers that binary64 holds with all their digits."""


def cast_column(column: Column, kind: PlainType, *, lenient: bool, where: str) -> Column:
    """Return the column as another type; `lenient` gives null for what does not fit.

    Blank texts are null, except as text. Raises: NodeError `table.not_a_number`, `table.not_a_boolean`.
    """
    text = text_of(column)
    if kind == "text":
        return Column(text)
    text = text.str.strip_chars()
    text = text.set((text == "").fill_null(False), None)
    if kind == "boolean":
        return Column(_booleans(text, lenient, where))
    if column.series.dtype == pl.Boolean:
        text = text.replace({"true": "1", "false": "0"})
    if kind == "integer":
        return Column(_integers(text, lenient, where))
    if kind == "decimal":
        return Column(_decimals(_read(text, _decimal_in, lenient, where), where))
    return _numbers(text, lenient, where)


def text_of(column: Column) -> pl.Series:
    """Return the cells as text, each as JSON spells it."""
    series = column.series.alias("cell")
    spelled = spelled_column(pl.col("cell"), series.dtype, column.written)
    return series.to_frame().select(spelled.alias("cell")).to_series()


def _booleans(text: pl.Series, lenient: bool, where: str) -> pl.Series:
    lower = text.str.to_lowercase().str.strip_suffix(".0")
    true, false = lower.is_in(list(TRUE)), lower.is_in(list(FALSE))
    wrong = (~(true | false)).fill_null(False)
    if wrong.any() and not lenient:
        row = _first(wrong)
        raise NodeError(
            "table.not_a_boolean",
            sentence(
                "Row {row} has `{shown}`, which is neither true nor false.",
                row=row + 1,
                shown=_shown(text[row]),
            ),
            where=where,
            hint=sentence("Understood are: {words}.", words=", ".join(TRUE + FALSE)),
            row=row + 1,
        )
    return true.set(wrong, None)


def _integers(text: pl.Series, lenient: bool, where: str) -> pl.Series:
    if text.str.contains(_FEW).all():
        return text.cast(pl.Int64)
    found = _found(text, _integer_in)
    wrong = _misfits(text, found)
    if wrong.any() and not lenient:
        row = _first(wrong)
        raise NodeError(
            "table.not_a_number",
            sentence(
                "Row {row} has `{shown}`, which is not a whole number of at most 38 digits.",
                row=row + 1,
                shown=_shown(text[row]),
            ),
            where=where,
            hint="Clean the column first, or filter such rows out.",
            row=row + 1,
        )
    made = column_of("", _cells(text, found))[0]
    return made.cast(pl.Int64) if made.dtype == pl.Null else made


def _numbers(text: pl.Series, lenient: bool, where: str) -> Column:
    if text.str.contains(_SHORT).all():
        return Column(one_zero(text.cast(pl.Float64)))
    cells = _read(text, _number_in, lenient, where)
    if any(isinstance(cell, Decimal) for cell in cells):
        return Column(_decimals([None if cell is None else decimal_of(cell) for cell in cells], where))
    return Column(pl.Series(cells, dtype=pl.Float64))


def _decimals(cells: list[Decimal | None], where: str) -> pl.Series:
    """Return exact decimals with at least one place, so that the column is one of decimals also without rows.

    Raises: NodeError `table.too_many_digits`.
    """
    made, mark, _ = column_of("", cells)
    if mark is not None:
        raise NodeError(
            "table.too_many_digits",
            "The numbers of the column have more than 38 digits before and after the point together.",
            where=where,
            hint="Round them first, or keep them as text.",
        )
    return made.cast(pl.Decimal(DIGITS, 1)) if made.dtype in (WIDE, pl.Int64, pl.Null) else made


def _read(text: pl.Series, read: Callable[[str], Any], lenient: bool, where: str) -> list[Any]:
    """Return the number that each text is. Raises: NodeError `table.not_a_number`."""
    found = _found(text, read)
    wrong = _misfits(text, found)
    if wrong.any() and not lenient:
        row = _first(wrong)
        raise NodeError(
            "table.not_a_number",
            sentence(
                "Row {row} has `{shown}`, which is not a number of at most 38 digits.",
                row=row + 1,
                shown=_shown(text[row]),
            ),
            where=where,
            hint="Clean the column first, or filter such rows out.",
            row=row + 1,
        )
    return _cells(text, found)


def _found(text: pl.Series, read: Callable[[str], Any]) -> dict[str, Any]:
    """Return what each text is, looked at once for each different one."""
    return {one: read(one) for one in text.drop_nulls().unique()}


def _cells(text: pl.Series, found: dict[str, Any]) -> list[Any]:
    return [None if one is None else found[one] for one in text]


def _misfits(text: pl.Series, found: dict[str, Any]) -> pl.Series:
    misfits = [one for one, value in found.items() if value is None]
    return text.is_in(misfits).fill_null(False)


def _first(mask: pl.Series) -> int:
    return int(mask.arg_true()[0])


def _shown(text: str) -> str:
    return text[:200]


def _integer_in(text: str) -> int | None:
    number = read_number(text)
    if number is None or number != int(number) or abs(number) >= 10**DIGITS:
        return None
    return int(number)


def _decimal_in(text: str) -> Decimal | None:
    number = read_number(text)
    if number is None:
        return None
    exact = decimal_of(number)
    exponent = exact.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return exact if max(exact.adjusted() + 1, 0) + places <= DIGITS else None


def _number_in(text: str) -> float | Decimal | None:
    """Return a float that loses no digit, else the decimal."""
    number = read_number(text)
    if number is None:
        return None
    held = held_by_float(decimal_of(number))
    return _decimal_in(text) if held is None else held + 0.0
