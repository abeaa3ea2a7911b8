"""Hostile and broken bodies end in a definite problem, on every route that takes JSON, and store nothing."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.documents import greeting
from tests.support.installation import Installation

HOSTILE: list[tuple[str, bytes, int, str]] = [
    ("NaN", b'{"input": NaN}', 422, "value.not_finite"),
    ("infinity", b'{"input": [-Infinity]}', 422, "value.not_finite"),
    ("overflow", b'{"input": 1e4300}', 422, "value.too_many_digits"),
    ("NUL", b'{"input": "a\\u0000b"}', 422, "value.nul"),
    ("NUL in a key", b'{"input": {"a\\u0000": 1}}', 422, "value.nul"),
    ("lone surrogate", b'{"input": "\\ud800"}', 422, "value.lone_surrogate"),
    ("5,000 digits", b'{"input": ' + b"9" * 5_000 + b"}", 422, "value.too_many_digits"),
    ("depth 100,000", b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 422, "value.too_deep"),
    ("open brackets", b"[" * 100_000, 422, "value.too_deep"),
    ("not UTF-8", b'{"input": "\xff\xfe"}', 422, "value.not_utf8"),
    ("cut off", b'{"input": ', 422, "value.syntax"),
    ("comment", b'{"input": 1} // x', 422, "value.syntax"),
    ("a list", b"[1]", 422, "body.invalid"),
    ("null", b"null", 422, "body.invalid"),
]

ROUTES = [
    ("POST", "/api/v1/auth/sign-in"),
    ("POST", "/api/v1/workflows"),
    ("POST", "/api/v1/workflows/validate"),
    ("PUT", "/api/v1/workflows/{id}/draft"),
    ("PATCH", "/api/v1/workflows/{id}"),
    ("POST", "/api/v1/workflows/{id}/runs"),
]


@pytest.fixture
async def workflow(http: httpx.AsyncClient) -> str:
    body = {"name": "Greeter", "document": greeting()}
    made = (await http.post("/api/v1/workflows", json=body)).json()
    assert (await http.post(f"/api/v1/workflows/{made['id']}/publish")).status_code == 201
    return str(made["id"])


async def test_hostile_json_is_refused_everywhere(http: httpx.AsyncClient, workflow: str) -> None:
    before = (await http.get(f"/api/v1/workflows/{workflow}")).json()
    for method, path in ROUTES:
        for name, body, status, code in HOSTILE:
            response = await http.request(
                method,
                path.format(id=workflow),
                content=body,
                headers={"content-type": "application/json"},
            )
            where = f"{method} {path} with {name}: {response.status_code} {response.text[:200]}"
            assert response.status_code == status, where
            assert response.headers["content-type"] == "application/problem+json", where
            if code != "body.invalid":
                assert response.json()["code"] == code, where
                assert response.json()["where"], where
            assert response.json()["detail"], where
    assert (await http.get(f"/api/v1/workflows/{workflow}")).json() == before
    assert (await http.get("/api/v1/runs")).json()["items"] == []
    assert len((await http.get("/api/v1/workflows")).json()["items"]) == 1


async def test_a_body_over_the_limit_is_refused_before_it_is_read(
    installation: Installation, http: httpx.AsyncClient, workflow: str
) -> None:
    limit = installation.services.body_max_bytes
    for method, path in ROUTES:
        response = await http.request(
            method, path.format(id=workflow), content=b"{}", headers={"content-length": str(limit + 1)}
        )
        assert (response.status_code, response.json()["code"]) == (413, "body.too_large"), path


async def test_a_body_of_unknown_length_is_cut_at_the_limit(
    installation: Installation, http: httpx.AsyncClient, workflow: str
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"input": "'
        while sent < 10 * installation.services.body_max_bytes:
            sent += 1 << 20
            yield b"x" * (1 << 20)

    for path in (f"/api/v1/workflows/{workflow}/runs", "/api/v1/workflows"):
        sent = 0
        response = await http.post(path, content=endless(), headers={"content-type": "application/json"})
        assert response.status_code == 413


async def test_other_media_types_are_refused(http: httpx.AsyncClient) -> None:
    response = await http.post("/api/v1/workflows", data={"name": "x"})
    assert (response.status_code, response.json()["code"]) == (415, "body.media_type")


async def test_every_wrong_field_is_told(http: httpx.AsyncClient, workflow: str) -> None:
    body = {
        "inputs": {}, "mode": "fast", "time_limit_s": -1, "version": 0, "draft": "yes", "trigger": 3, "priority": 9,
    }  # fmt: skip
    response = await http.post(f"/api/v1/workflows/{workflow}/runs", json=body)
    assert response.status_code == 422
    assert sorted(problem["where"] for problem in response.json()["problems"]) == sorted(body)
    for value in (True, "5", [], {}):
        refused = await http.post(f"/api/v1/workflows/{workflow}/runs", json={"time_limit_s": value})
        assert refused.status_code == 422, value
    nested = await http.post("/api/v1/workflows", json={"name": 1, "tags": [1], "document": [], "more": 1})
    places = {problem["where"] for problem in nested.json()["problems"]}
    assert places == {"name", "tags[0]", "document", "more"}


async def test_large_but_fine_numbers_keep_every_digit(http: httpx.AsyncClient, workflow: str) -> None:
    digits = "123456789" * 300
    body = f'{{"mode": "sync", "input": {{"n": {digits}}}}}'.encode()
    response = await http.post(f"/api/v1/workflows/{workflow}/runs", content=body)
    assert response.status_code == 200, response.text[:300]
    found = await http.get(response.headers["location"])
    assert json.loads(found.content)["input"]["n"] == int(digits)


async def test_numbers_keep_every_digit_on_every_way(http: httpx.AsyncClient) -> None:
    fields = {"money": "{{ start.money }}", "sum": "{{ start.money + 0.01 }}", "big": "{{ start.big * 10 }}"}
    document = {
        "nodes": [
            {"id": "start", "type": "trigger.manual"},
            {"id": "set", "type": "data.set", "parameters": {"fields": fields}},
        ],
        "edges": [{"source": "start", "target": "set"}],
    }
    made = (await http.post("/api/v1/workflows", json={"name": "Digits", "document": document})).json()
    await http.post(f"/api/v1/workflows/{made['id']}/publish")
    body = b'{"mode": "sync", "input": {"money": 12345678901234567890.10, "big": 12345678901234567890}}'
    response = await http.post(f"/api/v1/workflows/{made['id']}/runs", content=body)
    wanted = {"money": 12345678901234567890.10, "sum": 12345678901234567890.11, "big": 123456789012345678900}
    texts = ('"money":12345678901234567890.1', '"sum":12345678901234567890.11', '"big":123456789012345678900')
    assert response.status_code == 200, response.text[:500]
    run = response.headers["location"]
    steps = await http.get(f"{run}/steps")
    whole = await http.get(run)
    for answer in (response, whole):
        assert [text for text in texts if text not in answer.text] == [], answer.text
        assert set(wanted) <= set(answer.json()["output"])
    assert '"big":12345678901234567890' in whole.text
    assert steps.status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
async def test_a_malformed_idempotency_key_is_refused(
    http: httpx.AsyncClient, workflow: str, key: str
) -> None:
    response = await http.post(
        f"/api/v1/workflows/{workflow}/runs", json={}, headers={"idempotency-key": key}
    )
    assert (response.status_code, response.json()["code"]) == (422, "idempotency.key_invalid")


async def test_an_idempotency_key_gives_one_run_and_refuses_another_body(
    http: httpx.AsyncClient, workflow: str
) -> None:
    path = f"/api/v1/workflows/{workflow}/runs"
    headers = {"idempotency-key": "order-17"}
    first = await http.post(path, json={"mode": "sync", "input": {"n": 1}}, headers=headers)
    again = await http.post(path, json={"mode": "sync", "input": {"n": 1}}, headers=headers)
    assert first.status_code == again.status_code == 200
    assert again.json() == first.json() | {"replayed": True}
    other = await http.post(path, json={"mode": "sync", "input": {"n": 2}}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.body_differs")
    assert len((await http.get("/api/v1/runs")).json()["items"]) == 1
