"""A worker dies inside the `finally` branch, which goes on elsewhere and was told the same (R3)."""

from pathlib import Path
from typing import Any

import pytest

from structforge.domain.run import RunStatus
from structforge.services.answers import GivenAnswer
from tests.crash.conftest import END_S, Fleet, lines
from tests.support.eventually import eventually
from tests.support.workflows import document, node

WORK: dict[str, dict[str, Any]] = {
    "succeeded": node("work", "data.set", fields={"n": 1}),
    "failed": node("work", "flow.stop", code="no", message="No."),
}


@pytest.mark.parametrize(
    ("before", "kind", "times"),
    [("succeeded", "test.gate", 2), ("failed", "test.gate_pure", 2), ("failed", "test.gate_once", 1)],
)
async def test_a_worker_dies_inside_the_branch(
    fleet: Fleet, gate: Path, tmp_path: Path, before: str, kind: str, times: int
) -> None:
    trace = tmp_path / "trace"
    made = document(
        WORK[before],
        node("end", "flow.finally"),
        node("clean", kind, trace=str(trace), gate=str(gate)),
        node("told", value="{{ end.status }}"),
        edges=["end>clean", "clean>told"],
    )
    first = fleet.worker()
    (run,) = await fleet.accept(await fleet.publish(made), 1)
    runs, answers, me = fleet.made.services.runs, fleet.made.services.answers, fleet.made.first

    async def cleans() -> bool:
        rows = await runs.steps(me, run)
        return lines(trace) == {"clean": 1} and ("clean", "running") in {
            (row.step_key, row.status) for row in rows
        }

    await eventually(cleans, timeout_s=END_S)
    first.kill()
    gate.touch()
    fleet.worker()
    if kind == "test.gate_once":

        async def asked() -> bool:
            return [one.step_key for one in await answers.waiting(me, run)] == ["clean"]

        await eventually(asked, timeout_s=END_S)
        assert lines(trace) == {"clean": 1}
        await answers.answer(me, run, "clean", GivenAnswer("done", {"output": "cleaned"}))
    await fleet.all_are([run], RunStatus(before))
    await fleet.check_journal([run], {"work", "end", "clean", "told"})
    assert lines(trace) == {"clean": times}
    found = await runs.get(me, run)
    assert (found.error or {}).get("code") == ("no" if before == "failed" else None)
    attempts = [(r.attempt, r.status) for r in await runs.steps(me, run) if r.step_key == "clean"]
    assert attempts == ([(1, "succeeded")] if times == 1 else [(1, "failed"), (2, "succeeded")])
    (told,) = [row for row in await runs.steps(me, run) if row.step_key == "told"]
    assert told.outputs == {"out": before}
