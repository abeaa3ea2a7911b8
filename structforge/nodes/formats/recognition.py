"""What a CSV file looks like: its delimiter, told by the rows that come out.

Invariant: a guess is only a guess: it is shown, it can be chosen otherwise, and it is pinned when published.
"""

import csv
import io
from collections import Counter
from dataclasses import replace

import polars as pl

from structforge.nodes.formats.column_types import recognised_decimal_sign
from structforge.nodes.formats.csv_options import AUTO, DELIMITERS, CsvOptions

_SAMPLE_BYTES = 64 * 1024
_SAMPLE_ROWS = 200


def recognised_delimiter(data: bytes, start: int, options: CsvOptions) -> str:
    """Return which of `DELIMITERS` gives the most even rows of more than one cell; a comma when none does."""
    sample = _sample(data, start, options)
    best, best_score = DELIMITERS[0], (0.0, 0)
    for delimiter in DELIMITERS:
        widths = [len(row) for row in _rows(sample, replace(options, delimiter=delimiter)) if row]
        if not widths:
            continue
        width, count = Counter(widths).most_common(1)[0]
        score = (count / len(widths), width)
        if width > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def spreadsheet_mark(data: bytes, start: int) -> str:
    """Return the delimiter of a first line `sep=;`, which Excel writes and reads; else nothing."""
    line = data[start : start + 7].splitlines()
    return line[0][4:].decode() if line and len(line[0]) == 5 and line[0].lower().startswith(b"sep=") else ""


def with_decimal_sign(options: CsvOptions, rows: pl.DataFrame) -> CsvOptions:
    """Return the options with the decimal sign that rows of texts use, where it is to be recognised."""
    if options.decimal != AUTO:
        return options
    if options.thousands in (".", ","):
        return replace(options, decimal="," if options.thousands == "." else ".")
    return replace(options, decimal=recognised_decimal_sign(rows) if options.infer_types else ".")


def _sample(data: bytes, start: int, options: CsvOptions) -> str:
    text = data[start : start + _SAMPLE_BYTES].decode("utf-8", "ignore")
    lines = text.splitlines(keepends=True)
    if start + _SAMPLE_BYTES < len(data):
        lines = lines[:-1] or lines
    lines = lines[options.skip_lines :]
    if options.comment:
        lines = [line for line in lines if not line.startswith(options.comment)]
    return "".join(lines)


def _rows(sample: str, options: CsvOptions) -> list[list[str]]:
    lines = io.StringIO(sample, newline="")
    reader = (
        csv.reader(lines, delimiter=options.delimiter, quotechar=options.quote)
        if options.quote
        else csv.reader(lines, delimiter=options.delimiter, quoting=csv.QUOTE_NONE)
    )
    return [row for row, _ in zip(reader, range(_SAMPLE_ROWS), strict=False)]
