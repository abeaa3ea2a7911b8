"""Looking into a file before a workflow reads it: what is recognised, the first rows, and what is pinned.

Invariant: a preview reads as the node `file.read` does, never more than `MAX_BYTES`, and never on the event loop.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.errors import InvalidError, NotFoundError, Problem, StructForgeError, sentence
from structforge.domain.values import encode_json
from structforge.domain.workflow import PIN, NodeSpec, WorkflowDocument
from structforge.engine.planner import validate_parameters
from structforge.nodes.file_read import ReadFile, ReadFileParameters, options_of
from structforge.nodes.formats.compressed import ZIP
from structforge.nodes.formats.csv_options import ChosenKind
from structforge.nodes.formats.encodings import ENCODINGS
from structforge.nodes.formats.excel_reading import sheet_names
from structforge.nodes.formats.file_names import file_path
from structforge.nodes.formats.opening import Content, FileOptions, open_content
from structforge.nodes.formats.reading import LARGE_BYTES, TableRead
from structforge.sdk import ArtifactRef, NodeError
from structforge.services.files import FileService

MAX_BYTES = LARGE_BYTES
"""A larger file is looked at by its beginning."""
MAX_PREVIEW_ROWS = 100
MAX_COLUMNS = 500
MAX_CELL_CHARACTERS = 500
MAX_TEXT_CHARACTERS = 10_000
AT_ONCE = 2

_UNPACKED_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FilePreview:
    """What a file holds, as far as it was looked at."""

    format: str
    recognised: dict[str, Any]
    columns: list[dict[str, Any]]
    """`name`, `type`, and whether the type was `chosen`."""
    rows: list[list[str | None]]
    text: str | None
    sheets: list[str]
    encodings: list[str]
    rows_seen: int
    size_bytes: int
    complete: bool
    problems: list[Problem]


class FilePreviews:
    """Shows files to people who set up a workflow, and pins what was recognised when it is published."""

    def __init__(self, files: FileService) -> None:
        self._files = files
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def preview(
        self, principal: Principal, file: str | dict[str, Any], parameters: Mapping[str, Any]
    ) -> FilePreview:
        """Return what the node `file.read` with these parameters recognises in a file.

        `file` is a path of the organization or a reference of its artifacts. Parameters with expressions count as
        left out. Raises: NotFoundError; InvalidError for wrong parameters.
        """
        authorize(principal, Permission.ARTIFACT_READ)
        options = options_of(_parameters(parameters))
        path, name, media_type = await self._place(principal, file)
        async with self._slots:
            return await asyncio.to_thread(_preview, path, name, media_type, options)

    async def pinned(self, principal: Principal, document: WorkflowDocument) -> WorkflowDocument:
        """Return the document with what is recognised now of each file that a node reads by its path.

        Nodes that have something pinned, and files that are not there or cannot be read, stay as they are.
        """
        seen: dict[bytes, dict[str, Any] | None] = {}
        nodes = []
        for spec in document.nodes:
            bare = spec.without_pin()
            if _may_be_pinned(bare):
                key = encode_json(bare.parameters)
                if key not in seen:
                    seen[key] = await self._recognised_now(principal, bare.parameters)
                block = seen[key]
                nodes.append(bare if block is None else bare.pinned(block))
            else:
                nodes.append(spec)
        return document.model_copy(update={"nodes": tuple(nodes)})

    async def _recognised_now(
        self, principal: Principal, parameters: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Return what is recognised of the file that the parameters name; nothing when it cannot be read."""
        try:
            preview = await self.preview(principal, parameters["file"], parameters)
        except StructForgeError:
            return None
        if preview.problems or preview.format in ("json", "json_lines", "text"):
            return None
        return preview.recognised

    async def _place(self, principal: Principal, file: str | dict[str, Any]) -> tuple[Path, str, str]:
        """Return where the bytes are, what the file is called, and its media type. Raises: NotFoundError."""
        ref = ArtifactRef.from_json(file)
        if ref is not None:
            stored = await self._files.artifact(principal, ref.hash)
            return stored.path, ref.name or ref.hash[:12], stored.media_type
        if not isinstance(file, str) or not file:
            raise NotFoundError(Problem("file.not_given", "There is no file to read.", "file"))
        folder = self._files.folder(principal.organization_id)
        try:
            place = await asyncio.to_thread(file_path, folder, file)
        except NodeError as error:
            raise NotFoundError(replace(error.problem, where="file")) from error
        return place, file, ""


def _may_be_pinned(spec: NodeSpec) -> bool:
    """Tell whether a node reads a file by its path and its author pinned nothing."""
    file = spec.parameters.get("file")
    return (
        spec.type == ReadFile.type
        and not spec.disabled
        and PIN not in spec.parameters
        and isinstance(file, str)
        and bool(file)
        and "{{" not in file
    )


def _parameters(given: Mapping[str, Any]) -> ReadFileParameters:
    values = {
        name: value for name, value in given.items() if name != "file" and b"{{" not in encode_json(value)
    }
    validated = validate_parameters(NodeSpec(id="preview", type=ReadFile.type), ReadFile(), values)
    assert isinstance(validated, ReadFileParameters)
    return validated


def _preview(path: Path, name: str, media_type: str, options: FileOptions) -> FilePreview:
    data, size = _beginning(path, name)
    complete = size <= MAX_BYTES
    problems: list[Problem] = []
    sheets: list[str] = []
    content: Content | None = None
    for attempt in _attempts(options):
        try:
            content = open_content(data, name, attempt, media_type=media_type, limit=_UNPACKED_BYTES)
        except NodeError as error:
            problems = problems or [error.problem]
            continue
        except pl.exceptions.PanicException:
            problems = problems or [_strange(name)]
            continue
        break
    if content is not None and content.format == "excel" or data.startswith(ZIP):
        try:
            sheets = sheet_names(data, name)
        except NodeError:
            sheets = []
    return _shown(content, options, size=size, complete=complete, sheets=sheets, problems=problems)


def _attempts(options: FileOptions) -> Sequence[FileOptions]:
    """Return the options, then those that show as much as possible of a file with faults."""
    csv = replace(options.csv, ragged="collect", repeated="number", rules={})
    return options, replace(options, csv=csv, pinned=None)


def _beginning(path: Path, name: str) -> tuple[bytes, int]:
    """Return the first bytes, up to the end of a line when there are more, and the size of the file.

    Raises: InvalidError for what is too large and no text, NotFoundError.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
            size = path.stat().st_size
    except OSError as error:
        raise NotFoundError(
            Problem("file.not_found", sentence("There is no file `{path}`.", path=name), "file")
        ) from error
    if len(data) <= MAX_BYTES:
        return data, len(data)
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InvalidError(
            Problem(
                "file.preview_size",
                sentence(
                    "{source} is too large to look into here: it has {size} bytes.", source=name, size=size
                ),
                "file",
                "Run the node to see what it gives.",
            )
        )
    return data[: data.rfind(b"\n", 0, MAX_BYTES) + 1 or MAX_BYTES], size


def _shown(
    content: Content | None,
    options: FileOptions,
    *,
    size: int,
    complete: bool,
    sheets: list[str],
    problems: list[Problem],
) -> FilePreview:
    table = content.table if content is not None else None
    return FilePreview(
        format=content.format if content is not None else options.format,
        recognised=_recognised(content, complete=complete),
        columns=[] if table is None else _columns(table, options),
        rows=[] if table is None else _rows(table),
        text=_text(content),
        sheets=sheets,
        encodings=list(ENCODINGS),
        rows_seen=0 if table is None else table.table.height,
        size_bytes=size,
        complete=complete,
        problems=problems,
    )


def _recognised(content: Content | None, *, complete: bool) -> dict[str, Any]:
    """Return what holds for the whole file: of one that was seen in part neither types nor an encoding of ASCII."""
    if content is None:
        return {}
    found = content.recognised
    if complete:
        return found.as_json()
    columns: tuple[tuple[str, ChosenKind], ...] = tuple((name, "auto") for name, _ in found.columns)
    return replace(
        found, columns=columns, encoding="" if found.encoding == "utf-8" else found.encoding
    ).as_json()


def _columns(table: TableRead, options: FileOptions) -> list[dict[str, Any]]:
    chosen = {name for name, rule in options.csv.rules.items() if rule.type != "auto"}
    return [
        {"name": name, "type": "text" if kind == "auto" else kind, "chosen": name in chosen}
        for name, kind in table.recognised.columns[:MAX_COLUMNS]
    ]


def _rows(table: TableRead) -> list[list[str | None]]:
    if table.texts is None:
        return []
    head = table.texts.head(MAX_PREVIEW_ROWS)
    return [
        [None if cell is None else str(cell)[:MAX_CELL_CHARACTERS] for cell in row[:MAX_COLUMNS]]
        for row in head.rows()
    ]


def _text(content: Content | None) -> str | None:
    if content is None or content.table is not None:
        return None
    if isinstance(content.value, str):
        return content.value[:MAX_TEXT_CHARACTERS]
    return encode_json(content.value).decode()[:MAX_TEXT_CHARACTERS]


def _strange(name: str) -> Problem:
    return Problem(
        "file.csv_unreadable",
        sentence("{source} cannot be split into rows.", source=name),
        name,
        "Check that it is a CSV file.",
    )
