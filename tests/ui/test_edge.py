"""The outermost layer, without a server around it."""

from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from structforge.ui.edge import Edge, script_hashes

INNER = "http://inner"


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    (tmp_path / "index.html").write_text("<script>one()</script><script src='/a.js'></script>")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "index.html").write_text('<script type="module" async="">two()</script>')

    async def page(request: Any) -> HTMLResponse:
        return HTMLResponse(request.url.path)

    async def echo_origin(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(websocket.headers.get("origin"))
        await websocket.close()

    async def answer(request: Any) -> JSONResponse:
        return JSONResponse({"api": request.url.path})

    web = Starlette(routes=[WebSocketRoute("/_event", echo_origin), Route("/{path:path}", page)])
    api = Starlette(routes=[Route("/{path:path}", answer)])
    return Edge(web, api, tmp_path, origins={"https://public.example"}, inner_origin=INNER)


@pytest.mark.parametrize("path", ["/api/v1/me", "/healthz", "/readyz"])
def test_api_paths_go_to_the_api(edge: Edge, path: str) -> None:
    assert TestClient(edge).get(path).json() == {"api": path}


def test_a_page_is_found_without_a_redirect_and_is_never_cached(edge: Edge) -> None:
    answer = TestClient(edge).get("/runs")
    assert (answer.status_code, answer.text) == (200, "/runs/")
    assert answer.headers["cache-control"] == "no-cache"


def test_only_the_bundles_own_inline_scripts_may_run(edge: Edge, tmp_path: Path) -> None:
    assert len(script_hashes(tmp_path)) == 2
    policy = TestClient(edge).get("/").headers["content-security-policy"]
    for source in script_hashes(tmp_path):
        assert source in policy


def test_addresses_in_the_bundle_follow_the_page(edge: Edge) -> None:
    answer = TestClient(edge).get("/assets/reflex-env-Ab_1.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "location.origin" in answer.text


@pytest.mark.parametrize(
    ("origin", "seen"),
    [
        (None, None),
        ("http://testserver", INNER),
        ("https://testserver", INNER),
        ("https://public.example", INNER),
    ],
)
def test_the_websocket_opens_for_own_pages(edge: Edge, origin: str | None, seen: str | None) -> None:
    headers = {"origin": origin} if origin else {}
    with TestClient(edge).websocket_connect("/_event", headers=headers) as websocket:
        assert websocket.receive_json() == seen


@pytest.mark.parametrize("origin", ["https://evil.example", "http://testserver.evil.example", "null", INNER])
def test_the_websocket_stays_shut_for_other_sites(edge: Edge, origin: str) -> None:
    with pytest.raises(WebSocketDisconnect):
        with TestClient(edge).websocket_connect("/_event", headers={"origin": origin}):
            pass
