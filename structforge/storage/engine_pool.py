"""Plain connections to PostgreSQL: how a connection of ours is set up, and the pool of the engine's role.

Invariant: psycopg only; workers and the scheduler speak to the database without SQLAlchemy.
"""

from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

from structforge.domain.values import dump_json, plain_json

CONNECT_TIMEOUT_S = 5
POOL_TIMEOUT_S = 10.0
IDLE_S = 300.0

EnginePool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]


def make_engine_pool(url: str, size: int, name: str = "structforge") -> EnginePool:
    """Return a pool of at most `size` connections of the engine's role; `open` it before use."""
    return AsyncConnectionPool(
        connection_string(url, name),
        min_size=0,
        max_size=size,
        open=False,
        timeout=POOL_TIMEOUT_S,
        max_idle=IDLE_S,
        # The engine has a handful of statements: plan each once per connection, at its second use.
        kwargs={"autocommit": False, "prepare_threshold": 1, "context": exact_json()},
        name=f"{name}-engine",
        # A server that was restarted leaves dead connections behind; the caller should not meet them.
        check=AsyncConnectionPool.check_connection,
    )


def exact_json() -> AdaptersMap:
    """Return how values travel on a connection of ours: JSON loses no digit of a number in either direction."""
    adapters = AdaptersMap(psycopg.adapters)
    set_json_loads(plain_json, adapters)
    set_json_dumps(dump_json, adapters)
    return adapters


def connection_string(url: str, name: str) -> str:
    """Return `url` as libpq takes it, with the session settings that every connection of ours has.

    `name` is shown in `pg_stat_activity`. Times are UTC whatever the server says; our statements are short:
    compiling them (`jit`) only costs.
    """
    given = conninfo_to_dict(url)
    options = f"{given.get('options') or ''} -c timezone=UTC -c jit=off".strip()
    return make_conninfo(
        url,
        options=options,
        application_name=given.get("application_name") or name,
        connect_timeout=given.get("connect_timeout") or CONNECT_TIMEOUT_S,
    )
