"""Functions on numbers: rounding, roots, and the texts people read numbers as.

Invariant: rounding is half away from zero on the decimal digits as written; a text has exactly the digits asked for.
"""

import math
import re
from decimal import Decimal

from structforge.domain.errors import sentence
from structforge.domain.expressions.arguments import a_number, a_text, an_integer
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.operators import finite
from structforge.domain.expressions.problems import Fault, suggestion
from structforge.domain.number_formats import LOCALES, grouped, is_pattern, locale_text, pattern_text
from structforge.domain.numbers import DOWN, NEAREST, UP, Number, rounded, rounded_to_kind, written
from structforge.domain.numbers import decimal_of as exact_decimal
from structforge.domain.values import JsonValue

_DIRECTIONS = {"common": NEAREST, "ceil": UP, "floor": DOWN}
_DIGITS = re.compile(r"\d")


def round_(work: Work, value: JsonValue, digits: JsonValue = 0, method: JsonValue = "common") -> Number:
    """Round; without digits the result is an integer, with digits it has the kind of the value."""
    number = a_number(value)
    places = an_integer(digits, "number of digits", -300, 300)
    direction = _DIRECTIONS.get(method) if isinstance(method, str) else None
    if direction is None:
        raise Fault("expression.arguments", "The method must be 'common', 'ceil' or 'floor'.")
    result: Number = finite(rounded_to_kind(number, places, direction))
    work.exact |= isinstance(result, Decimal)
    return result


def floor(work: Work, value: JsonValue, digits: JsonValue = 0) -> Number:
    """Round down, toward negative infinity."""
    return round_(work, value, digits, "floor")


def ceil(work: Work, value: JsonValue, digits: JsonValue = 0) -> Number:
    """Round up, toward positive infinity."""
    return round_(work, value, digits, "ceil")


def absolute(work: Work, value: JsonValue) -> Number:
    """Return the number without its sign."""
    number = a_number(value)
    return number.copy_abs() if isinstance(number, Decimal) else abs(number)


def sqrt(work: Work, value: JsonValue) -> float:
    """Return the square root of a number that is not negative."""
    number = a_number(value)
    if number < 0:
        raise Fault("expression.type", "A negative number has no square root.")
    result: float = finite(math.sqrt(number))
    return result


def log(work: Work, value: JsonValue) -> float:
    """Return the natural logarithm of a positive number."""
    number = a_number(value)
    if number <= 0:
        raise Fault("expression.type", "Only positive numbers have a logarithm.")
    result: float = finite(math.log(number))
    return result


def exp(work: Work, value: JsonValue) -> float:
    """Return e to the power of the number."""
    result: float = finite(math.exp(a_number(value)))
    return result


def fixed(work: Work, value: JsonValue, digits: JsonValue) -> str:
    """Return the number as text with exactly so many decimals."""
    places = an_integer(digits, "number of digits", 0, 300)
    text = fixed_digits(a_number(value), places)
    work.text(len(text))
    return text


def thousands(
    work: Work,
    value: JsonValue,
    digits: JsonValue = None,
    separator: JsonValue = ",",
    decimal_sign: JsonValue = ".",
) -> str:
    """Return the number as text in groups of three digits."""
    text = grouped(
        _plain(a_number(value), digits), a_text(separator, "separator"), a_text(decimal_sign, "decimal sign")
    )
    work.text(len(text))
    return text


def format_number(work: Work, value: JsonValue, format: JsonValue = "en", digits: JsonValue = None) -> str:
    """Return the number as people of a language write it, or by a pattern such as `#,##0.00`."""
    number, form = a_number(value), a_text(format, "format")
    if is_pattern(form):
        if digits is not None:
            raise Fault("expression.arguments", "The pattern says how many digits there are.")
        text = pattern_text(number, form)
    else:
        language = form.replace("_", "-").lower()
        if language not in LOCALES and language.partition("-")[0] not in LOCALES:
            raise Fault(
                "expression.arguments",
                sentence("There is no number format {format}.", format=form[:40]),
                suggestion(form, sorted(LOCALES), "formats"),
            )
        text = locale_text(_plain(number, digits), language)
    work.text(len(text))
    return text


def fixed_digits(number: Number, places: int) -> str:
    """Return the plain digits of a number with exactly so many decimals; zero has no sign."""
    result = rounded(number, places)
    text = format(result, f".{places}f") if result.as_tuple().exponent != -places else format(result, "f")
    return text if _DIGITS.search(text.replace("0", "")) else text.removeprefix("-")


def _plain(number: Number, digits: JsonValue) -> str:
    if digits is not None:
        return fixed_digits(number, an_integer(digits, "number of digits", 0, 300))
    return written(exact_decimal(number)).removesuffix(".0")
