"""Node types with their documentation."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from structforge.api.deps import Services, Signed
from structforge.api.responses import JsonResponse

router = APIRouter(tags=["node types"])


@router.get("/node-types", summary="List node types")
async def list_node_types(
    services: Services,
    principal: Signed,
    search: Annotated[str, Query(max_length=200)] = "",
    category: Annotated[str, Query(max_length=50)] = "",
) -> Response:
    """List the installed node types; every word of `search` must occur in one of a type's texts."""
    return JsonResponse({"items": services.nodes.list(principal, search=search, category=category)})


@router.get("/node-types/{type_id}", summary="Get a node type")
async def get_node_type(services: Services, principal: Signed, type_id: str) -> Response:
    """Return ports, parameters (JSON Schema), documentation (Markdown) and examples."""
    return JsonResponse(services.nodes.describe(principal, type_id))
