"""Nodes that summarize a table: aggregate."""

from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from structforge.domain.errors import sentence
from structforge.nodes.dates import DatePart, date_part
from structforge.nodes.table_inputs import RowsParameters, table_from
from structforge.nodes.table_rows import TABLE_IN, TABLE_OUT
from structforge.nodes.tables import table_result, type_error, with_columns_known
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

Function = Literal["sum", "mean", "min", "max", "median", "count", "distinct", "first", "last"]

NUMBERS_ONLY = frozenset({"sum", "mean", "median"})


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

    The result has one row for each group, ordered by the group columns, with these columns first. Empty
    cells are left out of every figure: `count` of a column counts cells that are not empty, `count` without
    a column counts rows, `distinct` counts different values. The `sum` of nothing is 0, the `mean` of
    nothing is empty.

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
        frame = table.frame
        names = _output_names(parameters)
        figures = []
        for index, figure in enumerate(parameters.measures):
            where = f"parameters.measures[{index}]"
            figures.append(_figure(figure, frame, where).alias(names[len(parameters.group_by) + index]))
        try:
            if not parameters.group_by:
                result = frame.select(figures)
            else:
                keys = []
                for index, key in enumerate(parameters.group_by):
                    column = pl.col(key.column)
                    if key.part is not None:
                        column = date_part(frame, column, key.part, where=f"parameters.group_by[{index}]")
                    keys.append(column.alias(f"key {index}"))
                result = (
                    frame.with_columns(keys)
                    .group_by([f"key {index}" for index in range(len(keys))], maintain_order=True)
                    .agg(figures)
                    .rename({f"key {index}": names[index] for index in range(len(keys))})
                    .sort(names[: len(keys)], nulls_last=True, maintain_order=True)
                )
        except pl.exceptions.PolarsError as error:
            raise type_error(error, where="parameters") from error
        context.log("info", f"{frame.height} rows in {result.height} groups")
        return table_result(context, result)


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


def _figure(figure: Measure, frame: pl.DataFrame, where: str) -> pl.Expr:
    if not figure.column:
        if figure.function != "count":
            raise NodeError(
                "aggregate.column",
                sentence("`{function}` needs a column.", function=figure.function),
                where=f"{where}.column",
            )
        return pl.len()
    dtype = frame.schema[figure.column]
    if figure.function in NUMBERS_ONLY and not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
        raise NodeError(
            "table.wrong_type",
            sentence(
                "`{function}` needs numbers, but the column `{column}` holds text.",
                function=figure.function,
                column=figure.column,
            ),
            where=f"{where}.column",
            hint="Turn it into numbers first (`Transform`, cast).",
        )
    column = pl.col(figure.column).drop_nulls()
    match figure.function:
        case "sum":
            return (column.cast(pl.Int64) if dtype == pl.Null else column).sum()
        case "mean":
            return column.mean()
        case "median":
            return column.median()
        case "min":
            return column.min()
        case "max":
            return column.max()
        case "count":
            return column.len()
        case "distinct":
            return column.n_unique()
        case "first":
            return column.first()
        case "last":
            return column.last()
