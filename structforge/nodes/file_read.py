"""The node that reads files: CSV, Excel, JSON, JSON Lines and text.

Invariant: a file is read by what its parameters say, by what was pinned, and only then by what is recognised.
"""

from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from structforge.nodes.formats.csv_options import ChosenKind, CsvOptions, Ragged, Repeated
from structforge.nodes.formats.encodings import ENCODINGS
from structforge.nodes.formats.file_bytes import read_bounded
from structforge.nodes.formats.file_names import file_path
from structforge.nodes.formats.opening import FileOptions, open_content, rules_from
from structforge.nodes.formats.reading import Recognised
from structforge.nodes.tables import table_result
from structforge.sdk import (
    ArtifactRef,
    Effect,
    Example,
    Execution,
    Inputs,
    Node,
    NodeContext,
    NodeError,
    Parameters,
    Port,
    Ports,
    Result,
    parameter,
)

ReadFormat = Literal["auto", "csv", "excel", "json", "json_lines", "text"]
Encoding = Literal[
    "auto", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "iso-8859-2", "iso-8859-15", "windows-1250",
    "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255", "windows-1256", "windows-1257",
    "windows-1258", "gb18030", "gbk", "big5", "shift-jis", "euc-jp", "euc-kr", "koi8-r", "cp437", "cp850",
    "mac-roman",
]  # fmt: skip
Decimal = Literal["auto", ".", ","]
Thousands = Literal["", ",", ".", " ", "'"]

_TABLE = {"format": ["auto", "csv", "excel"]}
_CSV = {"format": ["auto", "csv"]}
_TEXT = {"format": ["auto", "csv", "json", "json_lines", "text"]}

assert set(ENCODINGS) < set(Encoding.__args__)  # type: ignore[attr-defined]


class ColumnType(BaseModel):
    """The type one column is read as."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = Field(title="Column")
    type: ChosenKind = Field("auto", title="Type")
    pattern: str = Field(
        "",
        title="Pattern",
        description="How dates are written, such as `%d.%m.%Y`. Empty: ISO 8601.",
        max_length=80,
    )


class ReadFileParameters(Parameters):
    file: str | dict[str, Any] = parameter(
        "",
        title="File",
        description="Path in the organization's files, such as `data/orders.csv`, or an expression that "
        "gives a file. "
        "Empty: the file that comes in.",
        widget="file",
        placeholder="data/orders.csv",
    )
    format: ReadFormat = parameter(
        "auto",
        title="Format",
        description="`auto` goes by the file's ending.",
        widget="select",
        expressions=False,
    )
    delimiter: str = parameter(
        "auto",
        title="Delimiter",
        description="What separates the values of a CSV file: `auto`, `tab` or one character such as `,` or `;`.",
        pattern=r"^(auto|tab|[^\r\n])$",
        placeholder="auto",
        show_if=_CSV,
    )
    has_header: bool = parameter(
        True,
        title="First row is the header",
        description="Otherwise the columns are called `column_1`, `column_2`, …",
        show_if=_TABLE,
    )
    sheet: str | int = parameter(
        "",
        title="Sheet",
        description="Name or number of the sheet of an Excel file. Empty: the first.",
        show_if={"format": ["auto", "excel"]},
    )
    range: str = parameter(
        "",
        title="Range",
        description="The cells of an Excel sheet that are read, such as `B3:F200` or `A:D`. Empty: all.",
        max_length=40,
        advanced=True,
        show_if={"format": ["auto", "excel"]},
    )
    encoding: Encoding = parameter(
        "auto",
        title="Encoding",
        description="How the letters of a text file are stored. `auto` recognises it.",
        widget="select",
        advanced=True,
        show_if=_TEXT,
    )
    decimal: Decimal = parameter(
        "auto",
        title="Decimal sign",
        description="What stands before the fraction of a number. `auto` recognises it.",
        widget="select",
        advanced=True,
        show_if=_CSV,
    )
    thousands: Thousands = parameter(
        "",
        title="Thousands sign",
        description="What groups the digits of large numbers. Empty: nothing does.",
        widget="select",
        advanced=True,
        show_if=_CSV,
    )
    quote: str = parameter(
        '"',
        title="Quote character",
        description="What encloses texts with a delimiter inside; `none` when quotes mean nothing.",
        pattern=r"^([!-~]|none)$",
        advanced=True,
        show_if=_CSV,
    )
    skip_lines: int = parameter(
        0,
        title="Lines to skip",
        description="Lines (of Excel: rows) above the table.",
        ge=0,
        le=1_000_000,
        advanced=True,
        show_if=_TABLE,
    )
    footer_lines: int = parameter(
        0,
        title="Lines to leave out at the end",
        description="Lines (of Excel: rows) below the table, such as totals.",
        ge=0,
        le=10_000,
        advanced=True,
        show_if=_TABLE,
    )
    comment: str = parameter(
        "",
        title="Comment prefix",
        description="Lines that begin with it are left out, such as `#`. Empty: none are.",
        max_length=10,
        pattern=r"^[^\r\n]*$",
        advanced=True,
        show_if=_CSV,
    )
    ragged: Ragged = parameter(
        "error",
        title="Rows of another length",
        description="`error` fails at the first, `fill` gives them empty cells and more columns, `collect` leads them "
        "out at `errors`.",
        widget="select",
        expressions=False,
        advanced=True,
        show_if=_CSV,
    )
    repeated_headers: Repeated = parameter(
        "error",
        title="Repeated column names",
        description="`error` fails, `number` makes `name_2`, `name_3` of them.",
        widget="select",
        advanced=True,
        show_if=_TABLE,
    )
    empty_values: tuple[str, ...] = parameter(
        (),
        title="Read as empty",
        description="Texts that mean `no value` in a CSV or Excel file, such as `NA` or `-`.",
        widget="list",
        advanced=True,
        show_if=_TABLE,
    )
    infer_types: bool = parameter(
        True,
        title="Recognize numbers",
        description="Columns of numbers or true/false get that type; off leaves every value a text.",
        advanced=True,
        show_if=_TABLE,
    )
    types: tuple[ColumnType, ...] = parameter(
        (),
        title="Types of columns",
        description="What single columns are read as; the others are recognised.",
        widget="json",
        advanced=True,
        show_if=_TABLE,
    )
    recognised: dict[str, Any] | None = parameter(
        None,
        title="Recognised",
        description="What was recognised when the workflow was published. A file that differs fails.",
        widget="json",
        expressions=False,
        advanced=True,
    )


class ReadFile(Node[ReadFileParameters]):
    """Reads a CSV, Excel, JSON or text file.

    The file is a path in the organization's files, or a file another node made (`{{ export }}`), or the file
    that comes in by the edge. It may be packed with gzip, or be the only one in a zip, and must not be larger than
    the limit of the installation (100 MiB unless set otherwise), unpacked too.

    - **CSV** gives a table. Encoding, delimiter and decimal sign are recognised, and can be chosen. Rows end with LF,
      CR or CRLF; quotes inside a value that is not quoted are part of it (`24" screen`). An empty cell is null, a
      quoted one (`""`) the empty text. In a file of one column a blank line is a row, elsewhere it is none. A row with
      too many or too few values is an error that names the line, unless chosen otherwise.
    - **Types of columns.** A column becomes whole numbers, decimals, numbers or true/false only if writing these gives
      the same text again: `007`, `1E5`, `+3` and versions such as `1.9`, `1.10` stay text. When all values have as many
      decimals (`12.50`, `3.00`) they are exact decimals. Dates stay text. For a single column another type can be
      chosen in *Types of columns*; then a value that does not fit is an error, and a blank one is null. Numbers may
      then also be written as `1.5-`, `(1.5)`, `€ 1.5` or `1.5 EUR`, all in one currency. Dates become ISO 8601, as
      `parse_date` reads them, by a pattern such as `%d.%m.%Y`; offsets stay.
    - **Excel** (xlsx, xls, xlsb, ods) gives the table of a sheet: the values of formulas, dates as ISO 8601. A cell
      with an error such as `#DIV/0!` is null, and the log names it.
    - **JSON** gives its value, whatever it is; NaN and other values outside the JSON standard are errors.
      **JSON Lines** gives the list of the values of its lines.
    - **Text** gives the text.

    When the workflow is published, what was recognised of a file given by its path is pinned into the version: the
    next file is read by the same rules, or fails and says which column differs. Set *Recognised* yourself to pin it for
    files that come in.

    **Example.** The file `cities.csv` with the lines `city,temp` and `Oslo,3` gives `[{"city": "Oslo",
    "temp": 3}]`.
    """

    type = "file.read"
    title = "Read file"
    category = "data"
    icon = "file-input"
    keywords = (
        "csv",
        "json",
        "text",
        "load",
        "open",
        "import",
        "table",
        "excel",
        "xlsx",
        "jsonl",
        "gzip",
        "zip",
    )
    inputs = (Port("in", "any", "File", "A file, or any value that only triggers.", required=False),)
    outputs = (Port("out", "any", "Content", "A table, a JSON value or a text."),)
    effect = Effect.REPEATABLE
    execution = Execution.BLOCKING
    Parameters = ReadFileParameters
    examples = (
        Example(
            title="A table from CSV",
            parameters={"file": "cities.csv"},
            files={"cities.csv": "city,temp\nOslo,3\nRome,18\n"},
            output=[{"city": "Oslo", "temp": 3}, {"city": "Rome", "temp": 18}],
        ),
        Example(
            title="Semicolons, decimal commas and dates",
            parameters={
                "file": "days.csv",
                "types": [{"column": "day", "type": "date", "pattern": "%d.%m.%Y"}],
            },
            files={"days.csv": "day;temp\n31.12.2024;-1,5\n01.01.2025;0,25\n"},
            output=[{"day": "2024-12-31", "temp": -1.5}, {"day": "2025-01-01", "temp": 0.25}],
        ),
    )

    def output_ports(self, parameters: Any) -> tuple[Port, ...]:
        """Return `out`, and `errors` when rows of another length are collected."""
        if parameters.get("ragged") != "collect":
            return self.outputs
        return (
            *self.outputs,
            Port("errors", "table", "Rows of another length", "`line`, `expected`, `found`, `text`."),
        )

    def run(self, context: NodeContext, parameters: ReadFileParameters, inputs: Inputs) -> Result:
        """Return the content. Raises: NodeError `file.*`, `value.*`, `artifact.missing`."""
        data, source, media_type = _bytes(context, parameters, inputs)
        content = open_content(
            data, source, options_of(parameters), media_type=media_type, limit=context.max_file_bytes
        )
        context.log("info", f"read {source}", size_bytes=len(data), **_facts(content.recognised))
        if content.table is None:
            return content.value
        if errors := content.table.errors:
            context.log(
                "warning", f"{len(errors)} cells with an error of a formula are empty", cells=errors[:100]
            )
        name = PurePosixPath(source).stem
        table = table_result(context, content.table.table, name=name)
        if parameters.ragged != "collect":
            return table
        bad = content.table.bad
        return Ports({"out": table, **({"errors": bad} if bad else {})})


def options_of(parameters: ReadFileParameters) -> FileOptions:
    """Return the options that parameters of the node mean."""
    delimiter = "\t" if parameters.delimiter == "tab" else parameters.delimiter
    csv = CsvOptions(
        delimiter=delimiter,
        quote="" if parameters.quote == "none" else parameters.quote,
        decimal=parameters.decimal,
        thousands=parameters.thousands,
        has_header=parameters.has_header,
        skip_lines=parameters.skip_lines,
        footer_lines=parameters.footer_lines,
        comment=parameters.comment,
        ragged=parameters.ragged,
        repeated=parameters.repeated_headers,
        missing=parameters.empty_values,
        infer_types=parameters.infer_types,
        rules=rules_from(parameters.types),
    )
    pinned = Recognised.from_json(parameters.recognised) if parameters.recognised else None
    return FileOptions(
        format=parameters.format,
        encoding=parameters.encoding,
        csv=csv,
        sheet=parameters.sheet,
        range=parameters.range,
        pinned=pinned,
    )


def _bytes(context: NodeContext, parameters: ReadFileParameters, inputs: Inputs) -> tuple[bytes, str, str]:
    """Return the bytes of the file, its name and its media type."""
    ref = ArtifactRef.from_json(parameters.file) or (
        None if parameters.file else ArtifactRef.from_json(inputs.get("in"))
    )
    limit = context.max_file_bytes
    if ref is not None:
        source = ref.name or "the file"
        data = read_bounded(context.artifacts.path(ref), source, must_not_link=False, limit=limit)
        return data, source, ref.media_type
    if isinstance(parameters.file, str) and parameters.file:
        path = file_path(context.files, parameters.file)
        return read_bounded(path, parameters.file, must_not_link=True, limit=limit), parameters.file, ""
    raise NodeError(
        "file.not_given",
        "There is no file to read.",
        where="parameters.file",
        hint="Choose a file, or connect a node that makes one.",
    )


def _facts(recognised: Recognised) -> dict[str, Any]:
    """Return what the log tells of a file."""
    shown = {"format": recognised.format, "encoding": recognised.encoding, "sheet": recognised.sheet}
    if recognised.format == "csv":
        shown |= {"delimiter": recognised.delimiter, "decimal": recognised.decimal}
    return {name: value for name, value in shown.items() if value}
