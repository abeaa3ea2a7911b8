"""`structforge down`: stop the supervisor of this home folder, and servers that a killed one left.

Invariant: only processes of this home folder are signalled. Entry point.
"""

import signal

import typer

from structforge.commands.output import JsonOption, console, print_json
from structforge.config import load_settings
from structforge.embedded.instance import running_state
from structforge.embedded.postgres import EmbeddedPostgres
from structforge.embedded.processes import ProcessIdentity
from structforge.embedded.redis import EmbeddedRedis

STOP_TIMEOUT_S = 90.0

app = typer.Typer()


@app.command()
def down(as_json: JsonOption = False) -> None:
    """Stop what `up` started and wait until it is gone."""
    settings = load_settings()
    stopped: list[str] = []
    state = running_state(settings.run_dir)
    if state is not None:
        services = [ProcessIdentity(s.pid, s.started_at) for s in state.services.values()]
        state.identity.stop([(signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, 5.0)])
        for service in services:
            service.stop([(signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)])
        stopped.append("supervisor")
    redis = EmbeddedRedis(settings.redis_dir, settings.socket_dir, settings.logs_dir / "redis.log")
    postgres = EmbeddedPostgres(
        settings.postgres_dir, settings.socket_dir, settings.logs_dir / "postgres.log"
    )
    if redis.running() is not None:
        redis.stop()
        stopped.append("redis")
    if postgres.running() is not None:
        postgres.stop()
        stopped.append("postgres")
    if as_json:
        print_json({"stopped": stopped})
    elif stopped:
        console().print(f"Stopped: {', '.join(stopped)}.")
    else:
        console().print(f"Nothing runs on {settings.home}.")
