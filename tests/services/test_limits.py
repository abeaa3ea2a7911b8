"""Starts of a workflow that may have so many runs at once: queue, reject, replace; calls that wait; many at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from structforge.config import Settings
from structforge.domain.errors import InvalidError, TooManyRequestsError
from structforge.domain.run import RunStatus
from structforge.services.runs import StartRequest
from structforge.storage.repositories.runs import RunFilter
from tests.services.test_run_control import is_, publish, status_of
from tests.support.eventually import eventually
from tests.support.installation import Installation, a_worker, installed
from tests.support.workflows import document, node, registry_with_test_nodes


@pytest.fixture
async def idle(settings: Settings) -> AsyncIterator[Installation]:
    """An installation whose worker is not there yet."""
    registry_with_test_nodes()
    async with installed(settings) as made:
        yield made


@pytest.fixture
async def working(idle: Installation) -> AsyncIterator[Installation]:
    """One with a worker."""
    async with a_worker(idle):
        yield idle


async def gated(made: Installation, gate: Path, **settings: object) -> UUID:
    return await publish(made, document(node("a", "test.gate", gate=str(gate)), **settings))


async def start(made: Installation, workflow: UUID, **order: object) -> UUID:
    request = StartRequest({}, **order)  # type: ignore[arg-type]
    return (await made.services.runs.start(made.first, workflow, request)).run_id


async def statuses(made: Installation, *runs: UUID) -> list[str]:
    return [await status_of(made, run) for run in runs]


async def test_runs_beyond_the_limit_queue_and_follow_one_another_at_once(
    working: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    workflow = await gated(working, gate, max_runs=2)
    runs = [await start(working, workflow) for _ in range(5)]

    async def two_run() -> bool:
        return await statuses(working, *runs) == ["running", "running", "queued", "queued", "queued"]

    await eventually(two_run)
    gate.touch()

    async def all_done() -> bool:
        return await statuses(working, *runs) == ["succeeded"] * 5

    await eventually(all_done)


async def test_a_full_workflow_that_rejects_says_when_to_come_back(
    working: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    workflow = await gated(working, gate, max_runs=1, when_full="reject")
    first = await start(working, workflow, idempotency_key="k")
    with pytest.raises(TooManyRequestsError) as refused:
        await start(working, workflow)
    assert refused.value.problem.code == "run.limit"
    assert refused.value.problem.details["retry_after_s"] > 0
    # What was accepted already is no new start.
    assert await start(working, workflow, idempotency_key="k") == first
    gate.touch()
    await eventually(is_(working, first, RunStatus.SUCCEEDED))
    second = await start(working, workflow)
    await eventually(is_(working, second, RunStatus.SUCCEEDED))


async def test_many_starts_at_once_fill_a_workflow_that_rejects_exactly(
    idle: Installation, tmp_path: Path
) -> None:
    workflow = await gated(idle, tmp_path / "gate", max_runs=3, when_full="reject")
    started = await asyncio.gather(*(start(idle, workflow) for _ in range(40)), return_exceptions=True)
    assert sum(isinstance(result, UUID) for result in started) == 3
    assert sum(isinstance(result, TooManyRequestsError) for result in started) == 37


async def test_a_new_run_replaces_the_oldest_that_queues_and_never_one_that_runs(
    working: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    workflow = await gated(working, gate, max_runs=1, when_full="replace")
    running = await start(working, workflow)
    await eventually(is_(working, running, RunStatus.RUNNING))
    queued = await start(working, workflow)
    newer = await start(working, workflow)
    newest = await start(working, workflow)
    assert await statuses(working, running, queued, newer, newest) == [
        "running", "cancelled", "cancelled", "queued",
    ]  # fmt: skip
    replaced = await working.services.runs.get(working.first, queued)
    assert replaced.error["code"] == "run.replaced"
    gate.touch()
    await eventually(is_(working, newest, RunStatus.SUCCEEDED))


async def test_calls_that_wait_are_counted_too(working: Installation) -> None:
    """A short pure run is executed where it is accepted, unless a limit counts what is in hand."""
    pure = document(node("a", "data.set", fields={"v": 1}), max_runs=1)
    workflow = await publish(working, pure)
    done = [await start(working, workflow, mode="sync") for _ in range(2)]
    assert await statuses(working, *done) == ["succeeded", "succeeded"]
    rows = await working.services.runs.list(working.first, RunFilter(workflow_id=workflow))
    async with working.engine.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT events::text FROM execution_events WHERE run_id = ANY (%s)",
            [[row.id for row in rows.items]],
        )
        batches = [row[0] for row in await cursor.fetchall()]
    # Accepted by one commit, ended by another: a worker had them.
    assert sum('"run.accepted"' in batch and '"run.finished"' in batch for batch in batches) == 0


async def test_a_waiting_run_takes_no_place(working: Installation, tmp_path: Path) -> None:
    waits = document(
        node("ask", "flow.approval", message="Go on?"), node("b", "data.set", fields={}), edges=["ask.approved>b"],
        max_runs=1,
    )  # fmt: skip
    workflow = await publish(working, waits)
    runs = [await start(working, workflow) for _ in range(3)]

    async def all_wait() -> bool:
        return await statuses(working, *runs) == ["waiting"] * 3

    await eventually(all_wait)


async def test_an_organizations_limit_counts_at_once_and_everywhere(
    working: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    limits = working.services.limits
    workflows = [await gated(working, gate) for _ in range(2)]
    # Known to this process as unlimited before the limit comes.
    pure = await publish(working, document(node("a", "data.set", fields={})))
    await start(working, pure, mode="sync")
    assert (await limits.set(working.first, 2)).max_runs == 2
    with pytest.raises(InvalidError):
        await limits.set(working.first, 0)
    runs = [await start(working, workflow) for workflow in workflows for _ in range(2)]

    async def two_run() -> bool:
        load = await limits.get(working.first)
        return (load.in_hand, load.queued) == (2, 2)

    await eventually(two_run)
    late = asyncio.create_task(start(working, pure, mode="sync"))
    gate.touch()
    runs.append(await late)

    async def all_done() -> bool:
        return set(await statuses(working, *runs)) == {"succeeded"}

    await eventually(all_done)
    assert (await limits.get(working.second)).max_runs is None
    assert (await limits.set(working.first, None)).max_runs is None


async def test_a_full_worker_has_a_place_for_who_has_nothing_in_hand(
    settings: Settings, tmp_path: Path
) -> None:
    registry_with_test_nodes()
    async with installed(settings.model_copy(update={"worker_slots": 1})) as made, a_worker(made):
        gate = tmp_path / "gate"
        long = await gated(made, gate)
        mine = [await start(made, long) for _ in range(2)]
        await eventually(is_(made, mine[0], RunStatus.RUNNING))
        others = replace(made, first=made.second, second=made.first)
        guest = await start(others, await gated(others, gate))
        await eventually(is_(others, guest, RunStatus.RUNNING))
        assert await statuses(made, *mine) == ["running", "queued"]
        gate.touch()
        for run in mine:
            await eventually(is_(made, run, RunStatus.SUCCEEDED))
