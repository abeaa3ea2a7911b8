"""What leaves the system is data: tables and large values in every answer, however they travelled."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from structforge.services import shown_values
from structforge.services.expression_values import ExpressionValues
from tests.api.test_hooks import signed
from tests.support.installation import Installation, a_worker
from tests.support.workflows import document, node

ROWS = [{"n": n, "city": ("Oslo", "Rome")[n % 2], "note": "x" * 40} for n in range(3_000)]
SMALL = {"conditions": [{"column": "n", "operator": "less", "value": 0}]}


@pytest.fixture
async def working(installation: Installation) -> AsyncIterator[Installation]:
    async with a_worker(installation):
        yield installation


async def publish(http: httpx.AsyncClient, *nodes: dict[str, Any], edges: list[str]) -> str:
    made = document(*nodes, edges=edges).model_dump(mode="json")
    created = await http.post("/api/v1/workflows", json={"name": "Large", "document": made})
    assert created.status_code == 201, created.text
    workflow = created.json()["id"]
    published = await http.post(f"/api/v1/workflows/{workflow}/publish")
    assert published.status_code == 201, published.text
    return str(workflow)


async def answer(http: httpx.AsyncClient, workflow: str, given: Any) -> dict[str, Any]:
    started = await http.post(f"/api/v1/workflows/{workflow}/runs", json={"mode": "sync", "input": given})
    assert started.status_code == 200, started.text
    assert "$artifact" not in started.text
    found: dict[str, Any] = started.json()
    assert found["status"] == "succeeded", found
    return found


async def test_a_sync_call_whose_result_is_a_table_without_rows_answers_an_empty_list(
    working: Installation, http: httpx.AsyncClient
) -> None:
    workflow = await publish(
        http, node("start", "trigger.manual"), node("found", "table.filter", rows="{{ start.rows }}", **SMALL),
        edges=["start>found"],
    )  # fmt: skip
    found = await answer(http, workflow, {"rows": ROWS[:3]})
    assert found["output"] == []
    run = await http.get(f"/api/v1/runs/{found['run_id']}")
    assert run.json()["output"] == []


async def test_every_answer_shows_data(working: Installation, http: httpx.AsyncClient) -> None:
    workflow = await publish(
        http,
        node("start", "trigger.manual"),
        node("sorted", "table.sort", rows="{{ start.rows }}", by=[{"column": "n", "descending": True}]),
        node("last", "data.set", fields={"rows": "{{ sorted }}", "n": "{{ sorted | length }}"}),
        edges=["start>sorted", "sorted>last"],
    )
    found = await answer(http, workflow, {"rows": ROWS})
    expected = {"rows": ROWS[::-1], "n": 3_000}
    assert found["output"] == expected
    path = f"/api/v1/runs/{found['run_id']}"
    run = await http.get(path)
    assert "$artifact" not in run.text
    assert run.json()["output"] == expected
    steps = await http.get(f"{path}/steps")
    assert "$artifact" not in steps.text
    outputs = {step["node_id"]: step["outputs"]["out"] for step in steps.json()["items"]}
    assert outputs == {"start": {"rows": ROWS}, "sorted": ROWS[::-1], "last": expected}
    events = await http.get(f"{path}/events")
    assert "$artifact" not in events.text
    assert "vnd.structforge" not in events.text
    assert "parquet" not in events.text


async def test_two_runs_differ_in_their_data(working: Installation, http: httpx.AsyncClient) -> None:
    workflow = await publish(
        http, node("start", "trigger.manual"),
        node("last", "table.sort", rows="{{ start.rows }}", by=[{"column": "n"}]),
        edges=["start>last"],
    )  # fmt: skip
    runs = [
        await answer(http, workflow, {"rows": rows})
        for rows in (ROWS, [*ROWS[:-1], {**ROWS[-1], "city": "Bonn"}])
    ]
    first, second = (run["run_id"] for run in runs)
    compared = await http.get(f"/api/v1/runs/{first}/compare/{second}")
    assert "$artifact" not in compared.text
    changes = {step["step_key"]: step["changes"] for step in compared.json()["steps"]}
    assert [(one["old"], one["new"]) for one in changes["last"]] == [("Rome", "Bonn")]


async def test_what_is_too_large_for_an_answer_is_described_with_the_way_to_it(
    working: Installation, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = await publish(
        http, node("start", "trigger.manual"),
        node("last", "table.sort", rows="{{ start.rows }}", by=[{"column": "n"}]),
        edges=["start>last"],
    )  # fmt: skip
    found = await answer(http, workflow, {"rows": ROWS})
    monkeypatch.setattr(shown_values.ShownValues.shown, "__kwdefaults__", {"most": 1_000})
    monkeypatch.setattr(type(working.services.runs).shown, "__kwdefaults__", {"most": 1_000})
    told = (await http.get(f"/api/v1/runs/{found['run_id']}")).json()["output"]["$large"]
    assert (told["rows"], told["columns"]) == (3_000, ["n", "city", "note"])
    page = await http.get(told["rows_href"], params={"offset": 2_999})
    assert page.json()["rows"] == [list(ROWS[-1].values())]
    assert (await http.get(told["href"])).status_code == 200


async def test_a_webhook_with_a_large_body_has_its_fields(
    working: Installation, http: httpx.AsyncClient
) -> None:
    workflow = await publish(
        http,
        node("hook", "trigger.webhook", response="respond"),
        node("way", "flow.if", condition="{{ hook.body.rows | length > 2999 }}"),
        node("many", "flow.respond", body={"n": "{{ hook.body.rows[7].n }}", "rows": "{{ hook.body.rows }}"}),
        node("few", "flow.respond", status=404),
        edges=["hook>way", "way.true>many", "way.false>few"],
    )
    [hook] = (await http.get(f"/api/v1/workflows/{workflow}/hooks")).json()["items"]
    secret = (await http.post(f"/api/v1/workflows/{workflow}/hooks/hook/secret")).json()["secret"]
    body = json.dumps({"rows": ROWS}).encode()
    sent = await http.post(
        hook["path"],
        content=body,
        headers={"content-type": "application/json", **signed(secret.encode(), body)},
    )
    assert sent.status_code == 200, sent.text
    assert sent.json() == {"n": 7, "rows": ROWS}


async def test_an_expression_is_previewed_with_data(working: Installation, http: httpx.AsyncClient) -> None:
    workflow = await publish(
        http, node("start", "trigger.manual"), node("far", "table.sort", rows="{{ start.rows }}", by=[{"column": "n"}]),
        node("gap", "data.set", fields={"t": "{{ far }}"}), node("last", "data.set", fields={}),
        edges=["start>far", "far>gap", "gap>last"],
    )  # fmt: skip
    await answer(http, workflow, {"rows": ROWS})
    expressions = ExpressionValues(working.engine.database, working.engine.environment)
    for text, shown in (
        ("{{ far | length }}", "3000"), ("{{ gap.t | columns | join(' ') }}", "n city note"), ("{{ far[2].n }}", "2"),
    ):  # fmt: skip
        preview = await expressions.preview(working.first, UUID(workflow), "last", text)
        assert (preview.state, preview.text) == ("value", shown)
    around = await expressions.surroundings(working.first, UUID(workflow), "last")
    assert around.values["far"] == ROWS[:50]
    assert around.values["gap"]["t"][0] == ROWS[0]  # type: ignore[index,call-overload]
