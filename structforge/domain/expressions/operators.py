"""Arithmetic, comparison and joining over JSON values, each bounded before it is computed.

Invariant: operands are plain JSON values, results too; a text never acts as a format string.
"""

import math
from collections.abc import Callable
from typing import Any

from structforge.domain.errors import sentence
from structforge.domain.expressions.limits import Work, bounded_integer
from structforge.domain.expressions.problems import Fault, kind_of
from structforge.domain.numbers import MAX_INTEGER_BITS
from structforge.domain.values import JsonValue, encode_json

Number = int | float


def as_text(value: JsonValue, work: Work) -> str:
    """Return the text a value has inside other text: null is empty, true/false, lists and objects as JSON."""
    if isinstance(value, str):
        work.text(len(value))
        return value
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int | float):
        text = str(value)
        work.text(len(text))
        return text
    work.walk(value)
    text = encode_json(value).decode()
    work.text(len(text))
    return text


def _numbers(symbol: str, left: JsonValue, right: JsonValue) -> tuple[Any, Any]:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left, right
    hint = ""
    if symbol == "+" and (isinstance(left, str) or isinstance(right, str)):
        hint = "Use ~ to join values as text, or | float to read a text as a number."
    elif symbol == "%" and isinstance(left, str):
        hint = "Texts are not formatted with %. Use ~ to join text."
    elif isinstance(left, str) or isinstance(right, str):
        hint = "Use | float or | int to read a text as a number."
    elif left is None or right is None:
        hint = "Check for null first, as in (x or 0)."
    raise Fault(
        "expression.type",
        sentence(
            "{symbol} does not work on {left} and {right}.",
            symbol=symbol,
            left=kind_of(left),
            right=kind_of(right),
        ),
        hint,
    )


def finite(value: Any) -> Number:
    """Return a number that JSON can hold. Raises: Fault for infinities, NaN, complex and huge integers."""
    if isinstance(value, int):
        return bounded_integer(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise Fault("expression.type", "The result is not a finite number.")


def add(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Add numbers, join two texts or two lists."""
    if isinstance(left, str) and isinstance(right, str):
        work.text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        work.items(len(left) + len(right))
        return left + right
    a, b = _numbers("+", left, right)
    return finite(a + b)


def subtract(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Subtract numbers."""
    a, b = _numbers("-", left, right)
    return finite(a - b)


def multiply(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Multiply numbers, or repeat a text or a list."""
    if isinstance(right, str | list) and isinstance(left, int):
        left, right = right, left
    if isinstance(left, str) and isinstance(right, int):
        work.text(len(left) * max(right, 0))
        return left * right
    if isinstance(left, list) and isinstance(right, int):
        work.items(len(left) * max(right, 0))
        return left * right
    a, b = _numbers("*", left, right)
    if isinstance(a, int) and isinstance(b, int) and a.bit_length() + b.bit_length() > MAX_INTEGER_BITS + 1:
        raise Fault("expression.too_large", "The integer would have more than 4,300 digits.")
    return finite(a * b)


def _divisor(value: Any) -> Any:
    if value == 0:
        raise Fault("expression.type", "Division by zero.", "Check the divisor first: (a / b) if b else 0.")
    return value


def divide(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Divide numbers; the result is a floating point number."""
    a, b = _numbers("/", left, right)
    return finite(a / _divisor(b))


def divide_down(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Divide numbers and round down."""
    a, b = _numbers("//", left, right)
    return finite(a // _divisor(b))


def remainder(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Return what is left of a division; the sign is the divisor's."""
    a, b = _numbers("%", left, right)
    return finite(a % _divisor(b))


def power(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Raise a number to a power."""
    a, b = _numbers("**", left, right)
    if isinstance(a, int) and isinstance(b, int):
        if b > 0 and (abs(a).bit_length() - 1) * b > MAX_INTEGER_BITS:
            raise Fault("expression.too_large", "The integer would have more than 4,300 digits.")
        if b > MAX_INTEGER_BITS and abs(a) > 1:
            raise Fault("expression.too_large", "The exponent is too large.")
    if a == 0 and b < 0:
        raise Fault("expression.type", "Zero has no negative power.")
    return finite(a**b)


def equal(left: JsonValue, right: JsonValue, work: Work) -> bool:
    """Compare by value; the work is that of the smaller side."""
    if isinstance(left, list | dict) and isinstance(right, list | dict):
        if left is right:
            return True
        if len(left) != len(right):
            return False
        work.walk(left)
        work.walk(right)
    elif isinstance(left, str):
        work.charge(len(left))
    return left == right


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[JsonValue, JsonValue, Work], bool]:
    def compare(left: JsonValue, right: JsonValue, work: Work) -> bool:
        if isinstance(left, int | float) and isinstance(right, int | float):
            return test(left, right)
        if isinstance(left, str) and isinstance(right, str):
            work.charge(min(len(left), len(right)))
            return test(left, right)
        if isinstance(left, list) and isinstance(right, list):
            work.walk(left)
            work.walk(right)
            return test(left, right)
        raise Fault(
            "expression.type",
            sentence(
                "{left} and {right} have no order.",
                left=kind_of(left).capitalize(),
                right=kind_of(right),
            ),
            "Convert one of them with | float, | int or | string.",
        )

    return compare


less = _ordered(lambda a, b: a < b)
less_or_equal = _ordered(lambda a, b: a <= b)
greater = _ordered(lambda a, b: a > b)
greater_or_equal = _ordered(lambda a, b: a >= b)


def contained(item: JsonValue, holder: JsonValue, work: Work) -> bool:
    """Tell whether a list has the item, an object the key, or a text the part."""
    if isinstance(holder, str) and isinstance(item, str):
        work.charge(len(holder) + len(item))
        return item in holder
    if isinstance(holder, dict):
        return isinstance(item, str) and item in holder
    if isinstance(holder, list):
        work.charge(len(holder))
        if isinstance(item, list | dict | str):
            return any(equal(item, other, work) for other in holder)
        return item in holder
    raise Fault(
        "expression.type",
        sentence("Nothing can be in {holder}.", holder=kind_of(holder)),
        "Use a list, an object or a text.",
    )
