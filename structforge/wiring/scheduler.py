"""The scheduler: its duties and the bell it rings."""

from structforge.config import Settings
from structforge.runtime.dispatcher import Dispatcher
from structforge.runtime.queue import Bell
from structforge.runtime.scheduler import Duty, Scheduler, ensure_partitions, expire_idempotency_keys
from structforge.storage.engine_pool import connection_string


def build_scheduler(settings: Settings) -> tuple[Scheduler, Bell]:
    """Build the scheduler process and the bell it rings."""
    bell = Bell(settings.redis_server_url)
    dispatcher = Dispatcher(bell.ring, settings.redispatch_after_s)
    duties = (
        Duty("dispatch", min(1.0, settings.redispatch_after_s), dispatcher.sweep),
        Duty("partitions", 3_600.0, ensure_partitions),
        Duty("idempotency keys", 300.0, expire_idempotency_keys),
    )
    return Scheduler(connection_string(settings.database_engine_role_url, "structforge-engine"), duties), bell
