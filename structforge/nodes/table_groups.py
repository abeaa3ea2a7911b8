"""Nodes that summarize a table: aggregate."""

import polars as pl
from pydantic import BaseModel, ConfigDict

from structforge.domain.errors import sentence
from structforge.nodes.dates import DatePart, date_part
from structforge.nodes.table_figures import Asked, Function, check, figures_of
from structforge.nodes.table_inputs import RowsParameters, table_from
from structforge.nodes.table_keys import group_key
from structforge.nodes.table_rows import TABLE_IN, TABLE_OUT
from structforge.nodes.tables import Column, Table, table_result, with_columns_known
from structforge.sdk import (
    Example,
    Execution,
    Inputs,
    Node,
    NodeContext,
    NodeError,
    Result,
    parameter,
)
from structforge.sdk.table_cells import named


class GroupKey(BaseModel):
    """One column to group by, whole or by a part of its date."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    part: DatePart | None = None
    name: str = ""


class Measure(BaseModel):
    """One figure for each group."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    function: Function
    column: str = ""
    name: str = ""


class AggregateParameters(RowsParameters):
    group_by: tuple[GroupKey, ...] = parameter(
        (),
        title="Group by",
        description="Columns whose equal values form a group; a date column may be grouped by `year`, "
        "`quarter`, "
        "`month`, `year_month`, `week`, `day`, `weekday`, `date` or `hour`. None: one row for the whole "
        "table.",
        widget="list",
    )
    measures: tuple[Measure, ...] = parameter(
        title="Figures",
        description="`sum`, `mean`, `min`, `max`, `median`, `count`, `distinct`, `first` or `last` of a "
        "column. "
        "`count` without a column counts rows.",
        widget="list",
        min_length=1,
    )


class Aggregate(Node[AggregateParameters]):
    """Groups rows and computes figures for each group.

    The result has one row for each group, ordered by the group columns, with these columns first. Null is a
    group of its own, the last one. Null cells are left out of every figure, and only they: empty text counts, is
    a value of its own and can be the smallest. `count` of a column counts cells that are not null, `count`
    without a column counts rows, `distinct` counts different values. The `sum` of nothing is 0, the `mean` of
    nothing is null.

    Sums of integers and decimals are exact, to 38 digits; more are an error. Sums of other numbers are rounded
    once, at the end. `mean` and `median` are numbers, rounded once. True counts as 1 and false as 0.

    A date column (ISO text or `2024/03/01`) can be grouped by a part: `month` gives 1 to 12, `year_month`
    gives `2024-03`, `weekday` 1 (Monday) to 7, `week` the ISO week. The name of a figure is `column_function`
    unless given.

    **Example.** Grouped by `day` in parts of `month`, with the mean of `temp`, the rows of 2024-01-01 (2
    degrees), 2024-01-31 (4 degrees) and 2024-02-01 (7 degrees) give `{"month": 1, "temp_mean": 3.0}` and
    `{"month": 2, "temp_mean": 7.0}`.
    """

    type = "table.aggregate"
    title = "Aggregate"
    category = "table"
    icon = "sigma"
    keywords = ("group by", "sum", "mean", "average", "count", "min", "max", "pivot", "month", "summary")
    inputs = TABLE_IN
    outputs = TABLE_OUT
    execution = Execution.BLOCKING
    Parameters = AggregateParameters
    examples = (
        Example(
            title="Mean by month",
            parameters={
                "group_by": [{"column": "day", "part": "month"}],
                "measures": [{"function": "mean", "column": "temp"}],
            },
            inputs={
                "in": [
                    {"day": "2024-01-01", "temp": 2},
                    {"day": "2024-01-31", "temp": 4},
                    {"day": "2024-02-01", "temp": 7},
                ]
            },
            output=[{"month": 1, "temp_mean": 3.0}, {"month": 2, "temp_mean": 7.0}],
        ),
        Example(
            title="The whole table",
            parameters={
                "measures": [{"function": "count"}, {"function": "max", "column": "temp", "name": "top"}]
            },
            inputs={"in": [{"temp": 2}, {"temp": 7}]},
            output=[{"count": 2, "top": 7}],
        ),
    )

    def run(self, context: NodeContext, parameters: AggregateParameters, inputs: Inputs) -> Result:
        """Return one row a group. Raises: NodeError `table.*`, `aggregate.*`."""
        table = with_columns_known(
            table_from(context, parameters, inputs),
            (key.column for key in parameters.group_by),
            where="parameters.group_by",
        )
        table = with_columns_known(
            table,
            (figure.column for figure in parameters.measures if figure.column),
            where="parameters.measures",
        )
        names = _output_names(parameters)
        asked = []
        for index, figure in enumerate(parameters.measures):
            asked.append(_asked(figure, table, f"parameters.measures[{index}]"))
        keys = [
            _key(table, key, f"parameters.group_by[{index}]") for index, key in enumerate(parameters.group_by)
        ]
        first, figures = figures_of(asked, [group_key(key) for key in keys], table.height)
        columns = [*(Column(key.series.gather(first), key.mark, key.written) for key in keys), *figures]
        result = Table.of_columns(dict(zip(names, columns, strict=True)))
        if keys:
            order = [named(name) for name in names[: len(keys)]]
            result = result.with_frame(result.frame.sort(order, nulls_last=True, maintain_order=True))
        context.log("info", f"{table.height} rows in {result.height} groups")
        return table_result(context, result)


def _key(table: Table, key: GroupKey, where: str) -> Column:
    """Return the values to group by. Raises: NodeError `table.not_a_date`."""
    if key.part is None:
        return table.column(key.column)
    cells = table.frame.get_column(key.column).alias("")
    different = cells.unique()
    if 2 * len(different) > len(cells):
        return Column(_part_of(cells, key.part, where))
    try:
        parts = _part_of(different, key.part, where)
    except NodeError:
        return Column(_part_of(cells, key.part, where))  # Which names the row.
    return Column(cells.replace_strict(different, parts, return_dtype=parts.dtype))


def _part_of(cells: pl.Series, part: DatePart, where: str) -> pl.Series:
    frame = cells.to_frame("cells")
    found = date_part(frame, pl.col("cells"), part, where=where)
    return frame.select(found.alias("cells")).to_series()


def _asked(figure: Measure, table: Table, where: str) -> Asked:
    """Return what is computed. Raises: NodeError `aggregate.column`, `table.wrong_type`."""
    if figure.column:
        column = table.column(figure.column)
        check(figure.function, column, figure.column, where)
        return Asked(figure.function, column, where)
    if figure.function != "count":
        raise NodeError(
            "aggregate.column",
            sentence("`{function}` needs a column.", function=figure.function),
            where=f"{where}.column",
        )
    return Asked("count", None, where)


def _output_names(parameters: AggregateParameters) -> list[str]:
    names = [key.name or (key.part or key.column) for key in parameters.group_by]
    for figure in parameters.measures:
        names.append(figure.name or f"{figure.column}_{figure.function}".lstrip("_"))
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None:
        raise NodeError(
            "aggregate.name",
            sentence("Two columns of the result would be called `{twice}`.", twice=twice),
            where="parameters.measures",
            hint="Give one of them a name of its own.",
        )
    return names
