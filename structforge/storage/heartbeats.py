"""Heartbeats: which processes say that they are alive, across machines.

Invariant: a row tells what was true at `seen_at`, by the database's clock, no more; leases decide who owns a run.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

ALIVE_S = 30
"""A process that was not heard of for longer counts as gone."""

_BEAT = """
INSERT INTO worker_heartbeats (id, kind, started_at, seen_at, details)
VALUES (%(id)s, %(kind)s, now(), now(), %(details)s)
ON CONFLICT (id) DO UPDATE SET seen_at = now(), details = EXCLUDED.details
"""

_ALIVE = """
SELECT kind, id, extract(epoch FROM now() - started_at)::float, extract(epoch FROM now() - seen_at)::float, details
FROM worker_heartbeats WHERE seen_at > now() - make_interval(secs => %s) ORDER BY kind, started_at, id
"""


@dataclass(frozen=True, slots=True)
class AliveProcess:
    """A process that was heard of lately."""

    kind: str
    """`web`, `worker` or `scheduler`."""
    id: str
    up_s: float
    seen_s: float
    """Seconds since it was heard of."""
    details: dict[str, Any]
    """`{"host": ..., "pid": ...}`, and for a worker `runs` in hand and `slots`."""


async def beat(connection: AsyncConnection[Any], id: str, kind: str, details: dict[str, Any]) -> None:
    """Say that a process is alive."""
    await connection.execute(_BEAT, {"id": id, "kind": kind, "details": Jsonb(details)})


async def leave(connection: AsyncConnection[Any], id: str) -> None:
    """Say that a process ends in good order."""
    await connection.execute("DELETE FROM worker_heartbeats WHERE id = %s", (id,))


async def forget_gone(connection: AsyncConnection[Any]) -> None:
    """Drop what was not heard of for a day."""
    await connection.execute("DELETE FROM worker_heartbeats WHERE seen_at < now() - interval '1 day'")


def alive(connection: psycopg.Connection[Any]) -> list[AliveProcess]:
    """List the processes of all machines that were heard of in the last `ALIVE_S` seconds."""
    return [AliveProcess(*row) for row in connection.execute(_ALIVE, (ALIVE_S,)).fetchall()]
