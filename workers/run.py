"""`python -m workers.run`: one RQ worker whose jobs ring a long-lived loop that executes runs.

Invariant: RQ only wakes; the loop lives in a thread of its own, so RQ's time-outs and retries never touch a run.
"""

import asyncio
import logging
import signal
import threading
from types import FrameType

import redis
import uvloop
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from structforge.config import Settings, load_settings
from structforge.runtime import queue
from structforge.runtime.heartbeat import heartbeat
from structforge.runtime.worker import RunWorker
from structforge.security.redaction import Redactor
from structforge.telemetry import configure_logging
from structforge.wiring.engine import build_engine
from structforge.wiring.worker import build_worker

logger = logging.getLogger(__name__)


class WakeWorker(SimpleWorker):
    """Takes wake-up jobs."""

    queue_class = queue.WakeQueue
    stop_was_requested = False

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Remember that the end of `work` was asked for and is no failure."""
        self.stop_was_requested = True
        super().request_stop(signum, frame)


class LoopThread(threading.Thread):
    """The event loop on which runs are executed."""

    def __init__(self, settings: Settings, redactor: Redactor) -> None:
        super().__init__(name="runs")
        self._settings = settings
        self._redactor = redactor
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: RunWorker | None = None
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Execute runs until drained."""
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._work())
        except BaseException as error:
            self.failure = error
            logger.exception("the run loop broke")
        finally:
            self._ready.set()

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        engine = build_engine(self._settings, redactor=self._redactor)
        try:
            await engine.open()
            await engine.environment.processes.warm()
            worker = self._worker = build_worker(engine)
            self._ready.set()

            def load() -> dict[str, int]:
                return {"runs": worker.runs_in_hand, "slots": self._settings.worker_slots}

            async with heartbeat(engine.pool, worker.name, "worker", load):
                await worker.run()
        finally:
            await engine.close()

    def wait_ready(self) -> None:
        """Block until the loop takes runs, or has failed."""
        self._ready.wait()

    def wake(self) -> None:
        """Let the loop look for runnable runs; from any thread."""
        if self._loop is not None and self._worker is not None:
            self._loop.call_soon_threadsafe(self._worker.wake)

    def drain(self) -> None:
        """Let the steps in flight end and give the runs back; from any thread."""
        if self._loop is not None and self._worker is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._worker.drain)


def _take_wakeups(settings: Settings) -> bool:
    """Take wake-up jobs until asked to stop; False when Redis went away instead."""
    client = redis.Redis.from_url(settings.redis_server_url)
    try:
        worker = WakeWorker([queue.make_queue(client)], connection=client, serializer=JSONSerializer)
        worker.log.setLevel(logging.WARNING)
        worker.work(logging_level="WARNING")
        return worker.stop_was_requested
    except redis.RedisError as error:
        logger.warning("no wake-ups for now, Redis is away: %s", error)
        return False
    finally:
        client.close()


def main() -> None:
    """Work until SIGTERM or SIGINT."""
    settings = load_settings()
    redactor = configure_logging(settings, "worker")
    stopping = threading.Event()
    loop = LoopThread(settings, redactor)
    loop.start()
    loop.wait_ready()
    queue.listen(loop.wake)
    while loop.is_alive() and not stopping.is_set():
        # RQ brings handlers of its own for as long as it works.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: stopping.set())
        if not _take_wakeups(settings) and not stopping.is_set():
            # Redis is away: runs are still found by the loop's own look at the table.
            stopping.wait(1.0)
        else:
            stopping.set()
    loop.drain()
    loop.join()
    if loop.failure is not None:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
