"""How people write numbers: groups of digits, decimal signs, and patterns as spreadsheets have them.

Invariant: works on plain digits (`-1234.50`), so no digit is changed; one table of languages, none of the machine's.
"""

import re
from dataclasses import dataclass

from structforge.domain.numbers import EXACT, Number, decimal_of, rounded

_PATTERN = re.compile(
    r"(?P<before>[^#0,.]*)(?P<whole>[#0,]*[#0])(?:\.(?P<decimals>0*#*))?(?P<after>[^#0,.]*)\Z",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class NumberForm:
    """What stands between groups of digits and before the decimals."""

    separator: str
    decimal_sign: str
    indian: bool = False
    """Groups of two before the last three, as in 12,34,567."""


_ENGLISH = NumberForm(",", ".")
_CONTINENTAL = NumberForm(".", ",")
_SPACED = NumberForm("\u00a0", ",")
LOCALES: dict[str, NumberForm] = {
    **dict.fromkeys(("en", "zh", "ja", "ko", "th", "he"), _ENGLISH),
    **dict.fromkeys(
        ("de", "es", "it", "nl", "pt", "id", "tr", "da", "el", "vi", "ro", "hr", "sl"), _CONTINENTAL
    ),
    **dict.fromkeys(("ru", "uk", "pl", "cs", "sk", "sv", "nb", "no", "fi", "hu", "bg"), _SPACED),
    "fr": NumberForm("\u202f", ","),
    **dict.fromkeys(("ch", "de-ch", "fr-ch", "it-ch"), NumberForm("’", ".")),
    **dict.fromkeys(("in", "en-in", "hi", "hi-in"), NumberForm(",", ".", indian=True)),
    "de-at": _SPACED,
    "es-mx": _ENGLISH,
}
"""The form of each language; a region that is not here follows its language."""


def grouped(digits: str, separator: str, decimal_sign: str, *, indian: bool = False) -> str:
    """Return plain digits in groups."""
    sign, number = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    head, dot, tail = number.partition(".")
    if indian and len(head) > 3:
        first = head[:-3]
        groups = [first[max(end - 2, 0) : end] for end in range(len(first), 0, -2)][::-1] + [head[-3:]]
    else:
        groups = [head[max(end - 3, 0) : end] for end in range(len(head), 0, -3)][::-1]
    return sign + separator.join(groups) + (decimal_sign if dot else "") + tail


def locale_text(digits: str, language: str) -> str:
    """Return plain digits as a language writes them. Raises: KeyError for an unknown one."""
    form = LOCALES[language if language in LOCALES else language.partition("-")[0]]
    return grouped(digits, form.separator, form.decimal_sign, indian=form.indian)


def is_pattern(text: str) -> bool:
    """Tell whether a text is a pattern of digits such as `#,##0.00` or `0.0 %`."""
    return _PATTERN.match(text) is not None


def pattern_text(number: Number, pattern: str) -> str:
    """Return a number by a pattern: `0` is a digit that is always there, `#` one if needed, `,` groups by three.

    A `%` in the text around it multiplies by 100.
    """
    match = _PATTERN.match(pattern)
    assert match is not None  # `is_pattern` was asked.
    value = decimal_of(number)
    if "%" in match["before"] + match["after"]:
        value = EXACT.multiply(value, decimal_of(100))
    decimals = match["decimals"] or ""
    result = rounded(value, len(decimals))
    digits = format(abs(result), f".{len(decimals)}f")
    head, _, tail = digits.partition(".")
    least = decimals.count("0")
    tail = tail[:least] + tail[least:].rstrip("0")
    wanted = match["whole"].replace(",", "").count("0")
    head = head.lstrip("0").rjust(wanted, "0")
    text = head + ("." + tail if tail else "")
    if "," in match["whole"]:
        text = grouped(text, ",", ".")
    sign = "-" if result < 0 and text.strip("0.,") else ""
    return sign + match["before"] + text + match["after"]
