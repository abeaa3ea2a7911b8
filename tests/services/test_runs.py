"""Starting runs: what is answered when, idempotency keys, the way from the accepting process to a worker."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from structforge.config import Settings
from structforge.domain.errors import InvalidError, NotFoundError
from structforge.domain.run import RunStatus
from structforge.domain.values import decode_json
from structforge.services.runs import StartRequest
from structforge.storage.repositories.runs import RunFilter
from tests.services.test_run_control import is_, publish
from tests.support.eventually import eventually
from tests.support.installation import Installation, a_worker, installed
from tests.support.workflows import document, node, registry_with_test_nodes

PURE = document(node("start", "trigger.manual"), node("a", value="{{ start.n + 1 }}"), edges=["start>a"])


@pytest.fixture
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """An installation that nobody works for yet."""
    registry_with_test_nodes()
    async with installed(settings) as made:
        yield made


async def count_of_runs(made: Installation) -> int:
    return len((await made.services.runs.list(made.first, RunFilter(), limit=100)).items)


async def test_a_pure_run_is_answered_with_its_result_without_any_worker(installation: Installation) -> None:
    workflow = await publish(installation, PURE)
    runs = installation.services.runs
    result = await runs.start(installation.first, workflow, StartRequest({"n": 1}, mode="sync"))
    assert (result.status, result.output) == (RunStatus.SUCCEEDED, b"2")
    row = await runs.get(installation.first, result.run_id)
    assert (row.status, row.output) == ("succeeded", 2)
    events = [event async for event in runs.events(installation.first, result.run_id)]
    assert [event["type"] for event in events] == [
        "run.accepted", "run.started", "step.finished", "step.finished", "run.finished"
    ]  # fmt: skip


async def test_at_its_time_limit_a_pure_run_is_handed_to_a_worker(installation: Installation) -> None:
    workflow = await publish(installation, PURE)
    runs = installation.services.runs
    result = await runs.start(
        installation.first, workflow, StartRequest({"n": 1}, mode="sync", time_limit_s=0)
    )
    assert not result.status.terminal
    async with a_worker(installation):
        await eventually(is_(installation, result.run_id, RunStatus.SUCCEEDED))
    events = [event async for event in runs.events(installation.first, result.run_id)]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


async def test_a_caller_gets_the_run_and_not_the_result_when_its_time_is_over(
    installation: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    workflow = await publish(installation, document(node("a", "test.gate", gate=str(gate))))
    runs = installation.services.runs
    async with a_worker(installation):
        request = StartRequest({}, mode="sync", time_limit_s=0.2)
        late = await runs.start(installation.first, workflow, request)
        assert not late.status.terminal
        gate.touch()
        await eventually(is_(installation, late.run_id, RunStatus.SUCCEEDED))
        in_time = await runs.start(installation.first, workflow, StartRequest({}, mode="sync"))
        assert in_time.status is RunStatus.SUCCEEDED
        assert decode_json(in_time.output or b"", max_bytes=1_000) == {"from": "a", "in": []}


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_of_fifty_starts_with_one_key_one_is_a_run(installation: Installation, mode: Any) -> None:
    workflow = await publish(installation, PURE)
    runs = installation.services.runs
    request = StartRequest({"n": 1}, mode=mode, idempotency_key="k", body_hash="h")
    results = await asyncio.gather(*(runs.start(installation.first, workflow, request) for _ in range(50)))
    assert len({result.run_id for result in results}) == 1
    assert sum(not result.replayed for result in results) == 1
    assert await count_of_runs(installation) == 1
    if mode == "sync":
        assert {(result.status, result.output) for result in results} == {(RunStatus.SUCCEEDED, b"2")}
    other = StartRequest({"n": 2}, mode=mode, idempotency_key="k", body_hash="another")
    with pytest.raises(InvalidError) as refused:
        await runs.start(installation.first, workflow, other)
    assert refused.value.problem.code == "idempotency.body_differs"
    assert await count_of_runs(installation) == 1


async def test_a_key_of_one_organization_means_nothing_to_another(installation: Installation) -> None:
    request = StartRequest({"n": 1}, mode="sync", idempotency_key="k", body_hash="h")
    workflow = await publish(installation, PURE)
    runs = installation.services.runs
    await runs.start(installation.first, workflow, request)
    with pytest.raises(NotFoundError):
        await runs.start(installation.second, workflow, request)


async def test_input_that_breaks_the_schema_is_told_and_starts_nothing(installation: Installation) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n", "m"]}
    workflow = await publish(installation, PURE.model_copy(update={"inputs": schema}))
    with pytest.raises(InvalidError) as refused:
        await installation.services.runs.start(installation.first, workflow, StartRequest({"n": "x"}))
    assert sorted(problem.where for problem in refused.value.problems) == ["input.m", "input.n"]
    assert await count_of_runs(installation) == 0


async def test_an_unknown_trigger_is_told(installation: Installation) -> None:
    workflow = await publish(installation, PURE)
    with pytest.raises(InvalidError) as refused:
        await installation.services.runs.start(
            installation.first, workflow, StartRequest({"n": 1}, trigger_node="nobody")
        )
    assert refused.value.problem.code == "run.unknown_trigger"
    assert "start" in refused.value.problem.hint


async def test_a_follower_with_a_cursor_misses_nothing(installation: Installation, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    workflow = await publish(
        installation, document(node("a", "test.gate", gate=str(gate)), node("b"), edges=["a>b"])
    )
    runs = installation.services.runs
    run = (await runs.start(installation.first, workflow, StartRequest({}))).run_id
    seen: list[int] = []

    async def follow() -> None:
        async for event in runs.events(installation.first, run):
            seen.append(event["seq"])

    following = asyncio.create_task(follow())
    async with a_worker(installation):
        await eventually(lambda: 3 in seen)
        gate.touch()
        async with asyncio.timeout(20):
            await following
    assert seen == list(range(1, len(seen) + 1))
    rest = [event["seq"] async for event in runs.events(installation.first, run, after=3)]
    assert rest == seen[3:]


async def test_strangers_see_no_run(installation: Installation) -> None:
    workflow = await publish(installation, PURE)
    runs = installation.services.runs
    run = (await runs.start(installation.first, workflow, StartRequest({"n": 1}, mode="sync"))).run_id
    for ask in (runs.get, runs.steps, runs.logs, runs.stop):
        with pytest.raises(NotFoundError):
            await ask(installation.second, run)
    with pytest.raises(NotFoundError):
        _ = [event async for event in runs.events(installation.second, run)]
    assert (await runs.list(installation.second, RunFilter())).items == []
