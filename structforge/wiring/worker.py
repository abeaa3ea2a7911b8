"""A worker: the engine, and the loop that claims runs."""

from structforge.runtime.heartbeat import process_name
from structforge.runtime.worker import RunWorker, WorkerLimits
from structforge.wiring.engine import Engine, engine_conninfo


def build_worker(engine: Engine) -> RunWorker:
    """Build the loop of a worker process."""
    settings = engine.settings
    return RunWorker(
        process_name(),
        engine_conninfo(settings),
        engine.journal,
        engine.environment,
        engine.plans,
        engine.hub,
        engine.bell.ring,
        WorkerLimits(slots=settings.worker_slots, lease_s=settings.lease_s, drain_s=settings.drain_s),
    )
