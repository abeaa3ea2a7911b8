"""Steps much longer than the lease, on the event loop and beside it, are executed once (R6)."""

import asyncio
from pathlib import Path

import pytest

from structforge.domain.run import RunStatus
from tests.crash.conftest import END_S, Fleet, lines
from tests.support.eventually import eventually
from tests.support.workflows import document, node

LEASES = 8
LEASE_S = 0.5


@pytest.mark.parametrize("kind", ["test.gate", "test.gate_blocking", "test.gate_once", "test.hog"])
async def test_a_step_that_outlives_many_leases_is_executed_once(
    fleet: Fleet, gate: Path, tmp_path: Path, kind: str
) -> None:
    trace = tmp_path / "trace"
    made = document(
        node("work", kind, trace=str(trace), gate=str(gate)),
        node("all", "flow.loop", items=[1, 2], concurrency=2),
        node("inner", kind, trace=str(trace), gate=str(gate)),
        edges=["all.body>inner", "inner>all.again"],
    )
    workflow = await fleet.publish(made)
    for _ in range(2):
        fleet.worker(STRUCTFORGE_LEASE_S=str(LEASE_S))
    (run,) = await fleet.accept(workflow, 1)
    await eventually(lambda: bool(lines(trace)), timeout_s=END_S)
    # No event tells that nothing happened: the leases have to pass.
    await asyncio.sleep(LEASES * LEASE_S)
    gate.touch()
    await fleet.all_are([run], RunStatus.SUCCEEDED)
    await fleet.check_journal([run], {"work", "all", "all[0]/inner", "all[1]/inner"})
    assert lines(trace) == {"work": 1, "all[0]/inner": 1, "all[1]/inner": 1}
