"""Opening connections of organizations: to hosts that may be reached, as many at a time as their limit says.

Invariant: the address that was checked is the address that is connected to, and nothing of this machine's user counts.
"""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, pq

from structforge.domain.connections import ConnectionKind, OpenedConnection, PostgresqlSettings
from structforge.domain.errors import StructForgeError, sentence
from structforge.runtime.postgres.refusals import Refusals, too_slow
from structforge.sdk.context import NodeError
from structforge.security.cipher import Cipher
from structforge.security.outbound import MAX_ADDRESSES_TRIED, AllowedHosts, checked_addresses
from structforge.security.redaction import Redactor
from structforge.storage.engine_pool import EnginePool
from structforge.storage.stored_connections import load_connection

CONNECT_TIMEOUT_S = 10
CANCEL_TIMEOUT_S = 2.0

_TLS = {"verify": "verify-full", "require": "require", "prefer": "prefer", "off": "disable"}
_FORMS = (
    "-c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601 -c bytea_output=hex -c extra_float_digits=1"
)
"""How values are written, whatever the database's own settings are."""


@dataclass(frozen=True, slots=True)
class Session:
    """An open connection, without a transaction, and how its errors are told."""

    connection: AsyncConnection[Any]
    refusals: Refusals


def connection_context(organization_id: UUID, connection_id: UUID) -> str:
    """Return what a connection's secret is sealed for."""
    return f"{organization_id}/{connection_id}"


class Opener:
    """Opens the connections of every organization, as one process reaches them. It keeps none open."""

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
                hint="Give the connection its secret again.",
            ) from error
        return OpenedConnection(
            name,
            ConnectionKind(stored.kind),
            PostgresqlSettings.model_validate(stored.settings),
            secret,
        )

    @asynccontextmanager
    async def session(
        self, organization_id: UUID, opened: OpenedConnection, *, time_limit_s: float
    ) -> AsyncIterator[Session]:
        """Connect for the length of the block, when fewer than the connection's limit are open.

        Raises: NodeError `database.*`, `outbound.*`, in place of everything psycopg raises inside the block.
        """
        limit = opened.settings.max_connections
        slots = self._slots.setdefault((organization_id, opened.name, limit), asyncio.Semaphore(limit))
        if opened.secret:
            self._redactor.add(opened.secret)
        refusals = Refusals(self._redactor, opened, time_limit_s)
        try:
            async with asyncio.timeout(time_limit_s), slots:
                connection = await self._connect(opened, time_limit_s, refusals)
                try:
                    yield Session(connection, refusals)
                finally:
                    await _closed(connection)
        except TimeoutError as error:
            raise too_slow(time_limit_s) from error
        except psycopg.Error as error:
            raise refusals.refused(error) from error

    async def probe(self, organization_id: UUID, opened: OpenedConnection) -> str:
        """Try a connection; return what answers. Raises: NodeError."""
        async with self.session(organization_id, opened, time_limit_s=2 * CONNECT_TIMEOUT_S) as session:
            cursor = await session.connection.execute("SELECT current_setting('server_version')")
            row = await cursor.fetchone()
        return f"PostgreSQL {row[0]}" if row else "PostgreSQL"

    async def _connect(
        self, opened: OpenedConnection, time_limit_s: float, refusals: Refusals
    ) -> AsyncConnection[Any]:
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
                    client_encoding="utf-8",
                    options=f"-c statement_timeout={max(1, int(time_limit_s * 1000))} {_FORMS}",
                    # Transactions are begun and ended by name: what the server describes is no statement of psycopg's.
                    autocommit=True,
                )
            except psycopg.OperationalError as error:
                failure = error
        assert failure is not None
        raise refusals.unreachable(failure) from failure


async def _closed(connection: AsyncConnection[Any]) -> None:
    """Close a connection; what still runs there, because nobody waits for it any more, is cancelled first."""
    if connection.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
        with contextlib.suppress(psycopg.Error):
            await connection.cancel_safe(timeout=CANCEL_TIMEOUT_S)
    await connection.close()


def _authorities() -> str:
    return ssl.get_default_verify_paths().cafile or "system"
