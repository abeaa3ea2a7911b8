"""Dates as ISO 8601 text, for a language whose values are JSON.

Invariant: no clock is read and no time zone is guessed; formats use a fixed set of directives.
"""

import re
from datetime import date, datetime, timedelta

from structforge.domain.errors import sentence
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.problems import Fault, kind_of
from structforge.domain.values import JsonValue

_MAX_CHARS = 100
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
_ALLOWED = frozenset("YmdHMSfjaAbBypIzZ%")


def _read(value: JsonValue) -> date:
    if not isinstance(value, str):
        raise Fault(
            "expression.type",
            sentence("A date is a text such as 2024-05-31, not {value}.", value=kind_of(value)),
        )
    if len(value) <= _MAX_CHARS:
        text = value.strip()
        try:
            return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
        except ValueError:
            pass
    raise Fault(
        "expression.type",
        sentence("{value} is not an ISO 8601 date.", value=repr(value[:40])),
        "Give its format, as in parse_date(x, '%d.%m.%Y').",
    )


def _format(value: JsonValue) -> str:
    if not isinstance(value, str) or len(value) > _MAX_CHARS:
        raise Fault(
            "expression.arguments",
            sentence("A date format is a text of at most {max_chars} characters.", max_chars=_MAX_CHARS),
        )
    for directive in _DIRECTIVE.findall(value):
        if directive not in _ALLOWED or directive == "":
            raise Fault(
                "expression.arguments",
                sentence("%{directive} is not a date directive.", directive=directive),
                sentence(
                    "Use one of {allowed}.", allowed=" ".join("%" + letter for letter in sorted(_ALLOWED))
                ),
            )
    return value


def parse_date(work: Work, value: JsonValue, format: JsonValue = None) -> str:
    """Return the ISO 8601 text of a date or time; without a format it must be ISO 8601 already."""
    work.charge(_MAX_CHARS)
    if format is None:
        return _read(value).isoformat()
    pattern = _format(format)
    directives = _DIRECTIVE.findall(pattern)
    if len(set(directives)) != len(directives):
        raise Fault(
            "expression.arguments", "Each directive may stand once in the format of a date to be read."
        )
    if not isinstance(value, str) or len(value) > _MAX_CHARS:
        raise Fault("expression.type", sentence("A date is a short text, not {value}.", value=kind_of(value)))
    try:
        moment = datetime.strptime(value.strip(), pattern)
    except ValueError as error:
        raise Fault(
            "expression.type",
            sentence("{value} does not match the format {pattern}.", value=repr(value[:40]), pattern=pattern),
        ) from error
    has_time = any(letter in directives for letter in "HMSfpI")
    return moment.isoformat() if has_time else moment.date().isoformat()


def format_date(work: Work, value: JsonValue, format: JsonValue) -> str:
    """Write an ISO 8601 date or time in a format such as `%d.%m.%Y`."""
    work.charge(20 * _MAX_CHARS)
    moment = _read(value)
    # The C library leaves leading zeros of the year out on some systems.
    pattern = re.sub(
        "%[%Y]", lambda match: match[0] if match[0] == "%%" else f"{moment.year:04}", _format(format)
    )
    try:
        return moment.strftime(pattern)
    except ValueError as error:
        raise Fault("expression.type", "The date cannot be written in this format.") from error


def add_days(work: Work, value: JsonValue, days: JsonValue) -> str:
    """Return the date or time moved by a number of days, which may be negative or a fraction."""
    work.charge(_MAX_CHARS)
    if not isinstance(days, int | float):
        raise Fault(
            "expression.type",
            sentence("The number of days must be a number, not {days}.", days=kind_of(days)),
        )
    try:
        return (_read(value) + timedelta(days=days)).isoformat()
    except (OverflowError, ValueError) as error:
        raise Fault("expression.too_large", "The date would lie outside the years 1 to 9999.") from error


def days_between(work: Work, start: JsonValue, end: JsonValue) -> int | float:
    """Return the days from the first to the second date, whole if both are dates."""
    work.charge(_MAX_CHARS)
    first, last = _read(start), _read(end)
    if isinstance(first, datetime) != isinstance(last, datetime):
        first, last = (
            item if isinstance(item, datetime) else datetime(item.year, item.month, item.day)
            for item in (first, last)
        )
    try:
        gap = last - first
    except TypeError as error:
        raise Fault("expression.type", "One of the times has a time zone and the other has none.") from error
    return gap.days if not isinstance(first, datetime) else gap.total_seconds() / 86_400
