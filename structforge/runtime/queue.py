"""The wake-up: an RQ job that says "there is something to claim", with a run id as a hint.

Invariant: a wake-up that is lost, late or doubled does no harm; the dispatcher rings again, claims are exclusive.
RQ's JSON serializer, never pickle: whoever can write to Redis must not be able to run code.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

logger = logging.getLogger(__name__)

QUEUE_NAME = "structforge"
PENDING_KEY = "structforge:wake-pending"
PENDING_MS = 1_000
"""How long one wake-up stands for all that follow; a worker that took it clears the mark earlier."""

HEAD_START_S = 0.002
"""What a claim and the start of a run take; a wake-up that comes meanwhile is another worker's, or comes then."""

_listeners: list[Callable[[], None]] = []
_rung: list[str] = []
"""Jobs that rang when they were taken; their function has nothing left to do."""


def wake(run_id: str) -> None:
    """Ring the loops of this process: the function of the RQ job."""
    if _rung:
        _rung.clear()
    else:
        _ring()


def _ring() -> None:
    for listener in _listeners:
        listener()


class WakeQueue(Queue):
    """Rings at the moment a wake-up is taken: what RQ notes down about the job takes longer than starting the run."""

    @classmethod
    def lmove(cls, connection: "redis.Redis", queue_key: str, timeout: int | None) -> Any:
        """Take the next wake-up; the mark is cleared first, so that later rings are not swallowed."""
        taken = super().lmove(connection, queue_key, timeout)
        if taken is not None:
            connection.delete(PENDING_KEY)
            _rung.append(queue_key)
            _ring()
            # The loop's thread goes first: RQ's notes are Python work that would take the interpreter from it.
            time.sleep(HEAD_START_S)
        return taken


def listen(listener: Callable[[], None]) -> None:
    """Call `listener` at each wake-up that reaches this process."""
    _listeners.append(listener)


def connect(url: str) -> "redis.Redis":
    """Open a blocking Redis client that fails soon instead of hanging."""
    return redis.Redis.from_url(
        url, socket_connect_timeout=2, socket_timeout=5, retry=Retry(NoBackoff(), 1), health_check_interval=30
    )


def make_queue(client: "redis.Redis") -> WakeQueue:
    """Return the queue workers listen on."""
    return WakeQueue(QUEUE_NAME, connection=client, serializer=JSONSerializer)


class Bell:
    """Rings workers from any thread without blocking; rings that come close together become one job."""

    def __init__(self, redis_url: str) -> None:
        self._url = redis_url
        self._rings: queue.SimpleQueue[UUID | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="bell", daemon=True)
        self._thread.start()

    def ring(self, run_id: UUID) -> None:
        """Say that `run_id` is runnable; call it after the commit."""
        self._rings.put(run_id)

    def close(self) -> None:
        """Send what was rung, then stop."""
        self._rings.put(None)
        self._thread.join(timeout=5)

    def _work(self) -> None:
        client = connect(self._url)
        wakeups = make_queue(client)
        while True:
            run_id = self._rings.get()
            closing = run_id is None
            while not self._rings.empty():
                latest = self._rings.get_nowait()
                closing = closing or latest is None
                run_id = latest or run_id
            if run_id is not None:
                try:
                    if client.set(PENDING_KEY, 1, nx=True, px=PENDING_MS):
                        # One round trip; without a pipeline of ours RQ takes two.
                        with client.pipeline() as pipeline:
                            wakeups.enqueue_call(
                                wake,
                                args=(str(run_id),),
                                result_ttl=0,
                                failure_ttl=60,
                                timeout=30,
                                pipeline=pipeline,
                            )
                            pipeline.execute()
                except redis.RedisError as error:
                    logger.warning("could not ring the workers, the dispatcher will: %s", error)
            if closing:
                client.close()
                return
