"""Uploads, downloads and artifacts: bounded, whole or absent, never run by a browser."""

from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest

from structforge.storage.repositories.artifacts import Artifacts
from tests.support.installation import SECOND, Installation


async def test_a_file_comes_back_as_it_was_sent(installation: Installation, http: httpx.AsyncClient) -> None:
    content = bytes(range(256)) * 100
    made = await http.put("/api/v1/files/data/täglich 1.csv", content=content)
    assert (made.status_code, made.json()["size_bytes"]) == (201, len(content))
    got = await http.get("/api/v1/files/data/täglich 1.csv")
    assert got.content == content
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''t%C3%A4glich%201.csv"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"].startswith("sandbox")
    part = await http.get("/api/v1/files/data/täglich 1.csv", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, content[10:20])
    listed = (await http.get("/api/v1/files")).json()["items"]
    assert [(item["path"], item["size_bytes"]) for item in listed] == [("data/täglich 1.csv", len(content))]
    on_disk = installation.settings.files_dir / str(installation.first.organization_id) / "data"
    assert [path.name for path in on_disk.iterdir()] == ["täglich 1.csv"]
    assert (await http.delete("/api/v1/files/data/täglich 1.csv")).status_code == 204
    assert (await http.get("/api/v1/files/data/täglich 1.csv")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "..%2Fx",
        "a%2F..%2F..%2Fx",
        ".hidden",
        "a%00b",
        "a%5Cb",
        "%2Fetc%2Fpasswd",
        "a%2F%2Fb",
        "x" * 300,
        "a%2F",
    ],
)
async def test_no_path_leads_out_of_the_folder(
    installation: Installation, http: httpx.AsyncClient, path: str
) -> None:
    made = await http.put(f"/api/v1/files/{path}", content=b"x")
    assert (made.status_code, made.json()["code"]) == (422, "file.path_invalid")
    assert (await http.get(f"/api/v1/files/{path}")).status_code == 404
    assert not list(installation.settings.files_dir.rglob("x"))


async def test_a_link_in_the_folder_leads_nowhere(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    folder = installation.settings.files_dir / str(installation.first.organization_id)
    folder.mkdir(parents=True)
    (folder / "out").symlink_to(installation.settings.home)
    (installation.settings.home / "private").write_text("secret")
    assert (await http.get("/api/v1/files/out/private")).status_code == 404
    assert (await http.put("/api/v1/files/out/new", content=b"x")).status_code == 404
    assert (await http.get("/api/v1/files")).json()["items"] == []


async def test_an_upload_that_breaks_off_leaves_the_old_file(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    await http.put("/api/v1/files/x.txt", content=b"old")

    messages = iter(
        [{"type": "http.request", "body": b"new", "more_body": True}, {"type": "http.disconnect"}]
    )
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return next(messages)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    request = http.build_request("PUT", "/api/v1/files/x.txt")
    scope = {
        "type": "http", "method": "PUT", "path": "/api/v1/files/x.txt", "query_string": b"",
        "headers": [(k.lower(), v) for k, v in request.headers.raw if k.lower() != b"content-length"],
        "client": None, "scheme": "http", "server": ("test.example", 80), "http_version": "1.1",
    }  # fmt: skip
    await installation.gateway(scope, receive, send)
    assert sent[0]["status"] == 422
    assert (await http.get("/api/v1/files/x.txt")).content == b"old"
    folder = installation.settings.files_dir / str(installation.first.organization_id)
    assert [path.name for path in folder.iterdir()] == ["x.txt"]


async def test_artifacts_are_sent_to_their_organization_only(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    organization_id = installation.first.organization_id
    html = b"<script>alert(1)</script>" * 100
    ref = installation.engine.environment.artifacts(organization_id).put(html, media_type="text/html")
    async with installation.engine.database.transaction(organization_id) as session:
        await Artifacts(session).add(
            organization_id, ref.hash, size_bytes=ref.size_bytes, media_type=ref.media_type
        )
    got = await http.get(f"/api/v1/artifacts/{ref.hash}", params={"name": 'a/b\r\n"c.html'})
    assert got.content == html
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''a_b%22c.html"
    assert got.headers["content-security-policy"].startswith("sandbox")
    part = await http.get(f"/api/v1/artifacts/{ref.hash}", headers={"range": "bytes=-5"})
    assert (part.status_code, part.content) == (206, html[-5:])
    async with installation.http(await installation.token(SECOND)) as other:
        assert (await other.get(f"/api/v1/artifacts/{ref.hash}")).status_code == 404
    for wrong in ("x", "0" * 64, ref.hash.upper()):
        assert (await http.get(f"/api/v1/artifacts/{wrong}")).status_code == 404
