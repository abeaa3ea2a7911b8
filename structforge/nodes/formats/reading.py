"""A table from the bytes of a CSV file: what is recognised, what was pinned, what comes out.

Invariant: a file that was pinned is read by the pinned rules, or fails and says which column differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from structforge.domain.errors import Sentence, sentence
from structforge.nodes.formats.column_types import MisfitError, PatternError, Typed, typed
from structforge.nodes.formats.csv_blocks import typed_in_blocks
from structforge.nodes.formats.csv_options import AUTO, ChosenKind, ColumnRule, CsvOptions
from structforge.nodes.formats.csv_structure import (
    BadRow,
    Header,
    Source,
    line_of_row,
    lines_of_rows,
    prepare,
    read_header,
    read_rows,
)
from structforge.nodes.formats.recognition import (
    recognised_delimiter,
    spreadsheet_mark,
    with_decimal_sign,
)
from structforge.sdk import NodeError
from structforge.sdk.tables import Table

LARGE_BYTES = 8 << 20
"""From here on a file is read block by block."""
KINDS: tuple[ChosenKind, ...] = (
    "auto",
    "text",
    "integer",
    "decimal",
    "number",
    "boolean",
    "date",
    "datetime",
)


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was recognised of a file; in a version it is pinned."""

    format: str = "csv"
    encoding: str = "utf-8"
    delimiter: str = ""
    decimal: str = "."
    has_header: bool = True
    sheet: str = ""
    columns: tuple[tuple[str, ChosenKind], ...] = ()
    """`auto` is a column without a value: it may become anything."""

    def as_json(self) -> dict[str, Any]:
        """Return the block as it stands in parameters."""
        return {
            "format": self.format,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "decimal": self.decimal,
            "has_header": self.has_header,
            "sheet": self.sheet,
            "columns": [{"name": name, "type": kind} for name, kind in self.columns],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Recognised":
        """Read the block; what is not understood counts as not pinned."""
        texts = {
            name: body[name]
            for name in ("format", "encoding", "delimiter", "decimal", "sheet")
            if isinstance(body.get(name), str)
        }
        given = body.get("columns")
        columns = tuple(
            (column["name"], column["type"])
            for column in (given if isinstance(given, list) else ())
            if isinstance(column, dict)
            and isinstance(column.get("name"), str)
            and column.get("type") in KINDS
        )
        return cls(**texts, has_header=body.get("has_header") is not False, columns=columns)


@dataclass(frozen=True, slots=True)
class TableRead:
    """A table out of a file."""

    table: Table
    """Columns in their types; dates are ISO 8601 text."""
    texts: pl.DataFrame | None
    """The same cells as they stand in the file, unless it is large."""
    recognised: Recognised
    bad: list[dict[str, Any]] = field(default_factory=list)
    """Rows of another length: `line`, `expected`, `found`, `text`."""
    errors: list[str] = field(default_factory=list)
    """Cells of Excel whose formula gave an error, such as `B7`: they are read as empty."""


def read_csv(
    data: bytes, start: int, options: CsvOptions, source: str, *, pinned: Recognised | None = None
) -> TableRead:
    """Return the table of a CSV file that is UTF-8 from `start` on.

    Delimiter and decimal sign may be `auto`. Raises: NodeError `file.*`.
    """
    options = _settled(data, start, options, pinned)
    _require_signs(options)
    part = prepare(data, start, options, source)
    header = read_header(part)
    if pinned is not None and pinned.columns:
        require_columns(header.names, pinned, source, where=f"line {header.line}")
    try:
        found = _in_blocks(part, header, options, pinned, source)
        if found is not None:
            return _result(*found, None, [])
        rows = read_rows(part, header)
        options = with_decimal_sign(options, rows.frame)
        rules = rules_of(options.rules, pinned, rows.frame.columns, source)
        whole = typed(
            rows.frame, rules, infer=options.infer_types, decimal=options.decimal, thousands=options.thousands
        )
    except MisfitError as error:
        raise misfit(error, source, line_of_row(part, header, error.row)) from error
    except PatternError as error:
        raise no_pattern(error) from error
    return _result(whole, options, rows.frame, _told(part, header, rows.bad))


def _in_blocks(
    part: Source, header: Header, options: CsvOptions, pinned: Recognised | None, source: str
) -> tuple[Typed, CsvOptions] | None:
    """Return the table of a large file; nothing when it has to be read as a whole."""
    if part.end - header.body < LARGE_BYTES:
        return None
    return typed_in_blocks(part, header, rules_of(options.rules, pinned, header.names, source), options)


def _result(
    found: Typed, options: CsvOptions, texts: pl.DataFrame | None, bad: list[dict[str, Any]]
) -> TableRead:
    recognised = Recognised(
        delimiter=options.delimiter,
        decimal=options.decimal,
        has_header=options.has_header,
        columns=recognised_columns(found),
    )
    return TableRead(Table(found.frame, written=found.written), texts, recognised, bad)


def recognised_columns(found: Typed) -> tuple[tuple[str, ChosenKind], ...]:
    """Return the columns with their types, `auto` where no value tells one."""
    empty = {name for name, dtype in found.frame.schema.items() if dtype == pl.Null}
    return tuple((name, "auto" if name in empty else kind) for name, kind in found.kinds.items())


def rules_of(
    chosen: Mapping[str, ColumnRule], pinned: Recognised | None, columns: list[str], source: str
) -> dict[str, ColumnRule]:
    """Return the rule of each column: the chosen one, else the pinned. Raises: NodeError `file.column_unknown`."""
    unknown = [name for name in chosen if name not in columns]
    if unknown:
        raise NodeError(
            "file.column_unknown",
            sentence(
                "A type is chosen for the column `{column}`, which {source} has not.",
                column=unknown[0], source=source,
            ),
            where="parameters.types",
            hint=sentence("Its columns are: {names}.", names=", ".join(f"`{name}`" for name in columns[:20])),
        )  # fmt: skip
    rules = {name: ColumnRule(kind, pinned=True) for name, kind in (pinned.columns if pinned else ())}
    return rules | {name: rule for name, rule in chosen.items() if rule.type != "auto"}


def require_columns(names: list[str], pinned: Recognised, source: str, *, where: str) -> None:
    """Refuse a file whose columns are not the pinned ones. Raises: NodeError `file.not_as_pinned`."""
    known = [name for name, _ in pinned.columns]
    missing = [name for name in known if name not in names]
    added = [name for name in names if name not in known]
    if not missing and not added:
        return
    said = (
        sentence("{source} has no column `{column}`, which it had when the workflow was published.",
                 source=source, column=missing[0])
        if missing
        else sentence("{source} has the column `{column}`, which it had not when the workflow was published.",
                      source=source, column=added[0])
    )  # fmt: skip
    raise NodeError(
        "file.not_as_pinned",
        said,
        where=where,
        hint="If the file is right, look at it in the node `Read file` and publish the workflow again.",
        missing=missing[:100],
        added=added[:100],
    )


def misfit(error: MisfitError, source: str, line: int) -> NodeError:
    """Build the error of a cell that does not fit its column's type."""
    facts: dict[str, Any] = {
        "line": line, "column": error.column, "source": source, "type": error.rule.type,
    }  # fmt: skip
    cell = error.cell[:80]
    if error.rule.pinned:
        return NodeError(
            "file.not_as_pinned",
            sentence(
                "Line {line} of {source} has `{cell}` in the column `{column}`, which was of type {type} when the "
                "workflow was published.",
                cell=cell,
                **facts,
            ),
            where=f"line {line}",
            hint="If the file is right, look at it in the node `Read file` and publish the workflow again.",
            **facts,
        )
    return NodeError(
        "file.column_type",
        sentence(
            "Line {line} of {source} has `{cell}` in the column `{column}`, which is no {type}.",
            cell=cell, **facts,
        ),
        where=f"line {line}",
        hint=_way_out(error),
        **facts,
    )  # fmt: skip


def no_pattern(error: PatternError) -> NodeError:
    """Build the error of a pattern that dates cannot be read by."""
    return NodeError(
        "file.date_pattern",
        sentence("Column `{column}`: {problem}", column=error.column, problem=error.reason.message),
        where="parameters.types",
        hint=error.reason.hint or "Write the pattern as `%d.%m.%Y` or `%Y-%m-%d %H:%M`.",
    )


def _way_out(error: MisfitError) -> Sentence:
    if error.reason is not None:
        return sentence(
            "{problem} Correct the cell, or choose another type or pattern for the column.",
            problem=error.reason.message,
        )
    if error.rule.type in ("integer", "decimal", "number"):
        return sentence(
            "Correct the cell, choose another type for the column, or say which signs of decimals and thousands the "
            "file has."
        )
    return sentence("Correct the cell, or choose another type or pattern for the column.")


def _settled(data: bytes, start: int, options: CsvOptions, pinned: Recognised | None) -> CsvOptions:
    """Return the options with a delimiter, and with the decimal sign when it was pinned."""
    if options.delimiter == AUTO:
        mark = spreadsheet_mark(data, start)
        if mark:
            options = replace(options, skip_lines=max(options.skip_lines, 1))
        delimiter = (pinned.delimiter if pinned else "") or mark or recognised_delimiter(data, start, options)
        options = replace(options, delimiter=delimiter)
    if options.decimal == AUTO and pinned is not None and pinned.decimal in (".", ","):
        options = replace(options, decimal=pinned.decimal)
    return options


def _require_signs(options: CsvOptions) -> None:
    """Refuse one sign for two things, by which `3,2` would be 32. Raises: NodeError `file.signs`."""
    if options.thousands and options.thousands == options.decimal:
        raise NodeError(
            "file.signs",
            sentence("`{sign}` cannot be the decimal sign and the thousands sign.", sign=options.decimal),
            where="parameters.thousands",
            hint="Choose another sign for one of them, or leave the decimal sign at `auto`.",
        )


def _told(part: Source, header: Header, bad: list[BadRow]) -> list[dict[str, Any]]:
    if not bad:
        return []
    lines = lines_of_rows(part, header, {row.index for row in bad})
    width = len(header.names)
    return [
        {"line": lines.get(row.index, header.line), "expected": width, "found": row.count, "text": row.text}
        for row in bad
    ]
