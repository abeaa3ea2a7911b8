"""Kernels of the functions of dates over whole columns, for the ordinary spellings of ISO 8601.

Invariant: only `2024-03-01` and `2024-03-01T10:30:00`, with or without an offset, are computed here; every other
spelling, and every date that does not exist, is left to `domain.moments`, once for each distinct text.
"""

import re
from collections.abc import Callable
from typing import Any

import polars as pl

from structforge.nodes.row_language.arithmetic import EXACT_FLOAT, quotient
from structforge.nodes.row_language.cells import Cells, Kind
from structforge.nodes.row_language.operations import Fast, Kernel

_ORDINARY = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?)?$"
)
_DAY = 10
_SECOND = 19
"""Where a day ends, and a time without its offset."""
_MICROSECONDS = {
    "days": 86_400_000_000,
    "hours": 3_600_000_000,
    "minutes": 60_000_000,
    "seconds": 1_000_000,
}
_ZONE_YEARS = (1972, 2036)
"""Years in which every library has the same rules of zones."""


class Read:
    """A column of texts read as dates: what is written, and which rows are not ordinary."""

    def __init__(self, series: pl.Series) -> None:
        self.texts = series
        self.days = series.str.head(_DAY).str.to_date("%Y-%m-%d", strict=False)
        ordinary = series.str.contains(_ORDINARY) & self.days.is_not_null() & (self.days.dt.year() >= 1)
        self.doubtful = ~ordinary.fill_null(True)
        self.timed = series.str.len_bytes() > _DAY

    def clock(self, start: int) -> pl.Series:
        """Return two digits of the time, 0 for a date alone."""
        digits = self.texts.str.slice(start, 2).cast(pl.Int64, strict=False)
        return digits.fill_null(0).set(self.texts.is_null(), None)

    def wall(self) -> pl.Series:
        """Return the microseconds since 1970 of date and time as they are written."""
        days = self.days.cast(pl.Int64) * _MICROSECONDS["days"]
        seconds = self.clock(11) * 3600 + self.clock(14) * 60 + self.clock(17)
        return days + seconds * 1_000_000

    def offsets(self) -> pl.Series:
        """Return the seconds of the offset, null where there is none."""
        tail = self.texts.str.slice(_SECOND)
        hours = tail.str.slice(1, 2).cast(pl.Int64, strict=False)
        minutes = tail.str.slice(4, 2).cast(pl.Int64, strict=False)
        sign = pl.select(pl.when(pl.lit(tail.str.starts_with("-"))).then(-1).otherwise(1)).to_series()
        found = (hours * 3600 + minutes * 60) * sign
        return found.set((tail == "Z").fill_null(False), 0)

    def clocked(self) -> pl.Series:
        """Return what follows the day, midnight where no time is written."""
        tail = self.tail()
        return tail.set((tail == "").fill_null(False), "T00:00:00")

    def tail(self) -> pl.Series:
        """Return what follows the day, the offset written as ISO 8601 does."""
        return self.texts.str.slice(_DAY).str.replace("(?:Z|-00:00)$", "+00:00")


def _part(look: Callable[[Read], pl.Series], kind: Kind = Kind.INTEGER) -> Kernel:
    def kernel(value: Cells, pattern: Cells | None = None) -> Fast | None:
        if value.kind is not Kind.TEXT or pattern is not None:
            return None
        read = Read(value.series)
        found = look(read)
        return Fast(
            Cells(kind, found.cast(pl.Int64) if kind is Kind.INTEGER else found), _if_any(read.doubtful)
        )

    return kernel


PARTS: dict[str, Kernel] = {
    "year": _part(lambda read: read.days.dt.year()),
    "quarter": _part(lambda read: read.days.dt.quarter()),
    "month": _part(lambda read: read.days.dt.month()),
    "week": _part(lambda read: read.days.dt.week()),
    "day": _part(lambda read: read.days.dt.day()),
    "weekday": _part(lambda read: read.days.dt.weekday()),
    "day_of_year": _part(lambda read: read.days.dt.ordinal_day()),
    "hour": _part(lambda read: read.clock(11)),
    "minute": _part(lambda read: read.clock(14)),
    "second": _part(lambda read: read.clock(17)),
    "year_month": _part(lambda read: read.texts.str.head(7), Kind.TEXT),
    "date": _part(lambda read: read.texts.str.head(_DAY), Kind.TEXT),
    "parse_date": _part(lambda read: read.texts.str.head(_DAY) + read.tail(), Kind.TEXT),
}
_PATTERN_PARTS = {letter: f"(?P<{letter}>[0-9]{{{4 if letter == 'Y' else 2}}})" for letter in "YmdHMS"} | {
    "z": "(?P<z>[+-][0-9]{2}):?(?P<Z>[0-9]{2})"
}


def written_datetime(value: Cells) -> Fast | None:
    """Read dates with time, also with a blank before the time and without seconds."""
    if value.kind is not Kind.TEXT:
        return None
    texts = value.series.str.replace(r"^([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2})", "${1}T${2}")
    texts = texts.str.replace(r"^(.{10}T[0-9]{2}:[0-9]{2})(Z|[+-][0-9:]{5})?$", "${1}:00${2}")
    read = Read(texts)
    found = read.texts.str.head(_DAY) + read.clocked()
    return Fast(Cells(Kind.TEXT, found), _if_any(read.doubtful & value.series.is_not_null()))


def by_pattern(pattern: str, kind: str) -> Kernel | None:
    """Return the kernel that reads texts by a pattern of digits, None for any other pattern.

    The pattern can be read by. Texts whose numbers have not all their digits are left to `domain.date_patterns`.
    """
    pieces = re.split("%([A-Za-z])", pattern.strip())
    letters = pieces[1::2]
    if not _single_blanks(pieces[::2]):
        return None
    if not {"Y", "m", "d"} <= set(letters) <= _PATTERN_PARTS.keys() or len(letters) > len(set(letters)):
        return None
    found = "".join(
        _PATTERN_PARTS[piece] if place % 2 else re.escape(piece) for place, piece in enumerate(pieces)
    )
    timed = "H" in letters and kind == "datetime"
    clock = "T${H}:" + ":".join(f"${{{letter}}}" if letter in letters else "00" for letter in "MS")
    offset = "${z}:${Z}" if "z" in letters else ""
    ordinary = "${Y}-${m}-${d}" + (clock + offset if "H" in letters else "")

    def kernel(value: Cells) -> Fast | None:
        if value.kind is not Kind.TEXT:
            return None
        matching = value.series.str.contains(f"^{found}$").fill_null(True)
        read = Read(value.series.str.replace(f"^{found}$", ordinary))
        texts = read.texts.str.head(_DAY)
        texts = texts + read.tail() if timed else texts
        if kind == "datetime" and not timed:
            texts = texts + "T00:00:00"
        doubtful = (read.doubtful | ~matching) & value.series.is_not_null()
        return Fast(Cells(Kind.TEXT, texts), _if_any(doubtful))

    return kernel


def _single_blanks(literals: list[str]) -> bool:
    """Tell whether literal pieces have no percent sign, and blanks only one at a time."""
    return not any("%" in piece or re.search(r"\s\s|[^\S ]", piece) for piece in literals)


def moved(unit: str) -> Kernel:
    """Return the kernel that moves dates by a number of units."""

    def kernel(value: Cells, count: Cells) -> Fast | None:
        steps = count.value() if count.constant else None
        if isinstance(steps, float) and steps.is_integer():
            steps = int(steps)
        if value.kind is not Kind.TEXT or type(steps) is not int or abs(steps) > 10**9:
            return None
        read = Read(value.series)
        texts = _later(read, unit, steps)
        years = texts.str.head(4).cast(pl.Int64, strict=False)
        outside = ~texts.str.contains(r"^[0-9]{4}-") | (years < 1)
        doubtful = (read.doubtful | outside.fill_null(True)) & value.series.is_not_null()
        return Fast(Cells(Kind.TEXT, texts), _if_any(doubtful))

    return kernel


def _later(read: Read, unit: str, steps: int) -> pl.Series:
    if unit in ("years", "months"):
        days = read.days.dt.offset_by(f"{steps * (12 if unit == 'years' else 1)}mo")
    elif unit in ("weeks", "days"):
        days = read.days.dt.offset_by(f"{steps * (7 if unit == 'weeks' else 1)}d")
    else:
        wall = (read.wall() + steps * _MICROSECONDS[unit]).cast(pl.Datetime("us"))
        return wall.dt.to_string("%Y-%m-%dT%H:%M:%S") + read.tail().str.slice(_SECOND - _DAY)
    return days.dt.to_string("%Y-%m-%d") + read.tail()


def between(unit: str) -> Kernel:
    """Return the kernel of the differences of dates in a unit."""

    def kernel(start: Cells, end: Cells) -> Fast | None:
        if start.kind is not Kind.TEXT or end.kind is not Kind.TEXT:
            return None
        height = len(end) if start.constant else len(start)
        first, last = (Read(cells.spread(height).series) for cells in (start, end))
        doubtful = first.doubtful | last.doubtful
        timed = (first.timed | last.timed).fill_null(False)
        if unit == "days" and not (timed & ~doubtful).any():
            days = (last.days - first.days).dt.total_days()
            return Fast(Cells(Kind.INTEGER, days), _if_any(doubtful | timed))
        if unit == "days":
            doubtful = doubtful | ~timed
        one, other = first.offsets(), last.offsets()
        doubtful = doubtful | (one.is_null() != other.is_null())
        instants = [
            read.wall() - offset.fill_null(0) * 1_000_000 for read, offset in ((first, one), (last, other))
        ]
        ticks = instants[1] - instants[0]
        doubtful = doubtful | (ticks.abs() > EXACT_FLOAT).fill_null(False)
        given = start.spread(height).series.is_not_null() & end.spread(height).series.is_not_null()
        units = quotient(ticks.cast(pl.Float64), pl.Series([float(_MICROSECONDS[unit])]))
        return Fast(Cells(Kind.NUMBER, units), _if_any(doubtful & given))

    return kernel


_PIECES: dict[str, tuple[int, int]] = {"Y": (0, 4), "y": (2, 2), "m": (5, 2), "d": (8, 2), "H": (11, 2), "M": (14, 2),
                                       "S": (17, 2)}  # fmt: skip


def formatted(value: Cells, pattern: Cells) -> Fast | None:
    """Write dates by a pattern of digits."""
    wanted = pattern.value() if pattern.constant else None
    if value.kind is not Kind.TEXT or not isinstance(wanted, str) or len(wanted) > 100:
        return None
    read = Read(value.series)
    pieces: list[Any] = []
    rest = wanted
    while rest:
        literal, mark, after = rest.partition("%")
        if literal:
            pieces.append(pl.lit(literal))
        if not mark:
            break
        if after[:1] not in _PIECES:
            return None
        start, width = _PIECES[after[0]]
        digits = value.series.str.slice(start, width)
        if start > _DAY:
            digits = digits.set((digits == "").fill_null(False), "00")
        pieces.append(pl.lit(digits))
        rest = after[1:]
    if not any(isinstance(piece, pl.Expr) for piece in pieces):
        return None
    texts = pl.select(pl.concat_str(pieces)).to_series()
    if len(texts) != len(value):
        return None
    return Fast(Cells(Kind.TEXT, texts), _if_any(read.doubtful))


def to_zone(value: Cells, zone: Cells) -> Fast | None:
    """Write instants with the offset of a zone."""
    name = zone.value() if zone.constant else None
    if value.kind is not Kind.TEXT or not isinstance(name, str) or "/" not in name:
        return None
    read = Read(value.series)
    offsets = read.offsets()
    years = read.days.dt.year()
    outside = offsets.is_null() | (years < _ZONE_YEARS[0]) | (years > _ZONE_YEARS[1])
    instants = (read.wall() - offsets * 1_000_000).cast(pl.Datetime("us", "UTC"))
    try:
        there = instants.dt.convert_time_zone(name)
    except pl.exceptions.PolarsError:
        return None
    doubtful = (read.doubtful | outside.fill_null(True)) & value.series.is_not_null()
    return Fast(Cells(Kind.TEXT, there.dt.to_string("%Y-%m-%dT%H:%M:%S%:z")), _if_any(doubtful))


def _if_any(mask: pl.Series) -> pl.Series | None:
    return mask if mask.any() else None
