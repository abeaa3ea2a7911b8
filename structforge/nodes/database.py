"""Nodes that read and change databases through connections."""

from decimal import Decimal
from typing import Any, Literal

import polars as pl
from pydantic import model_validator

from structforge.domain.errors import sentence
from structforge.sdk import (
    Effect,
    Example,
    Execution,
    Inputs,
    Node,
    NodeContext,
    NodeError,
    Parameters,
    Port,
    QueryResult,
    Result,
    parameter,
)
from structforge.sdk.table_cells import DIGITS, WIDE, Mark, json_column, spelled
from structforge.sdk.tables import Table, table_result

AFTER = (Port("in", "any", "After", "Any value; the statement is run once it is there.", required=False),)


class ConnectedParameters(Parameters):
    """What every node has that uses a database."""

    connection: str = parameter(
        title="Connection",
        description="The name of one of the organization's connections.",
        widget="connection",
        expressions=False,
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        placeholder="warehouse",
    )


class QueryParameters(ConnectedParameters):
    statement: str = parameter(
        title="Statement",
        description="One SQL statement that gives rows. A value is written `%(name)s`, a percent sign `%%`.",
        widget="code",
        language="sql",
        expressions=False,
        min_length=1,
        max_length=100_000,
        placeholder="SELECT id, total FROM orders WHERE day >= %(since)s",
    )
    values: dict[str, Any] = parameter(
        default_factory=dict,
        title="Values",
        description="What `%(name)s` stands for: bound by the database, never put into the text.",
        widget="key_values",
    )
    row_limit: int = parameter(
        10_000, title="Row limit", description="At most this many rows are read.", ge=1, le=200_000
    )
    on_more: Literal["error", "cut"] = parameter(
        "error",
        title="When there are more",
        description="Fail, or keep the first rows and say so in the log.",
        widget="select",
        expressions=False,
    )
    time_limit_s: float = parameter(
        60.0,
        title="Time limit (s)",
        description="For connecting and reading.",
        gt=0,
        le=3_600,
        advanced=True,
    )


class DatabaseQuery(Node[QueryParameters]):
    """Reads rows from a database.

    The statement runs in a read-only transaction. Values are written `%(name)s` and are bound: whatever is in
    them, they never become part of the statement. The statement says which type a value has there: a list is an
    array (`id = ANY(%(ids)s)`) or `jsonb`, an object `jsonb`, a text a date.

    The result is a table that has its columns and their types also without rows. Numbers are exact, times are
    ISO 8601 text, `bytea` is hexadecimal text; `docs/connections.md` has the list of all types.

    **Example.** `SELECT name FROM cities WHERE country = %(country)s` with the value `country = no` gives
    `[{"name": "Oslo"}, {"name": "Bergen"}]`.
    """

    type = "database.query"
    title = "Database: read"
    category = "data"
    icon = "database"
    keywords = ("sql", "postgres", "postgresql", "select", "query", "table", "warehouse", "rows")
    inputs = AFTER
    outputs = (Port("out", "table", "Rows", "One object for each row."),)
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC
    Parameters = QueryParameters
    examples = (
        Example(
            title="Orders since a day",
            parameters={
                "connection": "warehouse",
                "statement": "SELECT id, total FROM orders WHERE day >= %(since)s ORDER BY id",
                "values": {"since": "2024-03-01"},
            },
            inputs={},
        ),
    )

    async def run(self, context: NodeContext, parameters: QueryParameters, inputs: Inputs) -> Result:
        """Return the rows. Raises: NodeError `connection.*`, `database.*`, `outbound.*`."""
        found = await context.databases.query(
            parameters.connection,
            parameters.statement,
            parameters.values,
            time_limit_s=parameters.time_limit_s,
            row_limit=parameters.row_limit,
            max_bytes=context.max_file_bytes,
        )
        if found.cut and parameters.on_more == "error":
            raise NodeError(
                "database.too_many_rows",
                sentence("The query gives more than {row_limit} rows.", row_limit=parameters.row_limit),
                where="parameters.row_limit",
                hint="Ask for fewer rows, raise the limit, or choose to keep the first ones.",
            )
        level: Literal["warning", "info"] = "warning" if found.cut else "info"
        more = ", and there are more" if found.cut else ""
        context.log(level, f"{parameters.connection}: {len(found.rows)} rows{more}", columns=found.columns)
        for remark in found.remarks:
            context.log("warning", f"{parameters.connection}: {remark}")
        return table_result(context, _table(context, found), name="rows")


_MARKS: dict[str, Mark] = {"list": "list", "object": "object", "mixed": "mixed"}
_LEAST_SCALE = 2
"""Decimals of a column none of whose rows has any: a decimal without a scale would be an integer."""


def _table(context: NodeContext, found: QueryResult) -> Table:
    """Return the rows as a table whose columns have the types that the database says, also without rows."""
    columns: list[pl.Series] = []
    for name, kind in zip(found.columns, found.types, strict=True):
        cells = [row[name] for row in found.rows]
        if kind in _MARKS:
            columns.append(json_column(name, cells))
            continue
        dtype = _dtype(kind, cells)
        if dtype is None:
            context.log("warning", f"{name}: numbers of more than {DIGITS} digits, which are given as text")
            dtype, cells = pl.String(), [spelled(cell) for cell in cells]
        columns.append(pl.Series(name, cells, dtype=dtype))
    frame = pl.DataFrame(columns) if columns else pl.DataFrame(height=len(found.rows))
    kinds = zip(found.columns, found.types, strict=True)
    return Table(frame, {name: _MARKS[kind] for name, kind in kinds if kind in _MARKS})


def _dtype(kind: str, cells: list[Any]) -> pl.DataType | None:
    """Return the type of a column's cells in a table; none for numbers that no column of a table holds."""
    match kind:
        case "integer":
            largest = max((abs(cell) for cell in cells if cell is not None), default=0)
            return pl.Int64() if largest < 2**63 else WIDE if largest < 10**DIGITS else None
        case "decimal":
            numbers = [Decimal(cell) for cell in cells if cell is not None]
            whole = max((number.adjusted() + 1 for number in numbers), default=0)
            scale = max((-int(number.as_tuple().exponent) for number in numbers), default=0)
            scale = scale if scale > 0 else _LEAST_SCALE
            return pl.Decimal(DIGITS, scale) if max(whole, 0) + scale <= DIGITS else None
        case "number":
            return pl.Float64()
        case "boolean":
            return pl.Boolean()
    return pl.String()


class ExecuteParameters(ConnectedParameters):
    statements: tuple[str, ...] = parameter(
        title="Statements",
        description="SQL statements, done in this order in one transaction. A value is written `%(name)s`, a "
        "percent sign `%%`.",
        widget="list",
        language="sql",
        expressions=False,
        min_length=1,
        max_length=50,
    )
    values: dict[str, Any] = parameter(
        default_factory=dict,
        title="Values",
        description="What `%(name)s` stands for: bound by the database, never put into the text.",
        widget="key_values",
    )
    batch: list[dict[str, Any]] | None = parameter(
        None,
        title="Once for each",
        description="A list of objects: each statement is done for each of them, which adds its fields to the "
        "values.",
        widget="json",
        placeholder="{{ rows }}",
    )
    row_limit: int = parameter(
        1_000,
        title="Row limit",
        description="A statement with `RETURNING` may return this many rows, over all elements.",
        ge=0,
        le=200_000,
        advanced=True,
    )
    time_limit_s: float = parameter(
        60.0, title="Time limit (s)", description="For all of it.", gt=0, le=3_600, advanced=True
    )

    @model_validator(mode="after")
    def _batch_is_a_list(self) -> "ExecuteParameters":
        if self.batch is None and self.given("batch"):
            # Left out the statements are done once, without the fields of any element; null must not do that.
            raise ValueError(sentence("once for each needs a list, and null is none"))
        return self


class DatabaseExecute(Node[ExecuteParameters]):
    """Changes data in a database, exactly once.

    All statements are one transaction: they happen together or not at all. The same transaction notes the step
    in the table `structforge_effects` of that database, which the node makes when it is missing. When the step
    is tried again after a crash or a lost answer, the note is found, nothing is changed again, and the recorded
    result is given. Remove old notes when you like, but not those of runs that may still go on.

    Values are written `%(name)s` and are bound: whatever is in them, they never become part of a statement; the
    statement says which type a value has there. With *once for each*, the fields of every element are values too,
    and `rows` is what `RETURNING` gave for all of them, in their order.

    **Example.** `INSERT INTO cities (name) VALUES (%(name)s) RETURNING id` with the value `name = Oslo` gives
    `{"changed": 1, "rows": [{"id": 7}]}`.
    """

    type = "database.execute"
    title = "Database: write"
    category = "data"
    icon = "database-zap"
    keywords = ("sql", "postgres", "postgresql", "insert", "update", "delete", "upsert", "write", "save")
    inputs = AFTER
    outputs = (
        Port("out", "object", "Result", "`changed`: the number of rows; `rows`: what `RETURNING` gave."),
    )
    # Done again it is the same: the key stands in the database with what was done.
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC
    Parameters = ExecuteParameters
    examples = (
        Example(
            title="One row, and its id",
            parameters={
                "connection": "warehouse",
                "statements": ["INSERT INTO cities (name) VALUES (%(name)s) RETURNING id"],
                "values": {"name": "Oslo"},
            },
            inputs={},
        ),
    )

    async def run(self, context: NodeContext, parameters: ExecuteParameters, inputs: Inputs) -> Result:
        """Return what was changed. Raises: NodeError `connection.*`, `database.*`, `outbound.*`."""
        done = await context.databases.write(
            parameters.connection,
            parameters.statements,
            parameters.values,
            parameters.batch,
            key=context.idempotency_key,
            time_limit_s=parameters.time_limit_s,
            row_limit=parameters.row_limit,
            max_bytes=context.max_file_bytes,
        )
        how = "was done by an earlier attempt: " if done.repeated else ""
        context.log("info", f"{parameters.connection}: {how}{done.changed} rows changed")
        return {"changed": done.changed, "rows": done.rows}
