"""The node that writes files: CSV, Excel, JSON, JSON Lines and text.

Invariant: reading what was written gives the same values; where a form cannot hold one, the node says so.
"""

import gzip
from pathlib import PurePosixPath
from typing import Any, Literal

from structforge.domain.errors import sentence
from structforge.domain.values import encode_json, readable_json
from structforge.nodes.formats.csv_writing import CsvStyle, write_csv
from structforge.nodes.formats.excel_writing import write_excel
from structforge.nodes.table_inputs import FlattenParameters, table_from
from structforge.nodes.tables import read_table
from structforge.sdk import (
    TABLE_MEDIA_TYPE,
    ArtifactRef,
    Effect,
    Example,
    Execution,
    Inputs,
    Node,
    NodeContext,
    NodeError,
    Port,
    Result,
    parameter,
)

WriteFormat = Literal["auto", "csv", "excel", "json", "json_lines", "text"]

_BY_SUFFIX: dict[str, WriteFormat] = {
    ".csv": "csv", ".tsv": "csv", ".json": "json", ".geojson": "json", ".jsonl": "json_lines",
    ".ndjson": "json_lines", ".xlsx": "excel",
}  # fmt: skip
_MEDIA_TYPES = {
    "csv": "text/csv",
    "excel": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
    "json_lines": "application/x-ndjson",
    "text": "text/plain; charset=utf-8",
}
_CSV = {"format": ["auto", "csv"]}
_EXCEL = {"format": ["auto", "excel"]}


class WriteFileParameters(FlattenParameters):
    rows: Any = parameter(
        None,
        title="What to write",
        description="Instead of an edge: an expression that gives a table, a JSON value or a text. When it is given, "
        "an edge only says when.",
        widget="text",
        placeholder="{{ fetch.body.items }}",
        stands_for="in",
        advanced=True,
    )
    name: str = parameter(
        title="File name",
        description="Name people see when they download it, such as `monthly.csv`.",
        placeholder="monthly.csv",
        min_length=1,
        max_length=200,
        pattern=r"^[^/\\\x00-\x1f]+$",
    )
    format: WriteFormat = parameter(
        "auto",
        title="Format",
        description="`auto` goes by the name's ending.",
        widget="select",
        expressions=False,
    )
    delimiter: str = parameter(
        ",",
        title="Delimiter",
        description="What separates the values of a CSV file: `tab` or one character such as `,` or `;`.",
        pattern=r"^(tab|[^\r\n\"])$",
        show_if=_CSV,
    )
    decimal: Literal[".", ","] = parameter(
        ".",
        title="Decimal sign",
        description="What stands before the fraction of a number in a CSV file.",
        widget="select",
        advanced=True,
        show_if=_CSV,
    )
    quoting: Literal["needed", "all"] = parameter(
        "needed",
        title="Quotes",
        description="Around the values that need them, or around all.",
        widget="select",
        advanced=True,
        show_if=_CSV,
    )
    empty_value: str = parameter(
        "",
        title="Write empty as",
        description="What a cell without a value is written as, such as `NA`.",
        max_length=40,
        pattern=r"^[^\r\n\"]*$",
        advanced=True,
        show_if=_CSV,
    )
    line_end: Literal["lf", "crlf"] = parameter(
        "lf",
        title="Line ends",
        description="`crlf` for programs of Windows that need it.",
        widget="select",
        advanced=True,
        show_if=_CSV,
    )
    bom: bool = parameter(
        False,
        title="Byte order mark",
        description="Tells Excel that a CSV file is UTF-8.",
        advanced=True,
        show_if=_CSV,
    )
    guard_formulas: bool = parameter(
        False,
        title="Guard formulas",
        description="Puts `'` before texts of a CSV file that a spreadsheet would run as a formula.",
        advanced=True,
        show_if=_CSV,
    )
    sheet: str = parameter(
        "Sheet1",
        title="Sheet",
        description="Name of the sheet of an Excel file.",
        max_length=31,
        advanced=True,
        show_if=_EXCEL,
    )
    dates: bool = parameter(
        False,
        title="Dates as dates",
        description="Columns of ISO 8601 texts become dates of Excel.",
        advanced=True,
        show_if=_EXCEL,
    )
    gzip: bool = parameter(
        False, title="Pack with gzip", description="The name should end in `.gz`.", advanced=True
    )


class WriteFile(Node[WriteFileParameters]):
    """Writes its input to a file that people can download and other nodes can read.

    The output is the file: pass it on by an edge, or name it in an expression. The file is kept with the
    run; the same content is stored once. A name that ends in `.gz` is packed with gzip.

    - **CSV** takes a table. A cell without a value is empty, the empty text is `""`, numbers keep their digits and
      decimals, lists and objects are JSON text. Reading the file gives the same table. A table without columns is an
      empty file. Text that a spreadsheet would run as a formula is written as it is, unless *Guard formulas* is on.
    - **Excel** takes a table. Excel holds 15 digits: longer numbers are written as text, and the log names their
      columns.
    - **JSON** takes any value, indented by two blanks; **JSON Lines** writes the elements of a list, each in a line.
    - **Text** takes a text; any other value is written as JSON.

    **Example.** The table `[{"city": "Oslo", "temp": 3}]` and the name `cities.csv` give a file with the
    lines `city,temp` and `Oslo,3`.
    """

    type = "file.write"
    title = "Write file"
    category = "data"
    icon = "file-output"
    keywords = (
        "csv",
        "json",
        "text",
        "save",
        "export",
        "download",
        "artifact",
        "excel",
        "xlsx",
        "jsonl",
        "gzip",
    )
    inputs = (Port("in", "any", "Content", "A table, a JSON value or a text."),)
    outputs = (Port("out", "file", "File", "The file."),)
    effect = Effect.PURE
    execution = Execution.BLOCKING
    Parameters = WriteFileParameters
    examples = (
        Example(
            title="A table as CSV",
            parameters={"name": "cities.csv"},
            inputs={"in": [{"city": "Oslo", "temp": 3}]},
            output={
                "$artifact": {
                    "hash": "02feab66ee0a2d0fb4c49d71ed70eeea9ca366d4100acec09606c9a426127fe5",
                    "size_bytes": 17,
                    "media_type": "text/csv",
                    "name": "cities.csv",
                }
            },
        ),
    )

    def run(self, context: NodeContext, parameters: WriteFileParameters, inputs: Inputs) -> Result:
        """Return the file's reference. Raises: NodeError `table.*`, `file.excel_*`, `file.not_a_list`."""
        name = parameters.name
        packed = parameters.gzip or name.lower().endswith(".gz")
        inner = name[:-3] if name.lower().endswith(".gz") else name
        kind = parameters.format
        if kind == "auto":
            kind = _BY_SUFFIX.get(PurePosixPath(inner.lower()).suffix, "text")
        data = _content(context, kind, parameters, inputs)
        media_type = _MEDIA_TYPES[kind]
        if packed:
            # The time stays out: the same content is the same file.
            data, media_type = gzip.compress(data, mtime=0), "application/gzip"
        ref = context.artifacts.put(data, media_type=media_type, name=name)
        context.log("info", f"wrote {name}", size_bytes=len(data))
        return ref.as_json()


def _content(context: NodeContext, kind: str, parameters: WriteFileParameters, inputs: Inputs) -> bytes:
    if kind == "csv":
        style = CsvStyle(
            delimiter="\t" if parameters.delimiter == "tab" else parameters.delimiter,
            decimal=parameters.decimal,
            quoting=parameters.quoting,
            missing=parameters.empty_value,
            line_end=parameters.line_end,
            bom=parameters.bom,
            guard_formulas=parameters.guard_formulas,
        )
        return write_csv(table_from(context, parameters, inputs), style)
    if kind == "excel":
        table = table_from(context, parameters, inputs)
        made = write_excel(table, sheet=parameters.sheet, dates=parameters.dates)
        if made.as_text:
            names = ", ".join(made.as_text[:20])
            context.log("warning", "numbers of more than 15 digits are written as text", columns=names)
        return made.data
    value = parameters.rows if parameters.given("rows") else inputs.get("in")
    ref = ArtifactRef.from_json(value)
    if ref is not None and ref.media_type == TABLE_MEDIA_TYPE:
        value = read_table(context, value).rows()
    if kind == "json_lines":
        return _lines(value)
    if kind == "text" and isinstance(value, str):
        return value.encode()
    return readable_json(value).encode() + b"\n"


def _lines(value: Any) -> bytes:
    if not isinstance(value, list):
        raise NodeError(
            "file.not_a_list",
            sentence("JSON Lines are written from a list or a table."),
            where="input in",
            hint="Write it as JSON, or give the list that is inside.",
        )
    return b"".join(encode_json(item) + b"\n" for item in value)
