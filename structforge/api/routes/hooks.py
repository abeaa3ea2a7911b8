"""Management of webhooks: their addresses, listening, their secrets. Requests to them come in by `api/hook_door.py`."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from structforge.api.deps import Services, Signed
from structforge.api.responses import JsonResponse

router = APIRouter(tags=["webhooks"])


@router.get("/workflows/{workflow_id}/hooks", summary="List the addresses of webhooks")
async def list_hooks(services: Services, principal: Signed, workflow_id: UUID) -> Response:
    """Return each webhook's addresses; `enabled` when the published version has it."""
    found = await services.triggers.list(principal, workflow_id)
    return JsonResponse({"items": found})


@router.post("/workflows/{workflow_id}/hooks/{node_id}/listen", summary="Listen at the test address")
async def listen(services: Services, principal: Signed, workflow_id: UUID, node_id: str) -> Response:
    """Let the draft answer at the test address for a while."""
    return JsonResponse({"listens_s": await services.triggers.listen(principal, workflow_id, node_id)})


@router.post(
    "/workflows/{workflow_id}/hooks/{node_id}/secret", status_code=201, summary="Make a webhook's secret"
)
async def new_secret(services: Services, principal: Signed, workflow_id: UUID, node_id: str) -> Response:
    """Make a new secret that requests are signed with. It is shown this once."""
    return JsonResponse({"secret": await services.triggers.new_secret(principal, workflow_id, node_id)}, 201)
