"""Functions on texts: letters, parts, joining and filling up.

Invariant: texts in and out, no longer than the limit; positions count characters from 0, negative ones from the end.
"""

from collections.abc import Callable
from typing import Any

from structforge.domain.expressions.arguments import a_list, a_text, an_integer, chosen
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.operators import as_text
from structforge.domain.expressions.problems import Fault
from structforge.domain.values import JsonValue

Function = Callable[..., Any]


def cased(change: Callable[[str], str]) -> Function:
    """Return the function that changes the letters of a text."""

    def case(work: Work, value: JsonValue) -> str:
        text = a_text(value)
        work.charge(len(text))
        changed = change(text)  # At most three times as long.
        work.text(len(changed))
        return changed

    return case


def trim(work: Work, value: JsonValue, chars: JsonValue = None) -> str:
    """Return the text without blanks, or without these characters, at its ends."""
    return _stripped(work, value, chars, str.strip)


def lstrip(work: Work, value: JsonValue, chars: JsonValue = None) -> str:
    """Return the text without blanks, or without these characters, at its beginning."""
    return _stripped(work, value, chars, str.lstrip)


def rstrip(work: Work, value: JsonValue, chars: JsonValue = None) -> str:
    """Return the text without blanks, or without these characters, at its end."""
    return _stripped(work, value, chars, str.rstrip)


def _stripped(work: Work, value: JsonValue, chars: JsonValue, strip: Callable[[str, str | None], str]) -> str:
    text = a_text(value)
    if chars is None:
        work.charge(len(text))
        return strip(text, None)
    work.charge(len(text) * (1 + len(a_text(chars, "characters"))))
    return strip(text, a_text(chars))


def replace(work: Work, value: JsonValue, old: JsonValue, new: JsonValue) -> str:
    """Return the text with every `old` replaced."""
    text, before, after = a_text(value), a_text(old, "text to replace"), a_text(new, "replacement")
    work.charge(len(text) + len(before))
    work.text(len(text) + text.count(before) * max(0, len(after) - len(before)))
    return text.replace(before, after)


def split(work: Work, value: JsonValue, separator: JsonValue = None, limit: JsonValue = -1) -> list[str]:
    """Return the parts between the separators, or between blanks."""
    text = a_text(value)
    work.items(len(text))
    if separator is None:
        return text.split(None, an_integer(limit, "limit"))
    if not a_text(separator, "separator"):
        raise Fault("expression.arguments", "The separator is empty.")
    return text.split(a_text(separator), an_integer(limit, "limit"))


def join(work: Work, value: JsonValue, separator: JsonValue = "", attribute: JsonValue = None) -> str:
    """Return the items as one text with the separator between them."""
    rows = a_list(value)
    between = a_text(separator, "separator")
    parts = [as_text(item, work) for item in (rows if attribute is None else chosen(work, rows, attribute))]
    work.text(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def indent(work: Work, value: JsonValue, width: JsonValue = 4, first: JsonValue = False) -> str:
    """Return the text with its lines after the first moved to the right."""
    text = a_text(value)
    pad = " " * an_integer(width, "width", 0, 1000)
    work.text(len(text) + (text.count("\n") + 1) * len(pad))
    return (pad if first else "") + text.replace("\n", "\n" + pad)


def padded(adjust: Callable[[str, int, str], str]) -> Function:
    """Return the function that fills a text up to a width."""

    def pad(work: Work, value: JsonValue, width: JsonValue = 80, fill: JsonValue = " ") -> str:
        text, columns, filling = a_text(value), an_integer(width, "width"), a_text(fill, "fill")
        if len(filling) != 1:
            raise Fault("expression.arguments", "The fill must be one character.")
        work.text(max(len(text), columns))
        return adjust(text, columns, filling)

    return pad


def zfill(work: Work, value: JsonValue, width: JsonValue) -> str:
    """Return the text filled up with zeros after its sign."""
    work.text(max(len(a_text(value)), an_integer(width, "width")))
    return a_text(value).zfill(an_integer(width, "width"))


def truncate(work: Work, value: JsonValue, length: JsonValue = 255, end: JsonValue = "…") -> str:
    """Return the text, cut to a length and with an ending when it is longer."""
    text, limit, ending = a_text(value), an_integer(length, "length", 0), a_text(end, "end")
    work.text(min(len(text), limit) + len(ending))
    return text if len(text) <= limit else text[: max(0, limit - len(ending))] + ending


def starts_with(work: Work, value: JsonValue, part: JsonValue) -> bool:
    """Tell whether the text begins with the part."""
    work.charge(len(a_text(part, "part")))
    return a_text(value).startswith(a_text(part))


def ends_with(work: Work, value: JsonValue, part: JsonValue) -> bool:
    """Tell whether the text ends with the part."""
    work.charge(len(a_text(part, "part")))
    return a_text(value).endswith(a_text(part))


def index_of(work: Work, value: JsonValue, part: JsonValue) -> int:
    """Return the position of the part in the text, -1 when it is not there."""
    work.charge(len(a_text(value)) + len(a_text(part, "part")))
    return a_text(value).find(a_text(part))


def substring(work: Work, value: JsonValue, start: JsonValue, length: JsonValue = None) -> str:
    """Return part of a text from a position on, of a length or to the end; outside the text it is empty."""
    text = a_text(value)
    first = an_integer(start, "start", -(2**53), 2**53)
    begin = max(len(text) + first, 0) if first < 0 else first
    size = len(text) if length is None else an_integer(length, "length", 0, 2**53)
    part = text[begin : begin + size]
    work.text(len(part))
    return part


def split_part(work: Work, value: JsonValue, separator: JsonValue, index: JsonValue) -> str | None:
    """Return one part of a split text, null when there are not so many."""
    text, between = a_text(value), a_text(separator, "separator")
    if not between:
        raise Fault("expression.arguments", "The separator is empty.")
    work.text(len(text))
    parts = text.split(between)
    place = an_integer(index, "index", -(2**53), 2**53)
    return parts[place] if -len(parts) <= place < len(parts) else None
