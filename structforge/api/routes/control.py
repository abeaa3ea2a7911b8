"""Steering runs, one or many: stop, pause, resume, and running them again."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from structforge.api.bodies import documented, json_body
from structforge.api.deps import Services, Signed
from structforge.api.responses import JsonResponse
from structforge.api.routes.starts import check_key
from structforge.api.schemas.control import (
    BulkBody,
    BulkPublic,
    LimitBody,
    LimitPublic,
    ReplayBody,
    ReplayPublic,
    StopPublic,
)
from structforge.services.bulk import BulkRequest
from structforge.services.replays import KEEP_INPUT, ReplayRequest
from structforge.storage.repositories.paging import Cursor

router = APIRouter(tags=["runs"])


@router.post("/runs/{run_id}/stop", response_model=StopPublic, status_code=202, summary="Stop a run")
async def stop_run(services: Services, principal: Signed, run_id: UUID) -> Response:
    """Ask a run to stop. It is `cancelling` until what is in flight has ended; 409 when it is over."""
    status = await services.runs.stop(principal, run_id)
    return JsonResponse({"run_id": run_id, "status": status}, 202)


@router.post("/runs/{run_id}/pause", response_model=StopPublic, status_code=202, summary="Pause a run")
async def pause_run(services: Services, principal: Signed, run_id: UUID) -> Response:
    """Let a run rest. It is `pausing` until the steps in flight have ended; 409 when it cannot be paused."""
    status = await services.runs.pause(principal, run_id)
    return JsonResponse({"run_id": run_id, "status": status}, 202)


@router.post("/runs/{run_id}/resume", response_model=StopPublic, status_code=202, summary="Resume a run")
async def resume_run(services: Services, principal: Signed, run_id: UUID) -> Response:
    """Let a paused run go on; 409 when it is not paused."""
    status = await services.runs.resume(principal, run_id)
    return JsonResponse({"run_id": run_id, "status": status}, 202)


@router.post(
    "/runs/{run_id}/replay",
    response_model=ReplayPublic,
    status_code=202,
    openapi_extra=documented(ReplayBody, required=False),
    summary="Run again",
)
async def replay_run(
    request: Request,
    services: Services,
    principal: Signed,
    run_id: UUID,
    body: Annotated[ReplayBody, json_body(ReplayBody, optional=True)],
) -> Response:
    """Start a new run that takes over from this one the steps that need not run again.

    Without `from_nodes` what had not succeeded runs again (a retry); with them these nodes and all that depends on
    them; `from_start` takes nothing over.
    409 while the run is not over. With an `Idempotency-Key` the same request made again makes no second run.
    """
    key = request.headers.get("idempotency-key")
    if key is not None:
        check_key(key)
    given = body.input if "input" in body.model_fields_set else KEEP_INPUT
    wanted = ReplayRequest(tuple(body.from_nodes), body.version, given, key, body.from_start)
    made = await services.replays.replay(principal, run_id, wanted)
    return JsonResponse({"run_id": made.run_id, "reused": made.reused, "again": list(made.again)}, 202)


@router.post(
    "/runs/bulk",
    response_model=BulkPublic,
    openapi_extra=documented(BulkBody),
    summary="Do one thing with many runs",
)
async def steer_many(
    services: Services, principal: Signed, body: Annotated[BulkBody, json_body(BulkBody)]
) -> Response:
    """Stop, pause, resume, retry, replay or delete every run of a filter, a batch at a time.

    Send the same body again with `job_id` and `cursor` (the answer's `next_cursor`) until there is none. A batch that
    is sent twice does nothing twice. Only runs that are over are deleted.
    """
    summary = await services.bulk.apply(
        principal,
        BulkRequest(
            action=body.action,
            only=body.filter.runs(),
            replay=ReplayRequest(tuple(body.from_nodes), body.version, from_start=body.from_start),
            job_id=body.job_id,
            cursor=None if body.cursor is None else Cursor.decode(body.cursor),
            limit=body.limit,
            count_only=body.count_only,
        ),
    )
    return JsonResponse(asdict(summary))


@router.get("/organization/limits", response_model=LimitPublic, summary="See how many runs may be in hand")
async def get_limits(services: Services, principal: Signed) -> Response:
    """Return the organization's limit, how many runs workers have in hand, and how many could start now."""
    return JsonResponse(asdict(await services.limits.get(principal)))


@router.put(
    "/organization/limits",
    response_model=LimitPublic,
    openapi_extra=documented(LimitBody),
    summary="Set how many runs may be in hand",
)
async def set_limits(
    services: Services, principal: Signed, body: Annotated[LimitBody, json_body(LimitBody)]
) -> Response:
    """Bound the runs that the organization has in hand at once. What is beyond queues; what runs goes on."""
    return JsonResponse(asdict(await services.limits.set(principal, body.max_runs)))
