"""A table as an Excel file.

Invariant: Excel holds 15 digits; a number with more is written as text, and the caller is told of which columns.
"""

import io
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from structforge.domain.errors import sentence
from structforge.sdk import NodeError
from structforge.sdk.lazy_module import LazyModule
from structforge.sdk.tables import Table

if TYPE_CHECKING:
    import xlsxwriter
    from xlsxwriter import exceptions as refusals
else:
    xlsxwriter = LazyModule("xlsxwriter")
    refusals = LazyModule("xlsxwriter.exceptions")

MAX_ROWS, MAX_COLUMNS, MAX_CELL = 1_048_576, 16_384, 32_767
MAX_DIGITS = 15

_SHEET_NAME = re.compile(r"[^\[\]:*?/\\\x00-\x1f']{1,31}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?")
_FIRST_DAY = date(1900, 3, 1)
"""Excel counts a day too many before."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_OPTIONS = {
    "in_memory": True,
    "strings_to_numbers": False,
    "strings_to_formulas": False,
    "strings_to_urls": False,
}


@dataclass(frozen=True, slots=True)
class ExcelFile:
    """What was written."""

    data: bytes
    as_text: list[str]
    """Columns of which some number was written as text, as Excel would have changed it."""


def write_excel(table: Table, *, sheet: str = "Sheet1", dates: bool = False) -> ExcelFile:
    """Return the table as an xlsx file; with `dates` columns of ISO 8601 texts become dates.

    Raises: NodeError `file.excel_sheet`, `file.excel_size`, `file.excel_cell`.
    """
    if not _SHEET_NAME.fullmatch(sheet):
        raise NodeError(
            "file.excel_sheet",
            sentence("`{sheet}` cannot be the name of a sheet.", sheet=sheet[:60]),
            where="parameters.sheet",
            hint="Use at most 31 characters, without `[ ] : * ? / \\ '`.",
        )
    if table.height >= MAX_ROWS or len(table.columns) > MAX_COLUMNS:
        raise NodeError(
            "file.excel_size",
            sentence(
                "The table has {rows} rows and {columns} columns; an Excel sheet takes {most_rows} and {most_columns}.",
                rows=table.height, columns=len(table.columns), most_rows=MAX_ROWS - 1, most_columns=MAX_COLUMNS,
            ),
            hint="Write it as CSV, or filter it first.",
        )  # fmt: skip
    buffer = io.BytesIO()
    as_text = []
    with xlsxwriter.Workbook(buffer, _OPTIONS) as book:
        page = book.add_worksheet(sheet)
        formats = _Formats(book)
        for number, name in enumerate(table.columns):
            _text(page, 0, number, name, name)
            if _column(page, number, table, name, formats, dates=dates):
                as_text.append(name)
        if table.columns:
            page.freeze_panes(1, 0)
    return ExcelFile(buffer.getvalue(), as_text)


class _Formats:
    """The number formats of a book, each made once."""

    def __init__(self, book: Any) -> None:
        self._book = book
        self._made: dict[str, Any] = {}

    def of(self, pattern: str) -> Any:
        if pattern not in self._made:
            self._made[pattern] = self._book.add_format({"num_format": pattern})
        return self._made[pattern]


def _column(page: Any, number: int, table: Table, name: str, formats: _Formats, *, dates: bool) -> bool:
    """Write a column; return whether some number became text."""
    series = table.column(name).series
    as_text = False
    pattern = "0" if series.dtype == pl.Int64 else ""
    if isinstance(series.dtype, pl.Decimal):
        pattern = "0." + "0" * series.dtype.scale if series.dtype.scale else "0"
    moments = _moments(series) if dates and series.dtype == pl.String and name not in table.marks else None
    for row, cell in enumerate(moments or series, 1):
        if cell is None:
            continue
        if isinstance(cell, bool):
            page.write_boolean(row, number, cell)
        elif isinstance(cell, int | Decimal):
            if not _is_exact(Decimal(cell)):
                as_text = True
                _text(page, row, number, format(cell, "f") if isinstance(cell, Decimal) else str(cell), name)
            else:
                page.write_number(row, number, cell, formats.of(pattern))
        elif isinstance(cell, float):
            page.write_number(row, number, cell)
        elif isinstance(cell, datetime):
            page.write_datetime(row, number, cell, formats.of("yyyy-mm-dd hh:mm:ss"))
        elif isinstance(cell, date):
            page.write_datetime(row, number, cell, formats.of("yyyy-mm-dd"))
        else:
            _text(page, row, number, str(cell), name)
    return as_text


def _is_exact(number: Decimal) -> bool:
    """Tell whether Excel shows and keeps every digit."""
    return abs(number) < 10**MAX_DIGITS and len(number.normalize().as_tuple().digits) <= MAX_DIGITS


def _moments(series: pl.Series) -> list[date | None] | None:
    """Return a column of ISO 8601 texts as dates; None when a cell is none that Excel has."""
    found: list[date | None] = []
    for cell in series:
        if cell is None:
            found.append(None)
            continue
        try:
            if _DAY.fullmatch(cell):
                day = date.fromisoformat(cell)
            elif _MOMENT.fullmatch(cell):
                day = datetime.fromisoformat(cell)
            else:
                return None
        except ValueError:
            return None
        if (day.date() if isinstance(day, datetime) else day) < _FIRST_DAY:
            return None
        found.append(day)
    return found if any(found) else None


def _text(page: Any, row: int, column: int, text: str, name: str) -> None:
    if len(text) > MAX_CELL:
        raise NodeError(
            "file.excel_cell",
            sentence(
                "Row {row}, column `{column}` has {count} characters; a cell of Excel takes {most}.",
                row=row, column=name[:80], count=len(text), most=MAX_CELL,
            ),
            hint="Write it as CSV, or shorten the text first.",
        )  # fmt: skip
    try:
        page.write_string(row, column, _CONTROL.sub("\ufffd", text))
    except refusals.XlsxWriterException as error:
        raise NodeError(
            "file.excel_cell",
            sentence(
                "Row {row}, column `{column}` cannot be written into a cell.", row=row, column=name[:80]
            ),
        ) from error
