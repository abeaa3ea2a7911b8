"""Connections for statements that name their rows by key and are prepared once.

Invariant: what is planned while the tables are small stays right when they have grown: an index, never the whole table.
For the journal and for claims.
"""

from typing import Any

from psycopg import AsyncConnection

PLANNING = (
    "SET enable_seqscan = off",
    "SET enable_bitmapscan = off",
    "SET plan_cache_mode = force_generic_plan",
)


async def connect_keyed(conninfo: str, **options: Any) -> AsyncConnection[Any]:
    """Open a connection that prepares every statement at its first use. Raises: psycopg.OperationalError."""
    connection = await AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=0, **options)
    for setting in PLANNING:
        await connection.execute(setting)
    return connection
