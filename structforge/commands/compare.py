"""`structforge compare RUN RUN`: the steps that ended differently in two runs. Entry point.

Invariant: exit code 0 means that nothing differs, 1 that something does, as `diff` does it.
"""

import asyncio
import json
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from structforge.commands.output import JsonOption, console, print_json
from structforge.commands.run import address_of
from structforge.config import Settings, load_settings
from structforge.embedded.setup import open_services
from structforge.local_api import Json, open_api

SHOWN_CHARACTERS = 60

app = typer.Typer()


@app.command("compare")
def compare_runs(
    first: Annotated[UUID, typer.Argument(help="Id of a run.")],
    second: Annotated[UUID, typer.Argument(help="Id of another.")],
    as_json: JsonOption = False,
) -> None:
    """List the steps that differ between two runs, with what differs in their outputs."""
    settings = load_settings()
    found = asyncio.run(_compare(settings, address_of(settings), str(first), str(second)))
    if as_json:
        print_json(found)
    else:
        _show(found)
    if found["steps"]:
        raise typer.Exit(1)


async def _compare(settings: Settings, address: str, first: str, second: str) -> Json:
    async with open_services(settings) as services:
        session = await services.identity.open_local_session(settings.admin_email)
        try:
            async with open_api(address, session.access_token) as api:
                return await api.compare(first, second)
        finally:
            await services.identity.sign_out(access_token=session.access_token)


def _show(found: Json) -> None:
    out = console()
    table = Table("step", "where", "first", "second")
    for step in found["steps"]:
        table.add_row(step["step_key"], "status", *(status or "-" for status in step["statuses"]))
        for change in step["changes"]:
            sides = [_short(change[side]) if side in change else "-" for side in ("old", "new")]
            table.add_row("", change["path"], *sides)
        if step["more"]:
            table.add_row("", "and more", "", "")
    if found["steps"]:
        out.print(table)
    out.print(f"{len(found['steps'])} steps differ, {found['equal_steps']} are equal.", markup=False)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
