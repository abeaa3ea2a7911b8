"""Steps that wait for a request from outside; a real worker loop on real servers, through the gateway."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from structforge.config import Settings
from structforge.domain.access import Role
from structforge.domain.run import RunStatus
from structforge.domain.workflow import WorkflowDocument
from structforge.services.runs import StartRequest
from structforge.services.triggers import sign
from tests.services.test_calls import ended, rests
from tests.services.test_run_control import is_, publish
from tests.support.eventually import eventually
from tests.support.installation import Installation, a_worker, installed
from tests.support.workflows import document, node, registry_with_test_nodes


@pytest.fixture
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Two organizations, their services, and one worker loop."""
    registry_with_test_nodes()
    async with installed(settings) as made:
        async with a_worker(made):
            yield made


def waits(**parameters: Any) -> WorkflowDocument:
    """Return a workflow that tells its address and waits there."""
    return document(
        node("tell", "data.set", fields={"url": "{{ run.resume.hook }}"}),
        node("hook", "flow.wait_webhook", **parameters),
        node("got", "data.set", fields={"body": "{{ hook.body }}", "method": "{{ hook.method }}"}),
        node("late", "data.set", fields={"late": "{{ hook.limit_s }}"}),
        edges=["tell>hook", "hook.received>got", "hook.timeout>late"],
    )


async def start(made: Installation, version: WorkflowDocument) -> UUID:
    workflow = await publish(made, version)
    return (await made.services.runs.start(made.first, workflow, StartRequest({}))).run_id


def path_of(made: Installation, run: UUID, step_key: str = "hook") -> str:
    """Return the address of a step, below the host."""
    url = made.engine.environment.resume_url(made.first.organization_id, run, step_key)
    return url.removeprefix(made.settings.web_url)


async def post(made: Installation, path: str, json: Any = None, **options: Any) -> tuple[int, Any]:
    async with made.http() as client:
        response = await client.request(options.pop("method", "POST"), path, json=json, **options)
        return response.status_code, response.json()


async def test_the_first_request_to_its_address_lets_the_step_go_on(installation: Installation) -> None:
    run = await start(installation, waits())
    await rests(installation, run)
    steps = await installation.services.runs.steps(installation.first, run)
    (told,) = [row.outputs["out"]["url"] for row in steps if row.step_key == "tell"]
    path = told.removeprefix(installation.settings.web_url)
    assert await post(installation, path, {"paid": 7}) == (202, {"accepted": True})
    row = await ended(installation, run)
    assert row.output["got"] == {"body": {"paid": 7}, "method": "POST"}
    status, problem = await post(installation, path, {"paid": 8})
    assert (status, problem["code"]) == (410, "hook.gone")


async def test_a_request_that_comes_before_the_run_is_there_is_kept(
    installation: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    made = document(
        node("busy", "test.gate", gate=str(gate)), node("hook", "flow.wait_webhook"), edges=["busy>hook"]
    )
    run = await start(installation, made)
    await eventually(is_(installation, run, RunStatus.RUNNING))
    assert (await post(installation, path_of(installation, run), [1]))[0] == 202
    status, problem = await post(installation, path_of(installation, run), [2])
    assert (status, problem["code"]) == (409, "hook.answered")
    gate.touch()
    assert (await ended(installation, run)).output["body"] == [1]


async def test_a_request_to_a_paused_run_waits_for_it_to_be_resumed(installation: Installation) -> None:
    run = await start(installation, waits())
    await rests(installation, run)
    await installation.services.runs.pause(installation.first, run)
    assert (await post(installation, path_of(installation, run), 3))[0] == 202
    assert (await installation.services.runs.get(installation.first, run)).status == "paused"
    await installation.services.runs.resume(installation.first, run)
    assert (await ended(installation, run)).output["got"]["body"] == 3


async def test_nobody_calls_in_time(installation: Installation) -> None:
    run = await start(installation, waits(time_limit_s=2.2))
    assert (await ended(installation, run)).output["late"] == {"late": 2.2}
    assert (await post(installation, path_of(installation, run)))[0] == 410


async def test_steps_of_a_loop_have_addresses_of_their_own(installation: Installation) -> None:
    made = document(
        node("all", "flow.loop", items=["a", "b"], concurrency=2),
        node("tell", "data.set", fields={"url": "{{ run.resume.hook }}"}),
        node("hook", "flow.wait_webhook"),
        node("got", "data.set", fields={"v": "{{ item ~ hook.body }}"}),
        edges=["all.body>tell", "tell>hook", "hook.received>got", "got>all.again"],
    )
    run = await start(installation, made)
    await rests(installation, run)
    for index in (1, 0):
        assert (await post(installation, path_of(installation, run, f"all[{index}]/hook"), index))[0] == 202
    assert (await ended(installation, run)).output == [{"v": "a0"}, {"v": "b1"}]


async def test_what_is_wrong_with_a_request_is_told_in_order_and_changes_nothing(
    installation: Installation,
) -> None:
    run = await start(installation, waits(methods=["PUT"], max_bytes=10))
    await rests(installation, run)
    path = path_of(installation, run)
    for wrong in (path[:-2], path[:-1] + ("A" if path[-1] != "A" else "B"), "/hooks/resume/", "/hooks/resume/x" * 99,
                  path_of(installation, run, "tell"), path_of(installation, UUID(int=5))):  # fmt: skip
        assert (await post(installation, wrong, method="PUT"))[0] == 404, wrong
    assert (await post(installation, path))[0] == 405
    assert (await post(installation, path, "x" * 20, method="PUT"))[0] == 413
    assert (await post(installation, path, content=b"{", method="PUT"))[0] == 422
    assert (await post(installation, path, 1, method="PUT"))[0] == 202


async def test_a_signed_address_takes_nothing_unsigned(installation: Installation) -> None:
    version = waits(signature=True)
    workflow = await publish(installation, version)
    run = (await installation.services.runs.start(installation.first, workflow, StartRequest({}))).run_id
    await rests(installation, run)
    path, body = path_of(installation, run), b'{"n":1}'

    async def signed(secret: str) -> int:
        now = str(int(time.time()))
        headers = {
            "x-structforge-timestamp": now,
            "x-structforge-signature": sign(secret.encode(), now, body),
        }
        return (await post(installation, path, content=body, headers=headers))[0]

    assert (await post(installation, path, {"n": 1}))[0] == 401
    assert await signed("guessed") == 401
    secret = await installation.services.triggers.new_secret(installation.first, workflow, "hook")
    assert await signed("guessed") == 401
    assert await signed(secret) == 202
    assert (await ended(installation, run)).output["got"]["body"] == {"n": 1}
    assert await installation.services.triggers.list(installation.first, workflow) == []


async def test_the_address_is_shown_to_those_who_may_steer_the_run(installation: Installation) -> None:
    run = await start(installation, waits())
    await rests(installation, run)
    shown = {}
    for role in (Role.OPERATOR, Role.VIEWER):
        async with installation.http((await installation.member(role))[1]) as client:
            (question,) = (await client.get(f"/api/v1/runs/{run}/waiting")).json()["items"]
            shown[role] = question["address"]
            body = {"step_key": "hook", "decision": "approved"}
            assert (await client.post(f"/api/v1/runs/{run}/answers", json=body)).status_code in (403, 422)
    assert shown[Role.VIEWER] is None
    assert shown[Role.OPERATOR].endswith(path_of(installation, run))
    await installation.services.runs.stop(installation.first, run)
    assert (await post(installation, path_of(installation, run)))[0] == 410
