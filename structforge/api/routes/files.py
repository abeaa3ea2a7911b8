"""Downloads of artifacts, and the organization's uploaded files.

Invariant: what users made is sent as an attachment with `nosniff`, so a browser never runs it on our origin.
"""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from structforge.api.bodies import body_chunks, documented, json_body
from structforge.api.deps import Services, Signed
from structforge.api.responses import JsonResponse
from structforge.api.schemas.files import FileList, FilePreviewBody, FilePreviewPublic, FilePublic
from structforge.services.files import StoredFile

router = APIRouter(tags=["files"])

_BINARY = {"requestBody": {"required": True, "content": {"application/octet-stream": {}}}}


@router.get("/artifacts/{digest}", summary="Download an artifact", response_class=FileResponse)
async def download_artifact(
    services: Services,
    principal: Signed,
    digest: str,
    name: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Send an artifact by its SHA-256; `Range` is honoured, `name` is what the file is saved as."""
    return attachment(await services.files.artifact(principal, digest), name)


@router.get("/files", response_model=FileList, summary="List files")
async def list_files(services: Services, principal: Signed) -> Response:
    """List the organization's uploaded files."""
    found = await services.files.list(principal)
    return JsonResponse(FileList(items=[FilePublic.of(entry) for entry in found]).model_dump())


@router.post(
    "/files/preview",
    response_model=FilePreviewPublic,
    openapi_extra=documented(FilePreviewBody),
    summary="Look into a file",
)
async def preview_file(
    services: Services, principal: Signed, body: Annotated[FilePreviewBody, json_body(FilePreviewBody)]
) -> Response:
    """Return what the node `file.read` would recognise in a file, and its first rows.

    It changes nothing, so everybody who may download files may do it.
    """
    preview = await services.file_previews.preview(principal, body.file, body.parameters)
    return JsonResponse(FilePreviewPublic.of(preview).model_dump())


@router.put(
    "/files/{path:path}",
    status_code=201,
    response_model=FilePublic,
    openapi_extra=_BINARY,
    summary="Upload a file",
)
async def upload_file(request: Request, services: Services, principal: Signed, path: str) -> Response:
    """Store the body as a file, in place of one of the same path. It is bounded and stored as it arrives."""
    chunks = body_chunks(request, services.file_max_bytes)
    entry = await services.files.upload(principal, path, chunks)
    return JsonResponse(FilePublic.of(entry).model_dump(), 201)


@router.get("/files/{path:path}", summary="Download a file", response_class=FileResponse)
async def download_file(services: Services, principal: Signed, path: str) -> Response:
    """Send an uploaded file; `Range` is honoured."""
    return attachment(await services.files.get(principal, path), "")


@router.delete("/files/{path:path}", status_code=204, summary="Delete a file")
async def delete_file(services: Services, principal: Signed, path: str) -> Response:
    """Remove an uploaded file."""
    await services.files.delete(principal, path)
    return Response(status_code=204)


def attachment(file: StoredFile, name: str) -> FileResponse:
    """Send a file to be saved, under `name` when one is given."""
    return FileResponse(file.path, media_type=file.media_type, headers=attachment_headers(name or file.name))


def attachment_headers(name: str) -> dict[str, str]:
    """Return the headers of an answer that is saved under that name and is never run."""
    plain = "".join(character for character in name if character.isprintable())
    return {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(plain.replace('/', '_'), safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-cache",
    }
