"""Looking into artifacts: pages of tables, cut values, pictures, exports.

Invariant: pictures are the only thing shown in place, by what their bytes are, with a policy that runs nothing.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, BinaryIO, Literal

from fastapi import APIRouter, Query
from starlette.responses import FileResponse, Response, StreamingResponse

from structforge.api.deps import Services, Signed
from structforge.api.responses import JsonResponse
from structforge.api.routes.files import attachment_headers
from structforge.api.schemas.files import CutValuePublic, TablePagePublic
from structforge.services.artifact_views import MAX_ROWS, RowsQuery

router = APIRouter(tags=["files"])

_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_CHUNK_BYTES = 256 * 1024


@router.get(
    "/artifacts/{digest}/rows", response_model=TablePagePublic, summary="Read rows of a table artifact"
)
async def read_rows(
    services: Services,
    principal: Signed,
    digest: str,
    offset: Annotated[int, Query(ge=0, le=2**40)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 100,
    search: Annotated[str, Query(max_length=200)] = "",
    sort: Annotated[str, Query(max_length=500)] = "",
    descending: bool = False,
) -> Response:
    """Return rows of a table, or of a stored list of objects, searched and sorted before they are paged."""
    query = RowsQuery(offset, limit, search, sort, descending)
    return JsonResponse(asdict(await services.artifact_views.rows(principal, digest, query)))


@router.get("/artifacts/{digest}/value", response_model=CutValuePublic, summary="Look into an artifact")
async def read_value(services: Services, principal: Signed, digest: str) -> Response:
    """Return a stored value, table or text, cut down to what a person reads."""
    return JsonResponse(asdict(await services.artifact_views.value(principal, digest)))


@router.get("/artifacts/{digest}/picture", summary="Show a picture", response_class=FileResponse)
async def show_picture(services: Services, principal: Signed, digest: str) -> Response:
    """Send a PNG, JPEG, GIF or WebP picture to be shown in place; anything else is refused."""
    file = await services.artifact_views.picture(principal, digest)
    headers = {
        "content-disposition": "inline",
        "content-security-policy": "sandbox; default-src 'none'",
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "cache-control": "private, max-age=3600",
    }
    return FileResponse(file.path, media_type=file.media_type, headers=headers)


@router.get("/artifacts/{digest}/export", summary="Download a table", response_class=StreamingResponse)
async def export_table(
    services: Services,
    principal: Signed,
    digest: str,
    form: Literal["csv", "json"] = "csv",
    name: Annotated[str, Query(max_length=200)] = "table",
) -> Response:
    """Send a table as CSV or JSON."""
    file = await services.artifact_views.export(principal, digest, form)
    headers = attachment_headers(f"{name or 'table'}.{form}")
    headers["content-length"] = str(os.fstat(file.fileno()).st_size)
    return StreamingResponse(_chunks(file), media_type=_TYPES[form], headers=headers)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
