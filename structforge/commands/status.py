"""`structforge status`: what runs on this home folder. Exit code 0 when healthy, 1 otherwise. Entry point.

Invariant: it changes nothing.
"""

import time
from dataclasses import asdict

import typer
from rich.table import Table

from structforge.commands.output import JsonOption, console, print_json
from structforge.config import load_settings
from structforge.embedded.instance import running_state
from structforge.embedded.processes import ProcessIdentity

app = typer.Typer()


@app.command()
def status(as_json: JsonOption = False) -> None:
    """Show the processes of this home folder, and the address."""
    settings = load_settings()
    state = running_state(settings.run_dir)
    if as_json:
        print_json(
            {"running": state is not None, "home": str(settings.home), **(asdict(state) if state else {})}
        )
    elif state is None:
        console().print(f"Nothing runs on {settings.home}. Start it with `structforge up`.")
    else:
        table = Table("process", "id", "up for", "restarts", "last exit", box=None)
        for name, service in state.services.items():
            alive = ProcessIdentity(service.pid, service.started_at).alive()
            age = f"{time.time() - service.started_at:.0f} s" if alive else "down"
            table.add_row(name, str(service.pid), age, str(service.restarts), service.last_exit)
        console().print(f"{state.phase}  {state.url}")
        console().print(table)
    if state is None or state.phase != "healthy":
        raise typer.Exit(1)
