"""Processes say that they are alive; `doctor` and `status` tell who is, and what the absence of a kind means."""

import asyncio

from structforge.commands import status
from structforge.doctor import Finding, Verdict, examine
from structforge.runtime.heartbeat import heartbeat
from structforge.storage.heartbeats import AliveProcess
from tests.crash.conftest import Fleet
from tests.support.eventually import eventually


async def who(fleet: Fleet) -> dict[str, AliveProcess]:
    """Return the processes that `structforge status` tells of, by kind."""
    found = await asyncio.to_thread(status._alive, fleet.made.settings, up=False)
    assert found is not None
    return {process.kind: process for process in found}


async def diagnosis(fleet: Fleet) -> Finding:
    """Return what the doctor says of the processes."""
    findings = await asyncio.to_thread(examine, fleet.made.settings)
    return next(finding for finding in findings if finding.name == "processes")


async def test_processes_are_known_while_they_live_and_the_doctor_names_the_kind_that_is_missing(
    fleet: Fleet,
) -> None:
    assert (await diagnosis(fleet)).verdict is Verdict.IDLE
    worker, scheduler = fleet.worker(), fleet.start("-m", "workers.schedule")

    async def both() -> bool:
        return set(await who(fleet)) == {"worker", "scheduler"}

    await eventually(both)
    alive = await who(fleet)
    assert (alive["worker"].details["pid"], alive["scheduler"].details["pid"]) == (worker.pid, scheduler.pid)
    assert (alive["worker"].details["runs"], alive["worker"].details["slots"]) == (0, 64)
    lonely = await diagnosis(fleet)
    assert (lonely.verdict, "web" in lonely.text, "structforge web" in lonely.hint) == (
        Verdict.WRONG,
        True,
        True,
    )
    async with heartbeat(fleet.made.engine.pool, "this-process", "web"):
        await eventually(lambda: _is_well(fleet))
    assert [worker.terminate(), scheduler.terminate()] == [0, 0]
    assert await who(fleet) == {}


async def test_a_process_that_died_counts_until_it_was_not_heard_of_for_long(fleet: Fleet) -> None:
    worker = fleet.worker()
    await eventually(lambda: _knows_worker(fleet))
    worker.kill()
    assert "worker" in await who(fleet)
    async with fleet.made.engine.pool.connection() as connection:
        await connection.execute("UPDATE worker_heartbeats SET seen_at = now() - interval '31 seconds'")
    assert await who(fleet) == {}


async def _is_well(fleet: Fleet) -> bool:
    found = await diagnosis(fleet)
    return found.verdict is Verdict.OK and found.text == "1 web, 1 worker, 1 scheduler alive."


async def _knows_worker(fleet: Fleet) -> bool:
    return "worker" in await who(fleet)
