"""`structforge validate FILE`: check a workflow file. Exit code 0 when it can run, 1 otherwise. Entry point.

Invariant: every problem is told, never only the first, and what could not be checked here; nothing is stored and
nothing has to run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from structforge.commands.output import JsonOption, console, print_json, print_problems
from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.validation import NodeShape, errors_of, is_warning, validate
from structforge.domain.validation.references import connections_in
from structforge.domain.workflow import WorkflowDocument
from structforge.interchange import own
from structforge.plugins import load_registry
from structforge.sdk.shapes import shapes_of

app = typer.Typer()


@app.command("validate")
def validate_file(
    file: Annotated[Path, typer.Argument(help="A workflow file, as exported.")], as_json: JsonOption = False
) -> None:
    """Check a workflow file: its form, its graph, its parameters and its expressions."""
    problems, document = _problems(file)
    # Whether they are there is known to an organization, and a file belongs to none.
    unchecked = connections_in(document, _shapes()) if document else []
    errors = errors_of(problems)
    if as_json:
        rows = [
            {**problem.as_json(), "severity": "warning" if is_warning(problem) else "error"}
            for problem in problems
        ]
        places = [{"where": place, "connection": name} for place, name in unchecked]
        print_json({"file": str(file), "valid": not errors, "problems": rows, "unchecked": places})
    else:
        print_problems(problems)
        if not problems:
            console().print(f"{file} is valid.")
        if unchecked:
            names = ", ".join(sorted({name for _, name in unchecked}))
            console().print(
                f"Not checked: whether the connections it names are there ({names}).", markup=False
            )
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


def _shapes() -> Mapping[str, NodeShape]:
    return shapes_of(load_registry())


def _problems(file: Path) -> tuple[list[Problem], WorkflowDocument | None]:
    try:
        document = read_workflow_file(file).document
    except InvalidError as error:
        return list(error.problems), None
    return validate(document, _shapes()), document
