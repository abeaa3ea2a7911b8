"""Looking into artifacts without downloading them: pages of a table, a large value cut down, pictures, exports.

Invariant: who may not download an artifact sees nothing of it; files are read in threads, `AT_ONCE` at a time, and
what goes out is bounded whatever is inside.
"""

import asyncio
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar

import polars as pl

from structforge.domain.access import Principal
from structforge.domain.errors import (
    InvalidError,
    Problem,
    StructForgeError,
    TooLargeError,
    sentence,
)
from structforge.domain.numbers import settled
from structforge.domain.values import JsonValue, decode_json, encode_json
from structforge.engine.reading import VALUE_MEDIA_TYPE
from structforge.nodes.tables import json_cells
from structforge.sdk import TABLE_MEDIA_TYPE
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

    async def export(self, principal: Principal, digest: str, form: Form) -> Path:
        """Write a table as CSV or JSON into a file that the caller removes. Raises: NotFoundError, InvalidError."""
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


def _frame(file: StoredFile) -> pl.LazyFrame:
    """Open a table, or a stored list of objects as one."""
    try:
        if file.media_type == TABLE_MEDIA_TYPE:
            return pl.scan_parquet(file.path)
        value = _json(file)
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            return pl.LazyFrame(value, infer_schema_length=None, strict=False)
    except (pl.exceptions.PolarsError, TypeError, OverflowError) as error:
        raise _no_table() from error
    raise _no_table()


def _page(frame: pl.LazyFrame, query: RowsQuery) -> TablePage:
    try:
        schema = frame.collect_schema()
        total = frame.select(pl.len()).collect().item()
        matched = total
        if query.search:
            frame = frame.filter(_holds(schema, query.search))
        if query.sort:
            if query.sort not in schema:
                raise InvalidError(
                    Problem(
                        "table.unknown_column",
                        sentence("The table has no column {sort}.", sort=repr(query.sort[:80])),
                        "sort",
                        sentence("Its columns are: {schema}.", schema=", ".join(list(schema)[:20])),
                    )
                )
            frame = frame.sort(query.sort, descending=query.descending, nulls_last=True, maintain_order=True)
        if query.search:
            found = frame.collect()
            matched, shown = found.height, found.slice(query.offset, query.limit)
        else:
            shown = frame.slice(query.offset, query.limit).collect()
        rows = [[_cell(value) for value in row] for row in json_cells(shown).rows()]
    except pl.exceptions.PolarsError as error:
        raise _no_table() from error
    columns = [{"name": name, "kind": _kind(dtype)} for name, dtype in schema.items()]
    return TablePage(columns, rows, query.offset, matched, total)


def _holds(schema: pl.Schema, search: str) -> pl.Expr:
    needle = search.lower()
    texts = []
    for name, dtype in schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.Struct):
            if _holds_binary(dtype):
                continue  # polars cannot write it as JSON, and ends the thread instead of saying so.
            texts.append(column.struct.json_encode())
        elif dtype == pl.Duration:
            texts.append(column.dt.total_seconds(fractional=True).cast(pl.String))
        elif not dtype.is_nested() and dtype != pl.Binary:
            texts.append(column.cast(pl.String))
    found = [text.str.to_lowercase().str.contains(needle, literal=True).fill_null(False) for text in texts]
    return pl.any_horizontal(found) if found else pl.lit(False)


def _holds_binary(dtype: Any) -> bool:
    if isinstance(dtype, pl.Struct):
        return any(_holds_binary(field.dtype) for field in dtype.fields)
    inner = getattr(dtype, "inner", None)
    return dtype == pl.Binary or (inner is not None and _holds_binary(inner))


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_CELL_CHARACTERS else value[:MAX_CELL_CHARACTERS] + "…"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, dict | list):
        plain = _plain(value)
        text = encode_json(plain).decode()
        return plain if len(text) <= MAX_CELL_CHARACTERS else text[:MAX_CELL_CHARACTERS] + "…"
    return value


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_numeric() or dtype.is_decimal():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    return "other" if dtype.is_nested() else "text"


def _value(file: StoredFile) -> JsonValue:
    if file.media_type == TABLE_MEDIA_TYPE:
        try:
            head = pl.scan_parquet(file.path).head(MAX_ITEMS + 1).collect()
        except pl.exceptions.PolarsError as error:
            raise _no_table() from error
        return _rows(json_cells(head))
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


def _export(frame: pl.LazyFrame, form: Form) -> Path:
    try:
        table = json_cells(frame.collect())
    except pl.exceptions.PolarsError as error:
        raise _no_table() from error
    with tempfile.NamedTemporaryFile(prefix="structforge-export-", delete=False) as target:
        try:
            if form == "json":
                target.write(encode_json(_rows(table)))
            else:
                as_text = [
                    pl.col(name).map_elements(_cell_text, return_dtype=pl.String)
                    for name, dtype in table.schema.items()
                    if _has_own_form(dtype)
                ]
                table.with_columns(as_text).write_csv(target)
        except BaseException:
            Path(target.name).unlink()
            raise
    return Path(target.name)


def _rows(table: pl.DataFrame) -> JsonValue:
    """Return the rows of a table as `json_cells` left it."""
    rows: Any = table.to_dicts()
    found: JsonValue = _plain(rows) if any(map(_has_own_form, table.dtypes)) else rows
    return found


def _has_own_form(dtype: pl.DataType) -> bool:
    return dtype.is_nested() or dtype == pl.Binary


def _cell_text(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else encode_json(plain).decode()


def _plain(value: Any) -> Any:
    """Return what polars has inside a list or an object as JSON, in the forms of `json_cells`."""
    match value:
        case pl.Series() | list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return settled(value) if value.is_finite() else None
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return f"\\x{value.hex()}"
        case _:
            return value


def _no_table() -> InvalidError:
    return InvalidError(
        Problem(
            "artifact.not_a_table",
            "This artifact is no table.",
            "hash",
            "Look at it as a value, or download it.",
        )
    )
