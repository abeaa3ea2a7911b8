"""Webhooks over HTTP: addresses, signatures, methods, sizes, responses, the test address, two organizations."""

import gzip
import json
import time
from typing import Any

import httpx
import pytest

from structforge.services.triggers import sign
from tests.support.eventually import eventually
from tests.support.installation import SECOND, Installation


def document(*, respond: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    last: dict[str, Any] = {
        "id": "out",
        "type": "data.set",
        "parameters": {"fields": {"got": "{{ hook.body }}"}},
    }
    if respond is not None:
        last = {"id": "out", "type": "flow.respond", "parameters": respond}
    return {
        "nodes": [{"id": "hook", "type": "trigger.webhook", "parameters": parameters}, last],
        "edges": [{"source": "hook", "target": "out"}],
    }


async def made(http: httpx.AsyncClient, *, publish: bool = True, **options: Any) -> tuple[str, str]:
    """Make a workflow; return its id and the address of its webhook."""
    body = {"name": "Hooked", "document": document(**options)}
    created = await http.post("/api/v1/workflows", json=body)
    assert created.status_code == 201, created.text
    workflow = created.json()["id"]
    if publish:
        published = await http.post(f"/api/v1/workflows/{workflow}/publish")
        assert published.status_code == 201, published.text
    else:
        await http.post(f"/api/v1/workflows/{workflow}/hooks/hook/secret")
    [hook] = (await http.get(f"/api/v1/workflows/{workflow}/hooks")).json()["items"]
    return workflow, hook["path"]


async def secret_of(http: httpx.AsyncClient, workflow: str) -> bytes:
    answer = await http.post(f"/api/v1/workflows/{workflow}/hooks/hook/secret")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["secret"]).encode()


def signed(secret: bytes, body: bytes, at: float = 0) -> dict[str, str]:
    timestamp = str(int(time.time() + at))
    return {"x-structforge-timestamp": timestamp, "x-structforge-signature": sign(secret, timestamp, body)}


async def runs_of(http: httpx.AsyncClient, workflow: str) -> int:
    return len((await http.get("/api/v1/runs", params={"workflow_id": workflow})).json()["items"])


async def test_a_large_response_is_the_value_and_no_reference_to_it(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    large = [f"line {number}" for number in range(20_000)]
    respond = {"status": 200, "headers": {}, "body": "{{ hook.body }}"}
    _, responding = await made(http, respond=respond, response="respond", signature=False)
    _, plain = await made(http, response="respond", signature=False)
    async with installation.http() as caller:
        assert (await caller.post(responding, json=large)).json() == large
        assert (await caller.post(plain, json=large)).json() == {"got": large}


async def test_respond_answers_with_status_headers_and_body(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    respond = {
        "status": 201,
        "headers": {"X-Order": "{{ hook.body.id }}", "Set-Cookie": "a=b", "Cache-Control": "public"},
        "body": {
            "method": "{{ hook.method }}",
            "query": "{{ hook.query.q }}",
            "headers": "{{ hook.headers }}",
        },
    }
    workflow, path = await made(
        http, respond=respond, response="respond", signature=False, headers=["x-more", "cookie"]
    )
    headers = {"x-more": "1", "cookie": "s=1", "authorization": "Bearer x", "user-agent": "test"}
    async with installation.http() as caller:
        answer = await caller.post(f"{path}?q=a", json={"id": "7"}, headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json() == {
        "method": "POST",
        "query": "a",
        "headers": {"content-type": "application/json", "user-agent": "test", "x-more": "1"},
    }
    assert answer.headers["x-order"] == "7"
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert await runs_of(http, workflow) == 1


@pytest.mark.parametrize(
    ("content_type", "data", "got"),
    [
        ("application/json", b'{"a": [1]}', {"a": [1]}),
        ("application/x-www-form-urlencoded", b"a=1&a=2&b=", {"a": ["1", "2"], "b": ""}),
        ("text/plain", "grüß".encode(), "grüß"),
    ],
)
async def test_bodies_are_decoded_and_the_output_is_the_answer(
    installation: Installation, http: httpx.AsyncClient, content_type: str, data: bytes, got: object
) -> None:
    _, path = await made(http, response="respond", signature=False)
    async with installation.http() as caller:
        answer = await caller.post(path, content=data, headers={"content-type": content_type})
        broken = await caller.post(path, content=b"{\xff", headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()) == (200, {"got": got})
    assert broken.status_code == 422


async def test_async_answers_202_and_the_run_waits_for_a_worker(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    _, path = await made(http, response="async", signature=False)
    async with installation.http() as caller:
        answer = await caller.post(path, json={})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    run = (await http.get(answer.headers["location"])).json()
    assert (run["trigger_kind"], run["input"]["body"]) == ("webhook", {})


BODY = b'{"n": 1}'


@pytest.mark.parametrize(
    ("case", "status"),
    [("good", 202), ("wrong", 401), ("other body", 401), ("old", 401), ("future", 401), ("missing", 401),
     ("no timestamp", 401), ("not ascii", 401), ("no secret", 401)],
)  # fmt: skip
async def test_signatures(
    installation: Installation, http: httpx.AsyncClient, case: str, status: int
) -> None:
    workflow, path = await made(http)
    secret = b"" if case == "no secret" else await secret_of(http, workflow)
    headers = signed(b"other" if case == "wrong" else secret, BODY, {"old": -400, "future": 400}.get(case, 0))
    if case == "missing":
        del headers["x-structforge-signature"]
    elif case == "no timestamp":
        del headers["x-structforge-timestamp"]
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    if case == "not ascii":
        raw[1] = (raw[1][0], "v1=ä".encode())
    body = b'{"n": 2}' if case == "other body" else BODY
    async with installation.http() as caller:
        answer = await caller.post(path, content=body, headers=raw)
    assert answer.status_code == status, answer.text
    assert await runs_of(http, workflow) == (1 if status == 202 else 0)


async def test_a_replayed_request_starts_nothing(installation: Installation, http: httpx.AsyncClient) -> None:
    workflow, path = await made(http)
    headers = signed(await secret_of(http, workflow), BODY)
    async with installation.http() as caller:
        first = await caller.post(path, content=BODY, headers=headers)
        again = await caller.post(path, content=BODY, headers=headers)
        elsewhere = await caller.post(f"{path}?x=1", content=BODY, headers=headers)
        assert (first.status_code, again.json()["run_id"]) == (202, first.json()["run_id"])
        assert elsewhere.status_code == 422
        keyed = signed(await secret_of(http, workflow), BODY) | {"idempotency-key": "k1"}
        one = await caller.post(path, content=BODY, headers=keyed)
        same = await caller.post(path, content=BODY, headers=keyed)
        other = await caller.post(path, content=BODY, headers=keyed | {"idempotency-key": "k2"})
    assert (one.status_code, same.json()["run_id"]) == (202, one.json()["run_id"])
    assert (other.status_code, other.json()["code"]) == (401, "hook.signature")
    assert await runs_of(http, workflow) == 2


async def test_methods_sizes_and_unknown_addresses(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    workflow, path = await made(http, methods=["PUT", "GET"], max_bytes=10, signature=False)
    async with installation.http() as caller:
        refused = await caller.post(path, json={})
        assert (refused.status_code, refused.headers["allow"]) == (405, "PUT, GET, HEAD, OPTIONS")
        assert (await caller.put(path, content=b"[" + b"1" * 20 + b"]")).status_code == 413
        assert (await caller.get(path)).status_code == 202
        for address in ("/hooks/", "/hooks/nobody", "/hooks/test/", "/hooks/test/nobody", "/hooks/a%00b"):
            unknown = await caller.get(address)
            assert (unknown.status_code, unknown.json()["code"]) == (404, "hook.not_found"), address
        await http.delete(f"/api/v1/workflows/{workflow}")

        async def gone() -> bool:
            # Told by a notification of the database, which takes a moment.
            return (await caller.get(path)).status_code == 404

        await eventually(gone)


async def test_the_draft_answers_only_while_somebody_listens(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    workflow, path = await made(http, publish=False, response="respond", signature=False)
    test_path = path.replace("/hooks/", "/hooks/test/")
    async with installation.http() as caller:
        assert (await caller.post(path, json=1)).status_code == 404
        silent = await caller.post(test_path, json=1)
        assert (silent.status_code, silent.json()["code"]) == (404, "hook.nobody_listens")
        listens = await http.post(f"/api/v1/workflows/{workflow}/hooks/hook/listen")
        assert (listens.status_code, listens.json()) == (200, {"listens_s": 300})
        answer = await caller.post(test_path, json=1)
        assert (answer.status_code, answer.json()) == (200, {"got": 1})
        assert (await http.post(f"/api/v1/workflows/{workflow}/publish")).status_code == 201
        assert (await caller.post(path, json=2)).json() == {"got": 2}


async def test_a_renamed_webhook_keeps_address_and_secret(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    workflow, path = await made(http, response="respond")
    secret = await secret_of(http, workflow)
    detail = (await http.get(f"/api/v1/workflows/{workflow}")).json()
    text = json.dumps(detail["draft"]).replace('"hook"', '"orders"').replace("{{ hook", "{{ orders")
    changed = {"document": json.loads(text), "revision": detail["draft_revision"]}
    saved = await http.put(f"/api/v1/workflows/{workflow}/draft", json=changed)
    assert saved.status_code == 200, saved.text
    assert (await http.post(f"/api/v1/workflows/{workflow}/publish")).status_code == 201
    [hook] = (await http.get(f"/api/v1/workflows/{workflow}/hooks")).json()["items"]
    assert (hook["node_id"], hook["path"]) == ("orders", path)
    async with installation.http() as caller:
        answer = await caller.post(path, content=b"1", headers=signed(secret, b"1"))
    assert (answer.status_code, answer.json()) == (200, {"got": 1})


async def test_organizations_have_their_own_paths_and_nothing_of_each_other(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    workflow, path = await made(http, path="orders/new", signature=False)
    body = {"name": "Twin", "document": document(path="orders/new", signature=False)}
    twin = (await http.post("/api/v1/workflows", json=body)).json()["id"]
    taken = await http.post(f"/api/v1/workflows/{twin}/publish")
    assert (taken.status_code, taken.json()["code"]) == (409, "trigger.path_taken")
    async with installation.http(await installation.token(SECOND)) as second, installation.http() as caller:
        theirs, their_path = await made(second, path="orders/new", signature=False)
        assert path.endswith("/orders/new")
        assert their_path != path
        await caller.post(their_path, json={})
        assert (await runs_of(http, workflow), await runs_of(second, theirs)) == (0, 1)
        for method, rest in (("GET", "hooks"), ("POST", "hooks/hook/listen"), ("POST", "hooks/hook/secret")):
            foreign = await second.request(method, f"/api/v1/workflows/{workflow}/{rest}")
            assert foreign.status_code == 404, rest


async def test_a_form_with_files_and_a_file_as_the_response(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    respond = {
        "headers": {"X-Exact": "{{ hook.body.n }}", "X-Nothing": None},
        "body": "{{ hook.body.file }}",
    }
    _, path = await made(http, respond=respond, response="respond", signature=False)
    _, inline = await made(
        http,
        respond={"status": 201, "headers": {"Content-Disposition": "inline"}, "body": "{{ hook.body }}"},
        response="respond",
        signature=False,
    )
    async with installation.http() as caller:
        files = {"file": ("Müller.png", b"\x89PNG\x00", "image/png")}
        answer = await caller.post(path, files=files, data={"n": "0.10"})
        assert (answer.status_code, answer.content) == (200, b"\x89PNG\x00"), answer.text
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''M%C3%BCller.png"
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert (answer.headers["x-exact"], "x-nothing" in answer.headers) == ("0.10", False)
        page = await caller.post(
            inline, content=b"\x00<script>", headers={"content-type": "application/x-page"}
        )
        assert (page.status_code, page.content) == (201, b"\x00<script>")
        assert (page.headers["content-type"], page.headers["content-disposition"]) == (
            "application/x-page",
            "inline",
        )
        forged = await caller.post(inline, json={"$artifact": {"hash": "0" * 64}})
        assert (forged.status_code, forged.json()["code"]) == (422, "hook.reference")
        head = await caller.head(path)
        assert head.status_code == 405


async def test_what_a_response_may_be(installation: Installation, http: httpx.AsyncClient) -> None:
    async def answered(respond: dict[str, Any], data: Any = None) -> httpx.Response:
        _, path = await made(http, respond=respond, response="respond", signature=False)
        async with installation.http() as caller:
            return await caller.post(path, json=data)

    nothing = await answered({"body": "{{ hook.body.found }}"}, {"found": None})
    assert (nothing.content, nothing.headers["content-type"]) == (b"null", "application/json")
    exact = await answered({"body": "{{ hook.body }}"}, [12345678901234567890, 0.1])
    assert exact.content == b"[12345678901234567890,0.1]"
    text = await answered({"body": "grüß", "headers": {"Content-Type": "text/html; charset=utf-8"}})
    assert (text.text, text.headers["content-type"]) == ("grüß", "text/html; charset=utf-8")
    empty = await answered({"status": 204, "body": {"a": 1}})
    assert (empty.status_code, empty.content, "content-type" in empty.headers) == (204, b"", False)
    odd = await answered({"headers": {"X-Name": "Müller"}})
    assert odd.status_code == 502


async def test_head_options_and_pages_of_other_origins(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    shop, other = "https://shop.example", "https://other.example"
    workflow, path = await made(
        http,
        response="respond",
        signature=False,
        methods=["GET", "POST"],
        origins=[shop, "http://localhost:3000"],
    )
    _, closed = await made(http, response="respond", signature=False, methods=["GET"])
    _, open_to_all = await made(http, response="respond", signature=False, methods=["GET"], origins=["*"])
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "content-type, x-a"}
    async with installation.http() as caller:
        seen = await caller.get(path)
        head = await caller.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(seen.content))
        before = await runs_of(http, workflow)
        allowed = await caller.options(path, headers={"origin": shop, **asks})
        assert allowed.status_code == 204
        assert allowed.headers["access-control-allow-origin"] == shop
        assert allowed.headers["access-control-allow-methods"] == "GET, POST, HEAD, OPTIONS"
        assert allowed.headers["access-control-allow-headers"] == "content-type, x-a"
        assert allowed.headers["vary"] == "Origin"
        refused = await caller.options(path, headers={"origin": other, **asks})
        assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (204, False)
        plain = await caller.options(closed, headers={"origin": shop, **asks})
        assert (plain.status_code, plain.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
        assert "access-control-allow-origin" not in plain.headers
        assert await runs_of(http, workflow) == before
        read = await caller.post(path, json={}, headers={"origin": shop})
        assert (read.status_code, read.headers["access-control-allow-origin"]) == (200, shop)
        wrong = await caller.post(
            path, content=b"{", headers={"origin": shop, "content-type": "application/json"}
        )
        assert (wrong.status_code, wrong.headers["access-control-allow-origin"]) == (422, shop)
        anybody = await caller.get(open_to_all, headers={"origin": other})
        assert (anybody.headers["access-control-allow-origin"], "vary" in anybody.headers) == ("*", False)
        silent = await caller.get(closed, headers={"origin": other})
        assert "access-control-allow-origin" not in silent.headers
    body = {"name": "x", "document": document(origins=["https://shop.example/path"])}
    refused_draft = await http.post("/api/v1/workflows", json=body)
    published = await http.post(f"/api/v1/workflows/{refused_draft.json()['id']}/publish")
    assert published.status_code == 422, published.text


async def test_packed_bodies_and_queries_of_all_letters(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    respond = {"body": {"q": "{{ hook.query }}", "b": "{{ hook.body }}"}}
    _, path = await made(http, respond=respond, response="respond", signature=False, max_bytes=1_000)
    packed = {"content-encoding": "gzip", "content-type": "application/json"}
    async with installation.http() as caller:
        answer = await caller.post(
            f"{path}?q=%C3%BC&q=b&c=", content=gzip.compress(b'{"a": "\xc3\xbc"}'), headers=packed
        )
        assert answer.json() == {"q": {"q": ["ü", "b"], "c": ""}, "b": {"a": "ü"}}
        bomb = await caller.post(path, content=gzip.compress(b" " * 1_001), headers=packed)
        assert (bomb.status_code, bomb.json()["code"]) == (413, "body.too_large")
        brotli = await caller.post(path, content=b"abc", headers={**packed, "content-encoding": "br"})
        assert (brotli.status_code, brotli.json()["code"]) == (415, "hook.encoding")
