"""Dates against datetime and zoneinfo: what is recognised, patterns, arithmetic, zones, and what is refused."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structforge.domain.date_patterns import DIRECTIVES, read_by, written_by
from structforge.domain.expressions import ExpressionError, parse
from structforge.domain.moments import (
    Moment,
    MomentError,
    between,
    in_zone,
    iso,
    moved,
    part_of,
    read,
    to_zone,
)

OFFSETS = st.integers(-23 * 60, 23 * 60).map(
    lambda minutes: timezone(timedelta(minutes=minutes)) if minutes else UTC
)
NAIVE = st.datetimes(min_value=datetime(100, 1, 1), max_value=datetime(9900, 12, 31))
AWARE = st.builds(lambda when, zone: when.replace(tzinfo=zone), NAIVE, OFFSETS)
DAYS = st.dates(min_value=date(100, 1, 1), max_value=date(9900, 12, 31))
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])

RECOGNISED = [
    ("2024-03-01", "2024-03-01"),
    ("2024/03/01", "2024-03-01"),
    ("2024-3-1", "2024-03-01"),
    ("20240301", "2024-03-01"),
    (" 2024-03-01 ", "2024-03-01"),
    ("2024-03-01T10:00Z", "2024-03-01T10:00:00+00:00"),
    ("2024-03-01T10:30", "2024-03-01T10:30:00"),
    ("2024-03-01 10:30:15", "2024-03-01T10:30:15"),
    ("2024/03/01 10:30", "2024-03-01T10:30:00"),
    ("2024-03-01T10:30:15.5", "2024-03-01T10:30:15.500000"),
    ("2024-03-01T10:30:15.123456789Z", "2024-03-01T10:30:15.123456+00:00"),
    ("2024-03-01 12:30 PM", "2024-03-01T12:30:00"),
    ("2024-03-01 12:30 AM", "2024-03-01T00:30:00"),
    ("2024-03-01 9:05:00 p.m.", "2024-03-01T21:05:00"),
    ("2024-03-01T10:30+01:00", "2024-03-01T10:30:00+01:00"),
    ("2024-03-01 10:30 -0530", "2024-03-01T10:30:00-05:30"),
    ("2024-03-01T10:30:00+02", "2024-03-01T10:30:00+02:00"),
    ("2024-03-01 10:30 UTC", "2024-03-01T10:30:00+00:00"),
    ("2024-02-28T24:00", "2024-02-29T00:00:00"),
    ("20240301T103015Z", "2024-03-01T10:30:15+00:00"),
    ("Fri, 01 Mar 2024 10:30:15 GMT", "2024-03-01T10:30:15+00:00"),
    ("1 Mar 2024 10:30 +0100", "2024-03-01T10:30:00+01:00"),
    ("10:30", "10:30:00"),
    ("9:05 pm", "21:05:00"),
    ("2024-W09-5", "2024-03-01"),
]


@pytest.mark.parametrize(("text", "wanted"), RECOGNISED)
def test_recognises(text: str, wanted: str) -> None:
    assert iso(read(text)) == wanted
    assert iso(read(wanted)) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "01.03.2024",
        "3/1/2024",
        "2024-03",
        "2024",
        "2023-02-29",
        "2024-13-01",
        "2024-03-01T25:00",
        "2024-03-01T24:01",
        "2024-03-01T10:60",
        "2024-03-01 13:00 PM",
        "2024-03-01 0:00 AM",
        "2024-03-01T10:00+25:00",
        "Mon, 01 Mar 2024 10:30:15 GMT",
        "9999-12-31T24:00",
        "0000-01-01",
        "2024-W54-1",
        "٢٠٢٤-03-01",
        "",
        "x" * 200,
        "now",
        "2024-03-01T10:30Europe",
    ],
)
def test_refuses_what_is_no_date(text: str) -> None:
    with pytest.raises(MomentError) as caught:
        read(text)
    assert caught.value.message.endswith(".")


@given(NAIVE | AWARE | DAYS | st.times())
def test_reads_what_python_writes(moment: Moment) -> None:
    assert read(moment.isoformat()) == moment
    assert iso(read(moment.isoformat())) == moment.isoformat()


@given(NAIVE | AWARE)
def test_a_pattern_reads_what_it_wrote(moment: datetime) -> None:
    for pattern in (
        "%Y-%m-%d %H:%M:%S.%f %z",
        "%d. %B %Y, %I:%M:%S.%f %p %:z",
        "%a %j/%Y %T.%f%z",
        "%F %R:%S.%f %z",
    ):
        if moment.tzinfo is None:
            pattern = pattern.replace("%:z", "").replace("%z", "").strip()
        assert read_by(written_by(moment, pattern), pattern) == moment


@given(NAIVE | AWARE)
def test_writes_as_python_does(moment: datetime) -> None:
    for directive in "mdHMSfjaAbBpyIz%Vu":
        assert written_by(moment, f"%{directive}") == moment.strftime(f"%{directive}")
    assert written_by(moment, "%Y") == f"{moment.year:04}"


@given(st.dates(min_value=date(1969, 1, 1), max_value=date(2068, 12, 31)))
def test_years_of_two_digits_are_read_as_python_does(day: date) -> None:
    text = day.strftime("%d/%m/%y")
    assert read_by(text, "%d/%m/%y") == datetime.strptime(text, "%d/%m/%y").date()


PATTERNS = [
    ("31.05.2024", "%d.%m.%Y", "2024-05-31"),
    ("1.5.2024", "%d.%m.%Y", "2024-05-01"),
    ("2024-03-01 10:00:00 +0100", "%Y-%m-%d %H:%M:%S %z", "2024-03-01T10:00:00+01:00"),
    ("2024-03-01T10:00:00Z", "%Y-%m-%dT%H:%M:%S%z", "2024-03-01T10:00:00+00:00"),
    ("03/01/2024 01:05 PM", "%m/%d/%Y %I:%M %p", "2024-03-01T13:05:00"),
    ("12:00 am 2024-03-01", "%I:%M %p %Y-%m-%d", "2024-03-01T00:00:00"),
    ("20240301", "%Y%m%d", "2024-03-01"),
    ("1 march 2024", "%d %B %Y", "2024-03-01"),
    ("Mar 2024", "%b %Y", "2024-03-01"),
    ("2024-060", "%Y-%j", "2024-02-29"),
    ("10:30", "%H:%M", "10:30:00"),
    ("100%  2024", "100%% %Y", "2024-01-01"),
]


@pytest.mark.parametrize(("text", "pattern", "wanted"), PATTERNS)
def test_reads_by_a_pattern(text: str, pattern: str, wanted: str) -> None:
    assert iso(read_by(text, pattern)) == wanted
    assert parse("{{ parse_date(x, p) }}").evaluate({"x": text, "p": pattern}) == wanted


@pytest.mark.parametrize(
    ("text", "pattern", "told"),
    [
        ("31.05.24", "%d.%m.%Y", "from character 7"),
        ("31-05-2024", "%d.%m.%Y", "from character 3"),
        ("31.02.2024", "%d.%m.%Y", "does not exist"),
        ("12:30 PM 2024", "%H:%M %p %Y", "need each other"),
        ("12:30 2024", "%I:%M %Y", "need each other"),
        ("1.5.", "%d.%m.", "no year"),
        ("2024 30", "%Y %M", "no hour"),
        ("1 1", "%d %d", "twice"),
        ("Sat 2024-03-01", "%a %Y-%m-%d", "Friday"),
        ("2024-366", "%Y-%j", None),
        ("2023-366", "%Y-%j", "does not exist"),
        ("2024-W09", "%G-W%V", "not read"),
        ("x", "%Q", "%Q is not a date directive"),
        ("x", "%-R", "%-R is not a date directive"),
        ("x", "%", "% is not a date directive"),
        ("1122024", "%d%m%Y", "from character"),
    ],
)
def test_a_pattern_that_does_not_fit_says_why(text: str, pattern: str, told: str | None) -> None:
    if told is None:
        assert iso(read_by(text, pattern))
        return
    with pytest.raises(MomentError) as caught:
        read_by(text, pattern)
    assert told in caught.value.message


@given(DAYS | NAIVE | AWARE, st.integers(-3000, 3000))
def test_days_and_seconds_are_those_of_python(moment: Any, count: int) -> None:
    try:
        wanted = moment + timedelta(days=count)
    except OverflowError:
        return
    assert moved(moment, "days", count) == wanted
    assert moved(moment, "weeks", count) == moved(moment, "days", 7 * count)
    if isinstance(moment, datetime):
        assert moved(moment, "seconds", count) == moment + timedelta(seconds=count)
        assert moved(moment, "hours", 0.5) == moment + timedelta(minutes=30)


@given(DAYS, st.integers(-40, 40))
def test_months_keep_the_day_or_take_the_last(day: date, count: int) -> None:
    if not 1 < day.year + count // 12 < 9998:
        return
    found = moved(day, "months", count)
    assert (found.year * 12 + found.month) - (day.year * 12 + day.month) == count
    assert found.day == day.day or (found.day < day.day and (found + timedelta(days=1)).day == 1)
    assert moved(day, "years", 1) == moved(day, "months", 12)


@given(AWARE, AWARE)
def test_differences_are_those_of_the_instants(start: datetime, end: datetime) -> None:
    gap = end - start
    assert between(start, end, "seconds") == gap.total_seconds()
    assert between(start, end, "days") == pytest.approx(gap.total_seconds() / 86_400, rel=1e-15)


@given(DAYS, DAYS)
def test_days_between_dates_are_an_integer(start: date, end: date) -> None:
    found = between(start, end, "days")
    assert found == (end - start).days and type(found) is int


@given(AWARE, ZONES)
def test_a_zone_keeps_the_instant(moment: datetime, zone: str) -> None:
    found = to_zone(moment, zone)
    assert found == moment
    assert found.utcoffset() == moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert to_zone(read(iso(found)), "UTC") == moment


@given(st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2037, 12, 31)), ZONES)
def test_a_time_of_a_clock_gets_its_offset(moment: datetime, zone: str) -> None:
    moment = moment.replace(fold=0)
    aware = moment.replace(tzinfo=ZoneInfo(zone))
    exists = aware.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == moment
    if exists:
        found = in_zone(moment, zone)
        assert found.replace(tzinfo=None) == moment and found.utcoffset() == aware.utcoffset()
    else:
        with pytest.raises(MomentError):
            in_zone(moment, zone)


@given(DAYS | NAIVE | AWARE)
def test_parts_are_those_written(moment: Any) -> None:
    assert part_of(moment, "year") == moment.year
    assert part_of(moment, "week") == moment.isocalendar().week
    assert part_of(moment, "weekday") == moment.isoweekday()
    assert part_of(moment, "hour") == getattr(moment, "hour", 0)
    assert part_of(moment, "date") == moment.isoformat()[:10]
    assert part_of(moment, "quarter") == (moment.month - 1) // 3 + 1


RESULTS = [
    (
        "'2024-03-31T01:30' | in_zone('Europe/Berlin') | add_hours(1) | to_zone('Europe/Berlin')",
        "2024-03-31T03:30:00+02:00",
    ),
    ("'2024-10-27T02:30' | in_zone('Europe/Berlin')", "2024-10-27T02:30:00+02:00"),
    ("'2024-01-31' | add_months(1)", "2024-02-29"),
    ("'2024-03-01' | add_hours(12)", "2024-03-01T12:00:00"),
    ("'2024-03-01' | add_days(0.5)", "2024-03-01T12:00:00"),
    ("'2024-03-01' | add_days(1.0)", "2024-03-02"),
    ("'2024-03-01' | add_days(-1)", "2024-02-29"),
    ("'2024-03-01T23:30:00-05:00' | date", "2024-03-01"),
    ("'2024-03-01T23:30:00-05:00' | hour", 23),
    ("'2024-03-01' | format_date('%-d.%-m.%Y')", "1.3.2024"),
    ("'2024-03-01T13:00' | format_date('%-I %p')", "1 PM"),
    ("'10:30' | format_date('%H.%M')", "10.30"),
    ("'2024-03-01T10:00Z' | to_zone('+05:30')", "2024-03-01T15:30:00+05:30"),
    ("'2024-03-01T10:00Z' | to_unix", 1709287200),
    ("1709287200.5 | from_unix", "2024-03-01T10:00:00.500000+00:00"),
    ("'2024-03-01' | days_between('2024-03-02T12:00')", 1.5),
    ("'2024-03-01T10:00+01:00' | seconds_between('2024-03-01T10:00Z')", 3600.0),
]


@pytest.mark.parametrize(("source", "value"), RESULTS)
def test_expressions_of_dates(source: str, value: object) -> None:
    found = parse("{{ " + source + " }}").evaluate({})
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "source",
    [
        "'2024-03-31T02:30' | in_zone('Europe/Berlin')",
        "'2024-03-01T10:00' | to_zone('Europe/Berlin')",
        "'2024-03-01T10:00Z' | in_zone('Europe/Berlin')",
        "'2024-03-01T10:00Z' | to_zone('Europe/Berln')",
        "'2024-03-01T10:00Z' | to_zone('../../etc/passwd')",
        "'2024-03-01' | to_zone('UTC')",
        "'2024-03-01T10:00' | to_unix",
        "'2024-03-01T10:00Z' | days_between('2024-03-01T10:00')",
        "'9999-12-31' | add_days(1)",
        "'0001-01-01' | add_months(-1)",
        "'2024-03-01' | add_months(1.5)",
        "'2024-03-01' | add_days('1')",
        "'10:30' | add_hours(1)",
        "'10:30' | year",
        "20240301 | year",
        "none | year",
        "1e15 | from_unix",
    ],
)
def test_what_cannot_be_done_with_a_date_is_said(source: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("{{ " + source + " }}").evaluate({})
    assert caught.value.code == "expression.type"
    assert "None" not in caught.value.message and "Error" not in caught.value.message


@given(st.text(max_size=30), st.text(st.sampled_from("%YmdHMSpIzbaj.:- " + DIRECTIVES), max_size=12))
def test_anything_is_a_date_or_refused(text: str, pattern: str) -> None:
    for attempt in (
        lambda: read(text),
        lambda: read_by(text, pattern),
        lambda: written_by(time(10), pattern),
    ):
        try:
            attempt()
        except MomentError as error:
            assert error.message
