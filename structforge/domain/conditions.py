"""What is true and what is false where a workflow decides: `If`, `Switch` by condition, and `Until` of a loop.

Invariant: one rule for all of them, told in docs/values.md; what is neither is an error, never a branch by chance.
"""

from structforge.domain.errors import Problem, sentence
from structforge.domain.numbers import is_number
from structforge.domain.values import JsonValue

_TEXTS = {"true": True, "false": False}
_SHOWN = 80


def truth(value: JsonValue) -> bool | None:
    """Return what a condition's value means; None when it is neither true nor false.

    True and false themselves, the texts `true` and `false`, numbers (0 is false) and null (false).
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    if is_number(value):
        return value != 0
    return _TEXTS.get(value.strip().lower()) if isinstance(value, str) else None


def not_a_condition(value: JsonValue, where: str) -> Problem:
    """Describe a value that is neither true nor false."""
    return Problem(
        "if.not_boolean",
        sentence("The condition gives neither true nor false, but {shown}.", shown=_kind(value)),
        where,
        "Write one expression in `{{ }}` that compares: `{{ rows | length > 0 }}`.",
    )


def _kind(value: JsonValue) -> str:
    if isinstance(value, str):
        return f"`{value[:_SHOWN]}`" if value.strip() else "an empty text"
    return "a list" if isinstance(value, list) else "an object"
