"""The text of a report: the author's Markdown around the places of its tables.

Invariant: a place is what the author wrote on a line of its own, found before any expression is resolved, so that no
data can name a table. Finding takes time in proportion to the text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from structforge.domain.expressions.limits import MAX_WORK, Work
from structforge.domain.expressions.operators import as_text

_OPENING, _CLOSING = "[[table:", "]]"
_EXPRESSION, _END = "{{", "}}"


@dataclass(frozen=True, slots=True)
class Marker:
    """The place of a table."""

    table: str


def split(text: str) -> list[dict[str, Any]]:
    """Return the author's text in parts: `{"text": …}` with its expressions, and `{"table": name}` for a place."""
    parts: list[dict[str, Any]] = []
    words: list[str] = []
    for line, name in _lines(text):
        if name is None:
            words.append(line)
            continue
        parts += [{"text": "".join(words)}, {"table": name}]
        # The line's end stays: the table is put in the place of the marker alone.
        words = ["\n"] if line.endswith("\n") else []
    if words:
        parts.append({"text": "".join(words)})
    return [part for part in parts if part.get("text") != ""]


def _lines(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield each line with its end, and the table's name where it is a marker; none inside an expression."""
    inside = False
    for line in (
        text.splitlines(keepends=True) if "\r" not in text else text.replace("\r\n", "\n").splitlines(True)
    ):
        name = None if inside or _EXPRESSION in line else _name(line.strip(" \t\n"))
        yield line, name
        opened, closed = line.rfind(_EXPRESSION), line.rfind(_END)
        if max(opened, closed) >= 0:
            inside = opened > closed


def _name(line: str) -> str | None:
    if not line.startswith(_OPENING) or not line.endswith(_CLOSING):
        return None
    name = line[len(_OPENING) : -len(_CLOSING)].strip()
    return name if name and "]" not in name else None


def _parts(value: Any) -> Any:
    """Read what `split` made, its expressions resolved; or a text as it is."""
    if isinstance(value, str):
        value = split(value)
    if not isinstance(value, list | tuple):
        return value
    return tuple(_part(part) for part in value)


def _part(part: Any) -> Any:
    if isinstance(part, dict) and part.keys() == {"table"} and isinstance(part["table"], str):
        return Marker(part["table"])
    if isinstance(part, dict) and part.keys() == {"text"}:
        return as_text(part["text"], Work(MAX_WORK))
    return part


ReportText = Annotated[
    tuple[Marker | str, ...], BeforeValidator(_parts), WithJsonSchema({"type": "string", "default": ""})
]
"""A parameter of a report's text: a text for its author, parts for the node."""
