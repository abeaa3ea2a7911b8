"""`structforge status`: what runs on this home folder and, on all machines, on its database. Entry point.

Invariant: it changes nothing. Exit code 0 when this home folder's processes are healthy, 1 otherwise.
"""

import time
from dataclasses import asdict

import psycopg
import typer
from rich.table import Table

from structforge.commands.output import JsonOption, console, print_json
from structforge.config import Settings, load_settings
from structforge.embedded.instance import running_state
from structforge.embedded.processes import ProcessIdentity
from structforge.storage.heartbeats import AliveProcess, alive

app = typer.Typer()


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show the processes of this home folder, the address, and who is alive on the database."""
    settings = load_settings()
    state = running_state(settings.run_dir)
    processes = _alive(settings, up=state is not None)
    if as_json:
        print_json(
            {
                "running": state is not None,
                "home": str(settings.home),
                **(asdict(state) if state else {}),
                "alive": None if processes is None else [asdict(process) for process in processes],
            }
        )
    elif state is None:
        console().print(f"Nothing runs on {settings.home}. Start it with `structforge up`.")
    else:
        table = Table("process", "id", "up for", "restarts", "last exit", box=None)
        for name, service in state.services.items():
            lives = ProcessIdentity(service.pid, service.started_at).alive()
            age = f"{time.time() - service.started_at:.0f} s" if lives else "down"
            table.add_row(name, str(service.pid), age, str(service.restarts), service.last_exit)
        console().print(f"{state.phase}  {state.url}")
        console().print(table)
    if not as_json and processes:
        console().print(_table_of(processes))
    if state is None or state.phase != "healthy":
        raise typer.Exit(1)


def _alive(settings: Settings, *, up: bool) -> list[AliveProcess] | None:
    """Return who is alive on the database, whichever machine it is on; None when it cannot be asked."""
    if settings.embedded_postgres and not up:
        return None
    try:
        with psycopg.connect(settings.database_engine_role_url, connect_timeout=3) as connection:
            return alive(connection)
    except psycopg.Error:
        return None


def _table_of(processes: list[AliveProcess]) -> Table:
    table = Table("alive", "host", "process id", "for", "runs in hand", box=None)
    for process in processes:
        details = process.details
        runs = f"{details['runs']} of {details['slots']}" if "runs" in details else ""
        host, pid = str(details.get("host", "")), str(details.get("pid", ""))
        table.add_row(process.kind, host, pid, f"{process.up_s:.0f} s", runs)
    return table
