"""`python -m workers.schedule`: one scheduler process; any number may run."""

import asyncio
import signal

import uvloop

from structforge.config import load_settings
from structforge.telemetry import configure_logging
from structforge.wiring.scheduler import build_scheduler


async def _run() -> None:
    settings = load_settings()
    configure_logging(settings, "scheduler")
    scheduler, bell = build_scheduler(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, scheduler.stop)
    try:
        await scheduler.run()
    finally:
        bell.close()


def main() -> None:
    """Work until SIGTERM or SIGINT."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run())


if __name__ == "__main__":
    main()
