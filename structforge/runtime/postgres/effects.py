"""Writes done once: the key of a step stands in the database that is written to, with what was done.

Invariant: a write and its key are one transaction, so that doing it again changes nothing and gives the same result.
"""

from typing import Any

from psycopg import AsyncConnection, errors, sql

from structforge.domain.errors import sentence
from structforge.domain.values import decode_json, journal_safe_bytes
from structforge.sdk import NodeError
from structforge.sdk.context import WriteResult

EFFECTS_TABLE = "structforge_effects"
_CREATE_EFFECTS = sql.SQL(
    "CREATE TABLE IF NOT EXISTS {} "
    "(key text PRIMARY KEY, done_at timestamptz NOT NULL DEFAULT now(), result json)"
).format(sql.Identifier(EFFECTS_TABLE))
_CLAIM = sql.SQL("INSERT INTO {} (key) VALUES (%s) ON CONFLICT DO NOTHING").format(
    sql.Identifier(EFFECTS_TABLE)
)
_RECORDED = sql.SQL("SELECT result::text FROM {} WHERE key = %s").format(sql.Identifier(EFFECTS_TABLE))
_RECORD = sql.SQL("UPDATE {} SET result = %s::json WHERE key = %s").format(sql.Identifier(EFFECTS_TABLE))


async def begin_once(connection: AsyncConnection[Any], key: str) -> WriteResult | None:
    """Begin a transaction with the key as its first entry; return what was recorded when it is there already.

    Whoever does the same at this moment is waited for. Raises: NodeError `database.key_vanished`,
    `database.no_effects_table`; psycopg.Error.
    """
    await connection.execute("BEGIN")
    try:
        cursor = await connection.execute(_CLAIM, (key,))
    except errors.UndefinedTable:
        await connection.execute("ROLLBACK")
        await _create_effects(connection)
        await connection.execute("BEGIN")
        cursor = await connection.execute(_CLAIM, (key,))
    if cursor.rowcount == 1:
        return None
    cursor = await connection.execute(_RECORDED, (key,))
    row = await cursor.fetchone()
    if row is None or row[0] is None:
        raise NodeError(
            "database.key_vanished",
            sentence(
                "The key of this step stood in {effects_table} and is gone, or has no result.",
                effects_table=EFFECTS_TABLE,
            ),
            hint="Remove rows of that table only after their runs are long over.",
            final=False,
        )
    recorded: Any = decode_json(row[0].encode(), max_bytes=1 << 30)
    return WriteResult(recorded["changed"], recorded["rows"], repeated=True)


async def commit_once(
    connection: AsyncConnection[Any], key: str, changed: int, rows: list[dict[str, Any]]
) -> WriteResult:
    """Record what was done and commit; return it as it is read again later. Raises: psycopg.Error."""
    safe, data = journal_safe_bytes({"changed": changed, "rows": rows})
    await connection.execute(_RECORD, (data.decode(), key))
    await connection.execute("COMMIT")
    recorded: Any = safe
    return WriteResult(recorded["changed"], recorded["rows"], repeated=False)


async def _create_effects(connection: AsyncConnection[Any]) -> None:
    try:
        await connection.execute(_CREATE_EFFECTS)
    except (errors.UniqueViolation, errors.DuplicateTable):
        return  # Somebody made it at the same moment.
    except errors.InsufficientPrivilege as error:
        raise NodeError(
            "database.no_effects_table",
            sentence(
                "The table {effects_table}, which makes writes exact, is missing and may not be made.",
                effects_table=EFFECTS_TABLE,
            ),
            where="parameters.connection",
            hint=sentence(
                "Let an administrator of the database run: {statement}; and grant SELECT, "
                "INSERT and UPDATE on it.",
                statement=_CREATE_EFFECTS.as_string(),
            ),
        ) from error
