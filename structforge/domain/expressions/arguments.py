"""What functions take: arguments of the right kind, and paths into objects and lists.

Invariant: a wrong argument is a `Fault` that names its role; nothing is converted but whole floats to integers.
"""

from collections.abc import Iterable
from typing import Any

from structforge.domain.errors import sentence
from structforge.domain.expressions.limits import MAX_TEXT_CHARS, Work
from structforge.domain.expressions.operators import shown
from structforge.domain.expressions.problems import Absent, Fault, kind_of
from structforge.domain.numbers import Number, is_number, whole
from structforge.domain.values import JsonValue


def a_text(value: object, role: str = "value") -> str:
    """Return the value if it is a text. Raises: Fault."""
    if isinstance(value, str):
        return value
    raise Fault(
        "expression.type",
        sentence("The {role} must be a text, not {value}.", role=role, value=kind_of(value)),
        "Use | text first.",
    )


def a_list(value: object) -> list[Any]:
    """Return the value if it is a list. Raises: Fault."""
    if isinstance(value, list):
        return value
    raise Fault("expression.type", sentence("This needs a list, not {value}.", value=kind_of(value)))


def an_object(value: object) -> dict[str, Any]:
    """Return the value if it is an object. Raises: Fault."""
    if isinstance(value, dict):
        return value
    raise Fault("expression.type", sentence("This needs an object, not {value}.", value=kind_of(value)))


def a_number(value: object, role: str = "value") -> Number:
    """Return the value if it is a number. Raises: Fault."""
    if is_number(value):
        return value  # type: ignore[return-value]
    raise Fault(
        "expression.type",
        sentence("The {role} must be a number, not {value}.", role=role, value=kind_of(value)),
        "Use | number or | integer first.",
    )


def an_integer(value: object, role: str, low: int = -MAX_TEXT_CHARS, high: int = MAX_TEXT_CHARS) -> int:
    """Return a whole number in the range; `3.0` is one. Raises: Fault."""
    number = whole(value)
    if number is None:
        raise Fault(
            "expression.type",
            sentence("The {role} must be a whole number, not {value}.", role=role, value=shown(value)),
        )
    if low <= number <= high:
        return number
    raise Fault(
        "expression.too_large",
        sentence("The {role} must be from {low} to {high}.", role=role, low=low, high=high),
    )


def look_up(value: JsonValue, key: object) -> Any:
    """Return a field of an object or an item of a list or text. Raises: Absent."""
    if isinstance(value, dict):
        if isinstance(key, str) and key in value:
            return value[key]
    elif isinstance(value, list | str):
        place = whole(key)
        if place is not None and -len(value) <= place < len(value):
            return value[place]
    raise Absent(value, key)


def path_to(attribute: object) -> list[str | int]:
    """Return the keys of a path such as `address.city` or `lines.0.price`. Raises: Fault."""
    place = whole(attribute)
    if place is not None:
        return [place]
    text = a_text(attribute, "attribute")
    if len(text) > 1000:
        raise Fault("expression.too_large", "The attribute path is too long.")
    return [int(part) if part.isascii() and part.isdigit() else part for part in text.split(".")]


def follow(item: JsonValue, path: list[str | int]) -> Any:
    """Return what stands at the end of a path. Raises: Absent."""
    for key in path:
        item = look_up(item, str(key) if isinstance(item, dict) else key)
    return item


def chosen(work: Work, rows: Iterable[Any], attribute: object) -> list[Any]:
    """Return one field of each row; the rows themselves when there is no attribute. Raises: Fault, Absent."""
    if attribute is None:
        return list(rows)
    path = path_to(attribute)
    result = []
    for row in rows:
        work.charge(1 + len(path))
        result.append(follow(row, path))
    return result
