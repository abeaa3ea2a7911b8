"""`structforge up`: start everything on this machine and keep it running.

Invariant: a detached start returns only when everything is healthy, or says what went wrong. Entry point.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from structforge.config import Settings, load_settings
from structforge.embedded.instance import InstanceLock, read_state, running_state
from structforge.embedded.postgres import tail
from structforge.embedded.progress import Reporter, StreamReporter, TerminalReporter
from structforge.embedded.startup import StartOptions, choose_port, prepare_home, startup_steps
from structforge.embedded.supervisor import Supervisor

app = typer.Typer()


@app.command()
def up(
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", "-d", help="Return when everything is healthy, at once when it is; stop with `down`."
        ),
    ] = False,
    starter: Annotated[
        bool, typer.Option(help="Run the starter workflow at the first start of this home folder.")
    ] = True,
) -> None:
    """Start the servers, web, worker and scheduler; restart what dies; stop all on Ctrl-C."""
    settings = load_settings()
    prepare_home(settings)
    running = running_state(settings.run_dir)
    if detach and running is not None and running.phase == "healthy":
        # What was asked for is so already: a script may ask again.
        _console().print(f"StructForge is running: {running.url}")
        raise typer.Exit
    # Asked before the port is chosen: the port of the instance that runs is taken for certain.
    probe = InstanceLock(settings.run_dir)
    probe.acquire()
    probe.release()
    if detach:
        raise typer.Exit(_start_detached(settings, starter))
    raise typer.Exit(_supervise(settings, TerminalReporter(_console()), starter))


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
    """Fork: the child supervises in a session of its own, this process shows what it reports until it is ready."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        _leave_terminal(settings.logs_dir / "supervisor.out.log")
        raise typer.Exit(_supervise(settings, StreamReporter(os.fdopen(write_end, "w")), starter))
    os.close(write_end)
    reporter = TerminalReporter(_console())
    last = ""
    try:
        with os.fdopen(read_end) as events:
            for line in events:
                event = json.loads(line)
                last = event["event"]
                reporter.emit(event)
                if last == "ready":
                    return 0
    except KeyboardInterrupt:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        return 130
    finally:
        reporter.close()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if last not in ("failed", "stopped"):
        sys.stderr.write(tail(settings.logs_dir / "supervisor.out.log", 2000) + "\n")
    return code or 1


def _leave_terminal(log_file: Path) -> None:
    """Have nothing of the terminal any more: no session, no input, output into a file."""
    os.setsid()
    sys.stdout.flush()
    sys.stderr.flush()
    source = os.open(os.devnull, os.O_RDONLY)
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(source, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(source)
    os.close(log)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)


def _last_port(settings: Settings) -> int | None:
    state = read_state(settings.run_dir)
    if state is not None and state.port:
        return state.port
    try:
        return int((settings.run_dir / "port").read_text())
    except (OSError, ValueError):
        return None
