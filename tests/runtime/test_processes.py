"""What the death of a pool process says about the step it worked on: nothing, when somebody else killed it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from structforge.engine.environment import ProcessCall
from structforge.runtime import processes
from structforge.runtime.processes import DEATHS_PER_CALL, KILLS_PER_CALL, ProcessPool
from structforge.sdk.context import NodeError
from tests.support.eventually import eventually
from tests.support.execution import RUN, lines_of
from tests.support.workflows import PLUGIN_FOLDER


@pytest.fixture
async def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ProcessPool]:
    monkeypatch.setenv("PYTHONPATH", str(PLUGIN_FOLDER))
    made = ProcessPool(1, tmp_path / "store", tmp_path, 1 << 20)
    yield made
    await made.close()


def call(pool: ProcessPool, node_type: str, **parameters: Any) -> "asyncio.Task[Any]":
    wanted = ProcessCall(node_type, parameters, {}, RUN, "a", 1)
    return asyncio.create_task(pool.run(wanted, lambda *line: None))


def pool_processes() -> list[psutil.Process]:
    return [
        found
        for found in psutil.Process().children()
        if found.status() != psutil.STATUS_ZOMBIE and "structforge.runtime.process_child" in found.cmdline()
    ]


async def test_deaths_before_a_process_has_started_do_not_count(pool: ProcessPool) -> None:
    answer = call(pool, "test.gate_blocking")
    killed: set[int] = set()

    def kill_while_it_starts() -> bool:
        for found in pool_processes():
            if found.pid not in killed:
                with contextlib.suppress(psutil.NoSuchProcess):
                    found.kill()
                killed.add(found.pid)
        return len(killed) > DEATHS_PER_CALL

    await eventually(kill_while_it_starts, timeout_s=60)
    assert (await answer)["from"] == "a"


async def test_a_step_survives_that_its_process_is_killed_from_outside(
    pool: ProcessPool, tmp_path: Path
) -> None:
    trace, gate = tmp_path / "trace", tmp_path / "gate"
    answer = call(pool, "test.gate_blocking", trace=str(trace), gate=str(gate))
    for times in range(1, DEATHS_PER_CALL + 2):
        await eventually(lambda times=times: len(lines_of(trace)) == times, timeout_s=60)  # type: ignore[misc]
        psutil.Process(int(lines_of(trace)[-1][2])).kill()
    gate.touch()
    assert (await answer)["from"] == "a"


async def test_a_step_whose_process_ends_itself_fails(pool: ProcessPool) -> None:
    with pytest.raises(NodeError) as caught:
        await call(pool, "test.wild_blocking", kind="system_exit")
    assert caught.value.problem.code == "step.process_died"
    assert str(DEATHS_PER_CALL) in caught.value.problem.message
    assert not caught.value.final


async def test_a_step_that_always_gets_its_process_killed_fails_at_last(pool: ProcessPool) -> None:
    with pytest.raises(NodeError) as caught:
        await call(pool, "test.die_blocking")
    assert caught.value.problem.code == "step.process_died"
    assert str(KILLS_PER_CALL) in caught.value.problem.message


async def test_a_step_goes_to_the_process_that_made_its_tables(
    pool: ProcessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among idle processes; where none knows a table, the one that worked last is taken."""
    digests = [character * 64 for character in "abc"]
    first, second, third = (processes._Child(None) for _ in digests)  # type: ignore[arg-type]
    first.handled(digests[:2])
    second.handled(digests[2:])
    for wanted, chosen in ((digests[:1], first), (digests, first), (digests[2:], second), ([], third)):
        monkeypatch.setattr(pool, "_free", [first, second, third])
        assert pool._best(wanted) is chosen
    first.handled(f"{number:064x}" for number in range(processes.REMEMBERED_ARTIFACTS))
    assert not first.knows(digests)
    monkeypatch.setattr(pool, "_free", [])
