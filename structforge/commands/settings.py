"""`structforge settings`: every setting; with --markdown it prints docs/settings.md. Entry point.

Invariant: no secret is printed.
"""

import sys
from typing import Annotated

import typer
from rich.table import Table

from structforge.commands.output import JsonOption, console, print_json
from structforge.config import Settings, describe_settings, load_settings, settings_markdown

app = typer.Typer()


@app.command()
def settings(
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/settings.md.")] = False,
) -> None:
    """List every environment variable, its present value and what it does."""
    if markdown:
        sys.stdout.write(settings_markdown())
        return
    present = load_settings()
    rows = [
        {"variable": row.variable, "value": str(getattr(present, name)), "description": row.description}
        for name, row in zip(Settings.model_fields, describe_settings(), strict=True)
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("variable", "value", "what it does", box=None)
    for row in rows:
        table.add_row(row["variable"], row["value"], row["description"])
    console().print(table)
