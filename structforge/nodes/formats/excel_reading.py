"""Tables out of Excel files: xlsx, xlsm, xlsb, xls and ods.

Invariant: cells come as people see their values: numbers with at most 15 digits, dates as ISO 8601, the values of
formulas.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from structforge.domain.errors import sentence
from structforge.nodes.formats.column_types import MisfitError, PatternError, typed
from structforge.nodes.formats.csv_options import ColumnRule, Repeated
from structforge.nodes.formats.csv_structure import distinct, named_columns
from structforge.nodes.formats.reading import (
    Recognised,
    TableRead,
    misfit,
    no_pattern,
    recognised_columns,
    require_columns,
    rules_of,
)
from structforge.sdk import NodeError
from structforge.sdk.lazy_module import LazyModule
from structforge.sdk.tables import Table

if TYPE_CHECKING:
    import fastexcel
else:
    fastexcel = LazyModule("fastexcel")

_RANGE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})?(?::([A-Za-z]{1,3})([0-9]{1,7})?)?")
_MOMENT = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?)$"
_TIME_DAY = "1899-12-31"
"""The day Excel gives to a time without a date."""


@dataclass(frozen=True, slots=True)
class ExcelOptions:
    """Which part of an Excel file is read, and how."""

    sheet: str | int = ""
    """Name or number from 1; nothing means the first."""
    range: str = ""
    """Such as `B3:F200` or `A:D`; nothing means all."""
    has_header: bool = True
    skip_rows: int = 0
    footer_rows: int = 0
    repeated: Repeated = "error"
    missing: tuple[str, ...] = ()
    infer_types: bool = True
    rules: Mapping[str, ColumnRule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Part:
    """The rectangle that is read, counted from 0; None is open."""

    first_column: int = 0
    last_column: int | None = None
    first_row: int = 0
    last_row: int | None = None


def sheet_names(data: bytes, source: str) -> list[str]:
    """Return the names of the sheets. Raises: NodeError `file.excel`."""
    return list(_opened(data, source).sheet_names)


def read_excel(
    data: bytes, options: ExcelOptions, source: str, *, pinned: Recognised | None = None
) -> TableRead:
    """Return the table on a sheet. Raises: NodeError `file.excel`, `file.sheet`, `file.range`, `file.empty`, …"""
    book = _opened(data, source)
    sheet = _sheet(list(book.sheet_names), options, pinned, source)
    part = _part(options)
    cells, first_row, errors = _texts(book, sheet, part, source)
    cells = cells.head(max(0, cells.height - options.footer_rows)) if options.footer_rows else cells
    if not cells.width or not cells.height:
        raise NodeError(
            "file.empty",
            sentence("{source} has no rows.", source=source),
            where=sentence("sheet {sheet}", sheet=sheet),
            hint="Choose another sheet or range.",
        )
    frame, row = _headed(cells, options, source, first_row)
    if options.missing:
        frame = frame.with_columns(
            pl.when(pl.all().is_in(list(options.missing))).then(None).otherwise(pl.all()).name.keep()
        )
    if pinned is not None and pinned.columns:
        require_columns(frame.columns, pinned, source, where=sentence("sheet {sheet}", sheet=sheet))
    frame = _without_blank_rows(frame)
    rules = {
        name: replace(rule, iso=True)
        for name, rule in rules_of(options.rules, pinned, frame.columns, source).items()
    }
    try:
        found = typed(frame.drop("\0row"), rules, infer=options.infer_types)
    except MisfitError as error:
        line = row + int(frame.get_column("\0row")[error.row])
        raise misfit(error, source, line) from error
    except PatternError as error:
        raise no_pattern(error) from error
    texts = frame.drop("\0row")
    recognised = Recognised(
        format="excel", encoding="", decimal=".", has_header=options.has_header, sheet=sheet,
        columns=recognised_columns(found),
    )  # fmt: skip
    return TableRead(Table(found.frame, written=found.written), texts, recognised, errors=errors)


def _opened(data: bytes, source: str) -> Any:
    try:
        return fastexcel.read_excel(data)
    except fastexcel.FastExcelError as error:
        raise _unreadable(source) from error


def _unreadable(source: str) -> NodeError:
    return NodeError(
        "file.excel",
        sentence("{source} is not an Excel file that can be read.", source=source),
        where=source,
        hint="Save it as .xlsx without a password.",
    )


def _sheet(names: list[str], options: ExcelOptions, pinned: Recognised | None, source: str) -> str:
    wanted = options.sheet
    if wanted in ("", 0):
        wanted = pinned.sheet if pinned and pinned.sheet else 1
    if isinstance(wanted, str) and wanted in names:
        return wanted
    if isinstance(wanted, str) and wanted.isascii() and wanted.isdigit():
        wanted = int(wanted)
    if isinstance(wanted, int) and 1 <= wanted <= len(names):
        return names[wanted - 1]
    raise NodeError(
        "file.sheet",
        sentence("{source} has no sheet {sheet}.", source=source, sheet=f"`{wanted}`"),
        where="parameters.sheet",
        hint=sentence("It has: {names}.", names=", ".join(f"`{name}`" for name in names[:30])),
    )


def _part(options: ExcelOptions) -> _Part:
    skipped = options.skip_rows
    if not options.range.strip():
        return _Part(first_row=skipped)
    found = _RANGE.fullmatch(options.range.strip().replace("$", ""))
    if found is None:
        raise NodeError(
            "file.range",
            sentence("`{range}` is not a range of cells.", range=options.range[:40]),
            where="parameters.range",
            hint="Write it as `B3:F200`, or as `A:D` for whole columns.",
        )
    left, top, right, bottom = found.groups()
    first = _column(left)
    last = first if right is None and top is None else None if right is None else _column(right)
    first_row = int(top) - 1 if top else 0
    return _Part(first, last, max(first_row, 0) + skipped, int(bottom) - 1 if bottom else None)


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


def _texts(book: Any, sheet: str, part: _Part, source: str) -> tuple[pl.DataFrame, int, list[str]]:
    """Return the cells of the part as texts, the number of its first row in the sheet, and which cells hold errors."""
    try:
        loaded = book.load_sheet(sheet, header_row=None, skip_rows=0, dtypes="string")
        batch, refused = loaded.to_arrow_with_errors()
        frame = pl.from_arrow(batch)
        places = [column.absolute_index for column in loaded.available_columns()]
    except fastexcel.FastExcelError as error:
        raise _unreadable(source) from error
    assert isinstance(frame, pl.DataFrame)
    kept = [
        name
        for name, place in zip(frame.columns, places, strict=True)
        if place >= part.first_column and (part.last_column is None or place <= part.last_column)
    ]
    stop = frame.height if part.last_row is None else min(frame.height, part.last_row + 1)
    frame = frame.select(kept).slice(part.first_row, max(0, stop - part.first_row))
    frame = frame.select(pl.all().cast(pl.String))
    first = 0
    # What stands before the first row with a value is no part of the table.
    while first < frame.height and not any(cell not in (None, "") for cell in frame.row(first)):
        first += 1
    errors = [error.position for error in (refused.errors if refused else ())]
    inside = [
        (row, column) for row, column in errors
        if part.first_row <= row and (part.last_row is None or row <= part.last_row)
        and part.first_column <= column and (part.last_column is None or column <= part.last_column)
    ]  # fmt: skip
    return (
        frame.slice(first),
        part.first_row + first + 1,
        [_letters(column) + str(row + 1) for row, column in inside],
    )


def _letters(column: int) -> str:
    """Return what Excel calls the column, counted from 0."""
    before, last = divmod(column, 26)
    return (_letters(before - 1) if before else "") + chr(65 + last)


def _headed(
    cells: pl.DataFrame, options: ExcelOptions, source: str, first_row: int
) -> tuple[pl.DataFrame, int]:
    """Return the cells below the header with the columns' names, and the row of the first of them."""
    row = first_row
    if options.has_header:
        head = [_moments(pl.Series([name], dtype=pl.String))[0] for name in cells.row(0)]
        names = named_columns([(name or "").strip() for name in head])
        cells, row = cells.slice(1), first_row + 1
    else:
        names = [f"column_{number}" for number in range(1, cells.width + 1)]
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None and options.repeated == "error":
        raise NodeError(
            "file.csv_header",
            sentence("The header of {source} names the column `{twice}` more than once.", source=source, twice=twice),
            where=sentence("row {row}", row=first_row),
            hint="Give each column a name of its own, or choose that repeated names are numbered.",
        )  # fmt: skip
    frame = cells.rename(dict(zip(cells.columns, distinct(names), strict=True)))
    return frame.with_columns(
        [_moments(frame.get_column(name).alias("")).alias(name) for name in frame.columns]
    ), row


def _moments(cells: pl.Series) -> pl.Series:
    """Return dates as ISO 8601: days alone where a column has no times, times alone where it has no days."""
    moments = cells.str.contains(_MOMENT)
    if not moments.any():
        return cells
    found = cells.filter(moments.fill_null(value=False))
    if found.str.starts_with(_TIME_DAY).all():
        changed = cells.str.replace(_MOMENT, "$2")
    elif found.str.contains(r" 00:00:00(?:\.0+)?$").all():
        changed = cells.str.replace(_MOMENT, "$1")
    else:
        changed = cells.str.replace(_MOMENT, "${1}T$2")
    return changed


def _without_blank_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Leave out rows without any value; `\\0row` numbers the others as they stood."""
    numbered = frame.with_row_index("\0row")
    return numbered.filter(~pl.all_horizontal(pl.col(name).is_null() for name in frame.columns))
