"""Who gets in: every route of the table, other organizations, missing permissions, no token."""

import re
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from structforge.domain.access import Role
from tests.support.documents import greeting
from tests.support.installation import SECOND, Installation

OPEN = {
    "/healthz", "/readyz", "/docs", "/openapi.json", "/api/docs", "/api/docs/{name:path}",
    "/api/v1/openapi.json", "/api/v1/auth/sign-in", "/api/v1/auth/refresh", "/api/v1/auth/sign-out",
    "/api/v1/auth/form/sign-in", "/api/v1/auth/form/sign-out", "/api/v1/auth/form/switch",
    "/api/v1/auth/form/continue",
}  # fmt: skip
"""Routes that need no session. A new route is not among them until somebody adds it here."""

CONNECTION = {"host": "db.example.org", "database": "sales", "user": "reader"}

BODIES: dict[str, Any] = {
    "PUT /api/v1/workflows/{workflow_id}/draft": {"revision": 1, "document": greeting()},
    "POST /api/v1/workflows/{workflow_id}/versions/{number}/restore": {"revision": 1},
    "PATCH /api/v1/workflows/{workflow_id}": {"name": "taken"},
    "POST /api/v1/workflows": {"name": "new"},
    "POST /api/v1/workflows/import": greeting(),
    "POST /api/v1/workflows/validate": {"document": greeting()},
    "POST /api/v1/members": {"email": "x@example.org"},
    "POST /api/v1/organizations": {"name": "Mine"},
    "POST /api/v1/auth/switch": {"organization_id": "00000000-0000-7000-8000-000000000000"},
    "PUT /api/v1/organization/limits": {"max_runs": 3},
    "POST /api/v1/connections": {"name": "other", "kind": "postgresql", "settings": CONNECTION},
    "PATCH /api/v1/connections/{connection_id}": {"description": "taken"},
    "POST /api/v1/runs/bulk": {"action": "stop"},
    "POST /api/v1/runs/{run_id}/answers": {"step_key": "a", "decision": "approved"},
}


@dataclass(frozen=True)
class Call:
    """One method of one route."""

    method: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def all_calls(installation: Installation) -> list[Call]:
    """Return the route table, with the start of a run, which is served beside it."""
    found = [Call("POST", "/api/v1/workflows/{workflow_id}/runs")]
    pending = list(installation.gateway.api.routes)
    for path, item in installation.gateway.api.openapi()["paths"].items():
        found += [Call(method.upper(), path) for method in item]
    for route in pending:
        if isinstance(route, APIRoute):
            found += [Call(method, route.path) for method in route.methods]
    return sorted(set(found), key=lambda call: call.name)


async def objects(http: httpx.AsyncClient) -> dict[str, str]:
    """Make one of everything and return the ids by the name of the path parameter."""
    workflow = (await http.post("/api/v1/workflows", json={"name": "Theirs", "document": greeting()})).json()
    path = f"/api/v1/workflows/{workflow['id']}"
    assert (await http.post(f"{path}/publish")).status_code == 201
    run = await http.post(f"{path}/runs", json={"mode": "sync"})
    assert run.status_code == 200
    assert (await http.put("/api/v1/files/theirs.txt", content=b"secret")).status_code == 201
    made = await http.post(
        "/api/v1/connections", json={"name": "theirs", "kind": "postgresql", "settings": CONNECTION}
    )
    assert made.status_code == 201, made.text
    return {
        "connection_id": made.json()["id"],
        "user_id": (await http.get("/api/v1/me")).json()["user"]["id"],
        "workflow_id": workflow["id"],
        "run_id": run.json()["run_id"],
        "number": "1",
        "path:path": "theirs.txt",
        "path": "theirs.txt",
        "digest": "0" * 64,
    }


async def send(http: httpx.AsyncClient, call: Call, ids: dict[str, str]) -> httpx.Response:
    path = re.sub(r"{([a-z_:]+)}", lambda match: ids.get(match[1], "x"), call.path)
    return await http.request(call.method, path, json=BODIES.get(call.name))


def own_routes(installation: Installation) -> list[Call]:
    return [call for call in all_calls(installation) if call.path not in OPEN]


async def test_the_table_is_the_one_we_know(installation: Installation) -> None:
    calls = own_routes(installation)
    assert len(calls) >= 30
    assert Call("POST", "/api/v1/workflows/{workflow_id}/runs") in calls


async def test_without_a_token_every_route_answers_401(installation: Installation) -> None:
    async with installation.http() as http:
        for call in own_routes(installation):
            response = await send(http, call, {"workflow_id": "0" * 8 + "-0000-7000-8000-" + "0" * 12})
            if "{run_id}" in call.path or "{number}" in call.path:
                assert response.status_code in (401, 404), call.name
            else:
                assert response.status_code == 401, f"{call.name}: {response.status_code}"
            assert response.headers["content-type"] == "application/problem+json"


async def test_objects_of_another_organization_are_not_found(installation: Installation) -> None:
    async with installation.http(await installation.token()) as http:
        ids = await objects(http)
    checked = 0
    async with installation.http(await installation.token(SECOND)) as other:
        for call in own_routes(installation):
            if "{" not in call.path or call.path.startswith("/api/v1/node-types"):
                continue
            if call.method == "PUT" and "files" in call.path:
                continue  # An upload makes a file of the caller's own organization.
            response = await send(other, call, ids)
            assert response.status_code == 404, f"{call.name}: {response.status_code} {response.text[:200]}"
            checked += 1
        for path in ("/api/v1/workflows", "/api/v1/runs", "/api/v1/files"):
            assert (await other.get(path)).json()["items"] == [], path
        members = (await other.get("/api/v1/members")).json()["items"]
        assert [member["email"] for member in members] == [SECOND]
    assert checked >= 20


VIEWER_MAY = {
    "GET /api/v1/me", "POST /api/v1/me/password", "POST /api/v1/workflows/validate",
    "POST /api/v1/auth/switch", "POST /api/v1/files/preview",
}  # fmt: skip
"""What changes nothing of the organization; other GETs are allowed to viewers too."""
ANSWER = "POST /api/v1/runs/{run_id}/answers"


async def test_a_viewer_changes_nothing(installation: Installation) -> None:
    async with installation.http(await installation.token()) as http:
        ids = await objects(http)
    _, token = await installation.member(Role.VIEWER)
    async with installation.http(token) as viewer:
        for call in own_routes(installation):
            response = await send(viewer, call, ids)
            if call.name == ANSWER:
                # Whom a question names may answer it, whatever else they may do: here nothing asks anybody.
                assert response.json()["code"] == "answer.not_waiting"
            elif call.method == "GET" or call.name in VIEWER_MAY:
                assert response.status_code in (200, 204, 404, 422), f"{call.name}: {response.text[:200]}"
            else:
                assert response.status_code == 403, f"{call.name}: {response.status_code}"
                assert response.json()["code"] == "access.forbidden"


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense", "Bearer a.b.c", "Token x", "Bearer \u00e9"],
)
async def test_wrong_credentials_are_refused(installation: Installation, authorization: str) -> None:
    async with installation.http() as http:
        for method, path in (
            ("GET", "/api/v1/me"), ("POST", "/api/v1/workflows/00000000-0000-7000-8000-000000000000/runs"),
        ):  # fmt: skip
            headers = {"authorization": authorization.encode("latin-1")}
            response = await http.request(method, path, headers=headers)
            assert response.status_code == 401
            assert response.json()["code"] in ("auth.missing", "auth.token_invalid")
            assert response.headers["www-authenticate"].startswith("Bearer")


async def test_unknown_paths_and_methods_get_json(installation: Installation) -> None:
    async with installation.http() as http:
        for method, path, status in (
            ("GET", "/api/v2/x", 404), ("GET", "/api/v1/nothing", 404), ("GET", "/api/", 404),
            ("POST", "/api/v1/me", 405), ("GET", "/api/docs/../app.py", 404), ("GET", "/api/docs/x.js", 404),
            ("GET", "/api/docs/README.md", 404),
        ):  # fmt: skip
            response = await http.request(method, path)
            assert response.status_code == status, path
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["request_id"] == response.headers["x-request-id"]
