"""A file of any form: from its bytes to a table, a JSON value or a text.

Invariant: the node that reads and the preview that shows go through `open_content`, so they cannot differ.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Literal

from structforge.domain.errors import InvalidError, sentence
from structforge.domain.values import JsonValue, decode_json
from structforge.nodes.formats.compressed import ZIP, require_bounded, unpacked
from structforge.nodes.formats.csv_options import AUTO, ColumnRule, CsvOptions
from structforge.nodes.formats.encodings import MARKS, Decoded, decode, is_utf8
from structforge.nodes.formats.excel_reading import ExcelOptions, read_excel
from structforge.nodes.formats.reading import Recognised, TableRead, read_csv
from structforge.sdk import NodeError

Format = Literal["csv", "excel", "json", "json_lines", "text"]

_BY_SUFFIX: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".json": "json", ".geojson": "json", ".jsonl": "json_lines",
    ".ndjson": "json_lines", ".xlsx": "excel", ".xlsm": "excel", ".xlsb": "excel", ".xls": "excel", ".ods": "excel",
}  # fmt: skip
_BY_MEDIA_TYPE: dict[str, Format] = {
    "text/csv": "csv", "text/tab-separated-values": "csv", "application/json": "json",
    "application/x-ndjson": "json_lines", "application/jsonl": "json_lines", "application/vnd.ms-excel": "excel",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "excel",
    "application/vnd.oasis.opendocument.spreadsheet": "excel",
}  # fmt: skip
EXCEL_GROWTH = 10
"""Sheets are XML, which packs well: so many times the limit may an Excel file have when unpacked."""
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_OLD_OFFICE = bytes.fromhex("d0cf11e0a1b11ae1")


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How a file is read; what is `auto` or empty is recognised."""

    format: str = AUTO
    encoding: str = AUTO
    csv: CsvOptions = field(default_factory=lambda: CsvOptions(delimiter=AUTO, decimal=AUTO))
    sheet: str | int = ""
    range: str = ""
    pinned: Recognised | None = None

    def excel(self) -> ExcelOptions:
        """Return what of the options holds for Excel."""
        return ExcelOptions(
            sheet=self.sheet, range=self.range, has_header=self.csv.has_header, skip_rows=self.csv.skip_lines,
            footer_rows=self.csv.footer_lines, repeated=self.csv.repeated, missing=self.csv.missing,
            infer_types=self.csv.infer_types, rules=self.csv.rules,
        )  # fmt: skip


_MAY_BE_EMPTY = ("json_lines", "text")
"""No lines are a list without elements, and no characters a text."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds."""

    format: Format
    recognised: Recognised
    table: TableRead | None = None
    """Of a CSV or Excel file."""
    value: JsonValue = None
    """Of every other."""


def open_content(
    data: bytes, source: str, options: FileOptions, *, media_type: str = "", limit: int
) -> Content:
    """Return what the bytes of a file hold; `source` names it. Raises: NodeError `file.*`, `value.*`."""
    data, inner = unpacked(data, source, limit=limit)
    kind = _format(data, inner, media_type, options)
    if not data and kind not in _MAY_BE_EMPTY:
        raise NodeError(
            "file.empty",
            sentence("{source} is empty.", source=source),
            where=source,
            hint="Check how the file was made.",
        )
    if kind == "excel":
        require_bounded(data, source, limit=limit * EXCEL_GROWTH)
        table = read_excel(data, options.excel(), source, pinned=options.pinned)
        return Content(kind, table.recognised, table)
    decoded = _decoded(data, source, options)
    recognised = Recognised(format=kind, encoding=decoded.encoding)
    if kind == "csv":
        csv = options.csv
        if csv.delimiter == AUTO and inner.lower().endswith((".tsv", ".tab")):
            csv = replace(csv, delimiter="\t")
        table = read_csv(decoded.data, decoded.start, csv, source, pinned=options.pinned)
        recognised = replace(table.recognised, encoding=decoded.encoding)
        return Content(kind, recognised, replace(table, recognised=recognised))
    if kind == "json":
        return Content(kind, recognised, value=_json(decoded.data[decoded.start :], source))
    if kind == "json_lines":
        return Content(kind, recognised, value=_json_lines(decoded, source))
    return Content(kind, recognised, value=decoded.text())


def rules_from(types: Any) -> Mapping[str, ColumnRule]:
    """Return the rules of objects with `column`, `type` and `pattern`."""
    return {item.column: ColumnRule(item.type, item.pattern) for item in types}


def _format(data: bytes, name: str, media_type: str, options: FileOptions) -> Format:
    chosen = options.format
    if chosen == AUTO and options.pinned is not None:
        chosen = options.pinned.format
    if chosen in ("csv", "excel", "json", "json_lines", "text"):
        return chosen  # type: ignore[return-value]
    found = _BY_SUFFIX.get(PurePosixPath(name.lower()).suffix) or _BY_MEDIA_TYPE.get(
        media_type.partition(";")[0]
    )
    if found == "excel" and _is_plain(data):
        # Many programs export text with tabs and call it `.xls`, as Excel opens that.
        return "csv"
    return found or ("excel" if data.startswith((ZIP, _OLD_OFFICE)) else "text")


def _is_plain(data: bytes) -> bool:
    """Tell whether a file has no byte that text has not, and is no markup."""
    head = data[:4096]
    return not head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") and not _NOT_TEXT.search(head)


def _decoded(data: bytes, source: str, options: FileOptions) -> Decoded:
    encoding = options.encoding
    pinned = options.pinned.encoding if options.pinned is not None else ""
    if encoding != AUTO or not pinned:
        return decode(data, encoding, source)
    marked = next((name for mark, name in MARKS if data.startswith(mark)), "")
    wide = marked.startswith("utf-16") and not pinned.startswith("utf-16")
    if wide or (not pinned.startswith("utf") and not data.isascii() and is_utf8(data)):
        raise NodeError(
            "file.not_as_pinned",
            sentence(
                "{source} is {now} now; it was {encoding} when the workflow was published.",
                source=source, now=(marked or "utf-8").upper(), encoding=pinned,
            ),
            where=source,
            hint="If the file is right, look at it in the node `Read file` and publish the workflow again.",
        )  # fmt: skip
    return decode(data, pinned, source)


def _json(data: bytes, source: str) -> JsonValue:
    try:
        return decode_json(data, max_bytes=len(data))
    except InvalidError as error:
        raise _named(error, source, where=error.problem.where) from error


def _json_lines(decoded: Decoded, source: str) -> JsonValue:
    values: list[JsonValue] = []
    for number, line in enumerate(decoded.data[decoded.start :].split(b"\n"), 1):
        text = line.strip()
        if not text:
            continue
        try:
            values.append(decode_json(text, max_bytes=len(text)))
        except InvalidError as error:
            raise _named(_placed(error, line, number), source, where=f"line {number}", line=number) from error
    return values


def _placed(error: InvalidError, line: bytes, number: int) -> InvalidError:
    """Return the error of a line as its place in the file, not in the line, tells it."""
    above = b"\n" * (number - 1)
    try:
        decode_json(above + line.rstrip(), max_bytes=len(above) + len(line))
    except InvalidError as placed:
        return placed
    return error


def _named(error: InvalidError, source: str, *, where: str, **details: Any) -> NodeError:
    """Return the error of a JSON text with the name of its file."""
    problem = error.problem
    return NodeError(
        problem.code,
        sentence("{source}: {message}", source=source, message=problem.message),
        where=where,
        hint=problem.hint,
        **{**problem.details, **details},
    )
