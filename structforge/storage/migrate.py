"""Migrations: bring a database to a revision, and say where it is.

Invariant: one process migrates a database at a time; the others wait and find nothing left to do.
Entry points call it as the owner of the database; nothing else needs that role.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from structforge.domain.errors import ConflictError, Problem, UnavailableError, sentence
from structforge.storage.engine_pool import connection_string
from structforge.storage.roles import Roles, ensure_roles
from structforge.storage.tables import METADATA

MIGRATIONS = Path(__file__).parents[2] / "alembic"

LOCK_KEY = 0x5374_7275_6374_4607
"""Any constant of ours: the advisory lock that migrations of one database take turns on."""
LOCK_POLL_S = 0.1

# Alembic's `context` and `op` belong to the whole process: two databases at once would get mixed up.
_alembic = threading.Lock()


async def upgrade(owner_url: str, roles: Roles | None = None, revision: str = "head") -> None:
    """Create the roles and bring the database to `revision`; safe to call from several processes at once.

    Raises: UnavailableError when the server cannot be reached, is too old, or the roles cannot be created;
    ConflictError `database.newer`.
    """
    await asyncio.to_thread(_migrate, owner_url, roles or Roles(), command.upgrade, revision)


async def downgrade(owner_url: str, revision: str, roles: Roles | None = None) -> None:
    """Take the database back to `revision` (`base` for none); the data of dropped tables is gone."""
    await asyncio.to_thread(_migrate, owner_url, roles or Roles(), command.downgrade, revision)


async def current(owner_url: str) -> str | None:
    """Return the revision the database is at; None for an empty one."""
    return await asyncio.to_thread(_inspect, owner_url, lambda context: context.get_current_revision())


async def pending(owner_url: str) -> list[str]:
    """Return the revisions that `upgrade` would apply, oldest first.

    Raises: ConflictError `database.newer` when a later release has migrated the database.
    """
    at = await current(owner_url)
    script = ScriptDirectory.from_config(_config())
    steps = [step.revision for step in script.walk_revisions()]
    if at is not None and at not in steps:
        raise ConflictError(_newer(at))
    return steps[: steps.index(at) if at else None][::-1]


async def differences(owner_url: str) -> list[Any]:
    """Return how the database differs from the tables in the code, as Alembic tells it."""
    return await asyncio.to_thread(_inspect, owner_url, lambda context: compare_metadata(context, METADATA))


def included(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Tell Alembic what to compare: everything but partitions, which a function in the database creates."""
    table = name if kind == "table" else getattr(getattr(item, "table", None), "name", None)
    return not (reflected and table is not None and is_partition(table))


def is_partition(table: str) -> bool:
    """Tell whether a table's name is that of a partition: `execution_steps_p20261123`, `…_pdefault`."""
    _, mark, suffix = table.rpartition("_p")
    return bool(mark) and (suffix == "default" or (suffix.isdigit() and len(suffix) == 8))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _migrate(owner_url: str, roles: Roles, action: Callable[[Config, str], None], revision: str) -> None:
    with _locked(owner_url, roles), _connection(owner_url) as connection:
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["roles"] = roles
        try:
            with _alembic:
                action(config, revision)
        except CommandError as error:
            raise ConflictError(_newer(str(error))) from error
        connection.commit()


def _inspect(owner_url: str, question: Callable[[MigrationContext], Any]) -> Any:
    with _connection(owner_url) as connection:
        options = {"include_object": included, "compare_type": True, "compare_server_default": True}
        return question(MigrationContext.configure(connection, opts=options | {"target_metadata": METADATA}))


@contextmanager
def _connection(owner_url: str) -> Iterator[Connection]:
    engine = create_engine("postgresql+psycopg://", creator=lambda: _connect(owner_url), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@contextmanager
def _locked(owner_url: str, roles: Roles) -> Iterator[None]:
    with _connect(owner_url, autocommit=True) as connection:
        if connection.info.server_version < 150_000:
            raise UnavailableError(
                Problem(
                    "database.too_old",
                    sentence(
                        "PostgreSQL {server_version} is too old.",
                        server_version=connection.info.server_version // 10_000,
                    ),
                    where="DATABASE_URL",
                    hint="StructForge needs PostgreSQL 15 or newer.",
                )
            )
        ensure_roles(connection, roles)
        # Polled, not waited for: a waiting statement holds a snapshot, and `CREATE INDEX CONCURRENTLY` in the
        # process that holds the lock would wait for that snapshot for ever.
        while not _try_lock(connection):
            time.sleep(LOCK_POLL_S)
        yield


def _connect(owner_url: str, *, autocommit: bool = False) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(connection_string(owner_url, "structforge-migrate"), autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise UnavailableError(
            Problem(
                "database.unreachable",
                sentence("The database does not answer: {error}", error=str(error).strip()),
                where="DATABASE_URL",
                hint="Is the server running, and are host, role and password right?",
            )
        ) from error


def _newer(what: str) -> Problem:
    return Problem(
        "database.newer",
        sentence("The database is at a revision that this release does not know: {what}.", what=what),
        where="DATABASE_URL",
        hint="Start the release that migrated it, or restore a backup made before.",
    )


def _try_lock(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
    return row is not None and bool(row[0])
