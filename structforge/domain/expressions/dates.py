"""Functions on dates as ISO 8601 text, for a language whose values are JSON (docs/values.md).

Invariant: all that dates mean stands in `domain.moments`; here arguments are checked and failures become faults.
"""

from collections.abc import Callable
from typing import Any

from structforge.domain.date_patterns import read_by, written_by
from structforge.domain.errors import sentence
from structforge.domain.expressions.arguments import a_number, a_text
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.problems import Fault, kind_of
from structforge.domain.moments import (
    MAX_CHARS,
    Moment,
    MomentError,
    Part,
    Unit,
    between,
    from_unix,
    in_zone,
    iso,
    moved,
    part_of,
    read,
    to_unix,
    to_zone,
)
from structforge.domain.values import JsonValue

Function = Callable[..., Any]


def _attempt(work: Work, act: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function of dates gives. Raises: Fault."""
    work.charge(MAX_CHARS)
    try:
        return act(*arguments)
    except MomentError as error:
        raise Fault("expression.type", error.message, error.hint) from error


def a_moment(work: Work, value: JsonValue) -> Moment:
    """Return the date that a text is. Raises: Fault."""
    if not isinstance(value, str):
        raise Fault(
            "expression.type",
            sentence("A date is a text such as 2024-05-31, not {value}.", value=kind_of(value)),
        )
    moment: Moment = _attempt(work, read, value)
    return moment


def parse_date(work: Work, value: JsonValue, format: JsonValue = None) -> str:
    """Return the ISO 8601 text of a date or time; without a pattern its spelling has to be recognised."""
    if format is None:
        return iso(a_moment(work, value))
    if not isinstance(value, str):
        raise Fault(
            "expression.type",
            sentence("A date is a text such as 2024-05-31, not {value}.", value=kind_of(value)),
        )
    return iso(_attempt(work, read_by, value, a_text(format, "pattern")))


def format_date(work: Work, value: JsonValue, format: JsonValue) -> str:
    """Write a date or time by a pattern such as `%d.%m.%Y`."""
    work.charge(20 * MAX_CHARS)
    text: str = _attempt(work, written_by, a_moment(work, value), a_text(format, "pattern"))
    return text


def date(work: Work, value: JsonValue, format: JsonValue = None) -> str:
    """Return the date of a date with time, without its time."""
    moment = (
        a_moment(work, value)
        if format is None
        else _attempt(work, read_by, a_text(value), a_text(format, "pattern"))
    )
    return str(_attempt(work, part_of, moment, "date"))


def part(name: Part) -> Function:
    """Return the function that gives one part of a date."""

    def take(work: Work, value: JsonValue) -> JsonValue:
        found: JsonValue = _attempt(work, part_of, a_moment(work, value), name)
        return found

    return take


def adding(unit: Unit) -> Function:
    """Return the function that moves a date by a number of units."""

    def add(work: Work, value: JsonValue, count: JsonValue) -> str:
        number = a_number(count, f"number of {unit}")
        return iso(_attempt(work, moved, a_moment(work, value), unit, number))

    return add


def distance(unit: Unit) -> Function:
    """Return the function that counts the units between two dates."""

    def count(work: Work, value: JsonValue, end: JsonValue) -> JsonValue:
        found: JsonValue = _attempt(work, between, a_moment(work, value), a_moment(work, end), unit)
        return found

    return count


def in_another_zone(work: Work, value: JsonValue, zone: JsonValue) -> str:
    """Return the same instant with the offset of a zone."""
    return iso(_attempt(work, to_zone, a_moment(work, value), a_text(zone, "zone")))


def with_zone(work: Work, value: JsonValue, zone: JsonValue) -> str:
    """Return a time without offset with the one it has in a zone."""
    return iso(_attempt(work, in_zone, a_moment(work, value), a_text(zone, "zone")))


def unix_time(work: Work, value: JsonValue) -> JsonValue:
    """Return the seconds since 1970."""
    found: JsonValue = _attempt(work, to_unix, a_moment(work, value))
    return found


def from_unix_time(work: Work, value: JsonValue) -> str:
    """Return the moment so many seconds after 1970 began in UTC."""
    return iso(_attempt(work, from_unix, a_number(value)))
