"""Runs: lists, one run with its steps, logs and events. Starting is in `starts.py`, steering in `control.py`."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from structforge.api.deps import Services, Signed
from structforge.api.following import with_beats
from structforge.api.responses import API_HEADERS, JsonResponse
from structforge.api.schemas.runs import (
    ComparisonPublic,
    LogList,
    LogPublic,
    RunDetailPublic,
    RunPage,
    StepList,
    StepPublic,
)
from structforge.domain.errors import InvalidError, Problem
from structforge.domain.run import RunStatus
from structforge.domain.values import dump_json
from structforge.storage.repositories.paging import Cursor
from structforge.storage.repositories.runs import RunFilter

router = APIRouter(tags=["runs"])

LogLevel = Literal["debug", "info", "warning", "error"]
LOG_LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")

Limit = Annotated[int, Query(ge=1, le=200)]
Sequence = Annotated[int, Query(ge=0, le=2**31 - 1)]


@router.get("/runs", response_model=RunPage, summary="List runs")
async def list_runs(
    services: Services,
    principal: Signed,
    workflow_id: UUID | None = None,
    status: Annotated[list[RunStatus] | None, Query()] = None,
    trigger_kind: Annotated[list[str] | None, Query(max_length=20)] = None,
    accepted_from: datetime | None = None,
    accepted_before: datetime | None = None,
    search: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
) -> Response:
    """List runs, the newest first. `search` looks into workflow name, input, error and id."""
    only = RunFilter(
        workflow_id=workflow_id,
        statuses=tuple(item.value for item in status or ()),
        trigger_kinds=tuple(trigger_kind or ()),
        accepted_from=_aware(accepted_from, "accepted_from"),
        accepted_before=_aware(accepted_before, "accepted_before"),
        search=search,
    )
    page = await services.runs.list(
        principal, only, limit=limit, cursor=None if cursor is None else Cursor.decode(cursor)
    )
    return JsonResponse(RunPage.of(page).model_dump())


@router.get("/runs/{run_id}", response_model=RunDetailPublic, summary="Get a run")
async def get_run(services: Services, principal: Signed, run_id: UUID) -> Response:
    """Return a run with its input, output and error."""
    run = RunDetailPublic.model_validate(await services.runs.get(principal, run_id))
    run.output = await services.runs.shown(principal, run.output)
    return JsonResponse(run.model_dump())


@router.get("/runs/{run_id}/steps", response_model=StepList, summary="List a run's steps")
async def list_steps(
    services: Services,
    principal: Signed,
    run_id: UUID,
    offset: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 1_000,
) -> Response:
    """Return every attempt of every step, in the order they began, up to 1,000 at a time."""
    rows = await services.runs.steps(principal, run_id, offset=offset, limit=limit + 1)
    items = [StepPublic.of(row) for row in rows[:limit]]
    following = offset + limit if len(rows) > limit else None
    outputs = await services.runs.shown(principal, [item.outputs for item in items])
    for item, shown in zip(items, outputs, strict=True):
        item.outputs = shown
    return JsonResponse(StepList(items=items, next_offset=following).model_dump())


@router.get("/runs/{run_id}/logs", response_model=LogList, summary="Read a run's log")
async def list_logs(
    services: Services,
    principal: Signed,
    run_id: UUID,
    after: Sequence = 0,
    step: Annotated[str | None, Query(max_length=500)] = None,
    level: Annotated[LogLevel, Query()] = "debug",
    search: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 500,
) -> Response:
    """Return log lines with a number above `after`, oldest first.

    `step` names one step by its key, `level` the least one, `search` looks into messages and step keys.
    """
    rows = await services.runs.logs(
        principal,
        run_id,
        after=after,
        step_key=step,
        levels=() if level == "debug" else LOG_LEVELS[LOG_LEVELS.index(level) :],
        search=search,
        limit=limit,
    )
    return JsonResponse(LogList(items=[LogPublic.of(row) for row in rows]).model_dump())


@router.get("/runs/{run_id}/compare/{other_id}", response_model=ComparisonPublic, summary="Compare two runs")
async def compare_runs(services: Services, principal: Signed, run_id: UUID, other_id: UUID) -> Response:
    """List the steps that ended differently in the other run, with what differs in their outputs."""
    return JsonResponse((await services.comparisons.compare(principal, run_id, other_id)).as_json())


@router.get(
    "/runs/{run_id}/events",
    summary="Follow a run",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, 204: {"description": "Nothing more will come."}},
)
async def follow_run(
    request: Request, services: Services, principal: Signed, run_id: UUID, after: Sequence = 0
) -> Response:
    """Stream the run's events (Server-Sent Events) after the cursor, until the run is over.

    The cursor is the header `Last-Event-ID`, which browsers send by themselves, or `after`. Nothing is missed
    whatever happens in between; 204 tells that nothing more will come.
    """
    cursor = _cursor(request.headers.get("last-event-id"), after)
    run = await services.runs.get(principal, run_id)
    if RunStatus(run.status).terminal and cursor >= run.event_seq:
        return Response(status_code=204)
    events = services.runs.events(principal, run_id, after=cursor)
    headers = {**API_HEADERS, "x-accel-buffering": "no"}
    return StreamingResponse(_stream(events), media_type="text/event-stream", headers=headers)


async def _stream(events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    async with aclosing(with_beats(events)) as beats:
        async for event in beats:
            yield b": still here\n\n" if event is None else _encode(event)


def _encode(event: dict[str, Any]) -> bytes:
    data = dump_json(event, option=orjson.OPT_UTC_Z)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event["seq"], event["type"].encode(), data)


def _cursor(header: str | None, after: int) -> int:
    if header is None or not header.isdecimal() or len(header) > 10:
        return after
    return max(int(header), after)


def _aware(moment: datetime | None, where: str) -> datetime | None:
    if moment is not None and moment.tzinfo is None:
        raise InvalidError(
            Problem("query.invalid", "The time has no zone.", where, "Write it as 2026-01-31T12:00:00Z.")
        )
    return moment
