"""Workflows over HTTP: create, edit with revisions, publish, versions, files."""

import httpx

from tests.support.documents import cyclic, greeting
from tests.support.installation import Installation


async def create(http: httpx.AsyncClient, name: str = "Greeter", **more: object) -> dict[str, object]:
    response = await http.post("/api/v1/workflows", json={"name": name, "document": greeting(), **more})
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/api/v1/workflows/{response.json()['id']}"
    body: dict[str, object] = response.json()
    return body


async def test_from_sign_in_to_a_finished_run(installation: Installation) -> None:
    async with installation.http() as http:
        session = await http.post(
            "/api/v1/auth/sign-in", json={"email": "First@example.org", "password": "correct horse battery"}
        )
        assert session.status_code == 200, session.text
        http.cookies.clear()
        http.headers["authorization"] = f"Bearer {session.json()['access_token']}"
        workflow = await create(http)
        published = await http.post(f"/api/v1/workflows/{workflow['id']}/publish", json={"note": "first"})
        assert published.status_code == 201, published.text
        assert published.json()["number"] == 1
        run = await http.post(f"/api/v1/workflows/{workflow['id']}/runs", json={"mode": "sync", "input": {}})
        assert run.status_code == 200, run.text
        assert run.json()["status"] == "succeeded", run.text
        found = await http.get(run.headers["location"])
        assert found.json()["status"] == "succeeded"
        assert found.json()["output"] == run.json()["output"]


async def test_a_stale_draft_is_refused_with_both_revisions(http: httpx.AsyncClient) -> None:
    workflow = await create(http)
    path = f"/api/v1/workflows/{workflow['id']}/draft"
    first = await http.put(path, json={"revision": 1, "document": greeting("Hi")})
    assert (first.status_code, first.json()["draft_revision"]) == (200, 2)
    second = await http.put(path, json={"revision": 1, "document": greeting("Ho")})
    assert second.status_code == 409
    assert second.headers["content-type"] == "application/problem+json"
    body = second.json()
    assert body["code"] == "workflow.stale_revision"
    assert (body["details"]["your_revision"], body["details"]["current_revision"]) == (1, 2)
    assert body["details"]["current_draft"]["nodes"][1]["parameters"] == {"fields": {"text": "Hi"}}
    assert (await http.get(f"/api/v1/workflows/{workflow['id']}")).json()["draft_revision"] == 2


async def test_a_draft_with_a_cycle_is_kept_and_cannot_be_published(http: httpx.AsyncClient) -> None:
    workflow = await create(http)
    path = f"/api/v1/workflows/{workflow['id']}"
    saved = await http.put(f"{path}/draft", json={"revision": 1, "document": cyclic()})
    assert saved.status_code == 200
    assert "graph.cycle" in {problem["code"] for problem in saved.json()["problems"]}
    refused = await http.post(f"{path}/publish")
    assert refused.status_code == 422
    assert "graph.cycle" in {problem["code"] for problem in refused.json()["problems"]}
    assert (await http.get(f"{path}/versions")).json() == {"items": []}


async def test_versions_are_numbered_compared_and_restored(http: httpx.AsyncClient) -> None:
    workflow = await create(http)
    path = f"/api/v1/workflows/{workflow['id']}"
    assert (await http.post(f"{path}/publish")).json()["number"] == 1
    assert (await http.post(f"{path}/publish")).json()["number"] == 1, "the same meaning is the same version"
    await http.put(f"{path}/draft", json={"revision": 1, "document": greeting("Bye")})
    assert (await http.post(f"{path}/publish", json={"revision": 1})).status_code == 409
    assert (await http.post(f"{path}/publish", json={"revision": 2})).json()["number"] == 2
    difference = (await http.get(f"{path}/diff", params={"old": 1, "new": 2})).json()
    assert difference["nodes"]["changed"] == [
        {"id": "greet", "changes": [{"path": "parameters.fields.text", "old": "Hello", "new": "Bye"}]}
    ]
    restored = await http.post(f"{path}/versions/1/restore", json={"revision": 2})
    assert restored.json()["draft"] == (await http.get(f"{path}/versions/1")).json()["document"]
    assert [item["number"] for item in (await http.get(f"{path}/versions")).json()["items"]] == [2, 1]
    assert (await http.get(f"{path}/versions/3")).status_code == 404


async def test_a_deleted_workflow_is_gone_until_it_is_undeleted(http: httpx.AsyncClient) -> None:
    workflow = await create(http)
    path = f"/api/v1/workflows/{workflow['id']}"
    await http.post(f"{path}/publish")
    assert (await http.delete(path)).status_code == 204
    assert (await http.get(path)).status_code == 404
    assert (await http.delete(path)).status_code == 404
    assert (await http.post(f"{path}/runs", json={"mode": "sync"})).status_code == 404
    assert (await http.get("/api/v1/workflows")).json()["items"] == []
    deleted = (await http.get("/api/v1/workflows", params={"deleted": True})).json()["items"]
    assert [item["id"] for item in deleted] == [workflow["id"]]
    assert (await http.post(f"{path}/undelete")).status_code == 200
    assert (await http.post(f"{path}/undelete")).status_code == 409
    assert (await http.post(f"{path}/runs", json={"mode": "sync"})).status_code == 200


async def test_lists_are_paged_and_searched(http: httpx.AsyncClient) -> None:
    names = [f"Flow {number}" for number in range(5)]
    for name in names:
        await create(http, name, tags=["odd" if int(name[-1]) % 2 else "even"], folder="sales/eu")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await http.get("/api/v1/workflows", params=query)).json()
        seen += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == names[::-1]

    async def found(**query: str) -> list[str]:
        return sorted(i["name"] for i in (await http.get("/api/v1/workflows", params=query)).json()["items"])

    assert await found(search="flow 3") == ["Flow 3"]
    assert await found(search="%") == []
    assert await found(tag="odd") == ["Flow 1", "Flow 3"]
    assert await found(folder="sales/eu") == names
    assert await found(folder="sales") == []
    assert (await http.get("/api/v1/workflows", params={"cursor": "rubbish"})).status_code == 422
    assert (await http.get("/api/v1/workflows", params={"limit": 0})).status_code == 422


async def test_export_is_taken_by_import_as_the_same_workflow(http: httpx.AsyncClient) -> None:
    workflow = await create(http, tags=["a", "b"], folder="x", description="what it does")
    file = (await http.get(f"/api/v1/workflows/{workflow['id']}/export")).json()
    assert file["structforge"] == {
        "format": 1, "name": "Greeter", "description": "what it does", "folder": "x", "tags": ["a", "b"],
    }  # fmt: skip
    imported = await http.post("/api/v1/workflows/import", json=file)
    assert imported.status_code == 201
    assert imported.json()["id"] != workflow["id"]
    assert (await http.get(f"/api/v1/workflows/{imported.json()['id']}/export")).json() == file
    copied = await http.post(f"/api/v1/workflows/{workflow['id']}/duplicate")
    assert (copied.json()["name"], copied.json()["draft"]) == ("Greeter (copy)", workflow["draft"])


async def test_labels_change_one_by_one(http: httpx.AsyncClient) -> None:
    workflow = await create(http, tags=["a"])
    changed = await http.patch(f"/api/v1/workflows/{workflow['id']}", json={"name": "New", "folder": "/f/"})
    assert (changed.json()["name"], changed.json()["folder"], changed.json()["tags"]) == ("New", "f", ["a"])
    refused = await http.patch(f"/api/v1/workflows/{workflow['id']}", json={"name": "", "tags": [""]})
    assert [problem["where"] for problem in refused.json()["problems"]] == ["name", "tags"]


async def test_every_problem_of_a_document_is_told_and_nothing_is_stored(http: httpx.AsyncClient) -> None:
    document = {"nodes": [{"id": "BAD"}, {"id": "ok", "type": "x", "nope": 1}], "edges": 3}
    checked = await http.post("/api/v1/workflows/validate", json={"document": document})
    assert checked.status_code == 200
    assert not checked.json()["valid"]
    assert len(checked.json()["problems"]) >= 4
    created = await http.post("/api/v1/workflows", json={"name": "x", "document": document})
    assert created.status_code == 422
    assert created.json()["problems"] == checked.json()["problems"]
    assert (await http.get("/api/v1/workflows")).json()["items"] == []


async def test_an_import_can_be_tried_without_storing_anything(http: httpx.AsyncClient) -> None:
    before = (await http.get("/api/v1/workflows")).json()["items"]
    path, headers = "/api/v1/workflows/import?check=true", {"content-type": "application/json"}
    good = await http.post(path, json=greeting())
    assert (good.status_code, good.json()) == (200, {"valid": True, "problems": []})
    for text in ("no JSON", "[]", '{"a": 1}', '{"nodes": [{"id": 1}]}'):
        bad = await http.post(path, content=text, headers=headers)
        assert (bad.status_code, bad.json()["valid"]) == (200, False)
        assert bad.json()["problems"]
    assert (await http.get("/api/v1/workflows")).json()["items"] == before
