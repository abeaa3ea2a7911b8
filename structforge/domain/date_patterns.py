"""Patterns of dates such as `%d.%m.%Y %H:%M %z`: read and written here, the same on every machine.

Invariant: a pattern decides alone what a text means: twice the same directive, an hour of twelve without AM or PM or a
date without a year are refused before anything is read.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from structforge.domain.errors import sentence
from structforge.domain.moments import (
    MAX_CHARS,
    MONTHS,
    WEEKDAYS,
    Moment,
    MomentError,
    built,
    check_weekday,
    hour_of,
    microseconds_of,
    name_in,
    offset_of,
)

_SHORTHANDS = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M"}
_TOKEN = re.compile(r"%(?P<flag>[-:]?)(?P<directive>.?)|(?P<blank>\s+)|(?P<literal>[^%\s]+)", re.DOTALL)
_NUMERIC = {"Y": (4, 4), "y": (2, 2), "j": (1, 3), "f": (1, 9)} | dict.fromkeys("mdeHIMS", (1, 2))
_NAMES = {
    "a": "|".join(name[:3] for name in WEEKDAYS),
    "A": "|".join(WEEKDAYS),
    "b": "|".join(name[:3] for name in MONTHS),
    "B": "|".join(MONTHS),
    "p": r"[AP]\.?M\.?",
    "z": r"Z|UTC|GMT|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?",
    "Z": "Z|UTC|GMT",
    "%": "%",
}
_OF_DATES = frozenset("YymdejaAbB")
_OF_TIMES = frozenset("HIMSfpzZ")
_ONLY_WRITTEN = frozenset("GVuq")
DIRECTIVES = "".join(sorted({*_NUMERIC, *_NAMES, *_SHORTHANDS, *_ONLY_WRITTEN}))
"""Every letter that may follow a percent sign; `-` before it leaves leading zeros out, `%:z` is `+01:00`."""


@dataclass(frozen=True, slots=True)
class _Token:
    directive: str
    """A letter, empty for literal text and a blank for blanks."""
    text: str
    """The literal, or the flag."""


def read_by(text: str, pattern: str) -> Moment:
    """Return what the text spells by the pattern. Raises: MomentError, also for a pattern that cannot be read by."""
    expression, tokens = _reader(pattern)
    found = text.strip()
    match = expression.fullmatch(found) if len(found) <= MAX_CHARS else None
    if match is None:
        raise MomentError(
            sentence(
                "`{text}` does not fit the pattern {pattern} from character {position}.",
                text=found[:40],
                pattern=pattern,
                position=_fitting(found, tokens) + 1,
            )
        )
    return _moment({name[1:]: value for name, value in match.groupdict().items() if value}, found)


def written_by(moment: Moment, pattern: str) -> str:
    """Return the text of a moment by the pattern. Raises: MomentError."""
    parts = []
    for token in _tokens(pattern):
        if token.directive in ("", " "):
            parts.append(token.text)
            continue
        if isinstance(moment, time) and token.directive in _OF_DATES | _ONLY_WRITTEN:
            raise MomentError(
                sentence("{moment} is a time without a date.", moment=moment.isoformat()),
                sentence("Join the date first."),
            )
        parts.append(_piece(moment, token))
    return "".join(parts)


def check_pattern(pattern: str, *, to_read: bool) -> None:
    """Raise MomentError when a pattern has something that is no directive, or cannot be read by."""
    _reader(pattern) if to_read else _tokens(pattern)


@lru_cache(maxsize=256)
def _tokens(pattern: str) -> tuple[_Token, ...]:
    if len(pattern) > MAX_CHARS:
        raise MomentError(
            sentence("A date pattern is a text of at most {max_chars} characters.", max_chars=MAX_CHARS)
        )
    plain = re.sub(r"%([%FTR])", lambda found: _SHORTHANDS.get(found[1], found[0]), pattern)
    tokens = []
    for match in _TOKEN.finditer(plain):
        directive, flag = match["directive"], match["flag"] or ""
        if match["blank"] or match["literal"]:
            tokens.append(_Token(" " if match["blank"] else "", match[0]))
        elif (
            not directive
            or directive not in DIRECTIVES
            # A shorthand that is still here has a flag, which it does not take.
            or directive in _SHORTHANDS
            or (flag == ":" and directive != "z")
        ):
            raise MomentError(
                sentence("{directive} is not a date directive.", directive=match[0]),
                sentence("Use one of {allowed}.", allowed=" ".join("%" + letter for letter in DIRECTIVES)),
            )
        else:
            tokens.append(_Token(directive, flag))
    return tuple(tokens)


@lru_cache(maxsize=256)
def _reader(pattern: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """Return the expression that reads by the pattern, and its pieces."""
    tokens = _tokens(pattern.strip())
    letters = [token.directive for token in tokens if token.directive not in ("", " ", "%")]
    _check_readable(pattern, letters)
    pieces = []
    for place, token in enumerate(tokens):
        near = [tokens[other].directive for other in (place - 1, place + 1) if 0 <= other < len(tokens)]
        pieces.append(_expression(token, joined=any(letter in _NUMERIC for letter in near)))
    return re.compile("".join(pieces), re.ASCII | re.IGNORECASE), tuple(pieces)


def _expression(token: _Token, *, joined: bool) -> str:
    """Return the piece of a regular expression; digits that touch others have a fixed number of places."""
    if token.directive == " ":
        return r"\s+"
    if token.directive in ("", "%"):
        return re.escape(token.text or "%")
    if token.directive in _NUMERIC:
        least, most = _NUMERIC[token.directive]
        digits = rf"\d{{{most if joined and token.directive != 'f' else least},{most}}}"
        return rf"(?P<_{token.directive}>{' ?' if token.directive == 'e' else ''}{digits})"
    return f"(?P<_{token.directive}>{_NAMES[token.directive]})"


def _check_readable(pattern: str, letters: list[str]) -> None:
    found = set(letters)
    same = (
        {"Y", "y"},
        {"m", "b", "B"},
        {"d", "e", "j"},
        {"H", "I"},
        {"a", "A"},
        {"z", "Z"},
        {"m", "j"},
        {"b", "j"},
    )
    if len(letters) != len(found) or any(len(group & found) > 1 for group in same):
        raise MomentError(
            sentence("The pattern says the same thing twice."), sentence("Name each part of the date once.")
        )
    if found & _ONLY_WRITTEN:
        raise MomentError(
            sentence("%{letter} can be written and not read.", letter=min(found & _ONLY_WRITTEN)),
            sentence("Read the date by year, month and day."),
        )
    if ("I" in found) != ("p" in found):
        raise MomentError(
            sentence("%I (hours to 12) and %p (AM or PM) need each other."), sentence("Hours to 23 are %H.")
        )
    if not found & {"Y", "y"} and (found & _OF_DATES or found & set("zZ") or not found):
        raise MomentError(
            sentence("The pattern {pattern} has no year.", pattern=pattern),
            sentence("Add %Y, or %y for two digits."),
        )
    if (found & set("MSf") or found & set("zZ")) and not found & {"H", "I"}:
        raise MomentError(
            sentence("The pattern {pattern} has no hour.", pattern=pattern),
            sentence("Add %H, or %I with %p."),
        )


def _fitting(text: str, pieces: tuple[str, ...]) -> int:
    """Return how many characters fit the longest beginning of the pattern."""
    for count in range(len(pieces), 0, -1):
        match = re.match("".join(pieces[:count]), text, re.ASCII | re.IGNORECASE)
        if match:
            return match.end()
    return 0


def _moment(found: dict[str, str], text: str) -> Moment:
    fields: dict[str, int] = {}
    if "Y" in found:
        fields["year"] = int(found["Y"])
    if "y" in found:
        fields["year"] = int(found["y"]) + (1900 if int(found["y"]) >= 69 else 2000)
    for letter, name in (
        ("m", "month"),
        ("d", "day"),
        ("e", "day"),
        ("H", "hour"),
        ("M", "minute"),
        ("S", "second"),
    ):
        if letter in found:
            fields[name] = int(found[letter])
    for letter in ("b", "B"):
        if letter in found:
            fields["month"] = name_in(MONTHS, found[letter])
    if "I" in found:
        fields["hour"] = hour_of(int(found["I"]), found["p"], text)
    if "f" in found:
        fields["microsecond"] = microseconds_of(found["f"])
    offset = found.get("z") or found.get("Z")
    moment = built(fields, offset_of(offset.upper()) if offset else None, text)
    if "j" in found:
        moment = _of_year(moment, int(found["j"]), text)
    for letter in ("a", "A"):
        if letter in found:
            check_weekday(moment, name_in(WEEKDAYS, found[letter]), text)
    return moment


def _of_year(moment: Moment, number: int, text: str) -> Moment:
    assert isinstance(moment, date)  # A pattern with %j has a year.
    try:
        later = moment + timedelta(days=number - 1)
    except OverflowError:
        later = None
    if later is None or number < 1 or later.year != moment.year:
        raise MomentError(
            sentence("`{text}` has a day or a time that does not exist.", text=text[:40]),
            sentence("Correct it; months have 28 to 31 days, hours go to 23, minutes and seconds to 59."),
        )
    return later


def _piece(moment: Moment, token: _Token) -> str:
    written = _WRITERS[token.directive](moment)
    if token.text == ":":
        return written[:3] + ":" + written[3:] if written else ""
    return (written.lstrip("0 ") or "0") if token.text == "-" else written


def _clock(name: str, width: int) -> Callable[[Moment], str]:
    return lambda moment: f"{getattr(moment, name, 0):0{width}}"


def _day(write: Callable[[date], str]) -> Callable[[Moment], str]:
    return lambda moment: write(moment) if isinstance(moment, date) else ""


def _hour_of_twelve(moment: Moment) -> str:
    return f"{(getattr(moment, 'hour', 0) + 11) % 12 + 1:02}"


def _half(moment: Moment) -> str:
    return "PM" if getattr(moment, "hour", 0) >= 12 else "AM"


def _offset(moment: Moment) -> str:
    gap = moment.utcoffset() if isinstance(moment, datetime) else None
    if gap is None:
        return ""
    seconds = abs(gap) // timedelta(seconds=1)
    more = f"{seconds % 60:02}" if seconds % 60 else ""
    return f"{'-' if gap < timedelta() else '+'}{seconds // 3600:02}{seconds // 60 % 60:02}{more}"


def _zone(moment: Moment) -> str:
    offset = _offset(moment)
    return "UTC" if offset == "+0000" else offset and f"{offset[:3]}:{offset[3:]}"


_WRITERS: dict[str, Callable[[Moment], str]] = {
    "%": lambda moment: "%",
    "A": _day(lambda day: WEEKDAYS[day.weekday()]),
    "B": _day(lambda day: MONTHS[day.month - 1]),
    "G": _day(lambda day: f"{day.isocalendar().year:04}"),
    "H": _clock("hour", 2),
    "I": _hour_of_twelve,
    "M": _clock("minute", 2),
    "S": _clock("second", 2),
    "V": _day(lambda day: f"{day.isocalendar().week:02}"),
    "Y": _day(lambda day: f"{day.year:04}"),
    "Z": _zone,
    "a": _day(lambda day: WEEKDAYS[day.weekday()][:3]),
    "b": _day(lambda day: MONTHS[day.month - 1][:3]),
    "d": _day(lambda day: f"{day.day:02}"),
    "e": _day(lambda day: f"{day.day:2}"),
    "f": _clock("microsecond", 6),
    "j": _day(lambda day: f"{day.timetuple().tm_yday:03}"),
    "m": _day(lambda day: f"{day.month:02}"),
    "p": _half,
    "q": _day(lambda day: str((day.month + 2) // 3)),
    "u": _day(lambda day: str(day.isoweekday())),
    "y": _day(lambda day: f"{day.year % 100:02}"),
    "z": _offset,
}
