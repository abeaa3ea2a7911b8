"""Nodes that change the columns of a table: transform."""

from typing import Literal

from polars.selectors import by_name
from pydantic import BaseModel, ConfigDict, Field

from structforge.domain.errors import sentence
from structforge.nodes import row_expressions
from structforge.nodes.dates import converted
from structforge.nodes.table_casts import cast_column, text_of
from structforge.nodes.table_inputs import RowsParameters, table_from
from structforge.nodes.table_nesting import nested
from structforge.nodes.table_rows import TABLE_IN, TABLE_OUT
from structforge.nodes.table_stacks import nulls, stacked
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

CellType = Literal["text", "number", "integer", "decimal", "boolean", "date", "datetime"]


MAX_BAD_ROWS = 10_000
"""So many rows in which an expression fails are left empty; more are an error all the same."""


class Cast(BaseModel):
    """One column and the type it gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    type: CellType
    pattern: str = ""


class Computed(BaseModel):
    """One new or replaced column."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = Field(min_length=1)
    expression: row_expressions.RowExpression = Field(min_length=1)


class TransformParameters(RowsParameters):
    cast: tuple[Cast, ...] = parameter(
        (),
        title="Change types",
        description="Turn a column into `text`, `number`, `integer`, `decimal`, `boolean`, `date` or `datetime`. "
        "Dates may have a pattern such as `%d.%m.%Y`.",
        widget="list",
    )
    on_bad_value: Literal["error", "empty"] = parameter(
        "error",
        title="A value that does not fit",
        description="Stop with an error that names the row, or leave the cell empty, also where an expression fails.",
        widget="select",
    )
    compute: tuple[Computed, ...] = parameter(
        (),
        title="Compute columns",
        description="Each is a column name and a row expression such as `price * qty`; later ones may use "
        "earlier ones.",
        widget="list",
        expressions=False,
        language="row-expression",
    )
    pick: tuple[str, ...] = parameter(
        (), title="Keep columns", description="Only these, in this order; none keeps all.", widget="columns"
    )
    drop: tuple[str, ...] = parameter(
        (), title="Remove columns", description="Leave these out.", widget="columns"
    )
    rename: dict[str, str] = parameter(
        default_factory=dict,
        title="Rename columns",
        description="Old name and new name.",
        widget="key_values",
    )
    nest: bool = parameter(
        False,
        title="Nest",
        description="Columns such as `customer.name` become fields of an object in one column, `customer`: the "
        "opposite of flattening.",
        advanced=True,
    )


class Transform(Node[TransformParameters]):
    """Picks, renames, computes and converts the columns of a table.

    The parts are done in this order: change types, compute, keep, remove, rename, nest. Row expressions use
    columns by name: `price * qty`, `upper(city)`, `high - low if high > low else 0`, `year(day)`; a column
    with blanks in its name is written `row["unit price"]`.

    Changing a type loses nothing: `text` writes numbers as JSON does and lists and objects as JSON; `number`
    becomes exact decimals where digits would be lost; `integer` takes `3.0` and refuses `2.7`; `decimal` keeps every
    digit, to 38. Blank text becomes null. Dates become ISO text (`2024-03-01`), because a cell holds JSON values
    only; they sort and compare correctly.

    **Example.** With `spread = high - low` computed, and only `city` and `spread` kept, the row
    `{"city": "Rome", "low": 9, "high": 21}` becomes `{"city": "Rome", "spread": 12}`.
    """

    type = "table.transform"
    title = "Transform"
    category = "table"
    icon = "columns-3"
    keywords = ("select", "rename", "compute", "cast", "convert", "columns", "formula", "clean", "type")
    inputs = TABLE_IN
    outputs = TABLE_OUT
    execution = Execution.BLOCKING
    Parameters = TransformParameters
    examples = (
        Example(
            title="Compute and keep",
            parameters={
                "compute": [{"column": "spread", "expression": "high - low"}],
                "pick": ["city", "spread"],
            },
            inputs={"in": [{"city": "Rome", "low": 9, "high": 21}]},
            output=[{"city": "Rome", "spread": 12}],
        ),
        Example(
            title="A date with a pattern, and a new name",
            parameters={
                "cast": [{"column": "day", "type": "date", "pattern": "%d.%m.%Y"}],
                "rename": {"day": "date"},
            },
            inputs={"in": [{"day": "24.12.2024", "n": 1}]},
            output=[{"date": "2024-12-24", "n": 1}],
        ),
    )

    def run(self, context: NodeContext, parameters: TransformParameters, inputs: Inputs) -> Result:
        """Return the changed table. Raises: NodeError `table.*`, `row_expression.*`, `transform.*`."""
        table = table_from(context, parameters, inputs)
        for index, cast in enumerate(parameters.cast):
            where = f"parameters.cast[{index}]"
            table = with_columns_known(table, [cast.column], where=where)
            made = _converted(table, cast, parameters.on_bad_value == "empty", where)
            table = table.with_column(cast.column, made)
        for index, computed in enumerate(parameters.compute):
            where = f"parameters.compute[{index}].expression"
            values = _computed(table, computed.expression, parameters.on_bad_value == "empty", where)
            table = table.with_column(computed.column, values)
        if parameters.pick:
            table = with_columns_known(table, parameters.pick, where="parameters.pick")
            table = table.with_frame(
                table.frame.select(named(name) for name in dict.fromkeys(parameters.pick))
            )
        if parameters.drop:
            table = with_columns_known(table, parameters.drop, where="parameters.drop")
            dropped = by_name(*parameters.drop)
            table = table.with_frame(table.frame.drop(dropped))
        if parameters.rename:
            table = with_columns_known(table, parameters.rename, where="parameters.rename")
            names = [parameters.rename.get(column, column) for column in table.columns]
            twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
            if twice is not None:
                raise NodeError(
                    "transform.name",
                    sentence("Two columns would be called `{twice}`.", twice=twice),
                    where="parameters.rename",
                    hint="Choose another name, or remove one of the columns.",
                )
            table = table.renamed(parameters.rename)
        if parameters.nest:
            table = nested(table, where="parameters.nest")
        return table_result(context, table)


def _converted(table: Table, cast: Cast, lenient: bool, where: str) -> Column:
    if cast.type != "date" and cast.type != "datetime":
        return cast_column(table.column(cast.column), cast.type, lenient=lenient, where=where)
    texts = text_of(table.column(cast.column))
    return Column(converted(texts, cast.type, pattern=cast.pattern, lenient=lenient, where=where))


def _computed(table: Table, expression: str, lenient: bool, where: str) -> Column:
    """Return the values of an expression; `lenient` gives null in the rows where it fails.

    Those rows are found by halves, so a few of them cost little.
    """
    failed = 0

    def half(part: Table) -> Column:
        nonlocal failed
        try:
            return row_expressions.evaluate(part, expression, where=where)
        except NodeError as error:
            if not lenient or "row" not in error.problem.details:
                raise
            failed += part.height == 1
            if failed > MAX_BAD_ROWS:
                raise
        if part.height <= 1:
            return nulls(part.height)
        middle = part.height // 2
        parts = (part.frame.slice(0, middle), part.frame.slice(middle))
        return stacked([half(part.with_frame(frame)) for frame in parts])

    return half(table)
