"""Group commit in plain psycopg: one connection, one statement for all rows that came together.

Invariant: a row's future is done only after the commit that holds it.
"""

import asyncio
import contextlib
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

_TABLE = """
CREATE TABLE IF NOT EXISTS bench_floor (id uuid NOT NULL, number int NOT NULL, body json NOT NULL,
    at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, number))
"""
_INSERT = """
INSERT INTO bench_floor (id, number, body)
SELECT * FROM unnest(%s::uuid[], %s::int[], %s::json[])
"""


class GroupCommit:
    """Writes rows behind their writers' backs, and tells them when they are durable."""

    def __init__(self, connection: "AsyncConnection[Any]") -> None:
        self._connection = connection
        self._rows: list[tuple[UUID, int, str]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._writer = asyncio.create_task(self._write())

    @classmethod
    async def open(cls, conninfo: str) -> "GroupCommit":
        """Connect, make the table if it is not there, and start writing."""
        connection = await AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=0)
        await connection.execute(_TABLE)
        return cls(connection)

    def add(self, id_: UUID, number: int, body: str) -> "asyncio.Future[None]":
        """Hand over a row; the future is done when it is durable."""
        future = asyncio.get_running_loop().create_future()
        self._rows.append((id_, number, body))
        self._waiting.append(future)
        self._wake.set()
        return future

    async def close(self) -> None:
        """Stop writing."""
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer
        await self._connection.close()

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            rows, self._rows = self._rows, []
            waiting, self._waiting = self._waiting, []
            await self._connection.execute(_INSERT, tuple(map(list, zip(*rows, strict=True))))
            for future in waiting:
                if not future.done():
                    future.set_result(None)
