"""Data in Markdown: cells and headings whose text can change neither the layout nor the formatting.

Invariant: what is written is read back as the same text. Source: GitHub Flavored Markdown, sections 4.10 and 6.1.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from structforge.domain.numbers import exact, is_number, rounded, written
from structforge.domain.values import encode_json
from structforge.sdk import ArtifactRef

_BREAKS = re.compile("[\r\n\v\f\x85\u2028\u2029]+")
# An underscore inside a word means nothing, and column names are full of them.
_SIGNS = re.compile(r"[\\`*\[\]|~!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escaped(text: str) -> str:
    """Return text as one line that means itself wherever Markdown has words."""
    line = " ".join(part for part in (part.strip() for part in _BREAKS.split(text)) if part)
    line = _SIGNS.sub(r"\\\g<0>", line.translate(_HTML))
    # Signs at the end would close a heading.
    return f"{line[:-1]}\\#" if line.endswith("#") else line


def table_lines(rows: Sequence[Mapping[str, Any]], decimals: int | None) -> list[str]:
    """Return the lines of a table; none when no row has a column."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if not columns:
        return []
    lines = [
        _line(escaped(column) for column in columns),
        _line("---:" if _is_numeric(rows, column) else "---" for column in columns),
    ]
    return lines + [_line(_cell(row.get(column), decimals) for column in columns) for row in rows]


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _is_numeric(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    cells = [cell for cell in (row.get(column) for row in rows) if cell is not None]
    return bool(cells) and all(is_number(cell) for cell in cells)


def _cell(value: Any, decimals: int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_number(value):
        return _number(value, decimals)
    if isinstance(value, str):
        return escaped(value)
    file = ArtifactRef.from_json(value)
    return escaped(file.name if file is not None and file.name else encode_json(value).decode())


def _number(value: Any, decimals: int | None) -> str:
    if decimals is not None and not isinstance(value, int):
        # Rounding leaves fewer decimals as they are: the format fills them up.
        return f"{rounded(value, decimals):.{decimals}f}"
    found = exact(value)
    return written(found) if isinstance(found, Decimal) else str(found)
