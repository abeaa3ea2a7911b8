"""Connections by the API: a secret goes in and never comes out, and is not taken along to another address."""

from typing import Any

import httpx
import pytest

from structforge.domain.access import Permission, Role
from structforge.domain.edits import SetParameter, SetTitle
from structforge.domain.errors import ForbiddenError
from structforge.domain.validation import parse_document
from structforge.interchange.own import Labels
from structforge.runtime.events import connect_async
from structforge.services.drafts import DraftService
from tests.support.installation import Installation

SECRET = "hunter2-hunter2"
READ: dict[str, Any] = {
    "id": "read",
    "type": "database.query",
    "parameters": {"connection": "warehouse", "statement": "SELECT 1"},
}
READS: dict[str, Any] = {
    "nodes": [{"id": "start", "type": "trigger.manual"}, READ],
    "edges": [{"source": "start", "target": "read"}],
}
SETTINGS = {"host": "db.example.org", "database": "sales", "user": "reader"}


async def made(http: httpx.AsyncClient, name: str = "warehouse") -> dict[str, object]:
    body = {"name": name, "kind": "postgresql", "settings": SETTINGS, "secret": SECRET}
    answer = await http.post("/api/v1/connections", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_a_secret_is_sealed_and_never_answered(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    connection = await made(http)
    assert connection["settings"] == {**SETTINGS, "port": 5432, "tls": "require", "max_connections": 5}
    path = f"/api/v1/connections/{connection['id']}"
    answers = [
        await http.get(path),
        await http.get("/api/v1/connections"),
        await http.patch(path, json={"description": "sales figures"}),
        await http.get("/api/v1/audit"),
    ]
    assert (connection["has_secret"], answers[2].json()["description"]) == (True, "sales figures")
    assert SECRET not in "".join(answer.text for answer in answers) + str(connection)
    async with installation.engine.pool.connection() as database:
        cursor = await database.execute("SELECT to_json(c)::text FROM connections c")
        (row,) = await cursor.fetchall()
    assert SECRET not in row[0]
    assert '"secret":"v1:' in row[0]


async def test_another_address_needs_the_secret_anew(http: httpx.AsyncClient) -> None:
    connection = await made(http)
    path = f"/api/v1/connections/{connection['id']}"
    for change in ({"host": "evil.example.org"}, {"user": "other"}, {"tls": "off"}, {"port": 5433}):
        refused = await http.patch(path, json={"settings": {**SETTINGS, **change}})
        assert (refused.status_code, refused.json()["code"]) == (422, "connection.secret_needed"), change
    same = await http.patch(path, json={"settings": {**SETTINGS, "database": "archive"}})
    assert (same.status_code, same.json()["has_secret"]) == (200, True)
    moved = await http.patch(path, json={"settings": {**SETTINGS, "host": "new.example.org"}, "secret": "x"})
    assert (moved.status_code, moved.json()["settings"]["host"]) == (200, "new.example.org")
    removed = await http.patch(path, json={"secret": ""})
    assert removed.json()["has_secret"] is False


async def test_what_is_wrong_is_told_by_field(http: httpx.AsyncClient) -> None:
    await made(http)
    for body, where, code in (
        ({"name": "Ware house"}, "name", "connection.name"),
        ({"kind": "mysql"}, "kind", "connection.kind"),
        ({"settings": {**SETTINGS, "host": "/var/run"}}, "settings.host", "connection.setting"),
        ({"settings": {**SETTINGS, "options": "-c x=y"}}, "settings.options", "connection.setting"),
        ({"settings": {}}, "settings.host", "connection.setting"),
    ):
        whole = {"name": "other", "kind": "postgresql", "settings": SETTINGS, **body}
        refused = await http.post("/api/v1/connections", json=whole)
        assert (refused.status_code, refused.json()["code"], refused.json()["where"]) == (422, code, where), (
            body
        )
    again = await http.post(
        "/api/v1/connections", json={"name": "warehouse", "kind": "postgresql", "settings": SETTINGS}
    )
    assert (again.status_code, again.json()["code"]) == (409, "connection.name_taken")
    assert len((await http.get("/api/v1/connections")).json()["items"]) == 1


async def test_trying_one_says_what_is_wrong_and_keeps_it(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    private = {**SETTINGS, "host": "10.0.0.7"}
    connection = (
        await http.post(
            "/api/v1/connections",
            json={"name": "inside", "kind": "postgresql", "settings": private, "secret": SECRET},
        )
    ).json()
    path = f"/api/v1/connections/{connection['id']}"
    tried = (await http.post(f"{path}/test")).json()
    assert (tried["ok"], tried["problem"]["code"]) == (False, "outbound.blocked")
    kept = (await http.get(path)).json()
    assert kept["tested_at"] is not None
    assert kept["test_problem"] == tried["problem"]["message"]
    await http.patch(path, json={"description": "x"})
    assert (await http.get(path)).json()["tested_at"] is None
    _, token = await installation.member(Role.EDITOR)
    async with installation.http(token) as editor:
        assert (await editor.get(path)).status_code == 200
        assert (await editor.post(f"{path}/test")).status_code == 403


async def test_one_that_published_workflows_use_is_deleted_only_by_force(http: httpx.AsyncClient) -> None:
    connection = await made(http)
    path = f"/api/v1/connections/{connection['id']}"
    workflow = (await http.post("/api/v1/workflows", json={"name": "Sales", "document": READS})).json()
    assert (await http.post(f"/api/v1/workflows/{workflow['id']}/publish")).status_code == 201
    kept = await http.delete(path)
    assert (kept.status_code, kept.json()["details"]["workflows"]) == (409, ["Sales"])
    assert (await http.delete(f"{path}?force=true")).status_code == 204
    assert (await http.get(path)).status_code == 404


async def test_a_workflow_that_names_no_known_connection_is_kept_and_not_published(
    http: httpx.AsyncClient,
) -> None:
    workflow = (await http.post("/api/v1/workflows", json={"name": "Sales", "document": READS})).json()
    (problem,) = workflow["problems"]
    assert (problem["code"], problem["where"]) == ("connection.not_found", "nodes.read.parameters.connection")
    assert problem["hint"]
    checked = (await http.post("/api/v1/workflows/validate", json={"document": READS})).json()
    assert checked == {"valid": False, "problems": [problem]}
    refused = await http.post(f"/api/v1/workflows/{workflow['id']}/publish")
    assert (refused.status_code, refused.json()["code"]) == (422, "connection.not_found")
    await made(http)
    assert (await http.post(f"/api/v1/workflows/{workflow['id']}/publish")).status_code == 201


async def test_only_who_may_use_connections_writes_and_publishes_nodes_that_do(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    await made(http)
    workflows, owner = installation.services.workflows, installation.first
    without = owner.narrowed(owner.permissions - {Permission.CONNECTION_USE})
    labels, document = Labels("Sales"), parse_document(READS)
    with pytest.raises(ForbiddenError):
        await workflows.create(without, labels, document)
    workflow = (await workflows.create(owner, labels, document)).summary.id
    with pytest.raises(ForbiddenError):
        await workflows.publish(without, workflow)
    redis = connect_async(installation.settings.redis_server_url)
    drafts = DraftService(installation.engine.database, redis, {})
    dropped = SetParameter(id="read", name="statement", value="DROP TABLE sales")
    with pytest.raises(ForbiddenError):
        await drafts.edit(without, workflow, [dropped])
    changed = parse_document({**READS, "nodes": [READS["nodes"][0], {**READ, "type": "database.execute"}]})
    with pytest.raises(ForbiddenError):
        await workflows.update_draft(without, workflow, changed, revision=1)
    # What leaves those nodes as they are is anybody's who may edit.
    assert (await drafts.edit(without, workflow, [SetTitle(id="read", title="Sales")])).revision == 2
    assert (await drafts.edit(owner, workflow, [dropped])).revision == 3
    await redis.aclose()
