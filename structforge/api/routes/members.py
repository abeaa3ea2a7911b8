"""Who works in the organization."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from structforge.api.bodies import documented, json_body
from structforge.api.deps import Services, Signed
from structforge.api.responses import JsonResponse
from structforge.api.schemas.identity import MemberAdded, MemberCreate

router = APIRouter(tags=["organization"])


@router.get("/members", summary="List members")
async def list_members(services: Services, principal: Signed) -> Response:
    """List the members of the organization with their roles."""
    return JsonResponse({"items": await services.members.list(principal)})


@router.post(
    "/members",
    status_code=201,
    response_model=MemberAdded,
    openapi_extra=documented(MemberCreate),
    summary="Add a member",
)
async def add_member(
    services: Services, principal: Signed, body: Annotated[MemberCreate, json_body(MemberCreate)]
) -> Response:
    """Add a person. A new account without a password gets one, shown in this answer only."""
    user_id, password = await services.members.add(
        principal, body.email, name=body.name, role=body.role, password=body.password
    )
    return JsonResponse({"id": user_id, "password": password}, 201)


@router.delete("/members/{user_id}", status_code=204, summary="Remove a member")
async def remove_member(services: Services, principal: Signed, user_id: UUID) -> Response:
    """Take a person out of the organization; their sessions in it end. The account stays. 409 for oneself."""
    await services.members.remove(principal, user_id)
    return Response(status_code=204)
