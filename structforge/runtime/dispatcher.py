"""The dispatcher: finds runs that are runnable and claimed by nobody, and rings the workers for them.

Invariant: it reads and rings, nothing else; any number may run, and none is needed while all goes well.
"""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

logger = logging.getLogger(__name__)

_RUNNABLE = """
(SELECT run_id FROM run_outbox
 WHERE owner IS NULL AND available_at <= now() - make_interval(secs => %(after_s)s)
    AND control IS DISTINCT FROM 'paused'
 ORDER BY priority, available_at, run_id LIMIT 1)
UNION ALL
(SELECT run_id FROM run_outbox WHERE owner IS NOT NULL AND lease_expires_at < now()
 ORDER BY lease_expires_at LIMIT 1)
"""


class Dispatcher:
    """Sweeps the outbox."""

    def __init__(self, ring: Callable[[UUID], None], redispatch_after_s: float) -> None:
        self._ring = ring
        self._after_s = redispatch_after_s

    async def sweep(self, connection: AsyncConnection[Any]) -> int:
        """Ring for a run that waits longer than it should, and for one whose worker died. Returns how many it saw."""
        cursor = await connection.execute(_RUNNABLE, {"after_s": self._after_s})
        rows = await cursor.fetchall()
        for (run_id,) in rows:
            self._ring(run_id)
        return len(rows)
