"""Looking into files, and what was recognised of them pinned into versions."""

import gzip
import json
from typing import Any

import httpx
import pytest

from tests.support.installation import SECOND, Installation, a_worker

SEMICOLONS = "id;price;day\n1;12,50;31.01.2024\n2;3,00;01.02.2024\n"


async def preview(http: httpx.AsyncClient, file: Any, **parameters: Any) -> dict[str, Any]:
    answer = await http.post("/api/v1/files/preview", json={"file": file, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_what_is_recognised_is_shown(http: httpx.AsyncClient) -> None:
    await http.put("/api/v1/files/a.csv", content=SEMICOLONS.encode("utf-16"))
    seen = await preview(http, "a.csv")
    assert seen["recognised"] == {
        "format": "csv", "encoding": "utf-16-le", "delimiter": ";", "decimal": ",", "has_header": True, "sheet": "",
        "columns": [
            {"name": "id", "type": "integer"}, {"name": "price", "type": "decimal"}, {"name": "day", "type": "text"},
        ],
    }  # fmt: skip
    assert seen["rows"] == [["1", "12,50", "31.01.2024"], ["2", "3,00", "01.02.2024"]]
    assert (seen["complete"], seen["rows_seen"], seen["problems"]) == (True, 2, [])
    chosen = await preview(http, "a.csv", types=[{"column": "day", "type": "date", "pattern": "%d.%m.%Y"}])
    assert chosen["columns"][2] == {"name": "day", "type": "date", "chosen": True}


async def test_faults_are_told_beside_what_can_be_shown(http: httpx.AsyncClient) -> None:
    await http.put("/api/v1/files/a.csv", content=b"a,b\n1,2\n3\n")
    seen = await preview(http, "a.csv")
    assert [problem["code"] for problem in seen["problems"]] == ["file.csv_row"]
    assert seen["rows"] == [["1", "2"]]
    wrong = await preview(http, "a.csv", ragged="fill", types=[{"column": "b", "type": "date"}])
    assert [problem["code"] for problem in wrong["problems"]] == ["file.column_type"]
    assert wrong["rows"] == [["1", "2"]]


async def test_a_large_file_is_seen_by_its_beginning(http: httpx.AsyncClient) -> None:
    line = b"1," + b"x" * 998 + b"\n"
    await http.put("/api/v1/files/a.csv", content=b"a,b\n" + line * 9_000)
    seen = await preview(http, "a.csv")
    assert (seen["complete"], len(seen["rows"]), len(seen["rows"][0][1])) == (False, 100, 500)
    assert (seen["columns"][0]["type"], seen["recognised"]["columns"][0]["type"]) == ("integer", "auto")
    await http.put("/api/v1/files/b.gz", content=gzip.compress(b"0" * 100_000_000, 1))
    bomb = await preview(http, "b.gz")
    assert [problem["code"] for problem in bomb["problems"]] == ["file.too_large"]


async def test_json_and_text_are_shown_as_text(http: httpx.AsyncClient) -> None:
    await http.put("/api/v1/files/a.json", content=b'{"a": [1, 2.50]}')
    seen = await preview(http, "a.json")
    assert (seen["format"], seen["columns"]) == ("json", [])
    assert json.loads(seen["text"]) == {"a": [1, 2.5]}


async def test_nobody_looks_into_files_of_others(installation: Installation, http: httpx.AsyncClient) -> None:
    await http.put("/api/v1/files/a.csv", content=b"a\n1\n")
    async with installation.http(await installation.token(SECOND)) as other:
        body = {"file": "a.csv", "parameters": {}}
        assert (await other.post("/api/v1/files/preview", json=body)).status_code == 404
    async with installation.http() as nobody:
        assert (await nobody.post("/api/v1/files/preview", json=body)).status_code == 401


@pytest.mark.parametrize("file", ["../a.csv", "nothing.csv", "", {"$artifact": {"hash": "0" * 64}}])
async def test_what_is_not_there_is_not_found(http: httpx.AsyncClient, file: Any) -> None:
    answer = await http.post("/api/v1/files/preview", json={"file": file, "parameters": {}})
    assert answer.status_code == 404
    wrong = {"file": "a.csv", "parameters": {"delimiter": "long"}}
    assert (await http.post("/api/v1/files/preview", json=wrong)).status_code == 422


def document(**parameters: Any) -> dict[str, Any]:
    return {
        "nodes": [
            {"id": "start", "type": "trigger.manual"},
            {"id": "read", "type": "file.read", "parameters": {"file": "month.csv", **parameters}},
        ],
        "edges": [{"source": "start", "target": "read"}],
    }


async def published(http: httpx.AsyncClient, **parameters: Any) -> tuple[str, dict[str, Any]]:
    made = (
        await http.post("/api/v1/workflows", json={"name": "W", "document": document(**parameters)})
    ).json()
    version = await http.post(f"/api/v1/workflows/{made['id']}/publish")
    assert version.status_code == 201, version.text
    nodes = version.json()["document"]["nodes"]
    return made["id"], next(node for node in nodes if node["id"] == "read")["parameters"]


async def test_next_months_file_is_read_by_the_same_rules_or_fails(
    installation: Installation, http: httpx.AsyncClient
) -> None:
    await http.put("/api/v1/files/month.csv", content=SEMICOLONS.encode())
    workflow, parameters = await published(http)
    assert [column["type"] for column in parameters["recognised"]["columns"]] == [
        "integer",
        "decimal",
        "text",
    ]
    draft = (await http.get(f"/api/v1/workflows/{workflow}")).json()["draft"]
    assert "recognised" not in draft["nodes"][1]["parameters"]
    again = (await http.post(f"/api/v1/workflows/{workflow}/publish")).json()
    assert again["number"] == 1
    compared = (await http.get(f"/api/v1/workflows/{workflow}/diff?old=1")).json()
    assert compared["nodes"]["changed"] == []
    restored = await http.post(f"/api/v1/workflows/{workflow}/versions/1/restore", json={"revision": 1})
    assert "recognised" not in restored.json()["draft"]["nodes"][1]["parameters"]

    async def run(content: str) -> dict[str, Any]:
        await http.put("/api/v1/files/month.csv", content=content.encode())
        path = f"/api/v1/workflows/{workflow}/runs"
        body: dict[str, Any] = (await http.post(path, json={"mode": "sync"}, timeout=60)).json()
        return body

    async with a_worker(installation):
        # One row alone would be read with a decimal point and a comma as delimiter: the pinned rules hold.
        same = await run("id;price;day\n7;1,5;x\n")
        assert same["status"] == "succeeded"
        assert same["output"][0]["id"] == 7
        for content, said in (
            ("id;price;day\nA7;1,5;x\n", ("id", "A7", "line 2")),
            ("id;price;day\n1;1,5;x\n007;1,5;x\n", ("id", "007", "line 3")),
            ("id;cost;day\n1;1,5;x\n", ("price",)),
            ("id;price;day;new\n1;1,5;x;y\n", ("new",)),
        ):
            failed = await run(content)
            assert failed["error"]["code"] == "file.not_as_pinned"
            assert all(word in json.dumps(failed["error"]) for word in said)
        # The file is right after all: publishing again reads it by what it looks like now.
        republished = (await http.post(f"/api/v1/workflows/{workflow}/publish")).json()
        assert republished["number"] == 2
        assert (await run("id;price;day;new\n1;1,5;x;y\n"))["status"] == "succeeded"


async def test_what_is_pinned_by_hand_stays(http: httpx.AsyncClient) -> None:
    await http.put("/api/v1/files/month.csv", content=SEMICOLONS.encode())
    mine = {"format": "csv", "encoding": "utf-8", "columns": [{"name": "id", "type": "text"}]}
    _, parameters = await published(http, recognised=mine)
    assert parameters["recognised"] == mine
    _, free = await published(http, recognised=None)
    assert free["recognised"] is None
