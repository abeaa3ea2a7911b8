"""`structforge doctor`: what is wrong, and what to do. Exit code 0 when nothing is. Entry point.

Invariant: it changes nothing.
"""

from dataclasses import asdict

import typer

from structforge.commands.output import JsonOption, console, print_json
from structforge.config import load_settings
from structforge.doctor import Verdict, examine

MARKS = {
    Verdict.OK: "[green]✓[/green]",
    Verdict.WARNING: "[yellow]![/yellow]",
    Verdict.WRONG: "[red]✗[/red]",
    Verdict.IDLE: "[dim]·[/dim]",
}

app = typer.Typer()


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check Python, disk, port, servers, roles, migrations, web app and processes."""
    findings = examine(load_settings())
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        out = console()
        for finding in findings:
            out.print(f"{MARKS[finding.verdict]} {finding.name:<12}", end="")
            out.print(finding.text, markup=False)
            if finding.hint and finding.verdict is not Verdict.OK:
                out.print(f"{'':14}→ {finding.hint}", markup=False)
    if any(finding.verdict is Verdict.WRONG for finding in findings):
        raise typer.Exit(1)
