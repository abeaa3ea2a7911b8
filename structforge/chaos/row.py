"""`python -m structforge.chaos.row NAME [--short]`: one row in a process and a home folder of its own.

The name `prepare` makes the installation that the rows get copies of. Invariant: whatever happens, a verdict is
written and every process that was started is ended; settings come from the environment that the command gives.
"""

import asyncio
import importlib
import signal
import sys
import time
import traceback
from pathlib import Path

from structforge.chaos.client import EMAIL, PASSWORD, SECOND, ChaosError
from structforge.chaos.ground import Ground, copy_template
from structforge.chaos.rows import ROWS
from structforge.chaos.services import end_all_of
from structforge.chaos.verdict import Verdict
from structforge.config import Settings, load_settings
from structforge.embedded import setup
from structforge.embedded.postgres import EmbeddedPostgres
from structforge.embedded.processes import follow_parent
from structforge.embedded.redis import EmbeddedRedis
from structforge.embedded.startup import prepare_home
from structforge.ui.bundle import build_bundle


async def prepare(settings: Settings) -> None:
    """Make an installation with two organizations, and stop it."""
    prepare_home(settings)
    build_bundle(settings)
    postgres = EmbeddedPostgres(
        settings.postgres_dir, settings.socket_dir, settings.logs_dir / "postgres.log"
    )
    redis = EmbeddedRedis(settings.redis_dir, settings.socket_dir, settings.logs_dir / "redis.log")
    try:
        postgres.start()
        redis.start()
        await setup.prepare(settings.model_copy(update={"admin_email": EMAIL}))
        async with setup.open_services(settings) as services:
            await services.identity.create_organization("Second", "second", SECOND, PASSWORD)
    finally:
        redis.stop()
        postgres.stop()


async def play(settings: Settings, name: str, *, short: bool) -> Verdict:
    """Run one row; its verdict says what went wrong, an error included."""
    row = ROWS[name]
    module = importlib.import_module(f"structforge.chaos.rows.{row.module}")
    verdict = Verdict(name, row.title)
    began = time.monotonic()
    ground = Ground(settings, verdict, module.SETTINGS, short=short)
    try:
        ground.start_servers()
        await module.run(ground)
        verdict.finished = True
    except asyncio.CancelledError:
        verdict.check(False, "was asked to stop before its end")
    except ChaosError as error:
        verdict.check(False, str(error))
    except Exception:  # A row that breaks has failed; the next one runs.
        verdict.check(False, traceback.format_exc(limit=-4))
    finally:
        verdict.took_s = round(time.monotonic() - began, 1)
        await ground.close()
    return verdict


async def _play(settings: Settings, name: str, *, short: bool) -> Verdict:
    task = asyncio.ensure_future(play(settings, name, short=short))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


def main() -> int:
    """Do what the arguments say; the verdict is `verdict.json` in the home folder."""
    settings = load_settings()
    follow_parent(settings.lifeline_fd, grace_s=20)
    name = sys.argv[1]
    try:
        if name == "prepare":
            asyncio.run(prepare(settings))
            return 0
        copy_template(Path(sys.argv[2]), settings.home)
        verdict = asyncio.run(_play(settings, name, short="--short" in sys.argv))
    finally:
        end_all_of(settings.home)
    verdict.save(settings.home / "verdict.json")
    return 0 if verdict.passed else 1


if __name__ == "__main__":
    sys.exit(main())
