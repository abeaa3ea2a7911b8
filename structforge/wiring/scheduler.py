"""The scheduler: its duties and the bell it rings."""

from datetime import timedelta
from functools import partial
from typing import Any

from psycopg import AsyncConnection

from structforge.config import Settings
from structforge.runtime.dispatcher import Dispatcher
from structforge.runtime.heartbeat import EVERY_S, process_details, process_name
from structforge.runtime.queue import Bell
from structforge.runtime.scheduler import Duty, Scheduler, ensure_partitions, expire_idempotency_keys
from structforge.storage.artifacts import FileArtifactStore
from structforge.storage.callees import stop_abandoned
from structforge.storage.engine_pool import connection_string
from structforge.storage.heartbeats import beat, forget_gone, leave
from structforge.storage.retention import Periods, Retention

DISPATCH_EVERY_S = 0.5
"""A run whose worker died waits for its lease, and then for this at most, before another worker is rung."""
RETENTION_EVERY_S = 600.0


def build_scheduler(settings: Settings) -> tuple[Scheduler, Bell]:
    """Build the scheduler process and the bell it rings."""
    bell = Bell(settings.redis_server_url)
    retention = _retention(settings)
    dispatcher = Dispatcher(bell.ring, settings.redispatch_after_s)
    name = process_name()

    async def say_alive(connection: AsyncConnection[Any]) -> None:
        await beat(connection, name, "scheduler", process_details())

    duties = (
        Duty("dispatch", min(DISPATCH_EVERY_S, settings.redispatch_after_s), dispatcher.sweep),
        Duty("abandoned calls", 5.0, stop_abandoned),
        Duty("partitions", 3_600.0, ensure_partitions),
        Duty("idempotency keys", 300.0, expire_idempotency_keys),
        Duty("heartbeat", EVERY_S, say_alive),
        Duty("gone processes", 3_600.0, forget_gone),
        Duty("retention", RETENTION_EVERY_S, retention.sweep),
        Duty("half-written artifacts", 3_600.0, retention.clear_partial),
    )
    conninfo = connection_string(settings.database_engine_role_url, "structforge-engine")
    return Scheduler(conninfo, duties, partial(leave, id=name)), bell


def _retention(settings: Settings) -> Retention:
    periods = Periods(
        timedelta(days=settings.step_retention_days), timedelta(days=settings.run_retention_days)
    )
    return Retention(periods, FileArtifactStore(settings.artifacts_dir, max_bytes=settings.file_max_bytes))
