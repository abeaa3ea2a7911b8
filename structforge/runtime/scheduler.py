"""The scheduler process: sweeps of the dispatcher, partitions ahead of time, upkeep.

Invariant: every duty may run twice at once or be skipped for a while without harm; PostgreSQL coordinates.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection

logger = logging.getLogger(__name__)

_EXPIRE_KEYS = """
DELETE FROM idempotency_keys WHERE (organization_id, route, key) IN (
    SELECT organization_id, route, key FROM idempotency_keys WHERE expires_at < now()
    LIMIT 10000 FOR UPDATE SKIP LOCKED)
"""

RETRY_S = 5.0
"""A duty that could not be done is tried again after this long."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something done again and again; at once again when `work` answers True: there is more to do."""

    name: str
    every_s: float
    work: Callable[[AsyncConnection[Any]], Awaitable[object]]


async def ensure_partitions(connection: AsyncConnection[Any]) -> None:
    """Make the partitions of the coming days, so that no insert has to fall into the default one."""
    await connection.execute("SELECT ensure_partitions(current_date - 1, current_date + 7)")


async def expire_idempotency_keys(connection: AsyncConnection[Any]) -> None:
    """Forget callers' keys that are past their time."""
    await connection.execute(_EXPIRE_KEYS)


class Scheduler:
    """Runs duties on one connection until it is stopped."""

    def __init__(
        self,
        conninfo: str,
        duties: tuple[Duty, ...],
        last_words: Callable[[AsyncConnection[Any]], Awaitable[object]],
    ) -> None:
        self._conninfo = conninfo
        self._duties = duties
        self._last_words = last_words
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Return from `run` after the duty in hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Do each duty when it is due; a database that is away is waited for."""
        clock = asyncio.get_running_loop().time
        due = dict.fromkeys((duty.name for duty in self._duties), 0.0)
        connection: AsyncConnection[Any] | None = None
        while not self._stopping.is_set():
            try:
                if connection is None:
                    connection = await AsyncConnection.connect(self._conninfo, autocommit=True)
                for duty in self._duties:
                    if clock() >= due[duty.name]:
                        due[duty.name] = clock() + RETRY_S
                        more = await duty.work(connection)
                        due[duty.name] = clock() + (0.0 if more is True else duty.every_s)
            except psycopg.errors.LockNotAvailable as error:
                logger.info("a duty gave way to a busy table and is tried again: %s", error)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                logger.warning("the database is away, trying again: %s", error)
                if connection is not None:
                    await connection.close()
                    connection = None
            except Exception:
                # A fault of one duty, such as a file that cannot be removed, must not keep the others from theirs.
                logger.exception("a duty failed and is tried again")
            pause_s = max(0.05, min(due.values()) - clock())
            try:
                async with asyncio.timeout(min(pause_s, 1.0)):
                    await self._stopping.wait()
            except TimeoutError:
                continue
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await self._last_words(connection)
            await connection.close()
