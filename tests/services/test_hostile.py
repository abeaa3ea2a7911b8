"""Nodes that do what no node should, all in one run on real servers: the run ends, every step says why (R12)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from structforge.config import Settings
from structforge.domain.events import RunEvent
from structforge.domain.run import RunStatus
from structforge.services.runs import StartRequest
from structforge.wiring.worker import build_worker
from tests.services.test_run_control import publish
from tests.support.eventually import eventually
from tests.support.installation import Installation, installed
from tests.support.workflows import HOSTILE_VALUES, WILD_ACTS, document, node, registry_with_test_nodes


@pytest.fixture
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Two organizations, their services, and one worker loop."""
    registry_with_test_nodes()
    async with installed(settings) as made:
        worker = build_worker(made.engine)
        working = asyncio.create_task(worker.run())
        yield made
        worker.drain()
        await working


async def test_a_run_full_of_hostile_nodes_ends_and_every_failure_is_explained(
    installation: Installation,
) -> None:
    policies = {"on_error": "port"}
    nodes, edges = [node("end", "flow.merge", mode="all")], []
    for family, acts in (("wild", WILD_ACTS), ("hostile", HOSTILE_VALUES)):
        for kind in (f"test.{family}", f"test.{family}_async"):
            for number, act in enumerate(acts):
                name = f"{kind.removeprefix('test.')}_{number}"
                nodes.append(node(name, kind, kind=act, policies=policies))
                edges.append(f"{name}.error>end")
    workflow = await publish(installation, document(*nodes, edges=edges))
    run = (await installation.services.runs.start(installation.first, workflow, StartRequest({}))).run_id

    async def over() -> bool:
        return RunStatus((await installation.services.runs.get(installation.first, run)).status).terminal

    await eventually(over, timeout_s=120)
    row = await installation.services.runs.get(installation.first, run)
    assert (row.status, len(row.output)) == ("succeeded", len(edges))
    for step in await installation.services.runs.steps(installation.first, run):
        if step.node_id != "end":
            assert (step.status, step.settled) == ("failed", True), step.step_key
            assert step.error["code"], step.step_key
            assert step.error["message"], step.step_key
    events = [event async for event in installation.services.runs.events(installation.first, run)]
    assert events[-1]["type"] == "run.finished"
    assert {name for event in events for name in event} <= set(RunEvent.__annotations__)


@pytest.mark.parametrize(
    "forged",
    [
        {"hash": "a" * 64, "size_bytes": 10**30, "media_type": "x/y"},
        {"hash": "a" * 64, "size_bytes": True, "media_type": "x/y"},
        {"hash": "a" * 64, "size_bytes": "many", "media_type": "x/y"},
        {"hash": {"a": 1}, "size_bytes": 1, "media_type": "x/y"},
        {"hash": "a" * 64, "size_bytes": 1, "media_type": ["x"]},
        {"hash": "a" * 64, "size_bytes": 1, "media_type": "x/y", "meta": {"rows": 10**30}},
    ],
)
async def test_an_input_that_looks_like_a_file_breaks_no_commit(
    installation: Installation, forged: dict[str, Any]
) -> None:
    workflow = await publish(installation, document(node("copy", "data.set", fields={"v": "{{ inputs.v }}"})))
    runs, me = installation.services.runs, installation.first
    request = StartRequest({"v": {"$artifact": forged}}, time_limit_s=30)
    for mode in ("async", "sync"):
        run = (await runs.start(me, workflow, replace(request, mode=mode))).run_id  # type: ignore[arg-type]

        async def over(run: UUID = run) -> bool:
            return RunStatus((await runs.get(me, run)).status).terminal

        await eventually(over)
        assert (await runs.get(me, run)).status == "succeeded", mode
