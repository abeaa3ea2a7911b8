"""Bad input from end to end: each thing that people get wrong ends in a code, a sentence, a place and a hint.

The same documents go through the API (4xx) and the command line (exit code 1); files fail the run that reads them.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from structforge.cli import app
from structforge.config import Settings
from tests.support.documents import cyclic, greeting
from tests.support.installation import Installation, a_worker, installed


def flow(*nodes: dict[str, Any], edges: str = "") -> dict[str, Any]:
    """Return a document with a manual trigger `start`; an edge is `source.port>target.port`."""
    made = []
    for text in edges.split():
        source, target = (end.split(".") for end in text.split(">"))
        made.append(
            {
                "source": source[0],
                "source_port": source[1] if len(source) > 1 else "out",
                "target": target[0],
                "target_port": target[1] if len(target) > 1 else "in",
            }
        )
    return {"nodes": [{"id": "start", "type": "trigger.manual"}, *nodes], "edges": made}


def fields(node_id: str, **values: Any) -> dict[str, Any]:
    """Return a node that sets fields."""
    return {"id": node_id, "type": "data.set", "parameters": {"fields": values}}


@pytest.fixture
async def small(settings: Settings) -> AsyncIterator[Installation]:
    """An installation that takes files of 64 KiB at most."""
    async with installed(settings.model_copy(update={"file_max_bytes": 64 * 1024})) as made:
        yield made


DOCUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "a cycle": (cyclic(), "graph.cycle"),
    "a self-edge": (flow(fields("a", x=1), edges="start>a a>a"), "graph.self_edge"),
    "an unknown node type": (flow({"id": "a", "type": "table.filtr"}, edges="start>a"), "node.unknown_type"),
    "a missing required parameter": (
        flow({"id": "a", "type": "http.request", "parameters": {}}, edges="start>a"),
        "parameter.missing",
    ),
    "an edge from a port that does not exist": (
        flow(fields("a", x=1), edges="start.body>a"),
        "edge.unknown_port",
    ),
    "an edge to a port of another type": (
        flow(
            fields("a", x=1),
            {"id": "w", "type": "file.write", "parameters": {"name": "a.csv"}},
            {"id": "f", "type": "table.filter", "parameters": {}},
            edges="start>a a>w w>f",
        ),
        "edge.type_mismatch",
    ),
    "a reference to a missing node": (
        flow(fields("a", x="{{ strat.name }}"), edges="start>a"),
        "reference.unknown",
    ),
    "a reference to a node that is not upstream": (
        flow(fields("a", x="{{ b.y }}"), fields("b", y=1), edges="start>a start>b"),
        "reference.not_upstream",
    ),
}


def complete(problem: dict[str, Any]) -> bool:
    """Say whether a problem has all four parts."""
    return all(problem.get(part) for part in ("code", "message", "where", "hint"))


async def test_a_bad_graph_is_refused_by_the_api(http: httpx.AsyncClient) -> None:
    for name, (document, code) in DOCUMENTS.items():
        made = await http.post("/api/v1/workflows", json={"name": name, "document": document})
        assert made.status_code == 201, name
        for path, body in (("publish", None), ("runs", {"draft": True, "mode": "sync"})):
            refused = await http.post(f"/api/v1/workflows/{made.json()['id']}/{path}", json=body)
            assert refused.status_code == 422, (name, refused.text)
            assert refused.headers["content-type"] == "application/problem+json"
            problems = refused.json()["problems"]
            assert code in {problem["code"] for problem in problems}, (name, problems)
            assert [problem for problem in problems if not complete(problem)] == [], name
    assert (await http.get("/api/v1/runs")).json()["items"] == []


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_bad_graph_is_refused_by_the_command_line(command: str, tmp_path: Path) -> None:
    for name, (document, code) in DOCUMENTS.items():
        file = tmp_path / "flow.json"
        file.write_text(json.dumps(document))
        answer = CliRunner().invoke(app, [command, str(file)], env={"STRUCTFORGE_HOME": str(tmp_path)})
        assert answer.exit_code != 0, name
        told = answer.output + str(answer.exception)
        assert code in told or code in str(getattr(answer.exception, "problems", "")), (name, told)


FILES: dict[str, tuple[bytes | None, str, str]] = {
    "a malformed row": (b"city,temp\nOslo,3\nRome,18,x\n", "file.csv_row", "line 3"),
    "no such file": (None, "file.not_found", "parameters.file"),
    "empty": (b"", "file.empty", "data.csv"),
    # `M\xfcnchen` alone is recognised as Latin letters since encodings are: no text at all is not.
    "a NUL": (b"city\nM\x00nchen\n", "file.nul", "line 2"),
    "no text": (bytes(range(256)), "file.encoding_unknown", "parameters.encoding"),
    "larger than the limit": (b"city\n" + b"x" * (1 << 20), "file.too_large", "data.csv"),
}


async def test_a_bad_file_fails_its_run_and_names_the_place(
    small: Installation,
) -> None:
    read = {"id": "read", "type": "file.read", "parameters": {"file": "data.csv"}}
    folder = small.settings.files_dir / str(small.first.organization_id)
    folder.mkdir(parents=True, exist_ok=True)
    async with a_worker(small), small.http(await small.token()) as http:
        document = flow(read, edges="start>read")
        made = await http.post("/api/v1/workflows", json={"name": "w", "document": document})
        for name, (content, code, where) in FILES.items():
            (folder / "data.csv").unlink(missing_ok=True)
            if content is not None:
                (folder / "data.csv").write_bytes(content)
            body = {"draft": True, "mode": "sync", "time_limit_s": 30}
            run = (await http.post(f"/api/v1/workflows/{made.json()['id']}/runs", json=body)).json()
            assert (run["status"], run["error"]["code"]) == ("failed", code), (name, run)
            assert where in run["error"]["where"], (name, run)
            assert complete(run["error"]), (name, run)


async def test_a_token_that_is_wrong_or_out_of_time_gets_a_complete_answer(
    installation: Installation,
) -> None:
    token = await installation.token()
    for wrong in ("", "x.y.z", token[:-3] + "AAA"):
        async with installation.http(wrong) as client:
            refused = await client.get("/api/v1/workflows")
        assert refused.status_code == 401, wrong
        body = refused.json()
        assert body["code"].startswith("auth."), body
        assert body["detail"], body
        assert body["hint"], body


async def test_another_body_under_the_same_key_and_a_stale_revision_tell_what_to_do(
    http: httpx.AsyncClient,
) -> None:
    made = (await http.post("/api/v1/workflows", json={"name": "w", "document": greeting()})).json()
    path, key = f"/api/v1/workflows/{made['id']}", {"idempotency-key": "k"}
    first = await http.post(f"{path}/runs", json={"draft": True, "input": {"a": 1}}, headers=key)
    assert first.status_code in (200, 202), first.text
    other = await http.post(f"{path}/runs", json={"draft": True, "input": {"a": 2}}, headers=key)
    assert (other.status_code, bool(other.json()["hint"])) == (422, True), other.text
    assert len((await http.get("/api/v1/runs")).json()["items"]) == 1
    await http.put(f"{path}/draft", json={"revision": 1, "document": greeting("Hi")})
    stale = await http.put(f"{path}/draft", json={"revision": 1, "document": greeting("Ho")})
    assert (stale.status_code, bool(stale.json()["hint"])) == (409, True), stale.text


async def test_a_nul_in_the_address_is_told_and_breaks_nothing(http: httpx.AsyncClient) -> None:
    for address in (
        "runs?search=%00",
        "runs?trigger_kind=%00",
        "workflows?search=%00",
        "workflows?folder=a%00",
        "workflows?tag=%00",
    ):
        refused = await http.get(f"/api/v1/{address}")
        assert (refused.status_code, refused.json()["code"]) == (422, "query.invalid"), address
        assert complete(refused.json()["problems"][0]), address


async def test_a_body_with_what_no_value_may_hold_answers_no_question(http: httpx.AsyncClient) -> None:
    path = "/api/v1/runs/00000000-0000-7000-8000-000000000000/answers"
    for field, code in (
        (b'"a\\u0000b"', "value.nul"),
        (b"NaN", "value.not_finite"),
        (b'"\\ud800"', "value."),
    ):
        body = b'{"step_key":"ask","decision":"approved","fields":{"why":' + field + b"}}"
        refused = await http.post(path, content=body, headers={"content-type": "application/json"})
        assert refused.status_code == 422, field
        assert refused.json()["code"].startswith(code), refused.text
