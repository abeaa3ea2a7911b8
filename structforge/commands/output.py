"""What commands print: answers to stdout (text or JSON), problems to stderr.

Invariant: with --json stdout holds exactly one JSON document.
"""

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from structforge.domain.errors import Problem
from structforge.domain.values import dump_json

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def console() -> Console:
    """Return the console for answers."""
    return Console(highlight=False, soft_wrap=True)


def print_json(body: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(
        dump_json(body, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode() + "\n"
    )


def print_problems(problems: Iterable[Problem]) -> None:
    """Print each problem with its code, where it is and what to do, to stderr."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    for problem in problems:
        where = f" [dim]({problem.where})[/dim]" if problem.where else ""
        errors.print("[red]error[/red] ", end="")
        errors.print(problem.message, markup=False, end="")
        errors.print(f"{where} [dim]{problem.code}[/dim]")
        if problem.hint:
            errors.print(f"      {problem.hint}", markup=False)
