"""`structforge run FILE`: run a workflow file on the installation of this machine. Entry point.

Invariant: exit code 0 means that the run succeeded; what ran is kept, as the draft of a workflow of the file's
name and a run in its history.
"""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown

from structforge.commands.output import JsonOption, console, print_json, print_problems
from structforge.commands.validate import read_workflow_file
from structforge.config import Settings, load_settings
from structforge.domain.errors import Problem, UnavailableError, sentence
from structforge.domain.run import RunStatus
from structforge.domain.validation import require_valid
from structforge.domain.values import decode_json, readable_json
from structforge.embedded.instance import running_state
from structforge.embedded.setup import open_services
from structforge.interchange.own import WorkflowFile
from structforge.local_api import Json, open_api, report_of
from structforge.plugins import load_registry
from structforge.sdk.shapes import shapes_of

MAX_INPUT_BYTES = 4 * 1024 * 1024

app = typer.Typer()


@app.command("run")
def run_file(
    file: Annotated[Path, typer.Argument(help="A workflow file, as exported.")],
    value: Annotated[str, typer.Option("--input", help="The run's input, as JSON.")] = "{}",
    limit_s: Annotated[float, typer.Option("--limit", min=1, help="Seconds to wait for the end.")] = 3_600,
    as_json: JsonOption = False,
) -> None:
    """Check a workflow file, run it, and print its result."""
    settings = load_settings()
    workflow = read_workflow_file(file)
    require_valid(workflow.document, shapes_of(load_registry()))
    given = decode_json(value.encode(), max_bytes=MAX_INPUT_BYTES)
    run = asyncio.run(_run(settings, address_of(settings), workflow, given, limit_s=limit_s, quiet=as_json))
    if as_json:
        print_json(run)
    else:
        _show(run)
    if run["status"] != RunStatus.SUCCEEDED:
        raise typer.Exit(1)


def address_of(settings: Settings) -> str:
    """Return where the running installation answers. Raises: UnavailableError `instance.not_running`."""
    state = running_state(settings.run_dir)
    if state is not None:
        return settings.model_copy(update={"port": state.port}).local_url
    if settings.embedded_postgres:
        hint = "Start it with `make up DETACH=1`; `structforge validate FILE` needs nothing running."
        raise UnavailableError(
            Problem(
                "instance.not_running",
                sentence("Nothing runs on {home}.", home=settings.home),
                str(settings.home),
                hint,
            )
        )
    return settings.local_url


async def _run(
    settings: Settings, address: str, workflow: WorkflowFile, given: Any, *, limit_s: float, quiet: bool
) -> Json:
    status = Console(stderr=True, quiet=quiet).status("starting")

    def told(run: Json) -> None:
        status.update(f"{workflow.labels.name}: {run['status']}, {run['step_count']} steps")

    async with open_services(settings) as services:
        session = await services.identity.open_local_session(settings.admin_email)
        try:
            async with open_api(address, session.access_token) as api:
                with status:
                    workflow_id = await api.save_draft(workflow.labels.name, workflow.document)
                    run_id = await api.start(workflow_id, {"draft": True, "input": given})
                    run = await api.wait(run_id, limit_s=limit_s, told=told)
                return {**run, "steps": await api.steps(run_id)}
        finally:
            await services.identity.sign_out(access_token=session.access_token)


def _show(run: Json) -> None:
    out = console()
    for step in run["steps"]:
        out.print(f"{step['status']:<10} {step['step_key']}", markup=False)
    if run["error"]:
        print_problems([Problem.from_json(run["error"])])
    report = report_of(run["output"])
    if report:
        out.print(Markdown(report))
    elif run["output"] is not None:
        out.print(readable_json(run["output"]), markup=False)
    out.print(f"{run['status']}  run {run['id']}", markup=False)
