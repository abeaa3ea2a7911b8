"""Dates and times as ISO 8601 text: what is recognised, moved, compared and written (docs/values.md).

Invariant: an offset is never dropped, no clock is read and no zone is guessed; what is no date is a `MomentError` that
says why. Table nodes have a vectorised twin of this module, which a property test holds to it.
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from fractions import Fraction
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from structforge.domain.errors import sentence
from structforge.domain.numbers import Number, exact, quotient, whole

Moment = date | datetime | time
Unit = Literal["years", "months", "weeks", "days", "hours", "minutes", "seconds"]
Part = Literal[
    "year",
    "quarter",
    "month",
    "year_month",
    "week",
    "day",
    "weekday",
    "day_of_year",
    "date",
    "hour",
    "minute",
    "second",
]

MAX_CHARS = 100
"""Longest text that is read as a date."""

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""English, whatever the machine is set to."""

_MICROSECONDS: dict[str, int] = {
    "weeks": 7 * 86_400_000_000,
    "days": 86_400_000_000,
    "hours": 3_600_000_000,
    "minutes": 60_000_000,
    "seconds": 1_000_000,
}
_OFFSET = r"(?P<offset>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?)"
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?P<half>[AaPp]\.?[Mm]\.?))?"
)
_SPELLINGS = tuple(
    re.compile(spelling, re.ASCII)
    for spelling in (
        rf"(?P<year>\d{{4}})(?P<mark>[-/])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}})"
        rf"(?:(?:[Tt]| ){_CLOCK}(?: ?{_OFFSET})?)?\Z",
        rf"(?P<year>\d{{4}})(?P<month>\d{{2}})(?P<day>\d{{2}})"
        rf"(?:[Tt](?P<hour>\d{{2}})(?P<minute>\d{{2}})(?P<second>\d{{2}})?{_OFFSET}?)?\Z",
        rf"(?:(?P<weekday>[A-Za-z]{{3}}), )?(?P<day>\d{{1,2}}) (?P<name>[A-Za-z]{{3}}) (?P<year>\d{{4}}) "
        rf"{_CLOCK} {_OFFSET}\Z",
        rf"{_CLOCK}\Z",
        r"(?P<year>\d{4})-W(?P<week>\d{2})-(?P<of_week>\d)\Z",
    )
)
"""What is recognised without a pattern; the table in docs/values.md names each."""


class MomentError(ValueError):
    """A text that is no date, or something that cannot be done with it; another try gives the same."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read(text: str) -> Moment:
    """Return the date, the date with time, or the time that a text spells. Raises: MomentError."""
    found = text.strip()
    if len(found) <= MAX_CHARS:
        for spelling in _SPELLINGS:
            if match := spelling.match(found):
                return _made(match.groupdict(), found)
    raise MomentError(
        sentence("`{text}` is not a date that is recognised.", text=found[:40]),
        sentence(
            "Write it as 2024-05-31 or 2024-05-31T10:30:00+02:00, or give its pattern, as in parse_date(x, '%d.%m.%Y')."
        ),
    )


def iso(moment: Moment) -> str:
    """Return the ISO 8601 text of a moment."""
    return moment.isoformat()


def moved(moment: Moment, unit: Unit, count: Number) -> date | datetime:
    """Return the moment `count` units later, earlier when negative. Raises: MomentError."""
    day = _dated(moment)
    steps = whole(count)
    if unit in ("years", "months", "weeks") and steps is None:
        raise MomentError(
            sentence("The number of {unit} must be whole.", unit=unit),
            sentence("Use add_days for parts of them."),
        )
    try:
        if unit in ("years", "months"):
            return _months_later(day, (steps or 0) * (12 if unit == "years" else 1))
        if unit in ("weeks", "days") and steps is not None:
            return day + timedelta(days=steps * (7 if unit == "weeks" else 1))
        return midnight(day) + timedelta(microseconds=_rounded(Fraction(exact(count)) * _MICROSECONDS[unit]))
    except (OverflowError, ValueError) as error:
        raise MomentError(sentence("The date would lie outside the years 1 to 9999.")) from error


def between(start: Moment, end: Moment, unit: Unit) -> int | float:
    """Return the units from start to end: whole days of two dates are an integer, all else a number.

    Raises: MomentError when just one of them has an offset, or just one is a time alone.
    """
    if isinstance(start, time) and isinstance(end, time):
        start, end = (datetime.combine(date(2000, 1, 1), each) for each in (start, end))
    first, last = _dated(start), _dated(end)
    if unit == "days" and not isinstance(first, datetime) and not isinstance(last, datetime):
        return (last - first).days
    begin, stop = midnight(first), midnight(last)
    if (begin.tzinfo is None) != (stop.tzinfo is None):
        raise MomentError(
            sentence("One of the times has an offset and the other has none."),
            sentence("Give the other one its zone with in_zone(x, 'Europe/Berlin')."),
        )
    return quotient((stop - begin) // timedelta(microseconds=1), _MICROSECONDS[unit])


def to_zone(moment: Moment, zone: str) -> datetime:
    """Return the same instant with the offset of the zone. Raises: MomentError."""
    when = _timed(moment)
    if when.tzinfo is None:
        raise MomentError(
            sentence("The time has no offset, so it is no instant yet."),
            sentence("Say where it was read from the clock with in_zone(x, 'Europe/Berlin')."),
        )
    try:
        return _fixed(when.astimezone(zone_named(zone)))
    except OverflowError as error:
        raise MomentError(sentence("The date would lie outside the years 1 to 9999.")) from error


def in_zone(moment: Moment, zone: str) -> datetime:
    """Return a time without offset with the one it has in the zone; of two, the first. Raises: MomentError."""
    when = _timed(moment)
    if when.tzinfo is not None:
        raise MomentError(
            sentence("The time has an offset already."), sentence("Use to_zone to write it in another zone.")
        )
    there = when.replace(tzinfo=zone_named(zone), fold=0)
    try:
        again = there.astimezone(UTC).astimezone(there.tzinfo).replace(tzinfo=None)
    except OverflowError as error:
        raise MomentError(sentence("The date would lie outside the years 1 to 9999.")) from error
    if again != when:
        raise MomentError(
            sentence(
                "{moment} does not exist in {zone}: the clock was put forward.",
                moment=when.isoformat(),
                zone=zone,
            ),
            sentence("Correct the time, or add an hour."),
        )
    return _fixed(there)


def to_unix(moment: Moment) -> int | float:
    """Return the seconds since 1970, an integer when they are whole. Raises: MomentError without an offset."""
    when = _timed(moment)
    if when.tzinfo is None:
        raise MomentError(
            sentence("The time has no offset, so it is no instant yet."),
            sentence("Say where it was read from the clock with in_zone(x, 'Europe/Berlin')."),
        )
    ticks = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return quotient(ticks, 1_000_000) if ticks % 1_000_000 else ticks // 1_000_000


def from_unix(seconds: Number) -> datetime:
    """Return the moment so many seconds after 1970 began in UTC. Raises: MomentError."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=_rounded(Fraction(exact(seconds)) * 1_000_000)
        )
    except OverflowError as error:
        raise MomentError(
            sentence("The date would lie outside the years 1 to 9999."),
            sentence("Milliseconds are divided by 1000 first."),
        ) from error


def part_of(moment: Moment, part: Part) -> int | str:
    """Return a part of a moment as it is written, not in UTC. Raises: MomentError for a day of a time alone."""
    if part in ("hour", "minute", "second"):
        value: int = getattr(moment, part, 0)
        return value
    day = _dated(moment)
    match part:
        case "year":
            return day.year
        case "quarter":
            return (day.month + 2) // 3
        case "month":
            return day.month
        case "year_month":
            return f"{day.year:04}-{day.month:02}"
        case "week":
            return day.isocalendar().week
        case "day":
            return day.day
        case "weekday":
            return day.isoweekday()
        case "day_of_year":
            return day.timetuple().tm_yday
        case _:
            return f"{day.year:04}-{day.month:02}-{day.day:02}"


def midnight(day: date | datetime) -> datetime:
    """Return a date as the time it begins; a date with time stays what it is."""
    return day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)


@cache
def zone_named(name: str) -> tzinfo:
    """Return a zone of the IANA database or a fixed offset such as `+01:00`. Raises: MomentError."""
    if re.fullmatch(_OFFSET, name, re.ASCII):
        return offset_of(name)
    if name in available_timezones():
        return ZoneInfo(name)
    raise MomentError(
        sentence("There is no time zone {name}.", name=name[:60]),
        sentence("Use a name such as Europe/Berlin, UTC, or an offset such as +01:00."),
    )


def offset_of(text: str) -> timezone:
    """Return the zone of `Z`, `UTC`, `GMT`, `+01`, `+0100` or `+01:00`. Raises: MomentError."""
    if text in ("Z", "z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = (int(digits[place : place + 2]) for place in (0, 2, 4))
    if hours > 23 or minutes > 59 or seconds > 59:
        raise MomentError(sentence("There is no offset {text}.", text=text))
    gap = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return timezone(-gap if text[0] == "-" else gap) if gap else UTC


def built(fields: dict[str, int], offset: timezone | None, text: str) -> Moment:
    """Return the moment of year, month, day, hour, minute, second and microsecond, those there are.

    Hour 24 is the end of the day. Raises: MomentError when there is no such day or time.
    """
    hour, minute, second, microsecond = (
        fields.get(name, 0) for name in ("hour", "minute", "second", "microsecond")
    )
    ends_day = hour == 24 and not (minute or second or microsecond)
    try:
        clock = time(0 if ends_day else hour, minute, second, microsecond)
        if "year" not in fields:
            return clock
        day = date(fields["year"], fields.get("month", 1), fields.get("day", 1))
        if "hour" not in fields:
            return day
        when = datetime.combine(day, clock, offset)
        return when + timedelta(days=1) if ends_day else when
    except (ValueError, OverflowError) as error:
        raise MomentError(
            sentence("`{text}` has a day or a time that does not exist.", text=text[:40]),
            sentence("Correct it; months have 28 to 31 days, hours go to 23, minutes and seconds to 59."),
        ) from error


def hour_of(hour: int, half: str, text: str) -> int:
    """Return the hour of the day of an hour with AM or PM. Raises: MomentError outside 1 to 12."""
    if not 1 <= hour <= 12:
        raise MomentError(
            sentence("`{text}` has AM or PM, so its hour is 1 to 12.", text=text[:40]),
            sentence("Leave AM or PM out."),
        )
    return hour % 12 + (12 if half[0] in "pP" else 0)


def microseconds_of(digits: str) -> int:
    """Return the microseconds of a fraction of a second; digits after the sixth are cut off."""
    return int(digits[:6].ljust(6, "0"))


def name_in(names: tuple[str, ...], text: str) -> int:
    """Return the position, from 1, of a name that is written whole or with three letters; 0 when it is none."""
    wanted = text.lower()
    for number, name in enumerate(names, start=1):
        if wanted in (name.lower(), name[:3].lower()):
            return number
    return 0


def check_weekday(moment: Moment, weekday: int, text: str) -> None:
    """Raise MomentError when the date is not on that day of the week (1 is Monday)."""
    if isinstance(moment, date) and moment.isoweekday() != weekday:
        raise MomentError(
            sentence(
                "`{text}` names a day of the week on which that date is not; it is a {day}.",
                text=text[:40],
                day=WEEKDAYS[moment.isoweekday() - 1],
            )
        )


def _made(found: dict[str, str | None], text: str) -> Moment:
    if found.get("week"):
        return _of_week(found, text)
    fields = {name: int(value) for name in ("year", "month", "day") if (value := found.get(name))}
    if found.get("name"):
        fields["month"] = name_in(MONTHS, found["name"] or "")
    fields |= {name: int(value) for name in ("hour", "minute", "second") if (value := found.get(name))}
    if half := found.get("half"):
        fields["hour"] = hour_of(fields["hour"], half, text)
    if fraction := found.get("fraction"):
        fields["microsecond"] = microseconds_of(fraction)
    offset = found.get("offset")
    moment = built(fields, offset_of(offset) if offset else None, text)
    if weekday := found.get("weekday"):
        check_weekday(moment, name_in(WEEKDAYS, weekday), text)
    return moment


def _of_week(found: dict[str, str | None], text: str) -> date:
    try:
        return date.fromisocalendar(
            int(found["year"] or ""), int(found["week"] or ""), int(found["of_week"] or "")
        )
    except ValueError as error:
        raise MomentError(
            sentence("`{text}` has a day or a time that does not exist.", text=text[:40]),
            sentence("Correct it; months have 28 to 31 days, hours go to 23, minutes and seconds to 59."),
        ) from error


def _dated(moment: Moment) -> date | datetime:
    if isinstance(moment, time):
        raise MomentError(
            sentence("{moment} is a time without a date.", moment=moment.isoformat()),
            sentence("Join the date first."),
        )
    return moment


def _timed(moment: Moment) -> datetime:
    day = _dated(moment)
    if not isinstance(day, datetime):
        raise MomentError(
            sentence("{moment} is a date without a time.", moment=day.isoformat()),
            sentence("Join the time first, as in x ~ 'T00:00'."),
        )
    return day


def _fixed(moment: datetime) -> datetime:
    offset = moment.utcoffset() or timedelta()
    return moment.replace(tzinfo=timezone(offset) if offset else UTC, fold=0)


def _months_later(day: date | datetime, count: int) -> date | datetime:
    years, month = divmod(day.month - 1 + count, 12)
    year, month = day.year + years, month + 1
    following = date(year + month // 12, month % 12 + 1, 1) if (year, month) < (9999, 12) else None
    last = (following - timedelta(days=1)).day if following else 31
    return day.replace(year=year, month=month, day=min(day.day, last))


def _rounded(value: Fraction) -> int:
    """Return the nearest integer, half away from zero."""
    ticks = int(abs(value) + Fraction(1, 2))
    return -ticks if value < 0 else ticks
