"""A worker dies around a call, a request to a waiting step and a failure: nothing is started twice, nothing is lost."""

import asyncio
import signal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from structforge.domain.run import RunStatus
from structforge.engine import faults
from structforge.engine.context import idempotency_key
from tests.crash.conftest import END_S, Fleet, lines
from tests.support.eventually import eventually
from tests.support.workflows import document, node

WORKER_POINTS = [point for point in faults.POINTS if point not in ("after_accept", "after_intent")]


async def below(fleet: Fleet, run: UUID) -> list[Any]:
    """Return kind and status of the runs that a run started."""
    async with fleet.made.engine.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT id, trigger_kind, status FROM workflow_executions WHERE parent_run_id = %s", (run,)
        )
        return await cursor.fetchall()


LATER = [(point, after) for point in ("before_commit", "after_step_commit") for after in (1, 2)]


@pytest.mark.parametrize(("point", "after"), [*((point, 0) for point in WORKER_POINTS), *LATER])
async def test_a_call_is_made_once_wherever_the_worker_dies(
    fleet: Fleet, tmp_path: Path, point: str, after: int
) -> None:
    trace = tmp_path / "trace"
    callee = await fleet.publish(document(node("work", "test.gate", trace=str(trace))))
    made = document(
        node("start", value=1),
        node(
            "call",
            "flow.call",
            workflow=str(callee),
            policies={"each": {"items": "{{ [1, 2] }}", "concurrency": 2}},
        ),
        node("end"),
        edges=["start>call", "call>end"],
    )
    (run,) = await fleet.accept(await fleet.publish(made), 1)
    doomed = fleet.worker(STRUCTFORGE_CRASH_AT=point, STRUCTFORGE_CRASH_AFTER=str(after))
    assert doomed.wait() == -signal.SIGKILL
    fleet.worker()

    await fleet.all_are([run], RunStatus.SUCCEEDED)
    assert [row[1:] for row in await below(fleet, run)] == [("call", "succeeded")] * 2
    await fleet.check_journal([run], {"start", "call#0", "call#1", "call", "end"})
    # The work of a called run may be repeated by the crash, never by a second call.
    assert lines(trace)["work"] in (2, 3, 4)


@pytest.mark.parametrize("point", WORKER_POINTS)
async def test_a_failed_run_is_handled_once_wherever_the_worker_dies(fleet: Fleet, point: str) -> None:
    handler = await fleet.publish(
        document(node("failed", "trigger.error"), node("note"), edges=["failed>note"])
    )
    made = document(
        node("work", "test.fail", code="no.good"),
        node("end"),
        edges=["work>end"],
        error_workflow=str(handler),
    )
    (run,) = await fleet.accept(await fleet.publish(made), 1)
    doomed = fleet.worker(STRUCTFORGE_CRASH_AT=point)
    assert doomed.wait() == -signal.SIGKILL
    fleet.worker()
    await fleet.all_are([run], RunStatus.FAILED)

    async def handled() -> bool:
        return [row[1:] for row in await below(fleet, run)] == [("error", "succeeded")]

    await eventually(handled, timeout_s=END_S)


async def test_a_request_to_a_waiting_step_outlives_every_worker(fleet: Fleet) -> None:
    made = document(node("hook", "flow.wait_webhook"), node("end"), edges=["hook.received>end"])
    workflow = await fleet.publish(made)
    first = fleet.worker()
    runs = await fleet.accept(workflow, 2)
    await fleet.all_are(runs, RunStatus.WAITING)
    first.kill()
    me = fleet.made.first
    for run in runs:
        url = fleet.made.engine.environment.resume_url(me.organization_id, run, "hook")
        async with fleet.made.http() as client:
            path = url.removeprefix(fleet.made.settings.web_url)
            assert (await client.post(path, json={"n": 1})).status_code == 202
            assert (await client.post(path, json={"n": 2})).status_code == 409
    # It dies with the answers in hand, before what they led to is durable.
    doomed = fleet.worker(STRUCTFORGE_CRASH_AT="before_commit")
    assert doomed.wait() == -signal.SIGKILL
    fleet.worker()
    await fleet.all_are(runs, RunStatus.SUCCEEDED)
    await fleet.check_journal(runs, {"hook", "end"})
    for run in runs:
        assert (await fleet.made.services.runs.get(me, run)).output[0]["body"] == {"n": 1}


async def test_an_http_node_sends_the_same_key_before_and_after_a_crash(fleet: Fleet) -> None:
    keys: list[str] = []
    dead = asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        keys.append(
            next(line.partition(": ")[2] for line in head.splitlines() if line.startswith("idempotency-key"))
        )
        if len(keys) == 1:
            await dead.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(receive, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        made = document(node("pay", "http.request", method="POST", url=f"http://127.0.0.1:{port}/pay"))
        allowed = {"STRUCTFORGE_OUTBOUND_ALLOW_HOSTS": "127.0.0.1"}
        workflow = await fleet.publish(made)
        first = fleet.worker(**allowed)
        (run,) = await fleet.accept(workflow, 1)
        await eventually(lambda: len(keys) == 1, timeout_s=END_S)
        first.kill()
        fleet.worker(**allowed)
        await fleet.all_are([run], RunStatus.SUCCEEDED)
        dead.set()
    assert keys == [idempotency_key(run, "pay")] * 2
