"""The OpenAPI document, Swagger UI without a network, health, and node types."""

import re

import httpx

from tests.support.installation import Installation


async def test_the_document_is_openapi_3_1_and_every_reference_resolves(installation: Installation) -> None:
    async with installation.http() as http:
        document = (await http.get("/api/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    text = str(document)
    named = set(re.findall(r"#/components/schemas/([A-Za-z0-9_.-]+)", text))
    assert named <= set(document["components"]["schemas"])
    assert "post" in document["paths"]["/api/v1/workflows/{workflow_id}/runs"]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation.get("summary"), f"{method} {path}"
            assert operation.get("description") or path.endswith("/runs"), f"{method} {path}"
            if method in ("post", "put", "patch") and "security" not in operation:
                takes_none = ("/undelete", "/stop", "/pause", "/resume", "/listen", "/secret", "/test")
                assert "requestBody" in operation or path.endswith(takes_none), f"{method} {path}"


async def test_swagger_ui_needs_nothing_from_elsewhere(installation: Installation) -> None:
    async with installation.http() as http:
        page = await http.get("/api/docs")
        assert page.status_code == 200
        assert "script-src 'self'" in page.headers["content-security-policy"]
        addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert len(addresses) == 4
        for address in addresses:
            assert address.startswith("/api/docs/")
            file = await http.get(address)
            assert file.status_code == 200
            assert file.headers["x-content-type-options"] == "nosniff"
        assert "<script>" not in page.text


async def test_health(installation: Installation) -> None:
    async with installation.http() as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        ready = await http.get("/readyz")
        assert ready.status_code == 200
        assert ready.json() == {"status": "ok", "parts": {"database": "ok", "redis": "ok"}}


async def test_node_types_are_found_and_described(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/api/v1/node-types")).json()["items"]
    assert {"trigger.manual", "data.set"} <= {item["type"] for item in listed}
    found = (await http.get("/api/v1/node-types", params={"search": "SET fields"})).json()["items"]
    assert "data.set" in {item["type"] for item in found}
    for item in listed:
        detail = (await http.get(f"/api/v1/node-types/{item['type']}")).json()
        assert detail["documentation"].startswith(item["summary"])
        assert detail["parameters"]["type"] == "object"
    missing = await http.get("/api/v1/node-types/no.such")
    assert (missing.status_code, missing.json()["code"]) == (404, "node.unknown_type")


async def test_a_request_id_is_kept_when_it_is_sane(installation: Installation) -> None:
    async with installation.http() as http:
        kept = await http.get("/healthz", headers={"x-request-id": "abc-1"})
        assert kept.headers["x-request-id"] == "abc-1"
        made = await http.get("/healthz", headers={"x-request-id": "a b\x7f"})
        assert made.headers["x-request-id"] != "a b\x7f"
