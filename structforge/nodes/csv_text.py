"""CSV in and out: checked line by line, typed by rules that lose nothing.

Invariant: a row that does not fit is an error with its line number, never a shifted or null-filled row.
"""

import csv
import io
import json
from collections import Counter
from typing import Any

import polars as pl

from structforge.domain.errors import sentence
from structforge.nodes.tables import json_cells
from structforge.sdk import NodeError

INTEGER = r"^-?(?:0|[1-9][0-9]{0,17})$"
"""Whole numbers that fit 64 bits and that text would not lose: `007` stays text."""
DECIMAL = r"^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?$"

csv.field_size_limit(100 * 1024 * 1024)


def parse_csv(
    data: bytes,
    *,
    source: str,
    delimiter: str,
    has_header: bool,
    empty_values: tuple[str, ...],
    infer_types: bool,
) -> pl.DataFrame:
    """Read CSV bytes (UTF-8, with or without byte order mark) into a frame.

    `source` names the file in errors. Types: a column is a number or a boolean when every value is one and
    nothing is lost by it, else text; empty cells are null. Blank lines are skipped.
    Raises: NodeError `file.csv_row`, `file.csv_quote`, `file.csv_header`, `file.empty`.
    """
    text = data.decode("utf-8-sig")
    names, blank_lines = _check_rows(text, source, delimiter, has_header)
    frame = pl.read_csv(
        io.BytesIO(text.encode()),
        separator=delimiter,
        has_header=has_header,
        new_columns=names,
        infer_schema=False,
        null_values=list(empty_values) or None,
    )
    if blank_lines:
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return typed(frame) if infer_types else frame


def write_csv(frame: pl.DataFrame, delimiter: str) -> bytes:
    """Write a frame as CSV bytes (UTF-8, one header row, lines end with LF); nested cells become JSON
    text."""
    frame = json_cells(frame)
    nested = [
        pl.col(name).map_elements(_json_text, return_dtype=pl.String)
        for name, dtype in frame.schema.items()
        if dtype.is_nested()
    ]
    return frame.with_columns(nested).write_csv(separator=delimiter).encode()


def _json_text(cell: Any) -> str:
    return json.dumps(cell.to_list() if isinstance(cell, pl.Series) else cell, ensure_ascii=False)


def typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Give each text column the type all of its values have."""
    changes = []
    for name in frame.columns:
        values = frame.get_column(name).drop_nulls()
        if values.is_empty():
            continue
        if values.str.contains(INTEGER).all():
            changes.append(pl.col(name).cast(pl.Int64))
        elif values.str.contains(DECIMAL).all():
            changes.append(pl.col(name).cast(pl.Float64))
        elif values.str.to_lowercase().is_in(["true", "false"]).all():
            changes.append(pl.col(name).str.to_lowercase() == "true")
    return frame.with_columns(changes) if changes else frame


def _check_rows(text: str, source: str, delimiter: str, has_header: bool) -> tuple[list[str], bool]:
    """Return the column names and whether there are blank lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    blank = False
    line = 1
    try:
        for row in reader:
            if not row:
                blank = True
            elif names is None:
                names = (
                    _names(row, source, line) if has_header else [f"column_{n + 1}" for n in range(len(row))]
                )
            elif len(row) != len(names):
                raise NodeError(
                    "file.csv_row",
                    sentence(
                        "Line {line} of {source} has {count} values, but there are {columns} columns.",
                        line=line,
                        source=source,
                        count=len(row),
                        columns=len(names),
                    ),
                    where=f"line {line}",
                    hint="Look for a missing or extra delimiter, or a text with the delimiter that is not in "
                    "quotes.",
                    line=line,
                    expected=len(names),
                    found=len(row),
                )
            line = reader.line_num + 1
    except csv.Error as error:
        raise NodeError(
            "file.csv_quote",
            sentence(
                "The row that starts at line {line} of {source} is not valid CSV: {error}.",
                line=line,
                source=source,
                error=error,
            ),
            where=f"line {line}",
            hint="A quoted text must end with a quote before the next delimiter; a quote inside it is "
            "doubled.",
            line=line,
        ) from error
    if names is None:
        raise NodeError(
            "file.empty",
            sentence("{source} has no rows.", source=source),
            hint="Choose a file with at least a header row.",
        )
    return names, blank


def _names(row: list[str], source: str, line: int) -> list[str]:
    names = [name.strip() or f"column_{number}" for number, name in enumerate(row, 1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise NodeError(
            "file.csv_header",
            sentence(
                "The header of {source} names the column `{twice}` more than once.",
                source=source,
                twice=twice[0],
            ),
            where=f"line {line}",
            hint="Give each column a name of its own.",
            line=line,
        )
    return names
