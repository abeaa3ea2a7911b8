"""Dates in tables: ISO 8601 text in, parts out.

Invariant: a text that is no date is an error with its row, never a silent null. Table nodes and row
expressions use it.
"""

from typing import Literal, get_args

import polars as pl

from structforge.domain.errors import sentence
from structforge.sdk import NodeError

DatePart = Literal[
    "year", "quarter", "month", "year_month", "week", "day", "weekday", "date", "hour", "day_of_year"
]
DATE_PARTS: tuple[DatePart, ...] = get_args(DatePart)

_DAYS = ("%Y-%m-%d", "%Y/%m/%d")
_MOMENTS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")
_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")


def moment(text: pl.Expr, pattern: str = "") -> pl.Expr:
    """Parse text to a moment without zone (zoned ones are turned into UTC); null where it is no date.

    Without `pattern`: ISO 8601 and `YYYY/MM/DD`. A pattern uses strftime codes (`%d.%m.%Y`).
    """
    text = text.cast(pl.String)
    if pattern:
        return pl.coalesce(
            text.str.to_datetime(pattern, strict=False, time_unit="us"),
            text.str.to_date(pattern, strict=False).cast(pl.Datetime("us")),
        )
    return pl.coalesce(
        *(text.str.to_date(form, strict=False).cast(pl.Datetime("us")) for form in _DAYS),
        *(text.str.to_datetime(form, strict=False, time_unit="us") for form in _MOMENTS),
        *(
            text.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC").dt.replace_time_zone(
                None
            )
            for form in _ZONED
        ),
    )


def part_of(when: pl.Expr, part: DatePart) -> pl.Expr:
    """Return a part of a moment: whole numbers, or ISO text for `date` and `year_month`."""
    match part:
        case "year":
            return when.dt.year().cast(pl.Int64)
        case "quarter":
            return when.dt.quarter().cast(pl.Int64)
        case "month":
            return when.dt.month().cast(pl.Int64)
        case "year_month":
            return when.dt.strftime("%Y-%m")
        case "week":
            return when.dt.week().cast(pl.Int64)
        case "day":
            return when.dt.day().cast(pl.Int64)
        case "weekday":
            return when.dt.weekday().cast(pl.Int64)
        case "date":
            return when.dt.strftime("%Y-%m-%d")
        case "hour":
            return when.dt.hour().cast(pl.Int64)
        case "day_of_year":
            return when.dt.ordinal_day().cast(pl.Int64)


def date_part(frame: pl.DataFrame, column: pl.Expr, part: DatePart, *, where: str) -> pl.Expr:
    """Return the expression of a part of the date in `column`. Raises: NodeError `table.not_a_date`."""
    return part_of(checked_moment(frame, column, where=where), part)


def checked_moment(frame: pl.DataFrame, column: pl.Expr, *, where: str, pattern: str = "") -> pl.Expr:
    """Return the expression of the moment in `column`, after checking that each filled cell is a date.

    Raises: NodeError `table.not_a_date` with the first row (from 1) and its value.
    """
    parsed = moment(column, pattern)
    source = column.cast(pl.String)
    wrong = (
        frame.lazy()
        .select(value=source, wrong=source.is_not_null() & (source != "") & parsed.is_null())
        .with_row_index("row", offset=1)
        .filter("wrong")
        .head(1)
        .collect()
    )
    if wrong.height:
        row, value = wrong.item(0, "row"), wrong.item(0, "value")
        expected = (
            f"the pattern `{pattern}`" if pattern else "a date such as `2024-03-01` or `2024-03-01T14:30:00Z`"
        )
        raise NodeError(
            "table.not_a_date",
            sentence(
                "Row {row} has `{value}`, which is not {expected}.", row=row, value=value, expected=expected
            ),
            where=where,
            hint="Clean the column first (`Transform`, cast with a pattern), or filter such rows out.",
            row=row,
        )
    return parsed
