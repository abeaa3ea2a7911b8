"""The command line. Exit codes: 0 done, 1 failed (told why), 2 wrong usage, 130 interrupted.

Invariant: a command's module is imported when that command is called, so `structforge down` does not load
what `structforge run` needs; this table is the one list of commands (a test holds docs/cli.md against it).
"""

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from structforge.commands.output import print_problems
from structforge.domain.errors import InvalidError, StructForgeError

COMMANDS = {
    "up": ("structforge.commands.up:app", "Start everything, keep it running; stop with Ctrl-C."),
    "down": ("structforge.commands.down:app", "Stop what `up` started."),
    "status": ("structforge.commands.status:app", "Show what runs, and where."),
    "doctor": ("structforge.commands.doctor:app", "Name each thing that is wrong, and what to do."),
    "web": ("structforge.commands.services:web", "Run one web process (API and web app)."),
    "worker": ("structforge.commands.services:worker", "Run one worker process."),
    "scheduler": ("structforge.commands.services:scheduler", "Run one scheduler process."),
    "run": ("structforge.commands.run:app", "Run a workflow file, print its result."),
    "runs": (
        "structforge.commands.runs:app",
        "List, look at, compare, stop, pause, resume, retry, replay, delete runs.",
    ),
    "validate": (
        "structforge.commands.validate:app",
        "Check a workflow file: every problem, with its place.",
    ),
    "db": ("structforge.commands.db:app", "Migrate the database, or show where it is."),
    "keys": ("structforge.commands.keys:app", "Make secret keys, change to a new one."),
    "build": ("structforge.commands.build:app", "Build the web app's browser bundle, unless it is built."),
    "chaos": ("structforge.commands.chaos:app", "Kill real processes, then count what was promised."),
    "settings": ("structforge.commands.settings:app", "List every setting and its present value."),
}
"""Name to `module:attribute` of a Typer app (one command, or several for a group) and its help line."""


class LazyGroup(TyperGroup):
    """Imports the module of a command when the command is named."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return what the list of commands shows of one; None when there is none of that name."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that was named, imported now."""
        name, shown, rest = super().resolve_command(ctx, args)
        if name is None or shown is None:
            return name, shown, rest
        place, line = COMMANDS[name]
        module, _, attribute = place.partition(":")
        command: Any = typer.main.get_command(getattr(importlib.import_module(module), attribute))
        command.name = name
        command.short_help = line
        return name, command, rest


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Workflows drawn as a graph or written as a notebook, run durably.",
)


@app.callback()
def structforge() -> None:
    """Workflows drawn as a graph or written as a notebook, run durably."""


def main() -> None:
    """Run the command line; every expected failure is told in a sentence."""
    try:
        app()
    except InvalidError as error:
        print_problems(error.problems)
        sys.exit(1)
    except StructForgeError as error:
        print_problems([error.problem])
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
