"""What happens with a start when its workflow has as many runs as it may have: refuse it, or replace one that queues.

Invariant: a start that is counted is committed, or has failed, before the next one of its workflow is counted. How
many are in hand at once is not decided here but by the claim (`storage/claims.py`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

from structforge.domain.errors import Problem, TooManyRequestsError, sentence
from structforge.domain.journal import IdempotencyClaim, RunIdentity
from structforge.domain.limits import RunLimits
from structforge.runtime.events import EventPublisher
from structforge.storage.admission import is_full, is_known, lock, oldest_queued
from structforge.storage.control import Answered, Asked, request_stop
from structforge.storage.engine_pool import EnginePool

RETRY_AFTER_S = 5

REPLACED = Problem(
    "run.replaced",
    "A newer run took the place of this one, which had not begun.",
    "settings.when_full",
    "The workflow's setting `when_full` is `replace`: with `queue` every run gets its turn.",
)


class Admission:
    """The door of workflows that refuse or replace."""

    def __init__(self, pool: EnginePool, publisher: EventPublisher) -> None:
        self._pool = pool
        self._publisher = publisher
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def place(
        self, run: RunIdentity, limits: RunLimits, key: IdempotencyClaim | None
    ) -> AsyncIterator[None]:
        """Hold a place for a run; accept it inside. Raises: TooManyRequestsError `run.limit`."""
        if limits.workflow is None or limits.when_full == "queue":
            yield
            return
        # Of one process one start of a workflow at a time asks the database, so that they do not fill the pool.
        turn = self._turns.setdefault(run.workflow_id, asyncio.Lock())
        replaced: tuple[UUID, Answered] | None = None
        async with turn, self._pool.connection() as connection, connection.transaction():
            await lock(connection, run.workflow_id)
            known = key is not None and await is_known(connection, run.organization_id, key)
            if not known and await is_full(connection, run.workflow_id, limits.workflow):
                if limits.when_full == "reject":
                    raise TooManyRequestsError(_full(limits.workflow))
                oldest = await oldest_queued(connection, run.workflow_id)
                if oldest is not None:
                    answered = await request_stop(connection, run.organization_id, oldest, REPLACED)
                    replaced = (oldest, answered)
            yield
        if replaced is not None and replaced[1].asked is Asked.DONE and replaced[1].event is not None:
            await self._publisher.announce(
                run.organization_id, run.workflow_id, replaced[0], replaced[1].event
            )


def _full(max_runs: int) -> Problem:
    runs = "one run" if max_runs == 1 else f"{max_runs} runs"
    return Problem(
        "run.limit",
        sentence(
            "The workflow has {runs} already, as many as it may have at once, and takes no more meanwhile.",
            runs=runs,
        ),
        "settings.max_runs",
        "Start it again when one of them has ended, or let it queue: `when_full` in the workflow's settings.",
        {"max_runs": max_runs, "retry_after_s": RETRY_AFTER_S},
    )
