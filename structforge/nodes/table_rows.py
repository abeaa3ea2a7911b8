"""Nodes that choose and order the rows of a table: filter, sort and limit."""

from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from structforge.domain.errors import sentence
from structforge.nodes import row_expressions
from structforge.nodes.table_inputs import RowsParameters, table_from
from structforge.nodes.tables import table_result, type_error, with_columns_known
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

Operator = Literal[
    "equals",
    "not_equals",
    "greater",
    "greater_or_equal",
    "less",
    "less_or_equal",
    "between",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "matches",
    "in",
    "not_in",
    "is_empty",
    "is_not_empty",
]

TABLE_IN = (Port("in", "table", "Table", "The rows to work on."),)
TABLE_OUT = (Port("out", "table", "Table", "The resulting rows."),)


class Condition(BaseModel):
    """One comparison of a column with a value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    operator: Operator = "equals"
    value: Any = None


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
    expression: str = parameter(
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
    can be given instead or in addition; a row must pass both. An empty cell passes no comparison except
    `is_empty`, `not_equals`, `not_contains` and `not_in`.

    `between` takes a list of two values, both included; `in` and `not_in` take a list; `matches` takes a
    regular expression. Dates are ISO text (`2024-03-01`), so `greater` and `less` order them correctly.

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
            _test(condition, frame.schema[condition.column], f"parameters.conditions[{index}]")
            for index, condition in enumerate(parameters.conditions)
        ]
        try:
            if tests:
                combine = pl.all_horizontal if parameters.match == "all" else pl.any_horizontal
                frame = frame.filter(combine(tests))
        except pl.exceptions.PolarsError as error:
            raise type_error(error, where="parameters.conditions") from error
        if parameters.expression.strip():
            frame = row_expressions.keep(frame, parameters.expression, where="parameters.expression")
        context.log("info", f"kept {frame.height} of {before} rows")
        return table_result(context, table.with_frame(frame))


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

    Text is ordered by code point (capital letters first), empty cells come last in both directions. The
    order is stable: rows with equal keys stay as they were. *Skip* and *limit* apply afterwards; with no
    column given they simply take a slice.

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
            try:
                frame = frame.sort(
                    names,
                    descending=[key.descending for key in parameters.by],
                    nulls_last=True,
                    maintain_order=True,
                )
            except pl.exceptions.PolarsError as error:
                raise type_error(error, where="parameters.by") from error
        return table_result(context, table.with_frame(frame.slice(parameters.skip, parameters.limit)))


def _test(condition: Condition, dtype: pl.DataType, where: str) -> pl.Expr:
    """Compile one condition to an expression that is true or false, never null."""
    column = pl.col(condition.column)
    empty = column.is_null() | (column == "") if dtype == pl.String else column.is_null()
    operator = condition.operator
    if operator == "is_empty":
        return empty
    if operator == "is_not_empty":
        return ~empty
    if operator in ("contains", "not_contains", "starts_with", "ends_with", "matches"):
        found = _text_test(operator.removeprefix("not_"), column.cast(pl.String), condition.value, where)
        return ~found.fill_null(False) if operator == "not_contains" else found.fill_null(False)
    if operator in ("in", "not_in", "between"):
        if not isinstance(condition.value, list) or (operator == "between" and len(condition.value) != 2):
            wanted = "a list of two values" if operator == "between" else "a list"
            raise NodeError(
                "filter.value",
                sentence("`{operator}` needs {wanted}.", operator=operator, wanted=wanted),
                where=f"{where}.value",
            )
        values = [_fitting(value, dtype, where) for value in condition.value]
        if operator == "between":
            return column.is_between(pl.lit(values[0]), pl.lit(values[1])).fill_null(False)
        found = pl.any_horizontal([column == pl.lit(value) for value in values]) if values else pl.lit(False)
        return ~found.fill_null(False) if operator == "not_in" else found.fill_null(False)
    if condition.value is None:
        if operator == "equals":
            return column.is_null()
        if operator == "not_equals":
            return column.is_not_null()
        raise NodeError(
            "filter.value",
            sentence("`{operator}` needs a value.", operator=operator),
            where=f"{where}.value",
            hint="Use `is_empty` for empty cells.",
        )
    value = pl.lit(_fitting(condition.value, dtype, where))
    if operator == "equals":
        return (column == value).fill_null(False)
    if operator == "not_equals":
        return (column != value).fill_null(True)
    if operator == "greater":
        return (column > value).fill_null(False)
    if operator == "greater_or_equal":
        return (column >= value).fill_null(False)
    if operator == "less":
        return (column < value).fill_null(False)
    return (column <= value).fill_null(False)


def _text_test(operator: str, column: pl.Expr, value: Any, where: str) -> pl.Expr:
    text = value if isinstance(value, str) else str(value)
    if operator == "contains":
        return column.str.contains(text, literal=True)
    if operator == "starts_with":
        return column.str.starts_with(text)
    if operator == "ends_with":
        return column.str.ends_with(text)
    try:
        pl.select(pl.lit("").str.contains(text))
    except pl.exceptions.ComputeError as error:
        raise NodeError(
            "filter.pattern",
            sentence("`{text}` is not a regular expression.", text=text),
            where=f"{where}.value",
            hint="Look-around and back-references are not supported.",
        ) from error
    return column.str.contains(text)


def _fitting(value: Any, dtype: pl.DataType, where: str) -> Any:
    """Return the value in the column's type: forms and expressions often give numbers as text."""
    if isinstance(value, (list, dict)):
        raise NodeError(
            "filter.value", "A cell cannot be compared with a list or object.", where=f"{where}.value"
        )
    if dtype.is_numeric() and isinstance(value, str):
        try:
            return float(value) if not value.strip().lstrip("+-").isdecimal() else int(value)
        except ValueError as error:
            raise NodeError(
                "filter.value",
                sentence(
                    "The column holds numbers, but it is compared with the text `{value}`.", value=value
                ),
                where=f"{where}.value",
                hint="Give a number, or turn the column into text first.",
            ) from error
    if isinstance(value, bool) and (dtype.is_numeric() or dtype == pl.String):
        kind = "numbers" if dtype.is_numeric() else "text"
        raise NodeError(
            "filter.value",
            sentence(
                "The column holds {kind}, but it is compared with {value}.",
                kind=kind,
                value=str(value).lower(),
            ),
            where=f"{where}.value",
        )
    if dtype == pl.Boolean and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if dtype == pl.String and isinstance(value, (int, float)):
        raise NodeError(
            "filter.value",
            sentence("The column holds text, but it is compared with the number {value}.", value=value),
            where=f"{where}.value",
            hint="Put the value in quotes, or turn the column into numbers first (`Transform`, cast).",
        )
    return value
