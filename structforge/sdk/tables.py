"""Table values: rows as JSON while small, Parquet artifacts else, and frames in between.

Invariant: a table means the same in both forms, and keeps its columns and types without rows. Node authors
import `read_table` and `table_result`; the frame between them has the types of `docs/values.md`.
"""

import dataclasses
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from structforge.domain.errors import sentence
from structforge.domain.values import encode_json
from structforge.sdk.context import TABLE_MEDIA_TYPE, ArtifactRef, NodeContext, NodeError
from structforge.sdk.table_cache import Recent
from structforge.sdk.table_cells import (
    DIGITS,
    CellType,
    Mark,
    Written,
    cells_of,
    column_of,
    named,
    names_of,
    normal,
    spelled_column,
    type_name,
)

MAX_INLINE_BYTES = 64 * 1024
"""A table whose JSON is larger travels as an artifact."""

METADATA_KEY = "structforge"
"""Where a Parquet file says what its frame cannot: marks, and how whole numbers are written."""

NARROW_DIGITS = 18
"""Decimals of so many digits are stored as 64 bits; they have 38 again when they are read."""


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one column and what its type does not say."""

    series: pl.Series
    mark: Mark | None = None
    """What the JSON texts of the column stand for."""
    written: Written | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A frame of the types of tables: Int64, Decimal(38, s), Float64, String, Boolean, Null.

    Lists, objects and cells of several kinds are JSON texts in `String` columns with a mark.
    """

    frame: pl.DataFrame
    marks: Mapping[str, Mark] = field(default_factory=dict)
    written: Mapping[str, Written] = field(default_factory=dict)
    unknown: bool = False
    """Nobody knows its columns: it came as `[]`."""

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "Table":
        """Return the table of any frame; dates become text, lists and structs JSON."""
        flat, marks = normal(frame)
        return cls(flat, marks)

    @classmethod
    def from_rows(cls, rows: list[dict[str, Any]]) -> "Table":
        """Return the table of JSON rows; a field that a row lacks is null."""
        marks: dict[str, Mark] = {}
        ways: dict[str, Written] = {}
        columns: dict[str, pl.Series] = {}
        for name in names_of(rows):
            series, mark, way = column_of(name, [row.get(name) for row in rows])
            columns[name] = series
            if mark is not None:
                marks[name] = mark
            if way is not None:
                ways[name] = way
        frame = pl.DataFrame(columns) if columns else pl.DataFrame(height=len(rows))
        return cls(frame, marks, ways, unknown=not rows)

    @classmethod
    def of_columns(cls, columns: Mapping[str, Column], height: int = 0) -> "Table":
        """Return the table of columns of one length; it is known, also without rows.

        `height` is that of a table without columns.
        """
        # By name: in a list of series, polars gives one without a name another.
        series = {name: column.series.alias(name) for name, column in columns.items()}
        marks = {name: column.mark for name, column in columns.items() if column.mark is not None}
        written = {name: column.written for name, column in columns.items() if column.written is not None}
        frame, found = normal(pl.DataFrame(series) if series else pl.DataFrame(height=height))
        return cls(frame, {**found, **marks}, written)

    @property
    def height(self) -> int:
        return self.frame.height

    @property
    def columns(self) -> list[str]:
        return self.frame.columns

    @property
    def types(self) -> dict[str, CellType]:
        """The type of each column, by name."""
        return {name: type_name(dtype, self.marks.get(name)) for name, dtype in self.frame.schema.items()}

    @property
    def size_bytes(self) -> int:
        """The memory that its cells take."""
        return int(self.frame.estimated_size())

    def copy(self) -> "Table":
        """Return the same table with a frame of its own, over the same cells: a plugin may change frames in place."""
        return dataclasses.replace(self, frame=self.frame.clone())

    def column(self, name: str) -> Column:
        """Return one column."""
        # Without its name: polars takes one such as `^a.*$` for a pattern, also in methods of series.
        series = self.frame.get_column(name).alias("")
        return Column(series, self.marks.get(name), self.written.get(name))

    def with_column(self, name: str, column: Column) -> "Table":
        """Return the table with a column added, or replaced in its place."""
        bare = self.with_frame(self.frame.with_columns(column.series.alias(name)), changed=(name,))
        return dataclasses.replace(
            bare,
            marks=bare.marks if column.mark is None else {**bare.marks, name: column.mark},
            written=bare.written if column.written is None else {**bare.written, name: column.written},
        )

    def with_frame(self, frame: pl.DataFrame, *, changed: Iterable[str] = ()) -> "Table":
        """Return the table with other rows or columns; those that keep name and type keep what is known of them.

        The frame may be of any types, as in `of`. `changed` names columns that mean something new.
        """
        frame, marks = normal(frame)
        known = {
            name
            for name, dtype in frame.schema.items()
            if name not in changed and name not in marks and self.frame.schema.get(name) == dtype
        }
        marks |= {name: mark for name, mark in self.marks.items() if name in known}
        written = {name: way for name, way in self.written.items() if name in known}
        return Table(frame, marks, written, self.unknown)

    def renamed(self, names: Mapping[str, str]) -> "Table":
        """Return the table with other names of columns."""
        return Table(
            self.frame.rename(dict(names)),
            {names.get(name, name): mark for name, mark in self.marks.items()},
            {names.get(name, name): way for name, way in self.written.items()},
            self.unknown,
        )

    def text_of(self, name: str) -> pl.Expr:
        """Return the expression of a column as text, each cell as JSON spells it."""
        return spelled_column(named(name), self.frame.schema[name], self.written.get(name))

    def cells(self, name: str) -> list[Any]:
        """Return the JSON values of a column."""
        return cells_of(self.frame.get_column(name), self.marks.get(name), self.written.get(name))

    def rows(self) -> list[dict[str, Any]]:
        """Return the JSON rows; numbers of more digits than binary64 holds are `int` and `Decimal`."""
        names = self.frame.columns
        if not names:
            return [{} for _ in range(self.frame.height)]
        return [
            dict(zip(names, row, strict=True))
            for row in zip(*(self.cells(name) for name in names), strict=True)
        ]


RECENT: Recent[Table] = Recent()
"""Tables of artifacts that this process read or made lately; it keeps none unless it says how much."""


def read_table(context: NodeContext, value: Any, *, where: str = "input in") -> Table:
    """Return the table that a value is.

    `value` is `list[dict]` (one object a row; one object alone is one row) or the reference of a table artifact.
    Columns of several kinds never fail: with text among them they become text, else they stay as they are.
    Raises: NodeError `table.not_a_table`, `artifact.missing`.
    """
    ref = ArtifactRef.from_json(value)
    if ref is not None:
        if ref.media_type != TABLE_MEDIA_TYPE:
            raise NodeError(
                "table.not_a_table",
                sentence(
                    "A table is expected, but this is a file of type {media_type}.", media_type=ref.media_type
                ),
                where=where,
                hint="Read it with the node `Read file` first.",
            )
        path = context.artifacts.path(ref)
        kept = RECENT.get(path)
        if kept is None:
            kept = load_table(path)
            RECENT.put(path, kept)
        return kept.copy()
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise NodeError(
            "table.not_a_table", sentence("A table is expected, but this is {value}.", value=_kind(value)), where=where,
            hint="A table is a list of objects, one for each row.",
        )  # fmt: skip
    for index, row in enumerate(value):
        if not isinstance(row, dict):
            raise NodeError(
                "table.not_a_table",
                sentence(
                    "A table is expected, but element {index} of the list is {row}.",
                    index=index,
                    row=_kind(row),
                ),
                where=where,
                hint="Each element must be an object: column name to value.",
            )
    return Table.from_rows(value)


def table_result(context: NodeContext, table: Table | pl.DataFrame, *, name: str = "table") -> Any:
    """Return the value that travels: `list[dict]`, or the reference of a Parquet file.

    Rows go as JSON up to 64 KiB when reading them gives the same types again. The reference carries
    `{"rows": n, "columns": […], "types": […]}` as `meta`, and `written` for numbers whose whole values are
    written without `.0`. A frame may be of any types; dates become text. A table that came as `[]` and whose
    columns nobody knows leaves as `[]`.
    """
    if isinstance(table, pl.DataFrame):
        table = Table.of(table)
    if table.unknown and not table.height:
        return []
    rows = _inline(table)
    if rows is not None:
        return rows
    ref = context.artifacts.put(_parquet(table), media_type=TABLE_MEDIA_TYPE, name=f"{name}.parquet")
    RECENT.put(context.artifacts.path(ref), table)
    return dataclasses.replace(ref, meta=_meta(table)).as_json()


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table that need not be read whole: a lazy frame of the types of tables, and what is known of it."""

    lazy: pl.LazyFrame
    marks: Mapping[str, Mark]
    written: Mapping[str, Written]

    @classmethod
    def of(cls, table: Table) -> "StoredTable":
        """Return a table that is in memory already."""
        return cls(table.frame.lazy(), table.marks, table.written)

    @classmethod
    def open(cls, path: Path) -> "StoredTable":
        """Open a table artifact. One of an earlier version, which has other types, is read at once.

        Raises: PolarsError when it is none.
        """
        said = _said(path)
        lazy = pl.scan_parquet(path)
        if not said:
            return cls.of(Table.of(lazy.collect()))
        schema = lazy.collect_schema()
        narrow = [name for name, dtype in schema.items() if _is_narrow(dtype)]
        if narrow:
            lazy = lazy.with_columns(
                named(name).cast(pl.Decimal(DIGITS, schema[name].scale))  # type: ignore[attr-defined]
                for name in narrow
            )
        return cls(lazy, said.get("marks", {}), said.get("written", {}))

    def types(self) -> dict[str, CellType]:
        """Return the type of each column, by name."""
        return {
            name: type_name(dtype, self.marks.get(name)) for name, dtype in self.lazy.collect_schema().items()
        }

    def table(self, lazy: pl.LazyFrame) -> Table:
        """Return some of its rows and columns as a table."""
        frame = lazy.collect()
        texts = {name for name, dtype in frame.schema.items() if dtype == pl.String}
        return Table(
            frame,
            {name: mark for name, mark in self.marks.items() if name in texts},
            {name: way for name, way in self.written.items() if name in frame.columns},
        )


def load_table(
    path: Path, columns: Sequence[str] | None = None, start: int = 0, stop: int | None = None
) -> Table:
    """Read a table artifact, or rows `start` to `stop` of it with some of its columns, and nothing else of the file.

    Columns that it does not have are left out.
    """
    stored = StoredTable.open(path)
    lazy = stored.lazy
    if columns is not None:
        known = lazy.collect_schema().names()
        lazy = lazy.select([named(name) for name in columns if name in known])
    if start or stop is not None:
        lazy = lazy.slice(start, None if stop is None else max(stop - start, 0))
    return stored.table(lazy)


def table_rows(
    path: Path, columns: Sequence[str] | None = None, start: int = 0, stop: int | None = None
) -> list[dict[str, Any]]:
    """Read rows of a table artifact as JSON; see `load_table`."""
    return load_table(path, columns, start, stop).rows()


def table_cells(path: Path, column: str) -> list[Any]:
    """Read the cells of one column of a table artifact as JSON."""
    return load_table(path, [column]).cells(column)


def table_shape(path: Path) -> tuple[int, list[str]]:
    """Return the number of rows and the column names of a table artifact, read from its footer."""
    lazy = pl.scan_parquet(path)
    return int(lazy.select(pl.len()).collect().item()), lazy.collect_schema().names()


def load_table_json(path: Path) -> list[dict[str, Any]]:
    """Read a table artifact as JSON rows, for expressions and for people who look at it."""
    return table_rows(path)


def _inline(table: Table) -> list[dict[str, Any]] | None:
    """Return the JSON rows when they are small and say the same as the table."""
    # A cell costs at least `"c":0,`: beyond so many cells the JSON cannot be small, so do not build it.
    if not table.height or table.height * max(len(table.columns), 1) > MAX_INLINE_BYTES // 4:
        return None
    if any(dtype.is_decimal() for dtype in table.frame.dtypes):
        return None
    rows = table.rows()
    if len(encode_json([*rows])) > MAX_INLINE_BYTES:
        return None
    again = Table.from_rows(rows)
    same = (again.columns, again.types, again.written) == (table.columns, table.types, table.written)
    return rows if same else None


def _meta(table: Table) -> dict[str, Any]:
    types = table.types
    meta = {"rows": table.height, "columns": table.columns, "types": [types[name] for name in table.columns]}
    return meta | {"written": dict(table.written)} if table.written else meta


def _parquet(table: Table) -> bytes:
    buffer = io.BytesIO()
    said = json.dumps({"marks": dict(table.marks), "written": dict(table.written)}, ensure_ascii=False)
    stored = _narrowed(table.frame)
    stored.write_parquet(buffer, compression="lz4", statistics=False, metadata={METADATA_KEY: said})
    return buffer.getvalue()


def _narrowed(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with decimals of 18 digits where these hold all cells: Parquet writes them in half the time."""
    columns = {
        column.name: column.cast(pl.Decimal(NARROW_DIGITS, column.dtype.scale))  # type: ignore[attr-defined]
        for column in frame.get_columns()
        if column.dtype.is_decimal() and _fits_narrow(column.alias(""))
    }
    return frame.with_columns(**columns)


def _fits_narrow(column: pl.Series) -> bool:
    cells = column.to_physical()
    largest: int = max(abs(cells.max() or 0), abs(cells.min() or 0))  # type: ignore[arg-type]
    scale: int = column.dtype.scale  # type: ignore[attr-defined]
    return largest < 10**NARROW_DIGITS and scale <= NARROW_DIGITS


def _is_narrow(dtype: pl.DataType) -> bool:
    return dtype.is_decimal() and bool(dtype.precision != DIGITS)  # type: ignore[attr-defined]


def _said(path: Path) -> dict[str, Any]:
    text = pl.read_parquet_metadata(path).get(METADATA_KEY)
    said = json.loads(text) if text else {}
    return said if isinstance(said, dict) else {}


def _kind(value: Any) -> str:
    names = {type(None): "nothing", bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")
