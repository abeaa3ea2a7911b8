"""Connections: configured ways to reach something outside. No answer ever holds a secret."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from structforge.api.bodies import documented, json_body
from structforge.api.deps import Services, Signed
from structforge.api.responses import JsonResponse
from structforge.api.schemas.connections import (
    ConnectionCreate,
    ConnectionList,
    ConnectionPublic,
    ConnectionTestPublic,
    ConnectionUpdate,
)

router = APIRouter(tags=["connections"])


@router.get("/connections", response_model=ConnectionList, summary="List connections")
async def list_connections(services: Services, principal: Signed) -> Response:
    """List the organization's connections by name."""
    found = await services.connections.list(principal)
    return JsonResponse({"items": [asdict(view) for view in found]})


@router.post(
    "/connections",
    status_code=201,
    response_model=ConnectionPublic,
    openapi_extra=documented(ConnectionCreate),
    summary="Make a connection",
)
async def create_connection(
    services: Services, principal: Signed, body: Annotated[ConnectionCreate, json_body(ConnectionCreate)]
) -> Response:
    """Make a connection. Nothing is tried yet; the secret is sealed and never returned."""
    view = await services.connections.create(
        principal, body.name, body.kind, body.settings, secret=body.secret, description=body.description
    )
    return JsonResponse(asdict(view), 201, {"location": f"/api/v1/connections/{view.id}"})


@router.get("/connections/{connection_id}", response_model=ConnectionPublic, summary="Read a connection")
async def read_connection(services: Services, principal: Signed, connection_id: UUID) -> Response:
    """Return a connection without its secret."""
    return JsonResponse(asdict(await services.connections.get(principal, connection_id)))


@router.patch(
    "/connections/{connection_id}",
    response_model=ConnectionPublic,
    openapi_extra=documented(ConnectionUpdate),
    summary="Change a connection",
)
async def update_connection(
    services: Services,
    principal: Signed,
    connection_id: UUID,
    body: Annotated[ConnectionUpdate, json_body(ConnectionUpdate)],
) -> Response:
    """Change what the body has; `settings` are replaced whole. Another address or user needs the secret anew."""
    view = await services.connections.update(
        principal, connection_id, settings=body.settings, secret=body.secret, description=body.description
    )
    return JsonResponse(asdict(view))


@router.delete("/connections/{connection_id}", status_code=204, summary="Delete a connection")
async def delete_connection(
    services: Services, principal: Signed, connection_id: UUID, force: bool = False
) -> Response:
    """Delete a connection and its secret. 409 while published workflows use it, unless `force` is true."""
    await services.connections.delete(principal, connection_id, force=force)
    return Response(status_code=204)


@router.post(
    "/connections/{connection_id}/test", response_model=ConnectionTestPublic, summary="Try a connection"
)
async def test_connection(services: Services, principal: Signed, connection_id: UUID) -> Response:
    """Connect as a node would. The answer is 200 either way; `problem` says what is wrong."""
    result = await services.connections.test(principal, connection_id)
    problem = None if result.problem is None else result.problem.as_json()
    return JsonResponse({"ok": result.ok, "server": result.server, "problem": problem})
