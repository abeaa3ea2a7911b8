"""A value in a few words, for nodes and edges on a canvas: how many items, and how it begins.

Invariant: the work does not grow with the value, and the text is one short line.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from structforge.sdk.context import ArtifactRef

CHARACTERS = 28
"""As many as a node on a canvas has room for: the text goes to every viewer with every step."""
_PARTS = 3


def summary_of(value: Any) -> tuple[int | None, str]:
    """Return the number of items, where the value has items, and its beginning."""
    ref = ArtifactRef.from_json(value)
    if ref is not None:
        told = ref.meta.get("summary")
        if isinstance(told, list) and len(told) == 2 and isinstance(told[1], str):
            return (told[0] if type(told[0]) is int else None), _line(told[1])
        columns = ref.meta.get("columns")
        rows = ref.meta.get("rows")
        text = ", ".join(map(str, islice(columns, _PARTS))) if isinstance(columns, list) else ref.name
        counted = type(rows) is int and 0 <= rows < 2**53
        return (rows if counted else None), _line(text or ref.media_type)
    if isinstance(value, list):
        return len(value), _line(", ".join(_word(item) for item in islice(value, _PARTS)))
    if isinstance(value, dict):
        return None, _line(", ".join(f"{key}: {_word(item)}" for key, item in islice(value.items(), _PARTS)))
    return None, _line(_word(value))


def summaries_of(ports: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return `[items, text]` of each port."""
    return {port: list(summary_of(value)) for port, value in ports.items()}


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value[: 2 * CHARACTERS]
    if isinstance(value, list):
        return f"[{len(value)}]"
    if isinstance(value, dict):
        ref = ArtifactRef.from_json(value)
        if ref is not None:
            count, text = summary_of(value)
            return f"[{count}]" if count is not None else text
        return "{" + ", ".join(islice(map(str, value), _PARTS)) + "}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _line(text: str) -> str:
    line = " ".join(text[: 4 * CHARACTERS].split())
    return line if len(line) <= CHARACTERS else f"{line[: CHARACTERS - 1]}…"
