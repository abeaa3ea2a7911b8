"""Arithmetic, comparison and joining over JSON values, each bounded before it is computed.

Invariant: operands are plain JSON values, results too; a text never acts as a format string. Integers and decimals are
exact, a result is finite, and numbers compare by their exact value (docs/values.md).
"""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson

from structforge.domain.errors import sentence
from structforge.domain.expressions.limits import Work, bounded_integer
from structforge.domain.expressions.problems import Fault, kind_of
from structforge.domain.numbers import (
    EXACT,
    MAX_INTEGER_BITS,
    Number,
    decimal_of,
    divided_down,
    exact,
    is_bounded,
    is_number,
    quotient,
    whole,
    written,
)
from structforge.domain.values import JsonValue, encode_json, same_value


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
    if isinstance(value, int | float | Decimal):
        text = text_of_number(value)
        work.text(len(text))
        return text
    work.walk(value)
    text = encode_json(value).decode()
    work.text(len(text))
    return text


def text_of_number(value: Number) -> str:
    """Return a number as JSON writes it."""
    if isinstance(value, int):
        return str(value)
    return orjson.dumps(value).decode() if isinstance(value, float) else written(value)


def shown(value: object) -> str:
    """Return what a message says a value is: a number itself, of everything else its kind."""
    if is_number(value):
        text = text_of_number(value)  # type: ignore[arg-type]
        return text if len(text) <= 40 else text[:40] + "…"
    return kind_of(value)


def finite(value: Any) -> Any:
    """Return a number that JSON can hold. Raises: Fault for infinities, NaN, complex and huge numbers."""
    if isinstance(value, int):
        return bounded_integer(value)
    if isinstance(value, float) and math.isfinite(value):
        return value + 0.0  # There is one zero.
    if isinstance(value, Decimal) and value.is_finite():
        if is_bounded(value):
            return value
        raise Fault("expression.too_large", "The number would have more than 4,300 digits.")
    raise Fault("expression.too_large", "The result is too large for a number.")


def _operands(work: Work, symbol: str, left: JsonValue, right: JsonValue) -> tuple[Any, Any]:
    """Return both numbers in one kind: integers, decimals, or floats when one of them is a float."""
    kind = type(left)
    if kind is type(right) and (kind is int or kind is float):
        return left, right
    if not is_number(left) or not is_number(right):
        raise _no_numbers(symbol, left, right)
    if isinstance(left, float) or isinstance(right, float):
        return float(left), float(right)  # type: ignore[arg-type]
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        work.exact = True
        return decimal_of(left), decimal_of(right)  # type: ignore[arg-type]
    return left, right


def _no_numbers(symbol: str, left: JsonValue, right: JsonValue) -> Fault:
    hint = ""
    if symbol == "+" and (isinstance(left, str) or isinstance(right, str)):
        hint = "Use ~ to join values as text, or | number to read a text as a number."
    elif symbol == "%" and isinstance(left, str):
        hint = "Texts are not formatted with %. Use ~ to join text."
    elif isinstance(left, str) or isinstance(right, str):
        hint = "Use | number, | decimal or | integer to read a text as a number."
    elif left is None or right is None:
        hint = "Say what null counts as, as in coalesce(x, 0)."
    elif isinstance(left, bool) or isinstance(right, bool):
        hint = "Use | integer to count true as 1."
    return Fault(
        "expression.type",
        sentence(
            "{symbol} does not work on {left} and {right}.",
            symbol=symbol,
            left=kind_of(left),
            right=kind_of(right),
        ),
        hint,
    )


def add(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Add numbers, join two texts or two lists."""
    if isinstance(left, str) and isinstance(right, str):
        work.text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        work.items(len(left) + len(right))
        return left + right
    a, b = _operands(work, "+", left, right)
    found: JsonValue = finite(EXACT.add(a, b) if isinstance(a, Decimal) else a + b)
    return found


def subtract(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Subtract numbers."""
    a, b = _operands(work, "-", left, right)
    found: JsonValue = finite(EXACT.subtract(a, b) if isinstance(a, Decimal) else a - b)
    return found


def multiply(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Multiply numbers, or repeat a text or a list."""
    if isinstance(right, str | list):
        left, right = right, left
    if isinstance(left, str | list) and (times := whole(right)) is not None:
        if isinstance(left, str):
            work.text(len(left) * max(times, 0))
        else:
            work.items(len(left) * max(times, 0))
        return left * times
    a, b = _operands(work, "*", left, right)
    if isinstance(a, int) and a.bit_length() + b.bit_length() > MAX_INTEGER_BITS + 1:
        raise Fault("expression.too_large", "The integer would have more than 4,300 digits.")
    found: JsonValue = finite(EXACT.multiply(a, b) if isinstance(a, Decimal) else a * b)
    return found


def _check_divisor(value: Any) -> None:
    if not value:
        raise Fault(
            "expression.type",
            "Division by zero.",
            "Check the divisor first: (a / b) if b else 0.",
        )


def divide(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Divide numbers; the result is a floating point number, rounded once."""
    a, b = _operands(work, "/", left, right)
    _check_divisor(b)
    found: JsonValue = finite(quotient(a, b))
    return found


def divide_down(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Divide numbers and round down."""
    a, b = _operands(work, "//", left, right)
    _check_divisor(b)
    found: JsonValue = finite(divided_down(a, b)[0] if isinstance(a, Decimal) else a // b)
    return found


def remainder(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Return what is left of a division; the sign is the divisor's."""
    a, b = _operands(work, "%", left, right)
    _check_divisor(b)
    found: JsonValue = finite(divided_down(a, b)[1] if isinstance(a, Decimal) else a % b)
    return found


def power(left: JsonValue, right: JsonValue, work: Work) -> JsonValue:
    """Raise a number to a power: exact for whole powers of integers and decimals."""
    a, b = _operands(work, "**", left, right)
    if a == 0 and b < 0:
        raise Fault("expression.type", "Zero has no negative power.")
    times = whole(b)
    if isinstance(a, int | Decimal) and times is not None and times >= 0:
        found: JsonValue = finite(_exact_power(a, times))
        return found
    if a < 0 and times is None:
        raise Fault("expression.type", "A negative number has no power with a fraction.")
    result: JsonValue = finite(float(a) ** float(b))
    return result


def _exact_power(base: int | Decimal, times: int) -> int | Decimal:
    size = len(base.as_tuple().digits) * 4 if isinstance(base, Decimal) else abs(base).bit_length() - 1
    if times > MAX_INTEGER_BITS and abs(base) not in (0, 1):
        raise Fault("expression.too_large", "The exponent is too large.")
    if size * times > 4 * MAX_INTEGER_BITS or (isinstance(base, int) and size * times > MAX_INTEGER_BITS):
        raise Fault("expression.too_large", "The integer would have more than 4,300 digits.")
    if isinstance(base, int):
        return base**times if abs(base) > 1 else int(abs(base) and (base if times % 2 else 1)) if times else 1
    result = Decimal(1)
    for _ in range(times if abs(base) not in (0, 1) else min(times, 2 - times % 2)):
        result = EXACT.multiply(result, base)
    return result


def signed(value: JsonValue, sign: int) -> JsonValue:
    """Return the number or its negative. Raises: Fault."""
    if not is_number(value):
        raise Fault("expression.type", sentence("A sign does not work on {value}.", value=kind_of(value)))
    if sign > 0:
        return value
    return EXACT.minus(value) if isinstance(value, Decimal) else 0 - value  # type: ignore[operator]


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
    return same_value(left, right)


def order_of(value: JsonValue) -> Any:
    """Return what orders a value among others of its kind. Raises: Fault for null, true, false and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [order_of(item) for item in value]
    if is_number(value):
        return exact(value)  # type: ignore[arg-type]
    raise Fault("expression.type", sentence("{value} has no order.", value=kind_of(value).capitalize()))


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[JsonValue, JsonValue, Work], bool]:
    def compare(left: JsonValue, right: JsonValue, work: Work) -> bool:
        if type(left) is type(right) and isinstance(left, int | float) and not isinstance(left, bool):
            return test(left, right)
        if is_number(left) and is_number(right):
            return test(order_of(left), order_of(right))
        if isinstance(left, str) and isinstance(right, str):
            work.charge(min(len(left), len(right)))
            return test(left, right)
        if isinstance(left, list) and isinstance(right, list):
            work.walk(left)
            work.walk(right)
            try:
                return test(order_of(left), order_of(right))
            except TypeError:
                pass  # A text beside a number somewhere inside.
        raise Fault(
            "expression.type",
            sentence(
                "{left} and {right} have no order.",
                left=kind_of(left).capitalize(),
                right=kind_of(right),
            ),
            "Say what null counts as, as in coalesce(x, 0)."
            if left is None or right is None
            else "Convert one of them with | number, | integer or | text.",
        )

    return compare


less = _ordered(lambda a, b: a < b)
less_or_equal = _ordered(lambda a, b: a <= b)
greater = _ordered(lambda a, b: a > b)
greater_or_equal = _ordered(lambda a, b: a >= b)


def contained(item: JsonValue, holder: JsonValue, work: Work) -> bool:
    """Tell whether a list has the item, an object the key, or a text the part; null is in no text."""
    if isinstance(holder, str):
        if item is None:
            return False
        if isinstance(item, str):
            work.charge(len(holder) + len(item))
            return item in holder
        raise Fault(
            "expression.type",
            sentence("A text has parts that are texts, not {item}.", item=kind_of(item)),
            "Use | text first.",
        )
    if isinstance(holder, dict):
        return isinstance(item, str) and item in holder
    if isinstance(holder, list):
        work.charge(len(holder))
        return any(equal(item, other, work) for other in holder)
    raise Fault(
        "expression.type",
        sentence("Nothing can be in {holder}.", holder=kind_of(holder)),
        "Use a list, an object or a text.",
    )
