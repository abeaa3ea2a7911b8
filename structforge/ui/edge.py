"""The outermost ASGI layer: sends requests to the API or the web app, and sets what browsers must respect.

Invariant: a page runs no script the bundle did not ship (CSP by hash), no other site frames it, and no other
site's page opens the app's websocket (the API checks its own). Used by `ui/server.py`; knows nothing of the pages.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API_PREFIXES = ("/api/", "/hooks/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs")
WEBSOCKET_PATH = "/_event"
ENV_SCRIPT = re.compile(r"/assets/reflex-env-[\w-]+\.js")
INLINE_SCRIPT = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)

# One bundle for every host, port and TLS: the addresses follow the page.
ENV_MODULE = """const h=location.origin,w=h.replace(/^http/,"ws");
var e={PING:h+"/ping",EVENT:w+"/_event",UPLOAD:h+"/_upload",AUTH_CODESPACE:h+"/auth-codespace",\
HEALTH:h+"/_health",ALL_ROUTES:h+"/_all_routes",TRANSPORT:"websocket",TEST_MODE:!1};export{e as t};
"""


def script_hashes(client: Path) -> list[str]:
    """Return the CSP sources of all inline scripts in the bundle's pages, e.g. `'sha256-…='`, sorted."""
    hashes = set()
    for page in client.rglob("*.html"):
        for script in INLINE_SCRIPT.findall(page.read_text(encoding="utf-8")):
            digest = hashlib.sha256(script.encode()).digest()
            hashes.add(f"'sha256-{base64.b64encode(digest).decode()}'")
    return sorted(hashes)


def content_security_policy(script_sources: Iterable[str]) -> str:
    """Return the policy of the app's pages."""
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {' '.join(script_sources)}",
            # React Flow and emotion set style attributes; a style cannot run code.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class Edge:
    """The ASGI application a web process serves."""

    def __init__(
        self, web: ASGIApp, api: ASGIApp, client: Path, origins: Iterable[str], inner_origin: str
    ) -> None:
        """`client` holds the bundle's files; `origins` are allowed beside the request's own host;
        `inner_origin` is the one origin Reflex is configured with.
        """
        self._web = web
        self._api = api
        self._origins = frozenset(origins)
        self._inner_origin = inner_origin.encode()
        # A page's address has no slash at its end; its file lies in a folder of that name.
        self._pages = frozenset(
            f"/{page.parent.relative_to(client)}" for page in client.rglob("*/index.html")
        )
        self._policy = content_security_policy(script_hashes(client))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            # API requests skip the web app's layers: they are the hot path.
            if path.startswith(API_PREFIXES):
                await self._api(scope, receive, send)
            elif ENV_SCRIPT.fullmatch(path):
                await Response(ENV_MODULE, media_type="text/javascript", headers=_ENV_HEADERS)(
                    scope, receive, send
                )
            else:
                if path in self._pages:
                    scope = {**scope, "path": f"{path}/", "raw_path": f"{path}/".encode()}
                await self._web(scope, receive, self._with_headers(path, send))
        elif scope["type"] == "websocket" and scope["path"].startswith(WEBSOCKET_PATH):
            await self._websocket(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"].startswith(API_PREFIXES):
            await self._api(scope, receive, send)
        else:
            await self._web(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if (
            origin is not None
            and origin not in self._origins
            and urlsplit(origin).netloc != headers.get("host")
        ):
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "origin not allowed"})
            return
        if origin is not None:
            # Judged here once; Reflex and socket.io behind it know a single origin.
            inner = [(k, self._inner_origin if k == b"origin" else v) for k, v in scope["headers"]]
            scope = {**scope, "headers": inner}
        await self._web(scope, receive, send)

    def _with_headers(self, path: str, send: Send) -> Send:
        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                if path.startswith("/assets/"):
                    if message["status"] in (200, 304):
                        headers["Cache-Control"] = "public, max-age=31536000, immutable"
                elif headers.get("content-type", "").startswith("text/html") or message["status"] == 304:
                    headers["Cache-Control"] = "no-cache"
                    headers.setdefault("Content-Security-Policy", self._policy)
                    headers["X-Frame-Options"] = "DENY"
                    headers["Cross-Origin-Opener-Policy"] = "same-origin"
                    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
            await send(message)

        return sender


_ENV_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
