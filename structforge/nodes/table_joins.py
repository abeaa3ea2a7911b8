"""Nodes that bring tables together: join, append."""

from collections.abc import Sequence
from typing import Any, Literal

import polars as pl

from structforge.domain.errors import sentence
from structforge.nodes.table_inputs import ROWS_TEXT, FlattenParameters, table_from, table_of
from structforge.nodes.tables import Table, table_result, type_error, with_columns_known
from structforge.sdk import (
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

MAX_JOINED_ROWS = 20_000_000
"""A join whose keys repeat on both sides multiplies rows; beyond this it is refused before it fills the
memory."""


class JoinParameters(FlattenParameters):
    left_rows: Any = parameter(
        None,
        title="Left rows",
        description=ROWS_TEXT,
        widget="text",
        placeholder="{{ fetch.body.items }}",
        stands_for="left",
        advanced=True,
    )
    right_rows: Any = parameter(
        None,
        title="Right rows",
        description=ROWS_TEXT,
        widget="text",
        placeholder="{{ fetch.body.items }}",
        stands_for="right",
        advanced=True,
    )
    how: Literal["inner", "left", "full", "semi", "anti"] = parameter(
        "inner",
        title="Keep",
        description="`inner`: rows with a partner; `left`: all of the left; `full`: all of both; `semi`: "
        "left rows with "
        "a partner, left columns only; `anti`: left rows without one.",
        widget="select",
        expressions=False,
    )
    left_on: tuple[str, ...] = parameter(
        title="Key of the left table", description="The columns to compare.", widget="columns", min_length=1
    )
    right_on: tuple[str, ...] = parameter(
        (),
        title="Key of the right table",
        description="As many columns, in the same order; none means the same names.",
        widget="columns",
    )
    suffix: str = parameter(
        "_right",
        title="Suffix",
        description="Added to right columns whose name the left table has too.",
        min_length=1,
        advanced=True,
    )


class Join(Node[JoinParameters]):
    """Joins two tables by equal keys.

    Rows belong together when all key columns are equal; empty keys never are. Rows keep the order of the
    left table. When one key is text and the other numbers, both are compared as text. The key columns appear
    once, under the left table's names.

    **Example.** Joined by `code`, left `[{"code": "no", "temp": 3}]` and right `[{"code": "no", "name":
    "Norway"}]` give `[{"code": "no", "temp": 3, "name": "Norway"}]`.
    """

    type = "table.join"
    title = "Join tables"
    category = "table"
    icon = "git-merge"
    keywords = ("lookup", "vlookup", "merge", "inner", "left", "outer", "combine", "match")
    inputs = (
        Port("left", "table", "Left", "The table whose rows lead."),
        Port("right", "table", "Right", "The table that is looked up."),
    )
    outputs = (Port("out", "table", "Table", "The joined rows."),)
    execution = Execution.BLOCKING
    Parameters = JoinParameters
    examples = (
        Example(
            title="Look up a name",
            parameters={"left_on": ["code"]},
            inputs={"left": [{"code": "no", "temp": 3}], "right": [{"code": "no", "name": "Norway"}]},
            output=[{"code": "no", "temp": 3, "name": "Norway"}],
        ),
        Example(
            title="Rows without a partner",
            parameters={"how": "anti", "left_on": ["code"], "right_on": ["id"]},
            inputs={"left": [{"code": "no"}, {"code": "it"}], "right": [{"id": "no"}]},
            output=[{"code": "it"}],
        ),
    )

    def run(self, context: NodeContext, parameters: JoinParameters, inputs: Inputs) -> Result:
        """Return the joined table. Raises: NodeError `table.*`, `join.*`."""
        right_on = parameters.right_on or parameters.left_on
        if len(right_on) != len(parameters.left_on):
            raise NodeError(
                "join.keys",
                sentence(
                    "The left key has {count} columns, the right key {others}.",
                    count=len(parameters.left_on),
                    others=len(right_on),
                ),
                where="parameters.right_on",
                hint="Name as many columns on both sides.",
            )
        left_table = with_columns_known(
            table_from(context, parameters, inputs, port="left", name="left_rows"),
            parameters.left_on,
            where="parameters.left_on",
        )
        right_table = with_columns_known(
            table_from(context, parameters, inputs, port="right", name="right_rows"),
            right_on,
            where="parameters.right_on",
        )
        left, right = _with_comparable_keys(left_table.frame, right_table.frame, parameters.left_on, right_on)
        try:
            if parameters.how not in ("semi", "anti"):
                _refuse_explosion(left, right, parameters.left_on, right_on)
            result = left.join(
                right,
                how=parameters.how,
                left_on=list(parameters.left_on),
                right_on=list(right_on),
                suffix=parameters.suffix,
                coalesce=True if parameters.how in ("left", "full") else None,
                maintain_order="left_right" if parameters.how in ("inner", "left", "full") else "left",
            )
        except pl.exceptions.DuplicateError as error:
            raise NodeError(
                "join.name",
                sentence(
                    "Two columns of the result would have the same name: {said}.",
                    said=str(error).splitlines()[0],
                ),
                where="parameters.suffix",
                hint="Choose another suffix.",
            ) from error
        except pl.exceptions.PolarsError as error:
            raise type_error(error, where="parameters") from error
        context.log("info", f"{left.height} and {right.height} rows gave {result.height}")
        return table_result(context, result)


class AppendParameters(FlattenParameters):
    rows: Any = parameter(
        None,
        title="More tables",
        description="A table, or a list of tables, as an expression: they follow those of the edges.",
        widget="text",
        placeholder="{{ fetch.body.items }}",
        stands_for="in",
        advanced=True,
    )
    source_column: str = parameter(
        "",
        title="Number the tables in",
        description="A column that tells from which table a row is, from 1; empty adds none.",
        advanced=True,
    )


class Append(Node[AppendParameters]):
    """Puts the rows of several tables below each other.

    The tables follow in the order of their edges. Columns are matched by name; where a table lacks one, the
    cells are empty. A column that holds numbers in one table and text in another becomes text.

    **Example.** `[{"a": 1}]` and `[{"a": 2, "b": "x"}]` give `[{"a": 1, "b": null}, {"a": 2, "b": "x"}]`.
    """

    type = "table.append"
    title = "Append tables"
    category = "table"
    icon = "rows-3"
    keywords = ("union", "concat", "stack", "merge", "combine", "rows")
    inputs = (Port("in", "table", "Tables", "The tables, in the order of their edges.", many=True),)
    outputs = (Port("out", "table", "Table", "All rows."),)
    execution = Execution.BLOCKING
    Parameters = AppendParameters
    examples = (
        Example(
            title="Two tables",
            parameters={},
            inputs={"in": [[{"a": 1}], [{"a": 2, "b": "x"}]]},
            output=[{"a": 1, "b": None}, {"a": 2, "b": "x"}],
        ),
    )

    def run(self, context: NodeContext, parameters: AppendParameters, inputs: Inputs) -> Result:
        """Return all rows. Raises: NodeError `table.*`."""
        frames = [table.frame for table in _tables(context, parameters, inputs)]
        if parameters.source_column:
            frames = [
                frame.with_columns(pl.lit(number, pl.Int64).alias(parameters.source_column))
                for number, frame in enumerate(frames, 1)
                if frame.height
            ]
        frames = [frame for frame in frames if frame.width]
        if not frames:
            return []
        try:
            frames = _with_common_types(frames)
            return table_result(context, pl.concat(frames, how="diagonal_relaxed"))
        except pl.exceptions.PolarsError as error:
            raise type_error(error, where="input in") from error


def _tables(context: NodeContext, parameters: AppendParameters, inputs: Inputs) -> list[Table]:
    flatten = parameters.flatten
    tables = [
        table_of(context, value, where=f"input in[{index}]", flatten=flatten, plain=False)
        for index, value in enumerate(inputs.get("in", ()))
    ]
    if parameters.given("rows"):
        rows = parameters.rows
        several = isinstance(rows, list) and any(isinstance(table, list) for table in rows)
        tables += [
            table_of(context, table, where=f"parameters.rows[{index}]", flatten=flatten)
            for index, table in enumerate(rows if several else [rows])
        ]
    return tables


def _with_common_types(frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Cast columns that are text in one frame and numbers or booleans in another to text everywhere."""
    kinds: dict[str, set[bool]] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            if not dtype.is_nested() and dtype != pl.Null:
                kinds.setdefault(name, set()).add(dtype == pl.String)
    mixed = {name for name, found in kinds.items() if len(found) == 2}
    return [
        frame.with_columns([pl.col(name).cast(pl.String) for name in frame.columns if name in mixed])
        for frame in frames
    ]


def _with_comparable_keys(
    left: pl.DataFrame, right: pl.DataFrame, left_on: Sequence[str], right_on: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bring each pair of key columns to one type: text when their kinds differ, else the wider number."""
    for left_name, right_name in zip(left_on, right_on, strict=True):
        one, other = left.schema[left_name], right.schema[right_name]
        if one == other:
            continue
        target: Any = pl.Float64 if one.is_numeric() and other.is_numeric() else pl.String
        if pl.Null in (one, other):
            target = other if one == pl.Null else one
        if one != target:
            left = left.with_columns(pl.col(left_name).cast(target))
        if other != target:
            right = right.with_columns(pl.col(right_name).cast(target))
    return left, right


def _refuse_explosion(
    left: pl.DataFrame, right: pl.DataFrame, left_on: Sequence[str], right_on: Sequence[str]
) -> None:
    """Count the rows the join will have, which is cheap, before it makes them."""
    names = [f"key {number}" for number in range(len(left_on))]
    counts = [
        frame.select([pl.col(column).alias(name) for column, name in zip(columns, names, strict=True)])
        .drop_nulls()
        .group_by(names)
        .len()
        for frame, columns in ((left, left_on), (right, right_on))
    ]
    rows = (
        counts[0]
        .join(counts[1], on=names, suffix="_right")
        .select((pl.col("len").cast(pl.Int64) * pl.col("len_right").cast(pl.Int64)).sum())
        .item()
    )
    if rows > MAX_JOINED_ROWS:
        raise NodeError(
            "join.too_large",
            sentence(
                "The join would have {rows} rows; the limit is {max_joined_rows}.",
                rows=rows,
                max_joined_rows=MAX_JOINED_ROWS,
            ),
            where="parameters.left_on",
            hint="The keys repeat in both tables: add a key column, or aggregate one table first.",
            rows=rows,
        )
