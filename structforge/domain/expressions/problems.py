"""What can go wrong with an expression, and the marker for a step that was skipped.

Invariant: only `ExpressionError` leaves this package; `Fault` and `Absent` are raised and caught inside it.
Positions are character offsets into the whole text, end exclusive.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from structforge.domain.errors import Problem, StructForgeError, sentence

CODES = {
    "expression.syntax": "The text between {{ and }} is not a well-formed expression.",
    "expression.not_supported": "The expression uses something that is not part of the language.",
    "expression.unknown_name": "No node or input of this name can be seen from here.",
    "expression.unknown_function": "There is no function, method or test of this name.",
    "expression.arguments": "A function was called with the wrong arguments.",
    "expression.missing_key": "The object has no such field, or there is no object.",
    "expression.index_out_of_range": "The list or text has no such position.",
    "expression.skipped_step": "The step was skipped in this run, so it has no result.",
    "expression.type": "An operation does not fit the type of its value.",
    "expression.too_large": "The expression or its result is over its size limit.",
    "expression.too_much_work": "The evaluation takes more work than an expression may.",
}
"""Every code with its meaning; documented in docs/expressions.md."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Stands in a scope for the result of a step that was skipped; using it without a default is an error."""

    node_id: str


class ExpressionError(StructForgeError):
    """An expression is wrong or failed, at an exact position; the same data will fail again."""

    status = 422

    def __init__(
        self,
        code: str,
        message: str,
        hint: str = "",
        text: str = "",
        start: int = 0,
        end: int = 0,
        parameter_path: str = "",
    ) -> None:
        self.code = code
        self.message = message
        self.hint = hint
        self.text = text
        self.start = start
        self.end = end
        self.parameter_path = parameter_path
        where = (
            f"{parameter_path}: characters {start}-{end}" if parameter_path else f"characters {start}-{end}"
        )
        details = {
            "start": start,
            "end": end,
            "excerpt": text[start : min(end, start + 200)],
            "parameter_path": parameter_path,
        }
        super().__init__(Problem(code, message, where, hint, details))

    def at(self, parameter_path: str) -> "ExpressionError":
        """Return the same error with the path of the parameter that holds the text."""
        return ExpressionError(
            self.code, self.message, self.hint, self.text, self.start, self.end, parameter_path
        )


class Fault(Exception):
    """A failure inside an evaluation; functions raise it without a position, the call site adds one."""

    def __init__(self, code: str, message: str, hint: str = "", start: int = -1, end: int = -1) -> None:
        super().__init__(code, message, hint)
        self.code = code
        self.message = message
        self.hint = hint
        self.start = start
        self.end = end

    def located(self, start: int, end: int) -> "Fault":
        """Set the position unless a more precise one is known."""
        if self.start < 0:
            self.start, self.end = start, end
        return self


class Absent(Fault):
    """Something that is not there: what `default` and `is defined` forgive. Explained only when shown."""

    def __init__(self, holder: object, key: object, start: int = -1, end: int = -1) -> None:
        super().__init__("", "", "", start, end)
        self.holder = holder
        self.key = key

    def explained(self, scope_names: Iterable[str]) -> Fault:
        """Return the fault with code, sentence and a hint that names what is there."""
        code, message, hint = _explain(self.holder, self.key, scope_names)
        return Fault(code, message, hint, self.start, self.end)


class Scope:
    """The holder in an `Absent` that stands for the names of the scope itself."""


def kind_of(value: object) -> str:
    """Return the word people know for the type of a JSON value, with its article."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a yes/no value"
    if isinstance(value, int | float | Decimal):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    return "a value that is not JSON"


def suggestion(wanted: str, available: Iterable[str], what: str) -> str:
    """Return a did-you-mean sentence, or the first few names that exist."""
    names = [str(name) for _, name in zip(range(500), available, strict=False)]
    close = difflib.get_close_matches(wanted[:100], [name[:100] for name in names], 3, 0.6)
    if close:
        return sentence("Did you mean {names}?", names=" or ".join(close))
    if not names:
        return sentence("There are no {what}.", what=what)
    shown = ", ".join(name[:60] for name in names[:12])
    more = ", …" if len(names) > 12 else ""
    return sentence("Available {what}: {names}.", what=what, names=f"{shown}{more}")


def _explain(holder: object, key: object, scope_names: Iterable[str]) -> tuple[str, str, str]:
    if isinstance(holder, Skipped):
        return (
            "expression.skipped_step",
            sentence("The step {node_id} was skipped, so it has no result.", node_id=holder.node_id),
            sentence("Give a default: {{{{ {node_id} | default(…) }}}}.", node_id=holder.node_id),
        )
    if isinstance(holder, Scope):
        return (
            "expression.unknown_name",
            sentence("There is no {key} here.", key=_short(key)),
            suggestion(str(key), scope_names, "names"),
        )
    if isinstance(holder, dict):
        return (
            "expression.missing_key",
            sentence("There is no field {key} in this object.", key=_short(key)),
            suggestion(str(key), holder, "fields"),
        )
    if isinstance(holder, list | str) and isinstance(key, int):
        return (
            "expression.index_out_of_range",
            sentence("Position {key} does not exist: the list has {count} items.", key=key, count=len(holder))
            if isinstance(holder, list)
            else sentence(
                "Position {key} does not exist: the text has {count} characters.", key=key, count=len(holder)
            ),
            sentence("Positions go from 0 to {count}.", count=len(holder) - 1)
            if holder
            else "It is empty; give a default.",
        )
    if isinstance(holder, list):
        return (
            "expression.missing_key",
            sentence("A list has no field {key}.", key=_short(key)),
            "Take an item first, as in rows[0], or one field of all items: rows | map(attribute='name').",
        )
    return (
        "expression.missing_key",
        sentence("There is no field {key} in {holder}.", key=_short(key), holder=kind_of(holder)),
        "Check the step before, or give a default." if holder is None else "Only objects have fields.",
    )


def _short(key: object) -> str:
    return str(key)[:80]
