"""`structforge chaos`: kill, freeze and starve real processes, then count. Exit code 1 when a row failed. Entry point.

Invariant: nothing that runs already is touched; everything happens in a home folder of its own.
"""

import json
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from structforge.chaos.campaign import Campaign
from structforge.chaos.client import ChaosError
from structforge.chaos.machine import describe_machine
from structforge.chaos.rows import ROWS
from structforge.chaos.verdict import Verdict
from structforge.commands.output import console
from structforge.config import load_settings

app = typer.Typer()


@app.command()
def chaos(
    only: Annotated[str, typer.Option(help="Rows, separated by commas: R1,R5.")] = "",
    short: Annotated[bool, typer.Option("--short", help="The version of seconds each.")] = False,
    output: Annotated[Path | None, typer.Option("--json", help="Write the verdicts to this file.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the home folders of failed rows.")] = False,
) -> None:
    """Show by force that no run is lost, none done twice, and all of them go on in time."""
    wanted = _rows(only)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    # Whoever ends the command early ends what it started, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    campaign = Campaign(load_settings(), wanted, short=short, keep=keep)
    if keep:
        errors.print(f"everything is kept in {campaign.folder}", markup=False)
    before = describe_machine()
    try:
        verdicts = campaign.run(
            lambda verdict: errors.print(_line(verdict)), lambda text: errors.print(f"· {text}", markup=False)
        )
    except ChaosError as error:
        errors.print(f"[red]✗[/red] {error}")
        raise typer.Exit(1) from None
    if output is not None:
        body = {
            "short": short,
            "machine": before,
            "after": describe_machine(),
            "rows": [verdict.as_json() for verdict in verdicts],
        }
        output.write_text(json.dumps(body, indent=2, default=str) + "\n")
    _show(verdicts, console())
    if not verdicts or not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(1)


def _rows(only: str) -> list[str]:
    names = [name.strip().upper() for name in only.split(",") if name.strip()]
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        raise typer.BadParameter(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return names or list(ROWS)


def _line(verdict: Verdict) -> str:
    mark = "[green]✓[/green]" if verdict.passed else "[red]✗[/red]"
    return f"{mark} {verdict.row} {verdict.title} ({verdict.took_s:.0f} s)"


def _show(verdicts: list[Verdict], out: Console) -> None:
    table = Table("row", "what", "done", "figures", "", box=None, pad_edge=False)
    for verdict in verdicts:
        done = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in verdict.done.items())
        figures = ", ".join(f"{name} {value}" for name, value in verdict.figures.items())
        table.add_row(
            verdict.row,
            verdict.title,
            done,
            figures,
            "[green]pass[/green]" if verdict.passed else "[red]fail[/red]",
        )
    out.print(table)
    for verdict in verdicts:
        for failure in verdict.failures:
            out.print(f"{verdict.row}: {failure}", markup=False)
