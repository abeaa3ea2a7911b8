"""Connections to PostgreSQL, one pool for each role, and the transactions that services work in.

Invariant: a session of the app role sees one organization, the one its transaction was opened for, or none.
Building a `Database` does no I/O; `wiring` makes one a process.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from structforge.domain.errors import Problem, UnavailableError
from structforge.storage.engine_pool import (
    IDLE_S,
    POOL_TIMEOUT_S,
    EnginePool,
    connection_string,
    exact_json,
    make_engine_pool,
)

SET_ORGANIZATION = text("SELECT set_config('app.organization_id', :organization_id, true)")

# A lost server, not a wrong statement: connection errors, shut-down and start-up, too many clients.
_GONE = ("08", "57P0", "53300")


class Database:
    """The database as the app, the engine and, where its URL is given, the owner.

    The URLs are libpq URLs or connection strings. `pool_size` is the most connections that one role keeps;
    the engine's may differ.
    """

    def __init__(
        self,
        app_url: str,
        engine_url: str,
        owner_url: str | None = None,
        *,
        pool_size: int = 10,
        engine_pool_size: int | None = None,
        name: str = "structforge",
    ) -> None:
        self._app = _sessions(connection_string(app_url, name), pool_size)
        self._owner = None if owner_url is None else _sessions(connection_string(owner_url, name), 2)
        self.engine_pool: EnginePool = make_engine_pool(engine_url, engine_pool_size or pool_size, name)
        """Connections of the engine's role for `storage/journal.py`; `open` it before use."""

    async def open(self) -> None:
        """Start the engine's pool. The others connect when first used."""
        await self.engine_pool.open()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine_pool.close()
        await self._app.dispose()
        if self._owner is not None:
            await self._owner.dispose()

    @asynccontextmanager
    async def transaction(self, organization_id: UUID) -> AsyncIterator[AsyncSession]:
        """Open a transaction of the app role in one organization; it commits unless the block raises.

        Raises: UnavailableError when the database is down; the transaction may be committed then, or not.
        """
        async with _transaction(self._app) as session:
            await session.execute(SET_ORGANIZATION, {"organization_id": str(organization_id)})
            yield session

    @asynccontextmanager
    async def global_transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction of the app role in no organization, for global tables and `auth_…` functions."""
        async with _transaction(self._app) as session:
            yield session

    @asynccontextmanager
    async def owner_transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction of the owner, who sees all organizations: for setting up an installation."""
        if self._owner is None:
            raise RuntimeError("this Database was built without the owner's URL")
        async with _transaction(self._owner) as session:
            yield session


async def enter_organization(session: AsyncSession, organization_id: UUID) -> None:
    """Let a running transaction work in this organization from here on; signing up creates it on the way."""
    await session.execute(SET_ORGANIZATION, {"organization_id": str(organization_id)})


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except (DBAPIError, psycopg.OperationalError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(cause, "sqlstate", None)
        if isinstance(cause, psycopg.OperationalError) and (state is None or state.startswith(_GONE)):
            raise UnavailableError(
                Problem(
                    "database.unreachable",
                    "The database does not answer.",
                    hint="Try again; if it stays so, see `structforge doctor`.",
                )
            ) from error
        raise


def _sessions(conninfo: str, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        "postgresql+psycopg://",
        async_creator=partial(psycopg.AsyncConnection.connect, conninfo, context=exact_json()),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        pool_pre_ping=True,
        pool_recycle=IDLE_S,
    )
