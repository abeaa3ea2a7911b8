"""Random JSON values as every PostgreSQL type, in and out again.

What holds: a value is taken or refused with a code; JSON and exact numbers come back equal; and a cell that came out
goes in again and comes out the same.
"""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from structforge.config import DatabaseRole
from structforge.domain.connections import ConnectionKind, OpenedConnection, PostgresqlSettings
from structforge.domain.values import journal_safe
from structforge.runtime.postgres.access import Databases
from structforge.runtime.postgres.opening import Session
from structforge.sdk import NodeError
from structforge.security.redaction import Redactor
from tests.fuzz import randoms
from tests.support.database_proxy import tcp_port_of
from tests.support.servers import Servers

TYPES = (
    "bool", "int2", "int4", "int8", "oid", "numeric", "numeric(10, 2)", "numeric(5, 0)", "float4", "float8", "money",
    "text", "varchar(5)", "char(3)", '"char"', "name", "json", "jsonb", "bytea", "date", "time", "timetz", "timestamp",
    "timestamptz", "interval", "uuid", "inet", "cidr", "macaddr", "bit(3)", "varbit", "point", "box", "int4range",
    "numrange", "tstzrange", "int4multirange", "tsvector", "mood", "place", "whole", "tree",
)  # fmt: skip
ARRAYS = tuple(f"{kind}[]" for kind in TYPES)
OWN_TYPES = """
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE TYPE place AS (name text, size numeric, ids int[], facts jsonb);
CREATE TYPE tree AS (name text);
ALTER TYPE tree ADD ATTRIBUTE more place[];
CREATE DOMAIN whole AS int CHECK (value > 0);
"""
CODES = {"database.value", "database.refused"}
ORGANIZATION = UUID(int=1)


class _Databases(Databases):
    """Databases whose one connection is known without a table of connections, and is opened once."""

    def __init__(self, port: int, name: str, stack: AsyncExitStack) -> None:
        settings = {
            "host": "127.0.0.1",
            "port": port,
            "database": name,
            "user": DatabaseRole.OWNER.value,
            "tls": "off",
        }
        self._opened = OpenedConnection(
            "any", ConnectionKind.POSTGRESQL, PostgresqlSettings.model_validate(settings), ""
        )
        self._stack = stack
        self._kept: Session | None = None
        super().__init__(None, None, Redactor(), allowed_private_hosts=["127.0.0.1"])  # type: ignore[arg-type]

    async def opened(self, organization_id: UUID, name: str) -> OpenedConnection:
        return self._opened

    @asynccontextmanager
    async def session(
        self, organization_id: UUID, opened: OpenedConnection, *, time_limit_s: float
    ) -> AsyncIterator[Session]:
        if self._kept is None:
            opening = super().session(organization_id, opened, time_limit_s=86_400)
            self._kept = await self._stack.enter_async_context(opening)
        try:
            yield self._kept
        finally:
            await self._kept.connection.execute("ROLLBACK")


class PostgresFuzz:
    """Rounds against one database."""

    def __init__(self, databases: Databases, source: random.Random) -> None:
        self._databases = databases.of(ORGANIZATION)
        self._source = source
        self.counts = {"taken": 0, "refused": 0}

    async def _read(self, statement: str, values: dict[str, Any]) -> Any:
        found = await self._databases.query(
            "any", statement, values, time_limit_s=60, row_limit=10, max_bytes=10_000_000
        )
        journal_safe(found.rows)
        return found

    async def round(self) -> None:
        """Put a value in as a type. Raises: AssertionError with the value and the type."""
        kind = self._source.choice(TYPES if self._source.random() < 0.7 else ARRAYS)
        given = randoms.value(self._source)
        if kind.endswith("[]") and self._source.random() < 0.7:
            given = [randoms.value(self._source, 1) for _ in range(self._source.randrange(4))]
        try:
            found = await self._read(f"SELECT %(it)s::{kind} AS it", {"it": given})
        except NodeError as error:
            assert error.problem.code in CODES, (kind, given, error.problem)
            self.counts["refused"] += 1
            return
        self.counts["taken"] += 1
        cell = found.rows[0]["it"]
        assert (given is None) <= (cell is None), (kind, given, cell)
        expected = _expected(kind, given)
        assert expected is _ANY or _equal(cell, expected), (kind, given, cell)
        again = (await self._read(f"SELECT %(it)s::{kind} AS it", {"it": cell})).rows[0]["it"]
        assert _equal(again, cell) or _unsettled(kind, cell), (kind, given, cell, again)

    async def open_round(self) -> None:
        """Give values to a statement that leaves their types open, and to one that compares."""
        values = {name: randoms.value(self._source, 1) for name in "ab"}
        for statement in (
            "SELECT %(a)s AS a, %(b)s AS b",
            "SELECT to_jsonb(%(a)s) AS a, %(b)s AS b",
            "SELECT id FROM generate_series(1, 3) AS id WHERE id = ANY(%(a)s) OR id < %(b)s",
            "SELECT %(a)s || %(b)s AS ab",
        ):
            try:
                found = await self._read(statement, values)
            except NodeError as error:
                assert error.problem.code in CODES, (statement, values, error.problem)
            else:
                if statement.startswith("SELECT %(a)s AS a"):
                    assert _equal(list(found.rows[0].values()), list(values.values())), (values, found.rows)


_ANY = object()


def _expected(kind: str, given: Any) -> Any:
    """Return what has to come back; `_ANY` where PostgreSQL may write it in its own way."""
    if kind == "jsonb" or (kind == "json" and given is not None):
        return given
    if isinstance(given, bool) or given is None:
        return given if kind == "bool" or given is None else _ANY
    if kind in ("int2", "int4", "int8", "numeric", "whole") and isinstance(given, int | float | Decimal):
        return given
    if kind == "text" and isinstance(given, str):
        return given
    if kind == "float8" and isinstance(given, float):
        return given
    return _ANY


def _equal(one: Any, other: Any) -> bool:
    """Compare JSON by value: a float counts with the digits it is written with."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, int | float | Decimal) and isinstance(other, int | float | Decimal):
        return Decimal(str(one)) == Decimal(str(other))
    return type(one) is type(other) and bool(one == other)


def _unsettled(kind: str, cell: Any) -> bool:
    """Tell whether a cell is known to differ when it goes in again: JSON that is a text here, NaN that is null."""
    return cell is None or kind.startswith("json")


@asynccontextmanager
async def postgres_fuzz(servers: Servers, source: random.Random) -> AsyncIterator[PostgresFuzz]:
    """Make a database with types of its own, reached as nodes reach theirs."""
    name = servers.create_database()
    with psycopg.connect(servers.postgres.url(database=name), autocommit=True) as connection:
        connection.execute(OWN_TYPES.encode())
    socket = servers.postgres.socket_dir / ".s.PGSQL.5432"
    async with tcp_port_of(socket) as port, AsyncExitStack() as stack:
        yield PostgresFuzz(_Databases(port, name, stack), source)
    servers.drop_database(name)
