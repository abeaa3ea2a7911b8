"""Functions on lists and objects: order, choice, sums, groups, and what is inside.

Invariant: numbers compare by their exact value; what has no common order is refused, nulls come last.
"""

from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Any

from structforge.domain.errors import sentence
from structforge.domain.expressions.arguments import (
    a_list,
    a_number,
    a_text,
    an_integer,
    an_object,
    chosen,
    look_up,
)
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.operators import add, equal, finite, order_of
from structforge.domain.expressions.problems import Absent, Fault, kind_of
from structforge.domain.numbers import Number, is_number, mean, total
from structforge.domain.values import JsonValue, canonical_json

Function = Callable[..., Any]


def length(work: Work, value: JsonValue) -> int:
    """Return the number of characters, items or fields."""
    if isinstance(value, str | list | dict):
        return len(value)
    raise Fault(
        "expression.type",
        sentence("{kind} has no length.", kind=kind_of(value).capitalize()),
        "Say what null counts as, as in coalesce(x, 0)." if value is None else "Use | text first.",
    )


def columns(work: Work, value: JsonValue) -> list[str]:
    """Return the field names of a table's rows, in the order in which they first occur."""
    names: dict[str, None] = {}
    for row in a_list(value):
        work.charge(1 + len(an_object(row)))
        names.update(dict.fromkeys(an_object(row)))
    return list(names)


def first(work: Work, value: JsonValue) -> Any:
    """Return the first item or character. Raises: Absent when there is none."""
    return look_up(value if isinstance(value, str) else a_list(value), 0)


def last(work: Work, value: JsonValue) -> Any:
    """Return the last item or character. Raises: Absent when there is none."""
    return look_up(value if isinstance(value, str) else a_list(value), -1)


def reverse_(work: Work, value: JsonValue) -> JsonValue:
    """Return the items or characters from the last to the first."""
    if isinstance(value, str):
        work.text(len(value))
        return value[::-1]
    work.items(len(a_list(value)))
    return a_list(value)[::-1]


def _ordering(work: Work, values: list[Any]) -> list[Any]:
    """Return what orders each value; null for null. Raises: Fault when they have no common order."""
    for item in values:
        work.walk(item)
    work.charge(len(values) * max(1, len(values).bit_length()))
    known = [item for item in values if item is not None]
    kinds = {Number if is_number(item) else type(item) for item in known}
    if kinds == {bool}:
        return values
    if len(kinds) <= 1 and not kinds & {bool, dict}:
        try:
            keys = [None if item is None else order_of(item) for item in values]
            if kinds == {list}:
                sorted(key for key in keys if key is not None)
        except TypeError:
            pass  # A text beside a number inside the lists.
        else:
            return keys
    odd = next((item for item in known if not isinstance(item, str) and not is_number(item)), None)
    raise Fault(
        "expression.type",
        sentence("The values have no common order: there is {odd} among them.", odd=kind_of(odd))
        if odd is not None
        else sentence("The values have no common order: there are texts and numbers among them."),
        "Convert them first with map('text') or map('number').",
    )


def sort(
    work: Work, value: JsonValue, reverse: JsonValue = False, attribute: JsonValue = None
) -> list[JsonValue]:
    """Return the items in order; null comes last in both directions."""
    rows = a_list(value)
    work.items(len(rows))
    keys = _ordering(work, chosen(work, rows, attribute))
    known = [index for index, key in enumerate(keys) if key is not None]
    order = sorted(known, key=keys.__getitem__, reverse=bool(reverse))
    return [rows[index] for index in order] + [
        row for row, key in zip(rows, keys, strict=True) if key is None
    ]


def unique(work: Work, value: JsonValue, attribute: JsonValue = None) -> list[JsonValue]:
    """Return the items of which no equal one came before."""
    rows = a_list(value)
    work.items(len(rows))
    seen: set[Hashable] = set()
    result = []
    for row, key in zip(rows, chosen(work, rows, attribute), strict=True):
        identity = _identity(work, key)
        if identity not in seen:
            seen.add(identity)
            result.append(row)
    return result


def group_by(work: Work, value: JsonValue, attribute: JsonValue) -> list[JsonValue]:
    """Return an object for each different value of a field: `key`, and in `items` the rows that have it."""
    rows = a_list(value)
    work.items(2 * len(rows))
    groups: dict[Hashable, dict[str, Any]] = {}
    for row, key in zip(rows, chosen(work, rows, attribute), strict=True):
        group = groups.setdefault(_identity(work, key), {"key": key, "items": []})
        group["items"].append(row)
    return list(groups.values())


def _identity(work: Work, key: JsonValue) -> Hashable:
    """Return the same for equal values only."""
    work.walk(key)
    work.charge(1 if isinstance(key, str) else 20)
    return key if isinstance(key, str) else canonical_json(key)


def _extreme(
    work: Work, value: JsonValue, more: tuple[Any, ...], attribute: JsonValue, pick: Function
) -> Any:
    """Return the first or last item in order; null is left out, and is the answer when all are null."""
    rows = [value, *more] if more else a_list(value)
    if not rows:
        raise Absent(rows, 0)
    keys = _ordering(work, chosen(work, rows, attribute))
    known = [index for index, key in enumerate(keys) if key is not None]
    return rows[pick(known, key=keys.__getitem__)] if known else None


def min_(work: Work, value: JsonValue, *more: JsonValue, attribute: JsonValue = None) -> Any:
    """Return the smallest item; null is left out."""
    return _extreme(work, value, more, attribute, min)


def max_(work: Work, value: JsonValue, *more: JsonValue, attribute: JsonValue = None) -> Any:
    """Return the largest item; null is left out."""
    return _extreme(work, value, more, attribute, max)


def sum_(work: Work, value: JsonValue, attribute: JsonValue = None, start: JsonValue = 0) -> JsonValue:
    """Return the sum, exact for integers and decimals and rounded once for numbers; null is left out."""
    found: JsonValue = finite(total([a_number(start, "start"), *_numbers(work, value, attribute)]))
    work.exact |= isinstance(found, Decimal)
    return found


def mean_(work: Work, value: JsonValue, attribute: JsonValue = None) -> float | None:
    """Return the arithmetic mean as a number; null is left out, and is the answer when all are null."""
    rows = a_list(value)
    if not rows:
        raise Absent(rows, 0)
    numbers = _numbers(work, rows, attribute)
    result: float | None = finite(mean(numbers)) if numbers else None
    return result


def _numbers(work: Work, value: JsonValue, attribute: JsonValue) -> list[Number]:
    rows = a_list(value)
    work.charge(len(rows))
    numbers: list[Number] = []
    for number in chosen(work, rows, attribute):
        if number is None:
            continue
        if not is_number(number):
            raise Fault(
                "expression.type",
                sentence("There is {number} in the list, which cannot be added.", number=kind_of(number)),
                "Convert first with map('number').",
            )
        numbers.append(number)
    return numbers


def range_(work: Work, start: JsonValue, stop: JsonValue = None, step: JsonValue = 1) -> list[int]:
    """Return the whole numbers from start to before stop."""
    first, end = (0, start) if stop is None else (start, stop)
    bound = 2**53
    stride = an_integer(step, "step", -bound, bound)
    if stride == 0:
        raise Fault("expression.arguments", "The step is zero.")
    numbers = range(an_integer(first, "start", -bound, bound), an_integer(end, "end", -bound, bound), stride)
    work.items(len(numbers))
    return list(numbers)


def batch(work: Work, value: JsonValue, size: JsonValue, fill: JsonValue = None) -> list[list[JsonValue]]:
    """Return the items in lists of a size; `fill` completes the last."""
    rows = a_list(value)
    width = an_integer(size, "size", 1)
    work.items(len(rows) + (width if fill is not None else 0))
    batches = [rows[begin : begin + width] for begin in range(0, len(rows), width)]
    if fill is not None and batches:
        batches[-1] = batches[-1] + [fill] * (width - len(batches[-1]))
    return batches


def flatten(work: Work, value: JsonValue) -> list[JsonValue]:
    """Return the items of the lists in a list, one level deep."""
    rows = a_list(value)
    work.items(sum(len(row) if isinstance(row, list) else 1 for row in rows))
    return [item for row in rows for item in (row if isinstance(row, list) else [row])]


def append(work: Work, value: JsonValue, item: JsonValue) -> JsonValue:
    """Return the list with one more item."""
    return add(a_list(value), [item], work)


def merge(work: Work, value: JsonValue, *others: JsonValue) -> dict[str, JsonValue]:
    """Return the fields of all objects; of one that several have, the last."""
    result: dict[str, JsonValue] = {}
    for part in (value, *others):
        work.items(len(an_object(part)))
        result.update(an_object(part))
    return result


def keys(work: Work, value: JsonValue) -> list[str]:
    """Return the names of the fields."""
    work.items(len(an_object(value)))
    return list(an_object(value))


def values(work: Work, value: JsonValue) -> list[JsonValue]:
    """Return the values of the fields."""
    work.items(len(an_object(value)))
    return list(an_object(value).values())


def items(work: Work, value: JsonValue) -> list[list[JsonValue]]:
    """Return a list of name and value for each field."""
    work.items(2 * len(an_object(value)))
    return [[key, item] for key, item in an_object(value).items()]


def get(work: Work, value: JsonValue, key: JsonValue, default: JsonValue = None) -> JsonValue:
    """Return a field, or the default when there is none."""
    return an_object(value).get(a_text(key, "key"), default)


def count_of(work: Work, value: JsonValue, part: JsonValue) -> int:
    """Return how often a list has the item, or a text the part."""
    if isinstance(value, list):
        work.charge(len(value))
        return sum(1 for item in value if equal(item, part, work))
    work.charge(len(a_text(value)) + len(a_text(part, "part")))
    return a_text(value).count(a_text(part))
