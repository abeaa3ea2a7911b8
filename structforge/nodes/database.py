"""Nodes that read and change databases through connections."""

from typing import Any, Literal

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
    Result,
    parameter,
)

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
    them, they never become part of the statement. Lists of plain values are arrays (`id = ANY(%(ids)s)`), objects
    are `jsonb`.

    The result is a table. Times become ISO 8601 text, exact numbers become numbers where nothing is lost and
    text otherwise, `bytea` becomes hexadecimal text.

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
        return found.rows


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
        description="A statement with `RETURNING` may return this many rows.",
        ge=0,
        le=10_000,
        advanced=True,
    )
    time_limit_s: float = parameter(
        60.0, title="Time limit (s)", description="For all of it.", gt=0, le=3_600, advanced=True
    )


class DatabaseExecute(Node[ExecuteParameters]):
    """Changes data in a database, exactly once.

    All statements are one transaction: they happen together or not at all. The same transaction notes the step
    in the table `structforge_effects` of that database, which the node makes when it is missing. When the step
    is tried again after a crash or a lost answer, the note is found, nothing is changed again, and the recorded
    result is given. Remove old notes when you like, but not those of runs that may still go on.

    Values are written `%(name)s` and are bound: whatever is in them, they never become part of a statement.
    With *once for each*, the fields of every element are values too.

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
        )
        how = "was done by an earlier attempt: " if done.repeated else ""
        context.log("info", f"{parameters.connection}: {how}{done.changed} rows changed")
        return {"changed": done.changed, "rows": done.rows}
