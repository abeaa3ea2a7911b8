"""Nodes that bring tables together: join, append."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import polars as pl

from structforge.domain.errors import sentence
from structforge.nodes.table_inputs import ROWS_TEXT, FlattenParameters, table_from, table_of
from structforge.nodes.table_keys import matching_keys
from structforge.nodes.table_stacks import nulls, stacked
from structforge.nodes.tables import Column, Table, table_result, with_columns_known
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

How = Literal["inner", "left", "full", "semi", "anti"]


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
    how: How = parameter(
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

    Rows belong together when all key columns are equal; null never is, empty text equals empty text. Rows keep the
    order of the left table. The key columns appear once, under the left table's names and with its values; a row
    that only the right table has brings its own.

    Numbers are equal by exact value, whatever their types: 1 and 1.0, 0.1 and the decimal 0.10, but not
    9007199254740993 and 9007199254740992.0. A text equals a number only when it is the number written shortest:
    `"1"` meets 1 and 1.0, `"1.0"` and `"01"` meet neither. Lists and objects are equal when all that is in them is,
    whatever the order of an object's fields.

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
        left = with_columns_known(
            table_from(context, parameters, inputs, port="left", name="left_rows"),
            parameters.left_on,
            where="parameters.left_on",
        )
        right = with_columns_known(
            table_from(context, parameters, inputs, port="right", name="right_rows"),
            right_on,
            where="parameters.right_on",
        )
        pairs = tuple(zip(parameters.left_on, right_on, strict=True))
        found = _partners(left, right, pairs, parameters.how)
        if parameters.how in ("semi", "anti"):
            result = left.with_frame(left.frame[found.get_column("left")])
        else:
            result = _joined(left, right, pairs, found, parameters.suffix)
        context.log("info", f"{left.height} and {right.height} rows gave {result.height}")
        return table_result(context, result)


def _partners(left: Table, right: Table, pairs: Sequence[tuple[str, str]], how: How) -> pl.DataFrame:
    """Return which row of the left table goes with which of the right, null where there is none.

    Raises: NodeError `join.too_large`.
    """
    keys = [
        matching_keys(left.column(left_name), right.column(right_name)) for left_name, right_name in pairs
    ]
    names = [f"k{index}" for index in range(len(keys))]
    one, other = (
        pl.DataFrame(
            [
                *(pair[side].alias(name) for name, pair in zip(names, keys, strict=True)),
                pl.int_range(table.height, dtype=pl.UInt32, eager=True).alias(title),
            ]
        )
        for side, table, title in ((0, left, "left"), (1, right, "right"))
    )
    if how in ("semi", "anti"):
        return one.join(other, how=how, on=names, maintain_order="left").select("left")
    _refuse_explosion(one, other, names)
    joined = one.join(other, how=how, on=names, maintain_order="left_right", coalesce=True)
    return joined.select("left", "right")


def _joined(
    left: Table, right: Table, pairs: Sequence[tuple[str, str]], found: pl.DataFrame, suffix: str
) -> Table:
    """Return the rows of both tables side by side; keys stand once, under the left names."""
    left_rows, right_rows = found.get_column("left"), found.get_column("right")
    columns = {name: _gathered(left.column(name), left_rows) for name in left.columns}
    if left_rows.null_count():
        rows = found.select(pl.coalesce("left", pl.col("right") + left.height)).to_series()
        for left_name, right_name in pairs:
            key = stacked([left.column(left_name), right.column(right_name)])
            columns[left_name] = _gathered(key, rows)
    keys = {right_name for _, right_name in pairs}
    for name in right.columns:
        if name in keys:
            continue
        given = name + suffix if name in columns else name
        if given in columns:
            raise NodeError(
                "join.name",
                sentence("Two columns of the result would be called `{twice}`.", twice=given),
                where="parameters.suffix",
                hint="Choose another suffix.",
            )
        columns[given] = _gathered(right.column(name), right_rows)
    table = Table.of_columns(columns)
    return dataclasses.replace(table, unknown=left.unknown and not table.height)


def _gathered(column: Column, rows: pl.Series) -> Column:
    return Column(column.series.gather(rows), column.mark, column.written)


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
    cells are null. A column that holds numbers in one table and text in another becomes text; integers, decimals and
    other numbers become one type that keeps every digit. Tables without rows keep their columns and types.

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
        tables = _tables(context, parameters, inputs)
        known = [table for table in tables if not table.unknown]
        if not known:
            return []
        names = list(dict.fromkeys(name for table in known for name in table.columns))
        columns = {
            name: stacked(
                [table.column(name) if name in table.columns else nulls(table.height) for table in known]
            )
            for name in names
        }
        source = parameters.source_column
        if source in columns:
            raise NodeError(
                "append.name",
                sentence("The tables have a column `{name}` already.", name=source),
                where="parameters.source_column",
                hint="Choose another name.",
            )
        if source:
            numbers = [number for number, table in enumerate(tables, 1) for _ in range(table.height)]
            columns[source] = Column(pl.Series(numbers, dtype=pl.Int64))
        return table_result(context, Table.of_columns(columns, height=sum(table.height for table in known)))


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


def _refuse_explosion(left: pl.DataFrame, right: pl.DataFrame, names: Sequence[str]) -> None:
    """Count the rows the join will have, which is cheap, before it makes them."""
    counts = right.drop_nulls(names).group_by(names).len()
    most = counts.select(pl.col("len").max().fill_null(0)).item()
    if left.height * most <= MAX_JOINED_ROWS:
        return
    repeated = left.select(names).drop_nulls().group_by(names).len().join(counts, on=names, suffix=" right")
    rows = repeated.select((pl.col("len").cast(pl.Int64) * pl.col("len right").cast(pl.Int64)).sum()).item()
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
