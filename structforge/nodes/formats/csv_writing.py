"""A table as CSV bytes, so that reading them gives the same table.

Invariant: null is a cell without anything (or the missing-value word), empty text is `""`, and every number is
written with its own digits, without an exponent.
"""

import codecs
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import polars as pl

from structforge.sdk.tables import Table

FORMULA = r"^[=+\-@\t\r]"
"""How a text begins that a spreadsheet may run."""


@dataclass(frozen=True, slots=True)
class CsvStyle:
    """How CSV is written."""

    delimiter: str = ","
    decimal: str = "."
    quoting: Literal["needed", "all"] = "needed"
    missing: str = ""
    line_end: Literal["lf", "crlf"] = "lf"
    bom: bool = False
    guard_formulas: bool = False


def write_csv(table: Table, style: CsvStyle) -> bytes:
    """Return the table as CSV: UTF-8 with one header row; lists and objects are JSON text.

    A table without columns is a file without content.
    """
    mark = codecs.BOM_UTF8 if style.bom else b""
    if not table.columns:
        return mark
    end = "\r\n" if style.line_end == "crlf" else "\n"
    header = style.delimiter.join(_quoted_name(name, style) for name in table.columns) + end
    columns = [_cells(table, name, style).alias(str(number)) for number, name in enumerate(table.columns)]
    lines = pl.select(pl.concat_str(columns, separator=style.delimiter).alias("line")) if columns else None
    assert lines is not None
    body = lines.get_column("line").str.join(end).item() if table.height else ""
    return mark + header.encode() + (f"{body}{end}".encode() if table.height else b"")


def plain_number(text: str) -> str:
    """Return a number as Python or polars writes it without an exponent."""
    return format(Decimal(text), "f") if "e" in text.lower() else text


def _cells(table: Table, name: str, style: CsvStyle) -> pl.Series:
    """Return a column as it stands in the file."""
    series = table.column(name).series
    if series.dtype == pl.String:
        texts = _guarded(series) if style.guard_formulas and name not in table.marks else series
        return _quoted(texts, style)
    if series.dtype == pl.Null:
        texts = series.cast(pl.String)
    elif series.dtype.is_float():
        texts = _floats(series, bare=table.written.get(name) == "3")
    else:
        texts = series.cast(pl.String)
    if style.decimal != "." and series.dtype.is_numeric():
        texts = texts.str.replace(".", style.decimal, literal=True)
    if (
        style.quoting == "all"
        or style.decimal == style.delimiter
        or style.delimiter in "-0123456789truefals."
    ):
        return _quoted(texts, style)
    return texts.fill_null(_missing(style))


def _floats(series: pl.Series, *, bare: bool) -> pl.Series:
    texts = series.cast(pl.String)
    if texts.str.contains("e", literal=True).any():
        texts = pl.Series(
            series.name, [None if text is None else plain_number(text) for text in texts], pl.String
        )
    return texts.str.replace(r"\.0$", "") if bare else texts.str.replace(r"^(-?[0-9]+)$", "$1.0")


def _quoted(texts: pl.Series, style: CsvStyle) -> pl.Series:
    frame = texts.to_frame("cells")
    cells = pl.col("cells")
    quoted = pl.concat_str(pl.lit('"'), cells.str.replace_all('"', '""', literal=True), pl.lit('"'))
    if style.quoting == "needed":
        special = (
            cells.str.contains(rf'["\r\n{re.escape(style.delimiter)}]')
            | (cells == "")
            | (cells == style.missing)
        )
        quoted = pl.when(special).then(quoted).otherwise(cells)
    return frame.select(quoted.fill_null(_missing(style))).to_series()


def _missing(style: CsvStyle) -> str:
    """Return what stands for null: never in quotes, so that it is no text."""
    return style.missing


def _guarded(texts: pl.Series) -> pl.Series:
    frame = texts.to_frame("cells")
    cells = pl.col("cells")
    guarded = pl.when(cells.str.contains(FORMULA)).then(pl.concat_str(pl.lit("'"), cells)).otherwise(cells)
    return frame.select(guarded).to_series()


def _quoted_name(name: str, style: CsvStyle) -> str:
    if style.guard_formulas and re.match(FORMULA, name):
        name = f"'{name}"
    if style.quoting == "all" or not name or any(sign in name for sign in ('"', "\r", "\n", style.delimiter)):
        return '"' + name.replace('"', '""') + '"'
    return name
