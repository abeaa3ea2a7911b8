"""What the table nodes share beside `sdk.tables`: columns that must be there, and errors for people."""

import difflib
from collections.abc import Iterable
from typing import Any

import polars as pl

from structforge.domain.errors import sentence
from structforge.sdk import NodeError
from structforge.sdk.tables import (
    Column,
    Table,
    load_table,
    load_table_json,
    read_table,
    table_cells,
    table_result,
    table_rows,
    table_shape,
)

__all__ = [
    "Column",
    "Table",
    "has_lost_columns",
    "json_cells",
    "load_table",
    "load_table_json",
    "read_table",
    "table_cells",
    "table_result",
    "table_rows",
    "table_shape",
    "type_error",
    "unknown_column",
    "with_columns_known",
]


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
        elif dtype in (pl.Categorical, pl.Enum):
            changes.append(column.cast(pl.String))
    return frame.with_columns(changes) if changes else frame


def with_columns_known(table: Table, names: Iterable[str], *, where: str) -> Table:
    """Return the table after checking that it has these columns.

    Where nobody knows the columns, as it came as `[]`, they are added without a value, so that an empty result
    flows through instead of failing. Raises: NodeError `table.unknown_column`.
    """
    missing = [name for name in dict.fromkeys(names) if name not in table.columns]
    if missing and table.unknown:
        return table.with_frame(table.frame.with_columns(pl.Series(name, [], pl.Null) for name in missing))
    if missing:
        raise unknown_column(missing[0], table.columns, where=where)
    return table


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
        "The values do not allow this.",
        where=where,
        hint="Change the column's type first (`Transform`, cast), or use `number(column)` or `text(column)`.",
    )
