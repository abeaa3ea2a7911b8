"""Dates in the columns of tables: texts that `domain.moments` recognises in, ISO 8601 text or parts out.

Invariant: a text that is no date is an error with its row, never a silent null, and no offset is dropped; cells that
are null or blank stay null. Ordinary spellings are computed for whole columns.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, Literal, get_args

import polars as pl

from structforge.domain import moments
from structforge.domain.date_patterns import check_pattern, read_by
from structforge.domain.errors import sentence
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.problems import Fault
from structforge.domain.moments import Moment, MomentError
from structforge.nodes.row_language.cells import Cells, Kind, Split
from structforge.nodes.row_language.moments import PARTS, by_pattern, written_datetime
from structforge.nodes.row_language.operations import CellFault, Kernel, Operation, apply
from structforge.sdk import NodeError

DatePart = Literal[
    "year", "quarter", "month", "year_month", "week", "day", "weekday", "date", "hour", "day_of_year"
]
DATE_PARTS: tuple[DatePart, ...] = get_args(DatePart)


def date_part(frame: pl.DataFrame, column: pl.Expr, part: DatePart, *, where: str) -> pl.Expr:
    """Return the expression of a part of the dates in a column. Raises: NodeError `table.not_a_date`."""
    texts = frame.select(column).to_series()
    return pl.lit(
        _computed(texts, lambda text: moments.part_of(moments.read(text), part), PARTS[part], where)
    )


def converted(
    column: pl.Series, kind: Literal["date", "datetime"], *, pattern: str, lenient: bool, where: str
) -> pl.Series:
    """Return the dates of a column as ISO 8601 text: days, or days with time and the offset they have.

    `lenient` gives null for what is no date. Raises: NodeError `table.not_a_date`.
    """

    kernel = PARTS["date"] if kind == "date" and not pattern else None
    return _computed(column, _reader(kind, pattern, lenient=lenient), kernel, where)


def iso_texts(column: pl.Series, kind: Literal["date", "datetime"], pattern: str) -> pl.Series:
    """Return a column of texts as `converted` does, for readers of files.

    Raises: CellFault with the position of the first cell that is no date; MomentError for a pattern that is none.
    """
    if pattern:
        check_pattern(pattern, to_read=True)
        kernel: Kernel | None = by_pattern(pattern, kind)
    else:
        kernel = PARTS["date"] if kind == "date" else written_datetime
    return _applied(column, _reader(kind, pattern), kernel)


def _reader(
    kind: Literal["date", "datetime"], pattern: str, *, lenient: bool = False
) -> Callable[[str], str | None]:
    """Return the function that reads one text and writes it in ISO 8601."""

    def single(text: str) -> str | None:
        try:
            moment = read_by(text, pattern) if pattern else moments.read(text)
            return _written(moment, kind)
        except MomentError:
            if lenient:
                return None
            raise

    return single


def _written(moment: Moment, kind: str) -> str:
    if kind == "date":
        return str(moments.part_of(moment, "date"))
    moments.part_of(moment, "date")  # A time alone has no date to begin with.
    assert isinstance(moment, date)
    return moments.midnight(moment).isoformat()


def _computed(
    column: pl.Series, single: Callable[[str], Any], kernel: Kernel | None, where: str
) -> pl.Series:
    try:
        return _applied(column, single, kernel)
    except CellFault as error:
        raise NodeError(
            "table.not_a_date",
            sentence("Row {row}: {problem}", row=error.index + 1, problem=error.fault.message),
            where=where,
            hint=error.fault.hint,
            row=error.index + 1,
        ) from error


def _applied(column: pl.Series, single: Callable[[str], Any], kernel: Kernel | None) -> pl.Series:
    """Return what `single` gives of each text, blank ones as null. Raises: CellFault."""
    texts = column.cast(pl.String)
    texts = texts.set((texts.str.strip_chars() == "").fill_null(False), None)

    def of_text(work: Work, text: Any) -> Any:
        if text is None:
            return None
        try:
            return single(text)
        except MomentError as error:
            raise Fault("expression.type", error.message, error.hint) from error

    found = apply(Operation("date", of_text, kernel), [Cells(Kind.TEXT, texts)], len(texts))
    assert not isinstance(found, Split)
    return found.series.alias(column.name)
