"""The dispatcher: finds runs that are runnable and claimed by nobody, and rings the workers for them.

Invariant: it reads and rings, nothing else; any number may run, and none is needed while all goes well.
"""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from structforge.storage.claims import LATE

logger = logging.getLogger(__name__)


class Dispatcher:
    """Sweeps the outbox."""

    def __init__(self, ring: Callable[[UUID], None], redispatch_after_s: float) -> None:
        self._ring = ring
        self._after_s = redispatch_after_s

    async def sweep(self, connection: AsyncConnection[Any]) -> int:
        """Ring for a run that waits longer than it should, and for one whose worker died. Returns how many it saw."""
        cursor = await connection.execute(LATE, {"after_s": self._after_s})
        rows = await cursor.fetchall()
        for (run_id,) in rows:
            self._ring(run_id)
        return len(rows)
