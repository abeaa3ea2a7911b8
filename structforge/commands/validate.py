"""`structforge validate FILE`: check a workflow file. Exit code 0 when it can run, 1 otherwise. Entry point.

Invariant: every problem is told, never only the first; nothing is stored and nothing has to run.
"""

from pathlib import Path
from typing import Annotated

import typer

from structforge.commands.output import JsonOption, console, print_json, print_problems
from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.validation import errors_of, is_warning, validate
from structforge.interchange import own
from structforge.plugins import load_registry
from structforge.sdk.shapes import shapes_of

app = typer.Typer()


@app.command("validate")
def validate_file(
    file: Annotated[Path, typer.Argument(help="A workflow file, as exported.")], as_json: JsonOption = False
) -> None:
    """Check a workflow file: its form, its graph, its parameters and its expressions."""
    problems = _problems(file)
    errors = errors_of(problems)
    if as_json:
        rows = [
            {**problem.as_json(), "severity": "warning" if is_warning(problem) else "error"}
            for problem in problems
        ]
        print_json({"file": str(file), "valid": not errors, "problems": rows})
    elif problems:
        print_problems(problems)
    else:
        console().print(f"{file} is valid.")
    if errors:
        raise typer.Exit(1)


def read_workflow_file(file: Path) -> own.WorkflowFile:
    """Read a workflow file. Raises: InvalidError with every problem of its form."""
    try:
        data = file.read_bytes()
    except OSError as error:
        hint = "Give the path of a workflow file."
        raise InvalidError(
            Problem(
                "file.unreadable",
                sentence("{file} cannot be read: {strerror}.", file=file, strerror=error.strerror),
                str(file),
                hint,
            )
        ) from error
    return own.read(data, name=file.stem)


def _problems(file: Path) -> list[Problem]:
    try:
        document = read_workflow_file(file).document
    except InvalidError as error:
        return list(error.problems)
    return validate(document, shapes_of(load_registry()))
