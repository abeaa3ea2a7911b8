"""The databases nodes may use: connections of their organization, to hosts that may be reached, with bound values.

Invariant: a value never becomes part of a statement's text; a write and the key it is done under are one
transaction of the database it goes to, so that doing it again changes nothing and gives the same result.
"""

import asyncio
import os
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, errors, sql
from psycopg.types.json import Json, Jsonb

from structforge.domain.connections import ConnectionKind, OpenedConnection, PostgresqlSettings
from structforge.domain.errors import StructForgeError, sentence
from structforge.domain.values import journal_safe
from structforge.sdk.context import NodeError, QueryResult, WriteResult
from structforge.security.cipher import Cipher
from structforge.security.outbound import MAX_ADDRESSES_TRIED, AllowedHosts, checked_addresses
from structforge.security.redaction import Redactor
from structforge.storage.engine_pool import EnginePool
from structforge.storage.stored_connections import load_connection

CONNECT_TIMEOUT_S = 10
CHUNK_ROWS = 500

EFFECTS_TABLE = "structforge_effects"
_CREATE_EFFECTS = sql.SQL(
    "CREATE TABLE IF NOT EXISTS {} "
    "(key text PRIMARY KEY, done_at timestamptz NOT NULL DEFAULT now(), result json)"
).format(sql.Identifier(EFFECTS_TABLE))
_CLAIM = sql.SQL("INSERT INTO {} (key) VALUES (%s) ON CONFLICT DO NOTHING").format(
    sql.Identifier(EFFECTS_TABLE)
)
_RECORDED = sql.SQL("SELECT result FROM {} WHERE key = %s").format(sql.Identifier(EFFECTS_TABLE))
_RECORD = sql.SQL("UPDATE {} SET result = %s WHERE key = %s").format(sql.Identifier(EFFECTS_TABLE))

_TLS = {"verify": "verify-full", "require": "require", "prefer": "prefer", "off": "disable"}

_ENDS_TRANSACTION = re.compile(
    r"(begin|start|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b", re.IGNORECASE
)
_NO_WORD = re.compile(r"[\s;]+|--[^\n]*")
_COMMENT_MARK = re.compile(r"/\*|\*/")
_PASSING = ("08", "53", "57P0", "40", "55P03")
"""Classes of SQL states after which trying again may help."""
_WRONG_LOGIN = ("28", "3D000")


def connection_context(organization_id: UUID, connection_id: UUID) -> str:
    """Return what a connection's secret is sealed for."""
    return f"{organization_id}/{connection_id}"


class Databases:
    """The databases of every organization, as one process reaches them. It keeps no connection open."""

    def __init__(
        self,
        pool: EnginePool,
        cipher: Cipher,
        redactor: Redactor,
        *,
        allowed_private_hosts: Iterable[str] = (),
    ) -> None:
        self._pool = pool
        self._cipher = cipher
        self._redactor = redactor
        self._allowed = AllowedHosts(allowed_private_hosts)
        self._slots: dict[tuple[UUID, str, int], asyncio.Semaphore] = {}

    def of(self, organization_id: UUID) -> "OrganizationDatabases":
        """Return the databases that runs of an organization may use."""
        return OrganizationDatabases(self, organization_id)

    async def opened(self, organization_id: UUID, name: str) -> OpenedConnection:
        """Return a connection of an organization, decrypted. Raises: NodeError `connection.*`."""
        async with self._pool.connection() as database:
            stored = await load_connection(database, organization_id, name)
        if stored is None:
            raise NodeError(
                "connection.not_found",
                sentence("There is no connection `{name}`.", name=name),
                where="parameters.connection",
                hint="Choose one of the organization's connections, or make one of that name.",
                final=False,
            )
        try:
            secret = (
                ""
                if stored.secret is None
                else self._cipher.open(stored.secret, connection_context(organization_id, stored.id))
            )
        except StructForgeError as error:
            raise NodeError(
                error.problem.code,
                error.problem.message,
                where="parameters.connection",
                hint="Give the connection its secret anew.",
            ) from error
        return OpenedConnection(
            name,
            ConnectionKind(stored.kind),
            PostgresqlSettings.model_validate(stored.settings),
            secret,
        )

    @asynccontextmanager
    async def connected(
        self, organization_id: UUID, opened: OpenedConnection, *, time_limit_s: float
    ) -> AsyncIterator[AsyncConnection[Any]]:
        """Connect for the length of the block, when fewer than the connection's limit are open.

        Raises: NodeError `database.*`, `outbound.*`, in place of everything psycopg raises inside the block.
        """
        limit = opened.settings.max_connections
        slots = self._slots.setdefault((organization_id, opened.name, limit), asyncio.Semaphore(limit))
        if opened.secret:
            self._redactor.add(opened.secret)
        try:
            async with asyncio.timeout(time_limit_s), slots:
                connection = await self._connect(opened, time_limit_s)
                try:
                    yield connection
                finally:
                    await connection.close()
        except TimeoutError as error:
            raise _too_slow(time_limit_s) from error
        except psycopg.Error as error:
            raise self._told(error, opened, time_limit_s) from error

    async def probe(self, organization_id: UUID, opened: OpenedConnection) -> str:
        """Try a connection; return what answers. Raises: NodeError."""
        async with self.connected(organization_id, opened, time_limit_s=2 * CONNECT_TIMEOUT_S) as connection:
            cursor = await connection.execute("SELECT current_setting('server_version')")
            row = await cursor.fetchone()
        return f"PostgreSQL {row[0]}" if row else "PostgreSQL"

    async def _connect(self, opened: OpenedConnection, time_limit_s: float) -> AsyncConnection[Any]:
        settings = opened.settings
        where = f"connection {opened.name}"
        addresses = await checked_addresses(settings.host, settings.port, self._allowed, where=where)
        failure: psycopg.OperationalError | None = None
        for address in addresses[:MAX_ADDRESSES_TRIED]:
            try:
                return await AsyncConnection.connect(
                    # The name is for the certificate; what is connected to is the address that was checked.
                    host=settings.host,
                    hostaddr=str(address),
                    port=settings.port,
                    dbname=settings.database,
                    user=settings.user,
                    password=opened.secret or None,
                    sslmode=_TLS[settings.tls],
                    sslrootcert=_authorities() if settings.tls == "verify" else None,
                    # Nothing of this machine's user counts: no password file, no client certificate, no Kerberos.
                    passfile=os.devnull,
                    sslcertmode="disable",
                    gssencmode="disable",
                    connect_timeout=CONNECT_TIMEOUT_S,
                    application_name="structforge",
                    options=f"-c statement_timeout={max(1, int(time_limit_s * 1000))} -c timezone=UTC",
                )
            except psycopg.OperationalError as error:
                failure = error
        assert failure is not None
        raise self._unreachable(failure, opened) from failure

    def _unreachable(self, error: psycopg.OperationalError, opened: OpenedConnection) -> NodeError:
        said = self._redactor.text(" ".join(str(error).split()))[:500]
        # The state of a failed connection is not always told; the words of the server are.
        wrong = "authentication failed" in said or "does not exist" in said
        return NodeError(
            "database.connection",
            sentence("The connection `{name}` cannot be opened: {said}", name=opened.name, said=said),
            where="parameters.connection",
            hint="Check user, password and database of the connection."
            if wrong
            else "Check that the server runs and that its address, port and TLS are right.",
            final=wrong,
        )

    def _told(self, error: psycopg.Error, opened: OpenedConnection, time_limit_s: float) -> NodeError:
        state = error.sqlstate or ""
        if isinstance(error, errors.QueryCanceled):
            return _too_slow(time_limit_s)
        message = error.diag.message_primary or " ".join(str(error).split())
        if error.diag.message_detail:
            message = f"{message} ({error.diag.message_detail})"
        said = self._redactor.text(message)[:600]
        if isinstance(error, psycopg.ProgrammingError) and not state:
            return NodeError(
                "database.placeholder",
                sentence("The statement and its values do not fit: {said}.", said=said),
                where="parameters.values",
                hint="A value is written `%(name)s` and named in the values; a percent sign is written `%%`.",
            )
        if isinstance(error, errors.ReadOnlySqlTransaction):
            return NodeError(
                "database.read_only",
                sentence("This node only reads: {said}.", said=said),
                where="parameters.statement",
                hint="Use the node `Database: write`.",
            )
        passing = state.startswith(_PASSING) or (isinstance(error, psycopg.OperationalError) and not state)
        details: dict[str, Any] = {"sqlstate": state} if state else {}
        if error.diag.statement_position:
            details["position"] = int(error.diag.statement_position)
        return NodeError(
            "database.refused",
            sentence("`{name}` refused: {said}.", name=opened.name, said=said),
            where="parameters.statement",
            hint="Trying again may help." if passing else "Mend the statement or its values.",
            final=not passing,
            **details,
        )


class OrganizationDatabases:
    """Implements `sdk.DatabaseAccess`."""

    def __init__(self, databases: Databases, organization_id: UUID) -> None:
        self._databases = databases
        self._organization_id = organization_id

    async def query(
        self,
        connection: str,
        statement: str,
        values: Mapping[str, Any],
        *,
        time_limit_s: float,
        row_limit: int,
        max_bytes: int,
    ) -> QueryResult:
        """Read rows; see `DatabaseAccess.query`."""
        _refuse_transaction(statement)
        opened = await self._databases.opened(self._organization_id, connection)
        async with self._databases.connected(
            self._organization_id, opened, time_limit_s=time_limit_s
        ) as database:
            await database.set_read_only(True)
            cursor = database.cursor()
            names: list[str] = []
            rows: list[dict[str, Any]] = []
            size = 0
            # Streaming speaks the extended protocol, which takes one statement and no more.
            stream = cast(
                "AsyncGenerator[tuple[Any, ...]]",
                cursor.stream(statement.encode(), _bound(values), size=CHUNK_ROWS),
            )
            async with aclosing(stream) as found:
                async for row in found:
                    names = names or _names(cursor)
                    if len(rows) == row_limit:
                        return QueryResult(tuple(names), rows, cut=True)
                    made = {name: _plain(cell) for name, cell in zip(names, row, strict=True)}
                    size += sum(len(cell) if isinstance(cell, str) else 8 for cell in made.values())
                    if size > max_bytes:
                        raise NodeError(
                            "database.too_large",
                            sentence("The result is larger than {max_bytes} bytes.", max_bytes=max_bytes),
                            where="parameters.statement",
                            hint="Ask for fewer rows or columns.",
                        )
                    rows.append(made)
                    if len(rows) % CHUNK_ROWS == 0:
                        await asyncio.sleep(0)
            return QueryResult(tuple(names), rows, cut=False)

    async def write(
        self,
        connection: str,
        statements: Sequence[str],
        values: Mapping[str, Any],
        batch: Sequence[Mapping[str, Any]] | None,
        *,
        key: str,
        time_limit_s: float,
        row_limit: int,
    ) -> WriteResult:
        """Change data once; see `DatabaseAccess.write`."""
        for statement in statements:
            _refuse_transaction(statement)
        opened = await self._databases.opened(self._organization_id, connection)
        async with self._databases.connected(
            self._organization_id, opened, time_limit_s=time_limit_s
        ) as database:
            if not await _claimed(database, key):
                cursor = await database.execute(_RECORDED, (key,))
                row = await cursor.fetchone()
                recorded = row[0] if row else None
                if recorded is None:
                    raise NodeError(
                        "database.key_vanished",
                        sentence(
                            "The key of this step stood in {effects_table} and is gone, or has no result.",
                            effects_table=EFFECTS_TABLE,
                        ),
                        hint="Remove rows of that table only after their runs are long over.",
                        final=False,
                    )
                return WriteResult(recorded["changed"], recorded["rows"], repeated=True)
            result = await _write(database, statements, values, batch, row_limit)
            await database.execute(_RECORD, (Json({"changed": result.changed, "rows": result.rows}), key))
            await database.commit()
            return result


async def _claimed(database: AsyncConnection[Any], key: str) -> bool:
    """Enter the key as the first deed of the transaction; False when it is committed already.

    Whoever does the same at this moment is waited for.
    """
    try:
        cursor = await database.execute(_CLAIM, (key,))
    except errors.UndefinedTable:
        await database.rollback()
        await _create_effects(database)
        cursor = await database.execute(_CLAIM, (key,))
    return cursor.rowcount == 1


async def _create_effects(database: AsyncConnection[Any]) -> None:
    try:
        await database.execute(_CREATE_EFFECTS)
        await database.commit()
    except (errors.UniqueViolation, errors.DuplicateTable):
        # Somebody made it at the same moment.
        await database.rollback()
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


async def _write(
    database: AsyncConnection[Any],
    statements: Sequence[str],
    values: Mapping[str, Any],
    batch: Sequence[Mapping[str, Any]] | None,
    row_limit: int,
) -> WriteResult:
    changed = 0
    rows: list[dict[str, Any]] = []
    for statement in statements:
        cursor = database.cursor()
        if batch is None:
            # Prepared, so that the server takes one statement and no more.
            await cursor.execute(statement.encode(), _bound(values), prepare=True)
        elif batch:
            await cursor.executemany(statement.encode(), [_bound({**values, **element}) for element in batch])
        changed += max(cursor.rowcount, 0)
        if cursor.description is not None and batch is None:
            names = _names(cursor)
            found = await cursor.fetchmany(row_limit + 1)
            if len(found) > row_limit:
                raise NodeError(
                    "database.too_many_rows",
                    sentence("The statement returns more than {row_limit} rows.", row_limit=row_limit),
                    where="parameters.row_limit",
                    hint="Return fewer rows, or raise the limit. Nothing was changed.",
                )
            rows = [{name: _plain(cell) for name, cell in zip(names, row, strict=True)} for row in found]
    return WriteResult(changed, rows, repeated=False)


def _first_word(statement: str) -> int:
    """Return where the first word of a statement begins; PostgreSQL's comments nest."""
    at = 0
    while at < len(statement):
        blank = _NO_WORD.match(statement, at)
        if blank is not None:
            at = blank.end()
        elif statement.startswith("/*", at):
            depth = 0
            for mark in _COMMENT_MARK.finditer(statement, at):
                depth += 1 if mark[0] == "/*" else -1
                if depth == 0:
                    at = mark.end()
                    break
            else:
                return len(statement)
        else:
            break
    return at


def _refuse_transaction(statement: str) -> None:
    found = _ENDS_TRANSACTION.match(statement, _first_word(statement))
    if found is not None:
        raise NodeError(
            "database.transaction",
            sentence(
                "`{word}` has no place here: the node makes the transaction itself.", word=found[1].upper()
            ),
            where="parameters.statement",
            hint="Leave it out; what a node does is committed whole or not at all.",
        )


def _names(cursor: psycopg.AsyncCursor[Any]) -> list[str]:
    """Return the columns' names, each once: a second `id` is `id_2`."""
    names: list[str] = []
    for column in cursor.description or ():
        name, number = column.name, 2
        while name in names:
            name, number = f"{column.name}_{number}", number + 1
        names.append(name)
    return names


def _bound(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON values as PostgreSQL takes them: objects as `jsonb`, lists of plain values as arrays."""
    return {name: _parameter(value) for name, value in values.items()}


def _parameter(value: Any) -> Any:
    if isinstance(value, dict):
        return Jsonb(value)
    if isinstance(value, list):
        kinds = {type(element) for element in value if element is not None}
        return value if len(kinds) <= 1 and not kinds & {dict, list} else Jsonb(value)
    return value


def _plain(value: Any) -> Any:
    """Return a cell as JSON: times as ISO 8601 text, exact numbers as numbers where nothing is lost."""
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if isfinite(value) else None
        case Decimal():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes() | memoryview():
            return "\\x" + bytes(value).hex()
        case list() | tuple():
            return [_plain(element) for element in value]
        case dict():
            return journal_safe(value)
        case _:
            return str(value)


def _number(value: Decimal) -> int | float | str | None:
    if not value.is_finite():
        return None
    if value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    rounded = float(value)
    return rounded if Decimal(repr(rounded)) == value else str(value)


def _too_slow(time_limit_s: float) -> NodeError:
    return NodeError(
        "database.timeout",
        sentence("The database did not answer within {time_limit_s} s.", time_limit_s=f"{time_limit_s:g}"),
        where="parameters.time_limit_s",
        hint="Make the statement cheaper, or raise the time limit.",
        final=False,
    )


def _authorities() -> str:
    return ssl.get_default_verify_paths().cafile or "system"
