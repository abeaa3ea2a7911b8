"""Steering a run: stop, pause, resume, and running it again."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from structforge.api.deps import Services, Signed
from structforge.api.responses import JsonResponse
from structforge.api.schemas import ReplayBody, ReplayPublic, StopPublic
from structforge.services.replays import KEEP_INPUT, ReplayRequest

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


@router.post("/runs/{run_id}/replay", response_model=ReplayPublic, status_code=202, summary="Run again")
async def replay_run(
    services: Services, principal: Signed, run_id: UUID, body: ReplayBody | None = None
) -> Response:
    """Start a new run that takes over from this one the steps that need not run again.

    Without `from_nodes` what had not succeeded runs again (a retry); with them these nodes and all that depends on
    them. 409 while the run is not over.
    """
    body = body or ReplayBody()
    given = body.input if "input" in body.model_fields_set else KEEP_INPUT
    request = ReplayRequest(tuple(body.from_nodes), body.version, given)
    made = await services.replays.replay(principal, run_id, request)
    return JsonResponse({"run_id": made.run_id, "reused": made.reused, "again": list(made.again)}, 202)
