"""Looking into artifacts without downloading them: pages of a table, a large value cut down, pictures, exports.

Invariant: who may not download an artifact sees nothing of it; files are read in threads, `AT_ONCE` at a time, and
what goes out is bounded whatever is inside.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

import polars as pl

from structforge.domain.access import Principal
from structforge.domain.errors import (
    InvalidError,
    Problem,
    StructForgeError,
    TooLargeError,
    sentence,
)
from structforge.domain.values import JsonValue, decode_json, encode_json
from structforge.engine.reading import VALUE_MEDIA_TYPE
from structforge.nodes.formats.csv_writing import CsvStyle, write_csv
from structforge.sdk import TABLE_MEDIA_TYPE
from structforge.sdk.table_cells import CellType, named, spelled
from structforge.sdk.tables import StoredTable, Table
from structforge.services.files import FileService, StoredFile

AT_ONCE = 2
"""Files read at the same time by one process."""
MAX_ROWS = 500
"""Rows of one page."""
MAX_CELL_CHARACTERS = 2_000
MAX_READ_BYTES = 32 * 1024 * 1024
"""A larger JSON value is only downloaded."""
MAX_TEXT_CHARACTERS = 200_000
MAX_ITEMS = 200
"""Elements of a list, and keys of an object, that a cut value keeps."""
MAX_CUT_NODES = 20_000
"""Values of all depths that a cut value keeps."""

PICTURES: tuple[tuple[bytes, bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", b"", "image/png"),
    (b"\xff\xd8\xff", b"", "image/jpeg"),
    (b"GIF87a", b"", "image/gif"),
    (b"GIF89a", b"", "image/gif"),
    (b"RIFF", b"WEBP", "image/webp"),
)
"""First bytes, bytes from the ninth on, media type. SVG is a document that can hold scripts, so it is none."""

T = TypeVar("T")
Form = Literal["csv", "json"]


@dataclass(frozen=True, slots=True)
class RowsQuery:
    """Which rows of a table."""

    offset: int = 0
    limit: int = 100
    search: str = ""
    """Rows of which any cell holds this text, whatever its case."""
    sort: str = ""
    """A column; none keeps the order of the table."""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class TablePage:
    """Some rows of a table."""

    columns: list[dict[str, str]]
    """`name` and `kind`: `number`, `text`, `boolean` or `other`."""
    rows: list[list[Any]]
    """Cells in the order of the columns; a long text is cut."""
    offset: int
    matched: int
    """Rows that the search finds."""
    total: int


@dataclass(frozen=True, slots=True)
class CutValue:
    """A value as far as a person reads it."""

    value: JsonValue
    cut: bool
    """Something is left out."""


class ArtifactViews:
    """Shows artifacts to people."""

    def __init__(self, files: FileService) -> None:
        self._files = files
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def rows(self, principal: Principal, digest: str, query: RowsQuery) -> TablePage:
        """Return a page of a table, or of a stored list of objects. Raises: NotFoundError, InvalidError."""
        file = await self._files.artifact(principal, digest)
        return await self._read(lambda: _page(_frame(file), query))

    async def value(self, principal: Principal, digest: str) -> CutValue:
        """Return a stored value, a table or a text, cut. Raises: NotFoundError, InvalidError, TooLargeError."""
        file = await self._files.artifact(principal, digest)
        return await self._read(lambda: cut(_value(file)))

    async def picture(self, principal: Principal, digest: str) -> StoredFile:
        """Return a picture by what its bytes are, not by what they are called. Raises: NotFoundError, InvalidError."""
        file = await self._files.artifact(principal, digest)
        media_type = await self._read(lambda: picture_type(file.path))
        if media_type is None:
            raise InvalidError(
                Problem(
                    "artifact.not_a_picture",
                    "This artifact is no PNG, JPEG, GIF or WebP picture.",
                    "hash",
                    "Download it instead.",
                )
            )
        return StoredFile(file.path, file.name, media_type, file.size_bytes)

    async def export(self, principal: Principal, digest: str, form: Form) -> BinaryIO:
        """Return a table as CSV or JSON in a file without a name, which is gone when the caller closes it.

        Raises: NotFoundError, InvalidError.
        """
        file = await self._files.artifact(principal, digest)
        return await self._read(lambda: _export(_frame(file), form))

    async def _read(self, work: Callable[[], T]) -> T:
        async with self._slots:
            try:
                return await asyncio.to_thread(work)
            except pl.exceptions.PanicException as error:
                # No `Exception`: unhandled it would pass every handler of ours.
                raise _no_table() from error


def picture_type(path: Path) -> str | None:
    """Return the media type of a picture that browsers show safely, or None."""
    with path.open("rb") as file:
        start = file.read(16)
    for first, later, media_type in PICTURES:
        if start.startswith(first) and start[8:].startswith(later):
            return media_type
    return None


def cut(value: JsonValue) -> CutValue:
    """Leave out what nobody reads: the ends of long lists and texts, and everything after very many values."""
    cutter = _Cutter()
    return CutValue(cutter.cut(value), cutter.cut_something)


class _Cutter:
    def __init__(self) -> None:
        self.cut_something = False
        self._left = MAX_CUT_NODES

    def cut(self, value: JsonValue) -> JsonValue:
        self._left -= 1
        if isinstance(value, str) and len(value) > MAX_TEXT_CHARACTERS:
            self.cut_something = True
            return value[:MAX_TEXT_CHARACTERS] + "…"
        if isinstance(value, list):
            return [self.cut(item) for item in self._kept(value)]
        if isinstance(value, dict):
            return {key: self.cut(value[key]) for key in self._kept(list(value))}
        return value

    def _kept(self, items: list[T]) -> list[T]:
        kept = items[: max(0, min(MAX_ITEMS, self._left))]
        self.cut_something = self.cut_something or len(kept) < len(items)
        return kept


def _frame(file: StoredFile) -> StoredTable:
    """Open a table, or a stored list of objects as one."""
    try:
        if file.media_type == TABLE_MEDIA_TYPE:
            return StoredTable.open(file.path)
        value = _json(file)
        if isinstance(value, list) and value:
            rows = [row for row in value if isinstance(row, dict)]
            if len(rows) == len(value):
                return StoredTable.of(Table.from_rows(rows))
    except pl.exceptions.PolarsError as error:
        raise _no_table() from error
    raise _no_table()


def _page(stored: StoredTable, query: RowsQuery) -> TablePage:
    try:
        frame, types = stored.lazy, stored.types()
        total = frame.select(pl.len()).collect().item()
        matched = total
        if query.search:
            frame = frame.filter(_holds(types, query.search))
        if query.sort:
            if query.sort not in types:
                raise InvalidError(
                    Problem(
                        "table.unknown_column",
                        sentence("The table has no column `{name}`.", name=query.sort[:80]),
                        "sort",
                        sentence("Its columns are: {schema}.", schema=", ".join(list(types)[:20])),
                    )
                )
            frame = frame.sort(
                named(query.sort), descending=query.descending, nulls_last=True, maintain_order=True
            )
        if query.search:
            found = frame.collect()
            matched, frame = found.height, found.lazy()
        shown = stored.table(frame.slice(query.offset, query.limit))
        rows = [[_cell(value) for value in row.values()] for row in shown.rows()]
    except pl.exceptions.PolarsError as error:
        raise _no_table() from error
    columns = [{"name": name, "kind": _kind(kind)} for name, kind in types.items()]
    return TablePage(columns, rows, query.offset, matched, total)


def _holds(names: Iterable[str], search: str) -> pl.Expr:
    needle = search.lower()
    found = [
        named(name).cast(pl.String).str.to_lowercase().str.contains(needle, literal=True).fill_null(False)
        for name in names
    ]
    return pl.any_horizontal(found) if found else pl.lit(False)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_CELL_CHARACTERS else value[:MAX_CELL_CHARACTERS] + "…"
    if isinstance(value, dict | list):
        text = spelled(value) or ""
        return value if len(text) <= MAX_CELL_CHARACTERS else text[:MAX_CELL_CHARACTERS] + "…"
    return value


def _kind(kind: CellType) -> str:
    if kind in ("integer", "decimal", "number"):
        return "number"
    if kind == "boolean":
        return "boolean"
    return "other" if kind in ("list", "object", "mixed") else "text"


def _value(file: StoredFile) -> JsonValue:
    if file.media_type == TABLE_MEDIA_TYPE:
        try:
            stored = StoredTable.open(file.path)
            return [*stored.table(stored.lazy.head(MAX_ITEMS + 1)).rows()]
        except pl.exceptions.PolarsError as error:
            raise _no_table() from error
    if file.media_type.startswith("text/"):
        with file.path.open("rb") as stream:
            # Every character has a byte at least, so one more tells whether the end is left out.
            return stream.read(4 * MAX_TEXT_CHARACTERS + 1).decode("utf-8", "replace")
    return _json(file)


def _json(file: StoredFile) -> JsonValue:
    if file.media_type not in (VALUE_MEDIA_TYPE, "application/json"):
        raise InvalidError(
            Problem(
                "artifact.not_shown",
                sentence(
                    "A file of type {media_type} cannot be looked into here.", media_type=file.media_type[:80]
                ),
                "hash",
                "Download it instead.",
            )
        )
    if file.size_bytes > MAX_READ_BYTES:
        raise TooLargeError(
            Problem(
                "artifact.too_large_to_show",
                sentence(
                    "The value has {size_bytes} bytes; at most {max_read_bytes} are shown here.",
                    size_bytes=file.size_bytes,
                    max_read_bytes=MAX_READ_BYTES,
                ),
                "hash",
                "Download it instead.",
            )
        )
    try:
        return decode_json(file.path.read_bytes(), max_bytes=MAX_READ_BYTES)
    except StructForgeError as error:
        raise InvalidError(error.problem) from error


def _export(stored: StoredTable, form: Form) -> BinaryIO:
    try:
        table = stored.table(stored.lazy)
    except pl.exceptions.PolarsError as error:
        raise _no_table() from error
    told = encode_json([*table.rows()]) if form == "json" else write_csv(table, CsvStyle())
    # On disk, as a slow reader would hold it in memory; without a name, as only the server knows when it is sent.
    with ExitStack() as stack:
        target = stack.enter_context(tempfile.TemporaryFile(prefix="structforge-export-"))
        target.write(told)
        target.seek(0)
        stack.pop_all()
    return target


def _no_table() -> InvalidError:
    return InvalidError(
        Problem(
            "artifact.not_a_table",
            "This artifact is no table.",
            "hash",
            "Look at it as a value, or download it.",
        )
    )
