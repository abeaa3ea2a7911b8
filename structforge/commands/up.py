"""`structforge up`: start everything on this machine and keep it running.

Invariant: a detached start returns only when everything is healthy, or says what went wrong. Entry point.
"""

import json
import os
import subprocess
import sys
from typing import Annotated

import typer
from rich.console import Console

from structforge.config import Settings, child_environment, load_settings
from structforge.embedded.instance import InstanceLock, read_state
from structforge.embedded.progress import Reporter, StreamReporter, TerminalReporter
from structforge.embedded.startup import StartOptions, choose_port, prepare_home, startup_steps
from structforge.embedded.supervisor import Supervisor

app = typer.Typer()


@app.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when everything is healthy; stop with `down`.")
    ] = False,
    starter: Annotated[
        bool, typer.Option(help="Run the starter workflow at the first start of this home folder.")
    ] = True,
    events_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Start the servers, web, worker and scheduler; restart what dies; stop all on Ctrl-C."""
    settings = load_settings()
    prepare_home(settings)
    if detach:
        raise typer.Exit(_start_detached(settings, starter))
    # Asked before the port is chosen: the port of the instance that runs is taken for certain.
    probe = InstanceLock(settings.run_dir)
    probe.acquire()
    probe.release()
    reporter: Reporter
    if events_fd is None:
        reporter = TerminalReporter(Console(highlight=False, soft_wrap=True))
    else:
        reporter = StreamReporter(os.fdopen(events_fd, "w"))
    raise typer.Exit(_supervise(settings, reporter, starter))


def _supervise(settings: Settings, reporter: Reporter, starter: bool) -> int:
    before = _last_port(settings)
    port = choose_port(settings, before)
    if port not in (settings.port, before):
        reporter.emit({"event": "note", "text": f"Port {settings.port} is taken: using {port}."})
    chosen = settings.model_copy(update={"port": port})
    supervisor = Supervisor(chosen, reporter)

    def ready(_: Supervisor) -> None:
        (settings.run_dir / "port").write_text(str(port))
        hint = "Ctrl-C stops it." if isinstance(reporter, TerminalReporter) else "`make down` stops it."
        reporter.emit({"event": "ready", "url": chosen.web_url, "hint": f"Logs: {settings.logs_dir}. {hint}"})
        if isinstance(reporter, StreamReporter):
            reporter.close()

    return supervisor.run(startup_steps(chosen, StartOptions(run_starter=starter)), ready=ready)


def _start_detached(settings: Settings, starter: bool) -> int:
    reporter = TerminalReporter(Console(highlight=False, soft_wrap=True))
    read_end, write_end = os.pipe()
    log_file = settings.logs_dir / "supervisor.out.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "structforge.cli",
                "up",
                "--starter" if starter else "--no-starter",
                f"--events-fd={write_end}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=child_environment(),
            start_new_session=True,
            pass_fds=(write_end,),
        )
    os.close(write_end)
    last = ""
    try:
        with os.fdopen(read_end) as events:
            for line in events:
                event = json.loads(line)
                last = event["event"]
                reporter.emit(event)
                if last == "ready":
                    # It lives on; this command is done.
                    process.returncode = 0
                    return 0
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        return 130
    finally:
        reporter.close()
    code = process.wait()
    if last not in ("failed", "stopped"):
        sys.stderr.write(log_file.read_text(errors="replace")[-2000:])
    return code or 1


def _last_port(settings: Settings) -> int | None:
    state = read_state(settings.run_dir)
    if state is not None and state.port:
        return state.port
    try:
        return int((settings.run_dir / "port").read_text())
    except (OSError, ValueError):
        return None
