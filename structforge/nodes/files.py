"""Nodes that read and write files: CSV, JSON and text.

Invariant: a path never leads out of the organization's files folder, neither by `..` nor through a link.
"""

import json
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from structforge.domain.errors import InvalidError, sentence
from structforge.domain.values import decode_json
from structforge.nodes.csv_text import parse_csv, write_csv
from structforge.nodes.table_inputs import FlattenParameters, table_from
from structforge.nodes.tables import read_table, table_result
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
    Result,
    parameter,
)

Format = Literal["auto", "csv", "json", "text"]
Delimiter = Literal[",", ";", "|", "tab"]

_BY_SUFFIX: dict[str, Format] = {".csv": "csv", ".tsv": "csv", ".json": "json", ".geojson": "json"}
_BY_MEDIA_TYPE: dict[str, Format] = {"text/csv": "csv", "application/json": "json"}
_MEDIA_TYPES = {"csv": "text/csv", "json": "application/json", "text": "text/plain; charset=utf-8"}


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
    format: Format = parameter(
        "auto",
        title="Format",
        description="`auto` goes by the file's ending.",
        widget="select",
        expressions=False,
    )
    delimiter: Delimiter = parameter(
        ",",
        title="Delimiter",
        description="What separates the values of a CSV file (`.tsv` files always use a tab).",
        widget="select",
        show_if={"format": ["auto", "csv"]},
    )
    has_header: bool = parameter(
        True,
        title="First row is the header",
        description="Otherwise the columns are called `column_1`, `column_2`, …",
        show_if={"format": ["auto", "csv"]},
    )
    empty_values: tuple[str, ...] = parameter(
        (),
        title="Read as empty",
        description="Texts that mean `no value` in a CSV file, such as `NA` or `-`.",
        widget="list",
        advanced=True,
        show_if={"format": ["auto", "csv"]},
    )
    infer_types: bool = parameter(
        True,
        title="Recognize numbers",
        description="Columns of numbers or true/false get that type; off leaves every CSV value a text.",
        advanced=True,
        show_if={"format": ["auto", "csv"]},
    )


class ReadFile(Node[ReadFileParameters]):
    """Reads a CSV, JSON or text file.

    The file is a path in the organization's files, or a file another node made (`{{ export }}`), or the file
    that comes in by the edge. It must be UTF-8 and not larger than the limit of the
    installation (100 MiB unless set otherwise).

    - **CSV** gives a table. A column becomes numbers (or true/false) when each of its values is one and
      nothing is lost: `007` and numbers of more than 18 digits stay text. Dates stay text. A row with too
      many or too few values is an error that names the line.
    - **JSON** gives its value, whatever it is; NaN and other values outside the JSON standard are errors.
    - **Text** gives the text.

    **Example.** The file `cities.csv` with the lines `city,temp` and `Oslo,3` gives `[{"city": "Oslo",
    "temp": 3}]`.
    """

    type = "file.read"
    title = "Read file"
    category = "data"
    icon = "file-input"
    keywords = ("csv", "json", "text", "load", "open", "import", "table", "excel")
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
    )

    def run(self, context: NodeContext, parameters: ReadFileParameters, inputs: Inputs) -> Result:
        """Return the content. Raises: NodeError `file.*`, `value.*`, `artifact.missing`."""
        ref = ArtifactRef.from_json(parameters.file) or (
            None if parameters.file else ArtifactRef.from_json(inputs.get("in"))
        )
        if ref is not None:
            source, media_type = ref.name or "the file", ref.media_type
            data = _read_bounded(
                context.artifacts.path(ref), source, must_not_link=False, limit=context.max_file_bytes
            )
        elif isinstance(parameters.file, str) and parameters.file:
            source, media_type = parameters.file, ""
            data = _read_bounded(
                file_path(context.files, source), source, must_not_link=True, limit=context.max_file_bytes
            )
        else:
            raise NodeError(
                "file.not_given",
                "There is no file to read.",
                where="parameters.file",
                hint="Choose a file, or connect a node that makes one.",
            )
        if not data:
            raise NodeError(
                "file.empty",
                sentence("{source} is empty.", source=source),
                where=source,
                hint="Check how the file was made.",
            )
        _refuse_undecodable(data, source)
        suffix = PurePosixPath(source.lower()).suffix
        kind = parameters.format
        if kind == "auto":
            kind = _BY_SUFFIX.get(suffix) or _BY_MEDIA_TYPE.get(media_type.partition(";")[0]) or "text"
        context.log("info", f"read {source}", size_bytes=len(data), format=kind)
        if kind == "json":
            return _json(data, source)
        if kind == "text":
            return data.decode("utf-8-sig")
        tab = parameters.delimiter == "tab" or (suffix == ".tsv" and parameters.delimiter == ",")
        frame = parse_csv(
            data,
            source=source,
            delimiter="\t" if tab else parameters.delimiter,
            has_header=parameters.has_header,
            empty_values=parameters.empty_values,
            infer_types=parameters.infer_types,
        )
        return table_result(context, frame, name=PurePosixPath(source).stem)


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
    format: Format = parameter(
        "auto",
        title="Format",
        description="`auto` goes by the name's ending.",
        widget="select",
        expressions=False,
    )
    delimiter: Delimiter = parameter(
        ",",
        title="Delimiter",
        widget="select",
        description="Of a CSV file.",
        show_if={"format": ["auto", "csv"]},
    )


class WriteFile(Node[WriteFileParameters]):
    """Writes its input to a file that people can download and other nodes can read.

    The output is the file: pass it on by an edge, or name it in an expression. The file is kept with the
    run; the same content is stored once.

    - **CSV** takes a table. Cells that hold lists or objects are written as JSON text. Text that a
      spreadsheet would run as a formula is written as it is: guard it yourself before you open files of
      strangers.
    - **JSON** takes any value, indented by two blanks.
    - **Text** takes a text; any other value is written as JSON.

    **Example.** The table `[{"city": "Oslo", "temp": 3}]` and the name `cities.csv` give a file with the
    lines `city,temp` and `Oslo,3`.
    """

    type = "file.write"
    title = "Write file"
    category = "data"
    icon = "file-output"
    keywords = ("csv", "json", "text", "save", "export", "download", "artifact")
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
        """Return the file's reference. Raises: NodeError `table.*`."""
        kind = parameters.format
        if kind == "auto":
            kind = _BY_SUFFIX.get(PurePosixPath(parameters.name.lower()).suffix, "text")
        value = parameters.rows if parameters.given("rows") else inputs.get("in")
        if kind == "csv":
            separator = "\t" if parameters.delimiter == "tab" else parameters.delimiter
            data = write_csv(table_from(context, parameters, inputs).frame, separator)
        else:
            if ArtifactRef.from_json(value) is not None:
                value = read_table(context, value).rows()
            if kind == "text" and isinstance(value, str):
                data = value.encode()
            else:
                data = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False).encode() + b"\n"
        ref = context.artifacts.put(data, media_type=_MEDIA_TYPES[kind], name=parameters.name)
        context.log("info", f"wrote {parameters.name}", size_bytes=len(data))
        return ref.as_json()


def file_path(folder: Path, path: str) -> Path:
    """Return where `path` lies in the organization's folder.

    Raises: NodeError `file.path` when it is absolute or leads out of the folder, `file.link` when a part of
    it is a symbolic link, `file.not_found`.
    """
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if "\0" in path or not parts or ".." in parts or parts[0].startswith("/") or ":" in parts[0]:
        raise NodeError(
            "file.path",
            sentence("`{path}` is not a path inside the organization's files.", path=path),
            where="parameters.file",
            hint="Give a path such as `data/orders.csv`: no leading `/`, no `..`.",
        )
    place = folder
    for part in parts:
        place = place / part
        try:
            mode = place.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NodeError(
                "file.not_found",
                sentence("There is no file `{path}`.", path=path),
                where="parameters.file",
                hint=_neighbours(folder, path),
            ) from error
        except OSError as error:
            raise NodeError(
                "file.path",
                sentence("`{path}` cannot be a path: {strerror}.", path=path[:200], strerror=error.strerror),
                where="parameters.file",
            ) from error
        if stat.S_ISLNK(mode):
            raise NodeError(
                "file.link",
                sentence("`{path}` leads over a symbolic link, which is not followed.", path=path),
                where="parameters.file",
                hint="Put the file itself into the folder.",
            )
    return place


def _read_bounded(path: Path, source: str, *, must_not_link: bool, limit: int) -> bytes:
    """Read a regular file up to the limit; the flag closes the gap between the check and the opening."""
    flags = os.O_RDONLY | os.O_NONBLOCK | (os.O_NOFOLLOW if must_not_link else 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise NodeError(
            "file.unreadable",
            sentence("{source} cannot be opened: {strerror}.", source=source, strerror=error.strerror),
            where=source,
            final=False,
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NodeError(
            "file.not_a_file",
            sentence("{source} is not a file.", source=source),
            where=source,
            hint="Name a file in it.",
        )
    with os.fdopen(descriptor, "rb") as stream:
        data = stream.read(limit + 1)
        if len(data) > limit:
            size = os.fstat(descriptor).st_size
            raise NodeError(
                "file.too_large",
                sentence(
                    "{source} has {size} bytes; the limit is {limit}.", source=source, size=size, limit=limit
                ),
                where=source,
                hint="Split the file, or filter it where it is made.",
                size_bytes=size,
                limit_bytes=limit,
            )
    return data


def _refuse_undecodable(data: bytes, source: str) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NodeError(
            "file.not_utf8",
            sentence(
                "{source} is not UTF-8: byte {start} (line {line}) is 0x{data}.",
                source=source,
                start=error.start,
                line=line,
                data=f"{data[error.start]:02x}",
            ),
            where=f"line {line}",
            hint="Save the file with the encoding UTF-8.",
            line=line,
            byte=error.start,
        ) from error
    nul = data.find(b"\0")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise NodeError(
            "file.nul",
            sentence(
                "{source} holds a NUL character at byte {nul} (line {line}).",
                source=source,
                nul=nul,
                line=line,
            ),
            where=f"line {line}",
            hint="This looks like a binary file; text cannot hold NUL.",
            line=line,
            byte=nul,
        )


def _json(data: bytes, source: str) -> Any:
    try:
        return decode_json(data.removeprefix(b"\xef\xbb\xbf"), max_bytes=len(data))
    except InvalidError as error:
        problem = error.problem
        raise NodeError(
            problem.code,
            f"{source}: {problem.message}",
            where=problem.where,
            hint=problem.hint,
            **problem.details,
        ) from error


def _neighbours(folder: Path, path: str) -> str:
    """Tell which files there are instead, so that a typing error is seen at once."""
    parent = folder / PurePosixPath(path).parent
    try:
        names = sorted(entry.name for entry in parent.iterdir() if entry.is_file() and not entry.is_symlink())
    except OSError:
        return sentence("There is no folder `{folder}` either.", folder=PurePosixPath(path).parent)
    if not names:
        return "The folder holds no files."
    shown = ", ".join(f"`{name}`" for name in names[:10])
    return sentence("The folder holds: {names}.", names=shown + (" …" if len(names) > 10 else ""))
