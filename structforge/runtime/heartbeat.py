"""Says every few seconds that this process is alive, so that `doctor` and `status` know of every machine.

Invariant: a heartbeat is information; that it fails stops and delays nothing. Entry points use it.
"""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from structforge.domain.ids import new_id
from structforge.storage.engine_pool import EnginePool
from structforge.storage.heartbeats import beat, leave

logger = logging.getLogger(__name__)

EVERY_S = 5.0

Details = Callable[[], dict[str, Any]]


def process_name() -> str:
    """Return a name for this process that no other has: `host-pid-tail`."""
    return f"{socket.gethostname()}-{os.getpid()}-{new_id().hex[-6:]}"


def process_details() -> dict[str, Any]:
    """Return what is told of every process."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


@asynccontextmanager
async def heartbeat(pool: EnginePool, name: str, kind: str, more: Details = dict) -> AsyncIterator[None]:
    """Say that this process is alive for as long as the block runs; `more` is asked at each beat."""
    task = asyncio.create_task(_beat_on(pool, name, kind, more), name="heartbeat")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            async with pool.connection(timeout=1.0) as connection:
                await leave(connection, name)
        except (psycopg.Error, PoolTimeout) as error:
            logger.info("left without saying so: %s", error)


async def _beat_on(pool: EnginePool, name: str, kind: str, more: Details) -> None:
    while True:
        try:
            async with pool.connection() as connection:
                await beat(connection, name, kind, {**process_details(), **more()})
        except (psycopg.Error, PoolTimeout) as error:
            logger.info("no heartbeat, the database is away: %s", error)
        await asyncio.sleep(EVERY_S)
