"""`structforge runs …`: list, look at and steer the runs of the installation of this machine. Entry point.

Invariant: what is steered goes through the same door as everybody's (`POST /api/v1/runs/bulk`). Exit code 0 means that
it was done with every run that was named, or with at least one where a filter named them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from rich.console import Console

from structforge.commands.comparison import show_comparison
from structforge.commands.output import JsonOption, console, print_json, print_problems
from structforge.commands.run import address_of
from structforge.config import Settings, load_settings
from structforge.domain.errors import NotFoundError, Problem, sentence
from structforge.domain.run import RunStatus
from structforge.embedded.setup import open_services
from structforge.local_api import Json, LocalApi, open_api

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True)

RunArgument = Annotated[UUID, typer.Argument(metavar="RUN", help="Id of a run.")]
RunArguments = Annotated[
    list[UUID] | None, typer.Argument(metavar="[RUN]...", help="Ids of runs; none takes the filter.")
]
WorkflowOption = Annotated[str | None, typer.Option("--workflow", help="Only of the workflow of this name.")]
StatusOption = Annotated[
    list[RunStatus] | None, typer.Option("--status", help="Only in this status; may be repeated.")
]
SearchOption = Annotated[str, typer.Option("--search", help="Only with this in name, input, error or id.")]
BeforeOption = Annotated[datetime | None, typer.Option("--before", help="Only accepted before this (UTC).")]
AfterOption = Annotated[
    datetime | None, typer.Option("--after", help="Only accepted at or after this (UTC).")
]
AllOption = Annotated[bool, typer.Option("--all", help="Every run there is: needed when nothing narrows it.")]
FromOption = Annotated[
    list[str] | None, typer.Option("--from", help="Node to begin from; may be repeated. None: what failed.")
]
VersionOption = Annotated[str, typer.Option("--version", help="`same`, `draft` or a published number.")]


@app.command("list")
def list_runs(
    workflow: WorkflowOption = None,
    status: StatusOption = None,
    search: SearchOption = "",
    before: BeforeOption = None,
    after: AfterOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most this many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List runs, the newest first."""

    async def read(api: LocalApi) -> Json:
        only = await _filter(api, workflow, status, search, before, after)
        return await api.runs({**only, "limit": limit})

    page = _with_api(read)
    if as_json:
        print_json(page)
        return
    out = console()
    for run in page["items"]:
        # One line a run, nothing cut: the ids are for copying.
        took = f"{run['step_count']:>6} steps  of workflow {run['workflow_id']}"
        out.print(f"{run['id']}  {run['status']:<10} {run['accepted_at']} {took}", markup=False)


@app.command("show")
def show_run(run: RunArgument, as_json: JsonOption = False) -> None:
    """Show one run with its steps."""

    async def read(api: LocalApi) -> Json:
        return {**await api.run(str(run)), "steps": await api.steps(str(run))}

    found = _with_api(read)
    if as_json:
        print_json(found)
        return
    out = console()
    for step in found["steps"]:
        out.print(f"{step['status']:<10} {step['step_key']}  (attempt {step['attempt']})", markup=False)
    if found["error"]:
        print_problems([Problem.from_json(found["error"])])
    out.print(f"{found['status']}  run {found['id']}", markup=False)


@app.command("compare")
def compare_runs(first: RunArgument, second: RunArgument, as_json: JsonOption = False) -> None:
    """Show the steps that ended differently in two runs. Exit code 1 when something differs, as `diff` does it."""
    found = _with_api(lambda api: api.compare(str(first), str(second)))
    if as_json:
        print_json(found)
    else:
        show_comparison(found)
    if found["steps"]:
        raise typer.Exit(1)


def _steering(action: str, what: str) -> None:
    """Add the command of one action: all of them take the same options."""

    def command(
        runs: RunArguments = None,
        workflow: WorkflowOption = None,
        status: StatusOption = None,
        search: SearchOption = "",
        before: BeforeOption = None,
        after: AfterOption = None,
        everything: AllOption = False,
        as_json: JsonOption = False,
    ) -> None:
        async def steer(api: LocalApi) -> Json:
            only = await _filter(api, workflow, status, search, before, after)
            _require_choice(action, runs, only, everything)
            return await _steer(api, {"action": action, "filter": _bulk_filter(only, runs)}, quiet=as_json)

        _report(_with_api(steer), runs, as_json)

    app.command(action, help=what)(command)


for _action, _what in {
    "stop": "Stop runs, whatever they do.",
    "pause": "Let runs rest after the steps in flight.",
    "resume": "Let paused runs go on.",
    "retry": "Run again what had not succeeded, as new runs.",
    "delete": "Delete runs that are over, with their steps, logs and events.",
}.items():
    _steering(_action, _what)


@app.command("replay")
def replay_runs(
    runs: Annotated[list[UUID], typer.Argument(metavar="RUN...", help="Ids of runs that are over.")],
    from_nodes: FromOption = None,
    version: VersionOption = "same",
    as_json: JsonOption = False,
) -> None:
    """Run again from the named nodes, as new runs; what stands before them is taken over."""
    body = {
        "action": "replay",
        "filter": {"run_ids": [str(run) for run in runs]},
        "from_nodes": from_nodes or [],
        "version": int(version) if version.isdecimal() else version,
    }
    _report(_with_api(lambda api: _steer(api, body, quiet=as_json)), runs, as_json)


async def _steer(api: LocalApi, body: Json, *, quiet: bool) -> Json:
    """Ask for batch after batch; return the sums."""
    total: Json = {"done": 0, "skipped": 0, "failed": 0, "problems": [], "started": []}
    with Console(stderr=True, quiet=quiet).status("working") as status:
        while True:
            batch = await api.steer_many(body)
            for name in total:
                total[name] += batch[name]
            status.update(f"{total['done']} done, {batch['matched']} were left before this batch")
            if batch["next_cursor"] is None:
                return {"action": body["action"], "job_id": batch["job_id"], **total}
            body = {**body, "job_id": batch["job_id"], "cursor": batch["next_cursor"]}


def _report(total: Json, runs: list[UUID] | None, as_json: bool) -> None:
    if as_json:
        print_json(total)
    else:
        out = console()
        out.print(
            f"{total['done']} done, {total['skipped']} skipped, {total['failed']} failed.", markup=False
        )
        for run_id in total["started"]:
            out.print(f"started  run {run_id}", markup=False)
        print_problems(Problem.from_json(problem["problem"]) for problem in total["problems"])
    if total["failed"] or total["done"] < len(runs or [0]):
        raise typer.Exit(1)


def _require_choice(action: str, runs: list[UUID] | None, only: Json, everything: bool) -> None:
    if not runs and not only and not everything:
        raise typer.BadParameter(f"Name runs, narrow them, or say --all to {action} every run there is.")


async def _filter(
    api: LocalApi,
    workflow: str | None,
    statuses: list[RunStatus] | None,
    search: str,
    before: datetime | None,
    after: datetime | None,
) -> Json:
    """Return the query of a list of runs; what narrows nothing is left out."""
    only: Json = {}
    if workflow is not None:
        known = await api.find_workflow(workflow)
        if known is None:
            raise NotFoundError(
                Problem(
                    "workflow.not_found",
                    sentence("There is no workflow {workflow}.", workflow=repr(workflow)),
                    "--workflow",
                )
            )
        only["workflow_id"] = known["id"]
    if statuses:
        only["status"] = [status.value for status in statuses]
    if search:
        only["search"] = search
    if before is not None:
        only["accepted_before"] = f"{before.isoformat()}Z"
    if after is not None:
        only["accepted_from"] = f"{after.isoformat()}Z"
    return only


def _bulk_filter(only: Json, runs: list[UUID] | None) -> Json:
    body = {("statuses" if name == "status" else name): value for name, value in only.items()}
    return {**body, "run_ids": [str(run) for run in runs]} if runs else body


def _with_api(work: Callable[[LocalApi], Awaitable[T]]) -> T:
    settings = load_settings()
    return asyncio.run(_signed_in(settings, address_of(settings), work))


async def _signed_in(settings: Settings, address: str, work: Callable[[LocalApi], Awaitable[T]]) -> T:
    async with open_services(settings) as services:
        session: Any = await services.identity.open_local_session(settings.admin_email)
        try:
            async with open_api(address, session.access_token) as api:
                return await work(api)
        finally:
            await services.identity.sign_out(access_token=session.access_token)
