"""How the difference of two runs is printed. Imported by commands.

Invariant: it prints what the API answered, nothing is compared here.
"""

from rich.table import Table

from structforge.commands.output import console
from structforge.domain.values import JsonValue, encode_json
from structforge.local_api import Json

SHOWN_CHARACTERS = 60


def show_comparison(found: Json) -> None:
    """Print the steps that differ, with what differs in their outputs."""
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


def _short(value: JsonValue) -> str:
    text = encode_json(value).decode()
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
