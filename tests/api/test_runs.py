"""Runs over HTTP: lists, steps, logs, live events with a cursor, stopping."""

import json
from typing import Any

import httpx
import pytest

from tests.support.documents import greeting
from tests.support.installation import Installation


@pytest.fixture
async def workflow(http: httpx.AsyncClient) -> str:
    body = {"name": "Greeter", "document": greeting("Hello {{ start.name }}")}
    made = (await http.post("/api/v1/workflows", json=body)).json()
    published = await http.post(f"/api/v1/workflows/{made['id']}/publish")
    assert published.status_code == 201, published.text
    return str(made["id"])


def events_of(text: str) -> list[dict[str, Any]]:
    blocks = [block for block in text.split("\n\n") if block.startswith("id: ")]
    events = []
    for block in blocks:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        event = json.loads(fields["data"])
        assert (int(fields["id"]), fields["event"]) == (event["seq"], event["type"])
        events.append(event)
    return events


async def test_a_sync_run_answers_with_its_result(http: httpx.AsyncClient, workflow: str) -> None:
    body = {"mode": "sync", "input": {"name": "Ada"}}
    started = await http.post(f"/api/v1/workflows/{workflow}/runs", json=body)
    assert started.status_code == 200, started.text
    assert started.headers["content-type"] == "application/json"
    assert set(started.json()) == {"run_id", "status", "output"}
    run = (await http.get(started.headers["location"])).json()
    assert (run["id"], run["status"], run["input"]) == (
        started.json()["run_id"],
        "succeeded",
        {"name": "Ada"},
    )
    steps = (await http.get(f"{started.headers['location']}/steps")).json()["items"]
    assert {(step["node_id"], step["status"]) for step in steps} == {
        ("start", "succeeded"), ("greet", "succeeded"),
    }  # fmt: skip
    greet = next(step for step in steps if step["node_id"] == "greet")
    assert greet["outputs"]["out"] == {"text": "Hello Ada"}
    assert (await http.get(f"{started.headers['location']}/logs")).status_code == 200


async def test_what_an_input_leaves_out_is_its_declared_default(http: httpx.AsyncClient) -> None:
    fields = {"name": {"type": "string", "default": "Bob"}, "day": {"type": "string", "format": "date"}}
    declared = greeting("Hello {{ inputs.name }}") | {"inputs": {"properties": fields}}
    made = (await http.post("/api/v1/workflows", json={"name": "Greeter", "document": declared})).json()
    path = f"/api/v1/workflows/{made['id']}/runs"
    started = await http.post(path, json={"mode": "sync", "draft": True, "input": {"day": "2026-11-25"}})
    assert started.status_code == 200, started.text
    run = (await http.get(started.headers["location"])).json()
    assert run["input"] == {"day": "2026-11-25", "name": "Bob"}
    assert started.json()["output"] == {"text": "Hello Bob"}
    wrong = await http.post(path, json={"mode": "sync", "draft": True, "input": {"day": "25.11."}})
    assert (wrong.status_code, wrong.json()["problems"][0]["where"]) == (422, "input.day")


async def test_an_async_run_is_queued_and_can_be_stopped(http: httpx.AsyncClient, workflow: str) -> None:
    started = await http.post(f"/api/v1/workflows/{workflow}/runs", json={})
    assert (started.status_code, started.json()["status"]) == (202, "queued")
    path = started.headers["location"]
    stopped = await http.post(f"{path}/stop")
    assert (stopped.status_code, stopped.json()["status"]) == (202, "cancelled")
    again = await http.post(f"{path}/stop")
    assert (again.status_code, again.json()["code"]) == (409, "run.over")
    async with http.stream("GET", f"{path}/events") as response:
        seen = events_of((await response.aread()).decode())
    assert [event["type"] for event in seen] == ["run.accepted", "run.finished"]


async def test_steps_come_in_pages(http: httpx.AsyncClient, workflow: str) -> None:
    body = {"mode": "sync", "input": {"name": "Ada"}}
    run = (await http.post(f"/api/v1/workflows/{workflow}/runs", json=body)).json()["run_id"]
    path = f"/api/v1/runs/{run}/steps"
    whole = (await http.get(path)).json()
    assert ([step["step_key"] for step in whole["items"]], whole["next_offset"]) == (["start", "greet"], None)
    first = (await http.get(path, params={"limit": 1})).json()
    rest = (await http.get(path, params={"limit": 1, "offset": first["next_offset"]})).json()
    assert [*first["items"], *rest["items"]] == whole["items"]
    assert (first["next_offset"], rest["next_offset"]) == (1, None)


async def test_a_replay_takes_results_over_or_begins_from_the_start(
    http: httpx.AsyncClient, workflow: str
) -> None:
    body = {"mode": "sync", "input": {"name": "Ada"}}
    run = (await http.post(f"/api/v1/workflows/{workflow}/runs", json=body)).json()["run_id"]
    some = (await http.post(f"/api/v1/runs/{run}/replay", json={"from_nodes": ["greet"]})).json()
    assert (some["reused"], some["again"]) == (1, ["greet"])
    anew = await http.post(f"/api/v1/runs/{run}/replay", json={"from_start": True})
    assert (anew.status_code, anew.json()["reused"], anew.json()["again"]) == (202, 0, ["greet", "start"])
    request = {"action": "replay", "filter": {"run_ids": [run]}, "from_start": True}
    (made,) = (await http.post("/api/v1/runs/bulk", json=request)).json()["started"]
    steps = (await http.get(f"/api/v1/runs/{made}/steps")).json()["items"]
    assert steps == [], "nothing is taken over"


async def test_events_resume_after_the_cursor_and_end(http: httpx.AsyncClient, workflow: str) -> None:
    started = await http.post(
        f"/api/v1/workflows/{workflow}/runs", json={"mode": "sync", "input": {"name": 1}}
    )
    path = f"{started.headers['location']}/events"
    whole = await http.get(path)
    assert whole.headers["content-type"].startswith("text/event-stream")
    events = events_of(whole.text)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "run.finished"
    rest = events_of((await http.get(path, headers={"last-event-id": "2"})).text)
    assert rest == events[2:]
    assert events_of((await http.get(path, params={"after": 2})).text) == rest
    assert (await http.get(path, headers={"last-event-id": str(len(events))})).status_code == 204
    assert (await http.get(path, params={"after": -1})).status_code == 422


async def test_runs_are_listed_newest_first_and_narrowed(http: httpx.AsyncClient, workflow: str) -> None:
    path = f"/api/v1/workflows/{workflow}/runs"
    ids = [
        (await http.post(path, json={"mode": "sync", "input": {"name": "x"}})).json()["run_id"] for _ in "abc"
    ]
    queued = (await http.post(path, json={})).json()["run_id"]
    first = (await http.get("/api/v1/runs", params={"limit": 3})).json()
    rest = (await http.get("/api/v1/runs", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [run["id"] for run in first["items"] + rest["items"]] == [queued, *ids[::-1]]
    only = (await http.get("/api/v1/runs", params={"status": "queued"})).json()["items"]
    assert [run["id"] for run in only] == [queued]
    assert (await http.get("/api/v1/runs", params={"status": "odd"})).status_code == 422
    assert (
        await http.get("/api/v1/runs", params={"accepted_from": "2026-01-01T00:00:00"})
    ).status_code == 422


async def test_a_workflow_without_a_version_cannot_be_started(http: httpx.AsyncClient) -> None:
    body = {"name": "Draft", "document": greeting()}
    made = (await http.post("/api/v1/workflows", json=body)).json()
    path = f"/api/v1/workflows/{made['id']}/runs"
    refused = await http.post(path, json={"mode": "sync"})
    assert (refused.status_code, refused.json()["code"]) == (409, "workflow.not_published")
    assert (await http.post(path, json={"version": 1})).status_code == 404
    draft = await http.post(path, json={"mode": "sync", "draft": True})
    assert (draft.status_code, draft.json()["status"]) == (200, "succeeded"), draft.text


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"priority": "high"}, (0, False)),
        ({"priority": "low", "run_at": "2999-01-01T00:00:00+02:00"}, (2, True)),
        ({"run_at": "2001-01-01T00:00:00Z"}, (1, False)),
        ({"priority": "urgent"}, None),
        ({"run_at": "2999-01-01T00:00:00"}, None),
        ({"run_at": None}, None),
        ({"run_at": "2999-01-01T00:00:00Z", "mode": "sync"}, None),
    ],
)
async def test_a_start_names_its_priority_and_its_time(
    installation: Installation, http: httpx.AsyncClient, workflow: str, given: Any, stored: Any
) -> None:
    started = await http.post(f"/api/v1/workflows/{workflow}/runs", json=given)
    if stored is None:
        assert (started.status_code, started.json()["code"]) == (422, "body.invalid")
        return
    assert started.status_code == 202, started.text
    async with installation.engine.database.engine_pool.connection() as connection:
        cursor = await connection.execute("SELECT priority, available_at > now() FROM run_outbox")
        assert await cursor.fetchone() == stored


async def test_a_log_is_narrowed_by_step_level_and_words(
    installation: Installation, http: httpx.AsyncClient, workflow: str
) -> None:
    run = (await http.post(f"/api/v1/workflows/{workflow}/runs", json={})).json()["run_id"]
    lines = [("greet", "info", "Said hello"), ("greet", "error", "100% lost"), ("other", "warning", "Slow")]
    async with installation.engine.database.engine_pool.connection() as connection:
        for seq, (step, level, message) in enumerate(lines, 1):
            await connection.execute(
                "INSERT INTO execution_logs (accepted_on, run_id, seq, organization_id, step_key, level, message, at) "
                "SELECT accepted_on, id, %s, organization_id, %s, %s, %s, now() FROM workflow_executions WHERE id = %s",
                (seq, step, level, message, run),
            )
    for query, found in (
        ({}, [1, 2, 3]),
        ({"after": 1}, [2, 3]),
        ({"level": "warning"}, [2, 3]),
        ({"level": "error", "step": "other"}, []),
        ({"search": "100%"}, [2]),
        ({"search": "OTHER"}, [3]),
    ):
        answer = await http.get(f"/api/v1/runs/{run}/logs", params=query)
        assert [line["seq"] for line in answer.json()["items"]] == found, query
    assert (await http.get(f"/api/v1/runs/{run}/logs", params={"level": "loud"})).status_code == 422
