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
    "load_table",
    "load_table_json",
    "read_table",
    "table_cells",
    "table_result",
    "table_rows",
    "table_shape",
    "unknown_column",
    "with_columns_known",
]


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
