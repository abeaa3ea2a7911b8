"""Whether this process lives and is ready, the API's description, and Swagger UI from our own files.

Invariant: nothing here needs a network or a session, and `/healthz` needs no other part of the system.
"""

import asyncio
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from structforge.api.deps import Services
from structforge.api.responses import JsonResponse
from structforge.api.services import Probe
from structforge.domain.errors import NotFoundError, Problem, StructForgeError

health = APIRouter(tags=["system"])
documents = APIRouter(include_in_schema=False)

PROBE_LIMIT_S = 3.0
STATIC = Path(__file__).resolve().parents[1] / "static"

_PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>StructForge API</title>
<link rel="stylesheet" href="/api/docs/swagger/swagger-ui.css">
<link rel="icon" href="/api/docs/swagger/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/api/docs/swagger/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {
    "swagger/swagger-ui.css": "text/css",
    "swagger/swagger-ui-bundle.js": "text/javascript",
    "swagger/favicon-32x32.png": "image/png",
    "start.js": "text/javascript",
}


@health.get("/healthz", summary="Is this process alive")
async def healthz() -> Response:
    """Answer 200 as long as the process answers at all."""
    return JsonResponse({"status": "ok"})


@health.get("/readyz", summary="Can this process do its work")
async def readyz(services: Services) -> Response:
    """Answer 200 when the database answers, else 503. Without Redis runs are slower, so it is only told."""
    names = list(services.probes)
    states = dict(
        zip(names, await asyncio.gather(*(_ask(services.probes[name]) for name in names)), strict=True)
    )
    ready = states.get("database") == "ok"
    status = "ok" if all(state == "ok" for state in states.values()) else "degraded"
    return JsonResponse({"status": status if ready else "down", "parts": states}, 200 if ready else 503)


@documents.get("/api/docs")
@documents.get("/docs")
async def swagger_ui() -> Response:
    """Serve the page."""
    headers = {"content-security-policy": _PAGE_POLICY, "x-content-type-options": "nosniff"}
    return Response(_PAGE, media_type="text/html", headers=headers)


@documents.get("/api/docs/{name:path}")
async def swagger_file(name: str) -> Response:
    """Serve one of the page's files."""
    media_type = _FILES.get(name)
    if media_type is None:
        raise NotFoundError(Problem("route.not_found", "There is nothing at this address."))
    headers = {"cache-control": "public, max-age=86400", "x-content-type-options": "nosniff"}
    return FileResponse(STATIC / name, media_type=media_type, headers=headers)


@documents.get("/api/v1/openapi.json")
@documents.get("/openapi.json")
async def openapi_document(request: Request) -> Response:
    """Serve the description of the API."""
    document: dict[str, Any] = request.app.openapi()
    return JsonResponse(document)


async def _ask(probe: Probe) -> str:
    try:
        async with asyncio.timeout(PROBE_LIMIT_S):
            await probe()
    except TimeoutError:
        return "no answer"
    except (StructForgeError, OSError) as error:
        return str(error)
    return "ok"
