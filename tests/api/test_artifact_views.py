"""Looking into artifacts: tables by the page, values cut down, pictures by their bytes, exports."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import polars as pl
import pytest

from structforge.engine.environment import VALUE_MEDIA_TYPE
from structforge.sdk import TABLE_MEDIA_TYPE
from structforge.services.artifact_views import MAX_CUT_NODES, MAX_ITEMS, MAX_TEXT_CHARACTERS, cut
from structforge.storage.artifacts import FileArtifactStore
from structforge.storage.repositories.artifacts import Artifacts
from tests.support.installation import ORIGIN, SECOND, Installation

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


async def stored(made: Installation, data: bytes, media_type: str) -> str:
    """Store bytes as an artifact of the first organization; return the path of its routes."""
    organization = made.first.organization_id
    digest = FileArtifactStore(made.settings.artifacts_dir).put(organization, (data,)).hash
    async with made.engine.database.transaction(organization) as session:
        await Artifacts(session).add(organization, digest, size_bytes=len(data), media_type=media_type)
    return f"/api/v1/artifacts/{digest}"


async def table(made: Installation, frame: pl.DataFrame) -> str:
    path = made.settings.home / "table.parquet"
    frame.write_parquet(path)
    return await stored(made, path.read_bytes(), TABLE_MEDIA_TYPE)


async def test_a_table_is_paged_searched_and_sorted(installation: Installation) -> None:
    frame = pl.DataFrame(
        {
            "n": range(5_000),
            "city": [f"City {n % 7}" for n in range(5_000)],
            "tags": [{"a": n % 2, "b": [n]} for n in range(5_000)],
        }
    )
    path = await table(installation, frame)
    async with installation.http(await installation.token()) as http:
        page = (await http.get(f"{path}/rows", params={"offset": 4_998, "limit": 100})).json()
        assert page == {
            "columns": [
                {"name": "n", "kind": "number"}, {"name": "city", "kind": "text"}, {"name": "tags", "kind": "other"},
            ],
            "rows": [[4998, "City 0", {"a": 0, "b": [4998]}], [4999, "City 1", {"a": 1, "b": [4999]}]],
            "offset": 4_998, "matched": 5_000, "total": 5_000,
        }  # fmt: skip
        query = {"search": "cITY 3", "sort": "n", "descending": True, "limit": 2}
        found = (await http.get(f"{path}/rows", params=query)).json()
        assert [row[0] for row in found["rows"]] == [4994, 4987]
        assert found["matched"] == len(range(3, 5_000, 7))
        none = (await http.get(f"{path}/rows", params={"search": ".*"})).json()
        assert (none["rows"], none["matched"], none["total"]) == ([], 0, 5_000)
        wrong = await http.get(f"{path}/rows", params={"sort": "town"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "table.unknown_column")
    async with installation.http(await installation.token(SECOND)) as other:
        for view in ("rows", "value", "picture", "export"):
            assert (await other.get(f"{path}/{view}")).status_code == 404


async def test_a_stored_list_of_objects_is_a_table_and_a_value(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    rows = [{"id": n, "note": "x" * 3_000 if n == 1 else None} for n in range(300)]
    path = await stored(installation, httpx.Request("POST", "http://x", json=rows).content, VALUE_MEDIA_TYPE)
    page = (await http.get(f"{path}/rows", params={"limit": 2})).json()
    assert page["total"] == 300
    assert page["rows"][1] == [1, "x" * 2_000 + "…"]
    value = (await http.get(f"{path}/value")).json()
    assert (len(value["value"]), value["cut"]) == (MAX_ITEMS, True)
    exported = await http.get(f"{path}/export", params={"form": "csv", "name": "rows"})
    assert exported.headers["content-disposition"] == "attachment; filename*=UTF-8''rows.csv"
    assert exported.text.splitlines()[:2] == ["id,note", "0,"]
    assert int(exported.headers["content-length"]) == len(exported.content)
    assert len((await http.get(f"{path}/export", params={"form": "json"})).json()) == 300


async def test_an_export_is_sent_as_bytes_not_by_a_path_that_is_gone_when_it_is_read(
    installation: Installation,
) -> None:
    path = await stored(installation, b'[{"id":1}]', VALUE_MEDIA_TYPE)
    kinds: list[str] = []

    async def able_to_send_paths(scope: Any, receive: Any, send: Any) -> None:
        async def noted(message: Any) -> None:
            kinds.append(message["type"])
            await send(message)

        extensions = {**scope.get("extensions", {}), "http.response.pathsend": {}}
        await installation.gateway({**scope, "extensions": extensions}, receive, noted)

    headers = {"authorization": f"Bearer {await installation.token()}"}
    transport = httpx.ASGITransport(app=able_to_send_paths)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers) as http:
        assert (await http.get(f"{path}/export")).text == "id\n1\n"
    assert "http.response.pathsend" not in kinds


@pytest.mark.parametrize(
    ("data", "media_type", "shown"),
    [
        (PNG, "application/octet-stream", "image/png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "image/svg+xml", None),
        (b"<html><script>alert(1)</script>", "image/png", None),
    ],
    ids=["png", "svg", "html"],
)
async def test_a_picture_is_what_its_bytes_are(
    installation: Installation, http: httpx.AsyncClient, data: bytes, media_type: str, shown: str | None
) -> None:
    answer = await http.get(f"{await stored(installation, data, media_type)}/picture")
    if shown is None:
        assert (answer.status_code, answer.json()["code"]) == (422, "artifact.not_a_picture")
        return
    assert (answer.headers["content-type"], answer.content) == (shown, data)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")


async def test_what_only_claims_to_be_a_table_is_refused(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    for data, media_type in ((b"PAR1 no", TABLE_MEDIA_TYPE), (b"[1, 2]", VALUE_MEDIA_TYPE)):
        path = await stored(installation, data, media_type)
        for view in ("rows", "export"):
            answer = await http.get(f"{path}/{view}")
            assert (answer.status_code, answer.json()["code"]) == (422, "artifact.not_a_table")
    binary = await http.get(f"{await stored(installation, b'abc', 'application/zip')}/value")
    assert (binary.status_code, binary.json()["code"]) == (422, "artifact.not_shown")


@pytest.mark.parametrize(
    "value",
    [
        ["x"] * (MAX_ITEMS + 1),
        "x" * (MAX_TEXT_CHARACTERS + 1),
        {str(n): [[[1] * 100] * 100] * 100 for n in range(9)},
    ],
    ids=["list", "text", "tree"],
)
def test_a_cut_value_is_small_and_says_so(value: Any) -> None:
    found = cut(value)
    assert found.cut
    assert str(found.value).count("1") <= MAX_CUT_NODES


def test_a_small_value_is_left_whole() -> None:
    value: Any = {"a": [1, None, {"b": "text"}], "c": True}
    assert cut(value).value == value
    assert not cut(value).cut


async def test_what_a_file_of_columns_can_hold_beyond_json_is_shown_and_exported(
    installation: Installation,
) -> None:
    frame = pl.DataFrame(
        {
            "days": [[date(2024, 3, 1)]],
            "inner": [
                {"at": datetime(2024, 3, 1, 9, tzinfo=UTC), "took": timedelta(minutes=2), "raw": b"\x01"}
            ],
            "exact": [[Decimal("1.5")]],
            "odd": [[float("nan"), 1.0]],
            "took": [timedelta(hours=1)],
            "raw": [b"ab"],
        }
    )
    path = await table(installation, frame)
    inner = {"at": "2024-03-01T09:00:00+00:00", "took": 120.0, "raw": "\\x01"}
    row = {
        "days": ["2024-03-01"], "inner": inner, "exact": [1.5], "odd": [None, 1.0], "took": 3600.0, "raw": "\\x6162",
    }  # fmt: skip
    async with installation.http(await installation.token()) as http:
        page = (await http.get(f"{path}/rows", params={"search": "3600"})).json()
        assert page["rows"] == [[*row.values()]]
        assert (await http.get(f"{path}/value")).json()["value"] == [row]
        assert (await http.get(f"{path}/export", params={"form": "json"})).json() == [row]
        exported = (await http.get(f"{path}/export", params={"form": "csv"})).text.splitlines()
    assert exported[0] == "days,inner,exact,odd,took,raw"
    assert exported[1].startswith('"[""2024-03-01""]",') and exported[1].endswith(",3600.0,\\x6162")
