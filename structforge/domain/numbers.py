"""Numbers as values: integers, exact decimals and binary floats that compare, round and are written by one rule.

Invariant: a float counts with its shortest digits (`0.1` is one tenth), nothing here loses a digit silently, and a
result is finite and has at most `MAX_DIGITS` digits. Knows nothing of JSON or of expressions.
"""

import math
import re
from collections.abc import Iterable, Sequence
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from fractions import Fraction

Number = int | float | Decimal

MAX_DIGITS = 4300
"""Longest integer, and longest fraction, in decimal digits: Python's own bound for converting text to integers."""
MAX_INTEGER_BITS = 14_284
"""The largest bit length whose integers all have at most `MAX_DIGITS` digits."""
EXACT = Context(
    prec=5 * MAX_DIGITS,
    Emax=MAX_EMAX,
    Emin=MIN_EMIN,
    rounding=ROUND_HALF_UP,
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""Wide enough that no sum, difference or product of two bounded decimals is rounded."""

NEAREST, UP, DOWN = ROUND_HALF_UP, ROUND_CEILING, ROUND_FLOOR
"""Half away from zero; toward positive infinity; toward negative infinity."""

_WHOLE_IN_A_FLOAT = 2.0**53
_PARTS_OF_ONE = 2**1074
"""Every float is a whole number of such parts of 1."""
_LITERAL = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,5})?\Z")


def is_number(value: object) -> bool:
    """Tell whether a value is one of the three kinds; true and false are none."""
    return isinstance(value, int | float | Decimal) and value is not True and value is not False


def exact(value: Number) -> int | Decimal:
    """Return the value as exact digits: a float counts with the shortest that name it."""
    if isinstance(value, float):
        if value.is_integer() and -_WHOLE_IN_A_FLOAT < value < _WHOLE_IN_A_FLOAT:
            return int(value)
        return Decimal(repr(value))
    return value


def decimal_of(value: Number) -> Decimal:
    """Return the value as a decimal; a float counts with its shortest digits."""
    found = exact(value)
    return in_units(found) if isinstance(found, Decimal) else EXACT.create_decimal(found)


def in_units(value: Decimal) -> Decimal:
    """Return a bounded decimal without a positive exponent, as tables hold it: `1E+3` is `1000`."""
    return EXACT.quantize(value, Decimal(1)) if value.as_tuple().exponent > 0 else value  # type: ignore[operator]


def whole(value: object) -> int | None:
    """Return a whole number as an integer, also `3.0`; None for everything else."""
    if isinstance(value, int):
        return None if value is True or value is False else value
    if isinstance(value, float):
        return whole(exact(value)) if value.is_integer() else None
    if isinstance(value, Decimal) and value.is_finite() and is_bounded(value):
        return int(value) if value == value.to_integral_value() else None
    return None


def is_bounded(value: Decimal) -> bool:
    """Tell whether a finite decimal has at most `MAX_DIGITS` digits before and after the point."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and value.adjusted() < MAX_DIGITS and exponent >= -MAX_DIGITS


def held_by_float(value: Decimal) -> float | None:
    """Return the float whose shortest digits are this decimal, or None if a float would lose some."""
    number = float(value)
    return number if math.isfinite(number) and Decimal(repr(number)) == value else None


def settled(value: Decimal) -> Number:
    """Return a bounded decimal as JSON gives it back: an integer, a float if it loses nothing, else itself."""
    if value.as_tuple().exponent >= 0:  # type: ignore[operator]  # A bounded decimal has a number there.
        return int(value)
    number = held_by_float(value)
    if number is None:
        return value
    return number if number else 0.0


def written(value: Decimal) -> str:
    """Return the plain digits of a bounded decimal, without zeros at the end but with one if it has a fraction."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0")
        text += "0" if text.endswith(".") else ""
    return text.removeprefix("-") if not value else text


def read_number(text: str) -> int | Decimal | None:
    """Return the number that a text is, None if it is none: blanks around it, a `+` and leading zeros are fine."""
    found = text.strip()
    if len(found) > MAX_DIGITS + 10 or not _LITERAL.match(found):
        return None
    if found.lstrip("+-").isdigit():
        digits = found.lstrip("+-").lstrip("0")
        return int(found) if len(digits) <= MAX_DIGITS else None
    value = EXACT.create_decimal(found)
    return in_units(value) if is_bounded(value) else None


def rounded(value: Number, places: int, direction: str = NEAREST) -> Decimal:
    """Return the value with so many decimals (negative: tens, hundreds), rounded on its digits as written."""
    found = decimal_of(value)
    if places >= 0 and found.as_tuple().exponent >= -places:  # type: ignore[operator]
        return found
    return in_units(found.quantize(Decimal((0, (1,), -places)), rounding=direction, context=EXACT))


def rounded_to_kind(value: Number, places: int, direction: str = NEAREST) -> Number:
    """Return the rounded value in the kind of the value; without places an integer."""
    if places == 0:
        return value if isinstance(value, int) else int(rounded(value, 0, direction))
    if isinstance(value, int):
        return value if places > 0 else int(rounded(value, places, direction))
    result = rounded(value, places, direction)
    return float(result) + 0.0 if isinstance(value, float) else result


def quotient(left: Number, right: Number) -> float:
    """Return left / right, rounded once. Raises: OverflowError, ZeroDivisionError."""
    if isinstance(left, float) and isinstance(right, float):
        return left / right
    if isinstance(left, int) and isinstance(right, int):
        return left / right
    return float(Fraction(exact(left)) / Fraction(exact(right)))


def divided_down(left: int | Decimal, right: int | Decimal) -> tuple[Decimal, Decimal]:
    """Return the quotient rounded down and the remainder, which has the sign of the divisor; both exact."""
    dividend, divisor = decimal_of(left), decimal_of(right)
    shift = min(_exponent(dividend), _exponent(divisor), 0)
    times, rest = divmod(int(dividend.scaleb(-shift, EXACT)), int(divisor.scaleb(-shift, EXACT)))
    return EXACT.create_decimal(times), EXACT.create_decimal(rest).scaleb(shift, EXACT)


def total(values: Iterable[Number]) -> Number:
    """Return the sum: exact for integers and decimals, rounded once when floats are among them.

    Raises: OverflowError when the sum is no finite float.
    """
    whole_part: int | Decimal = 0
    floats: list[float] = []
    for value in values:
        if isinstance(value, float):
            floats.append(value)
        elif isinstance(whole_part, int) and isinstance(value, int):
            whole_part += value
        else:
            whole_part = EXACT.add(decimal_of(whole_part), decimal_of(value))
    if not floats:
        return whole_part
    if not whole_part:
        return math.fsum(floats) + 0.0
    near = float(whole_part)
    rest = float(Fraction(whole_part) - Fraction(near))
    return math.fsum([*floats, near, rest]) + 0.0


def exact_sum(floats: Sequence[float]) -> Fraction:
    """Return the sum of floats, not rounded."""
    whole = 0
    for numerator, denominator in map(float.as_integer_ratio, floats):
        whole += numerator * (_PARTS_OF_ONE // denominator)
    return Fraction(whole, _PARTS_OF_ONE)


def mean(values: list[Number]) -> float:
    """Return the arithmetic mean, rounded once. Raises: OverflowError, ZeroDivisionError."""
    floats = [value for value in values if isinstance(value, float)]
    if not floats:
        return quotient(total(values), len(values))
    others = total(value for value in values if not isinstance(value, float))
    return float((exact_sum(floats) + Fraction(others)) / len(values)) + 0.0


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # Only finite decimals get here.
    return exponent
