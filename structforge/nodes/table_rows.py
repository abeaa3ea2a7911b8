"""Nodes that choose and order the rows of a table: filter, sort and limit."""

from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from structforge.nodes import row_expressions
from structforge.nodes.table_conditions import Condition, test_of
from structforge.nodes.table_inputs import RowsParameters, table_from
from structforge.nodes.table_keys import order_key
from structforge.nodes.tables import table_result, with_columns_known
from structforge.sdk import (
    Example,
    Execution,
    Inputs,
    Node,
    NodeContext,
    Port,
    Result,
    parameter,
)
from structforge.sdk.table_cells import named

TABLE_IN = (Port("in", "table", "Table", "The rows to work on."),)
TABLE_OUT = (Port("out", "table", "Table", "The resulting rows."),)


class FilterParameters(RowsParameters):
    conditions: tuple[Condition, ...] = parameter(
        (),
        title="Conditions",
        description="Each compares a column with a value: `equals`, `greater`, `contains`, `in`, `is_empty`, "
        "…",
        widget="list",
    )
    match: Literal["all", "any"] = parameter(
        "all", title="Keep rows that match", description="All conditions, or any of them.", widget="select"
    )
    expression: row_expressions.RowExpression = parameter(
        "",
        title="Row expression",
        description="A condition over the row's columns, such as `temp_max - temp_min > 10`; applied as "
        "well.",
        widget="row_expression",
        expressions=False,
        language="row-expression",
        placeholder="qty > 10 and city == 'Seattle'",
    )


class Filter(Node[FilterParameters]):
    """Keeps the rows of a table that meet conditions.

    Conditions compare one column with one value; *match* says whether all or any must hold. A row expression
    can be given instead or in addition; a row must pass both.

    A null cell passes no comparison except `is_empty`, `not_equals`, `not_contains` and `not_in`; `equals` and
    `in` find it by the value null. Empty text is a value: `is_empty` finds it and null. The other operators
    need a value that is not null.

    Numbers compare by their exact value: 9007199254740993 is not 9007199254740992, 1 is 1.0, and the text `"3"`
    counts as 3 where the column holds numbers. A column of texts is not compared with a number: that is an error
    that says so. `between` takes a list of two values, both included; `in` and `not_in` take a list; `matches`
    takes a regular expression. `contains` and its like look at the cell as text, lists and objects as JSON.
    Dates are ISO text (`2024-03-01`), so `greater` and `less` order them correctly.

    **Example.** From the rows `{"city": "Oslo", "temp": 3}` and `{"city": "Rome", "temp": 18}`, the condition
    `temp greater 10` keeps Rome.
    """

    type = "table.filter"
    title = "Filter rows"
    category = "table"
    icon = "filter"
    keywords = ("where", "condition", "select", "remove", "rows", "search")
    inputs = TABLE_IN
    outputs = TABLE_OUT
    execution = Execution.BLOCKING
    Parameters = FilterParameters
    examples = (
        Example(
            title="Warm cities",
            parameters={"conditions": [{"column": "temp", "operator": "greater", "value": 10}]},
            inputs={"in": [{"city": "Oslo", "temp": 3}, {"city": "Rome", "temp": 18}]},
            output=[{"city": "Rome", "temp": 18}],
        ),
        Example(
            title="A row expression",
            parameters={"expression": "high - low > 10 or city == 'Oslo'"},
            inputs={
                "in": [
                    {"city": "Oslo", "low": 1, "high": 3},
                    {"city": "Rome", "low": 9, "high": 21},
                    {"city": "Nice", "low": 11, "high": 19},
                ]
            },
            output=[{"city": "Oslo", "low": 1, "high": 3}, {"city": "Rome", "low": 9, "high": 21}],
        ),
    )

    def run(self, context: NodeContext, parameters: FilterParameters, inputs: Inputs) -> Result:
        """Return the rows that pass. Raises: NodeError `table.*`, `row_expression.*`."""
        table = with_columns_known(
            table_from(context, parameters, inputs),
            (condition.column for condition in parameters.conditions),
            where="parameters.conditions",
        )
        frame = table.frame
        before = frame.height
        tests = [
            test_of(condition, table, f"parameters.conditions[{index}]")
            for index, condition in enumerate(parameters.conditions)
        ]
        if tests:
            combine = pl.all_horizontal if parameters.match == "all" else pl.any_horizontal
            frame = frame.filter(combine(tests))
        table = table.with_frame(frame)
        if parameters.expression.strip():
            table = row_expressions.keep(table, parameters.expression, where="parameters.expression")
        context.log("info", f"kept {table.height} of {before} rows")
        return table_result(context, table)


class SortKey(BaseModel):
    """One column to order by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    descending: bool = False


class SortParameters(RowsParameters):
    by: tuple[SortKey, ...] = parameter(
        (),
        title="Order by",
        description="Columns, the most important first; rows that are equal keep their order.",
        widget="list",
    )
    skip: int = parameter(0, title="Skip", description="Leave out this many rows at the start.", ge=0)
    limit: int | None = parameter(
        None, title="Limit", description="Keep at most this many rows; empty keeps all.", ge=0
    )


class Sort(Node[SortParameters]):
    """Orders the rows of a table and keeps the first of them.

    Text is ordered by code point (capital letters first), empty text before all others; null comes last in both
    directions. Lists, objects and values of several kinds are ordered as JSON text, numbers by their value. The
    order is stable: rows with equal keys stay as they were. *Skip* and *limit* apply afterwards; with no column
    given they simply take a slice.

    **Example.** Ordered by `temp` descending with a limit of 1, the rows `{"city": "Oslo", "temp": 3}` and
    `{"city": "Rome", "temp": 18}` give Rome.
    """

    type = "table.sort"
    title = "Sort and limit"
    category = "table"
    icon = "arrow-down-wide-narrow"
    keywords = ("order", "top", "first", "head", "slice", "rank")
    inputs = TABLE_IN
    outputs = TABLE_OUT
    execution = Execution.BLOCKING
    Parameters = SortParameters
    examples = (
        Example(
            title="The warmest city",
            parameters={"by": [{"column": "temp", "descending": True}], "limit": 1},
            inputs={"in": [{"city": "Oslo", "temp": 3}, {"city": "Rome", "temp": 18}]},
            output=[{"city": "Rome", "temp": 18}],
        ),
    )

    def run(self, context: NodeContext, parameters: SortParameters, inputs: Inputs) -> Result:
        """Return the ordered slice. Raises: NodeError `table.*`."""
        table = table_from(context, parameters, inputs)
        frame = table.frame
        if parameters.by:
            names = [key.column for key in parameters.by]
            table = with_columns_known(table, names, where="parameters.by")
            frame = table.frame
            descending = [key.descending for key in parameters.by]
            keys = [
                named(name) if table.marks.get(name) != "mixed" else pl.lit(order_key(table.column(name)))
                for name in names
            ]
            frame = frame.sort(keys, descending=descending, nulls_last=True, maintain_order=True)
        # Numbers of any size may be given; polars takes 64 bits.
        limit = None if parameters.limit is None else min(parameters.limit, frame.height)
        return table_result(context, table.with_frame(frame.slice(min(parameters.skip, frame.height), limit)))
