"""Table values: rows as JSON while small, Parquet artifacts when large, polars frames in between.

Invariant: a table means the same in both forms. Cells are JSON values (dates are ISO 8601 text, NaN is
null), so no workflow changes its result when its data outgrows an edge. Table nodes and the engine's pool
import this.
"""

import dataclasses
import difflib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from structforge.domain.errors import sentence
from structforge.sdk import TABLE_MEDIA_TYPE, ArtifactRef, NodeContext, NodeError

MAX_INLINE_BYTES = 64 * 1024
"""A table whose JSON is larger travels as an artifact."""

INT64 = range(-(2**63), 2**63)


def read_table(context: NodeContext, value: Any, *, where: str = "input in") -> pl.DataFrame:
    """Turn a table value into a frame.

    `value` is `list[dict]` (one object a row) or the reference of a table artifact. A column that holds
    numbers and text becomes text; a key that a row lacks is null.
    Raises: NodeError `table.not_a_table`, `table.mixed_column`, `artifact.missing`.
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
        return pl.read_parquet(context.artifacts.path(ref))
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
    try:
        frame = pl.DataFrame(value, infer_schema_length=None, strict=False)
    except (pl.exceptions.PolarsError, TypeError, OverflowError) as error:
        raise NodeError(
            "table.mixed_column",
            sentence(
                "The rows do not fit into columns of one type each: {said}.",
                said=str(error).splitlines()[0],
            ),
            where=where,
            hint="Give each column values of one kind, or turn nested values into text first.",
        ) from error
    return frame


def table_result(context: NodeContext, frame: pl.DataFrame, *, name: str = "table") -> Any:
    """Return the value that travels: `list[dict]` up to 64 KiB of JSON, else the reference of a Parquet file.

    The reference carries `{"rows": n, "columns": [...]}` as `meta`. A table without rows is always a
    reference: as JSON it would be `[]` and lose its columns, and a later join or figure would not find them.
    """
    frame = json_cells(frame)
    # A row costs at least `{"c":0},`: beyond this many cells the JSON cannot be small, so do not build it.
    if (frame.height or not frame.width) and frame.height * max(frame.width, 1) <= MAX_INLINE_BYTES // 4:
        rows = frame.to_dicts()
        text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False)
        if len(text) <= MAX_INLINE_BYTES and len(text.encode("utf-8", "replace")) <= MAX_INLINE_BYTES:
            return rows
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", compression_level=3)
    ref = context.artifacts.put(buffer.getvalue(), media_type=TABLE_MEDIA_TYPE, name=f"{name}.parquet")
    return dataclasses.replace(ref, meta={"rows": frame.height, "columns": frame.columns}).as_json()


def table_rows(
    path: Path, columns: Sequence[str] | None = None, start: int = 0, stop: int | None = None
) -> list[dict[str, Any]]:
    """Read rows `start` to `stop` of a table artifact as JSON, of all or only some of its columns.

    Nothing else of the file is read into memory. Columns that it does not have are left out.
    """
    lazy = pl.scan_parquet(path)
    if columns is not None:
        known = lazy.collect_schema().names()
        lazy = lazy.select([name for name in columns if name in known])
    if start or stop is not None:
        lazy = lazy.slice(start, None if stop is None else max(stop - start, 0))
    return json_cells(lazy.collect()).to_dicts()


def table_shape(path: Path) -> tuple[int, list[str]]:
    """Return the number of rows and the column names of a table artifact, read from its footer."""
    lazy = pl.scan_parquet(path)
    return int(lazy.select(pl.len()).collect().item()), lazy.collect_schema().names()


def load_table_json(path: Path) -> list[dict[str, Any]]:
    """Read a table artifact as JSON rows, for expressions and for people who look at it."""
    return table_rows(path)


def json_cells(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with JSON cells only: temporal values as ISO 8601 text, NaN and infinity as null."""
    schema = frame.schema
    changes: list[pl.Expr] = []
    for name, dtype in schema.items():
        column = pl.col(name)
        if dtype.is_float():
            changes.append(pl.when(column.is_finite()).then(column).otherwise(None))
        elif dtype == pl.Date:
            changes.append(column.dt.to_string("%Y-%m-%d"))
        elif dtype == pl.Datetime:
            zone = "%:z" if getattr(dtype, "time_zone", None) else ""
            changes.append(column.dt.to_string(f"%Y-%m-%dT%H:%M:%S%.f{zone}"))
        elif dtype == pl.Time:
            changes.append(column.dt.to_string("%H:%M:%S%.f"))
        elif dtype == pl.Duration:
            changes.append(column.dt.total_seconds(fractional=True))
        elif dtype == pl.Decimal:
            changes.append(column.cast(pl.Float64))
        elif dtype in (pl.Categorical, pl.Enum):
            changes.append(column.cast(pl.String))
    return frame.with_columns(changes) if changes else frame


def with_columns_known(frame: pl.DataFrame, names: Iterable[str], *, where: str) -> pl.DataFrame:
    """Return the frame after checking that it has these columns.

    A table without any row has lost its columns if it came as JSON: there they are added, all null, so that
    an empty result flows through instead of failing. Raises: NodeError `table.unknown_column`.
    """
    missing = [name for name in dict.fromkeys(names) if name not in frame.columns]
    if missing and has_lost_columns(frame):
        return frame.with_columns([pl.lit(None).alias(name) for name in missing]).clear()
    if missing:
        raise unknown_column(missing[0], frame.columns, where=where)
    return frame


def has_lost_columns(frame: pl.DataFrame) -> bool:
    """Tell whether this may be a table whose columns nobody knows any more, as it came without rows."""
    return frame.height == 0 and all(dtype == pl.Null for dtype in frame.dtypes)


def unknown_column(name: str, columns: list[str], *, where: str, **details: Any) -> NodeError:
    """Build the error of a column that is not there, with the nearest names."""
    near = difflib.get_close_matches(name, columns, n=1, cutoff=0.6)
    known = ", ".join(f"`{column}`" for column in columns[:20]) + (" …" if len(columns) > 20 else "")
    hint = sentence("Did you mean `{name}`? ", name=near[0]) if near else ""
    return NodeError(
        "table.unknown_column",
        sentence("The table has no column `{name}`.", name=name),
        where=where,
        hint=sentence("{hint}Its columns are: {known}.", hint=hint, known=known or "none"),
        column=name,
        columns=columns[:100],
        **details,
    )


def type_error(error: pl.exceptions.PolarsError, *, where: str) -> NodeError:
    """Turn polars' refusal of an operation into an error for people."""
    return NodeError(
        "table.wrong_type",
        sentence("The values do not allow this: {said}.", said=str(error).splitlines()[0]),
        where=where,
        hint="Change the column's type first (`Transform`, cast), or use `number(column)` or `text(column)`.",
    )


def _kind(value: Any) -> str:
    names = {type(None): "nothing", bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")
