"""The tests of the language: what may stand after `is` and in `selectattr`.

Invariant: a test takes the work counter and plain JSON values and returns yes or no.
"""

from collections.abc import Callable
from decimal import Decimal

from structforge.domain.errors import sentence
from structforge.domain.expressions import operators
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.problems import Fault
from structforge.domain.numbers import is_number, whole
from structforge.domain.values import JsonValue

Test = Callable[..., bool]


def _kind(*kinds: type) -> Test:
    def test(work: Work, value: JsonValue) -> bool:
        return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))

    return test


def _whole(value: JsonValue) -> int:
    number = whole(value)
    if number is not None:
        return number
    raise Fault(
        "expression.type",
        sentence("This test needs a whole number, not {value}.", value=operators.shown(value)),
    )


def _by(compare: Callable[[JsonValue, JsonValue, Work], bool]) -> Test:
    def test(work: Work, value: JsonValue, other: JsonValue) -> bool:
        return compare(value, other, work)

    return test


def _divisible_by(work: Work, value: JsonValue, divisor: JsonValue) -> bool:
    if _whole(divisor) == 0:
        raise Fault("expression.type", "Nothing is divisible by zero.")
    return _whole(value) % _whole(divisor) == 0


def _different(work: Work, value: JsonValue, other: JsonValue) -> bool:
    return not operators.equal(value, other, work)


def _odd(work: Work, value: JsonValue) -> bool:
    return _whole(value) % 2 == 1


def _even(work: Work, value: JsonValue) -> bool:
    return _whole(value) % 2 == 0


def _none(work: Work, value: JsonValue) -> bool:
    return value is None


def _true(work: Work, value: JsonValue) -> bool:
    return value is True


def _false(work: Work, value: JsonValue) -> bool:
    return value is False


def _truthy(work: Work, value: JsonValue) -> bool:
    return bool(value)


def is_empty(work: Work, value: JsonValue) -> bool:
    """Tell whether a value is null, a text without characters, or a list or an object with nothing in it."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def contains(work: Work, value: JsonValue, part: JsonValue) -> bool:
    """Tell whether a list has the item, an object the key, or a text the part."""
    return operators.contained(part, value, work)


def _number(work: Work, value: JsonValue) -> bool:
    return is_number(value)


def _present(work: Work, value: JsonValue) -> bool:
    return True


def _missing(work: Work, value: JsonValue) -> bool:
    return False


TESTS: dict[str, Test] = {
    "boolean": _kind(bool),
    "contains": contains,
    "defined": _present,
    "divisibleby": _divisible_by,
    "empty": is_empty,
    "eq": _by(operators.equal),
    "equalto": _by(operators.equal),
    "even": _even,
    "false": _false,
    "float": _kind(float, Decimal),
    "ge": _by(operators.greater_or_equal),
    "greaterthan": _by(operators.greater),
    "gt": _by(operators.greater),
    "in": _by(operators.contained),
    "integer": _kind(int),
    "le": _by(operators.less_or_equal),
    "lessthan": _by(operators.less),
    "list": _kind(list),
    "lt": _by(operators.less),
    "mapping": _kind(dict),
    "ne": _different,
    "none": _none,
    "number": _number,
    "odd": _odd,
    "sequence": _kind(list, str),
    "string": _kind(str),
    "true": _true,
    "truthy": _truthy,
    "undefined": _missing,
}
"""Every test by name; `defined` and `undefined` get their subject only if it exists."""
