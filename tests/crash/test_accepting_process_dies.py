"""The process that accepts runs dies: right after a commit, and while a caller waits for the result."""

import signal
from pathlib import Path
from uuid import UUID

from structforge.domain.run import RunStatus
from structforge.storage.repositories.runs import RunFilter
from tests.crash.conftest import END_S, Fleet, lines
from tests.support.eventually import eventually
from tests.support.workflows import document, node


async def run_ids(fleet: Fleet) -> list[UUID]:
    page = await fleet.made.services.runs.list(fleet.made.first, RunFilter())
    return [row.id for row in page.items]


async def test_a_run_whose_acceptor_died_before_it_could_ring_is_executed(fleet: Fleet) -> None:
    workflow = await fleet.publish(document(node("a", "test.gate")))
    organization = str(fleet.made.first.organization_id)
    arguments = ("-m", "tests.crash.accepting", str(workflow), organization, "5", "async")
    doomed = fleet.start(*arguments, STRUCTFORGE_CRASH_AT="after_accept", STRUCTFORGE_CRASH_AFTER="2")
    assert doomed.wait() == -signal.SIGKILL
    answered = doomed.output.count("accepted")
    runs = await run_ids(fleet)
    assert (answered, len(runs)) == (2, 3)
    fleet.start("-m", "workers.schedule")
    fleet.worker()
    await fleet.all_are(runs, RunStatus.SUCCEEDED)
    await fleet.check_journal(runs, {"a"})


async def test_a_run_goes_on_when_the_process_that_waited_for_it_is_killed(
    fleet: Fleet, gate: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    workflow = await fleet.publish(document(node("a", "test.gate", gate=str(gate), trace=str(trace))))
    organization = str(fleet.made.first.organization_id)
    fleet.worker()
    caller = fleet.start("-m", "tests.crash.accepting", str(workflow), organization, "1", "sync")

    def waits_at_the_gate() -> bool:
        assert lines(trace) == {"a": 1}
        return True

    await eventually(waits_at_the_gate, timeout_s=END_S)
    caller.kill()
    gate.touch()
    runs = await run_ids(fleet)
    await fleet.all_are(runs, RunStatus.SUCCEEDED)
    await fleet.check_journal(runs, {"a"})
    assert lines(trace) == {"a": 1}


async def test_a_pure_run_whose_process_dies_before_its_commit_never_was(fleet: Fleet) -> None:
    workflow = await fleet.publish(document(node("a", "test.pass", value=1)))
    organization = str(fleet.made.first.organization_id)
    arguments = ("-m", "tests.crash.accepting", str(workflow), organization, "1", "sync")
    doomed = fleet.start(*arguments, STRUCTFORGE_CRASH_AT="before_final_commit")
    assert doomed.wait() == -signal.SIGKILL
    assert await run_ids(fleet) == []
    doomed = fleet.start(*arguments, STRUCTFORGE_CRASH_AT="after_final_commit")
    assert doomed.wait() == -signal.SIGKILL
    runs = await run_ids(fleet)
    assert [await fleet.status(run) for run in runs] == [RunStatus.SUCCEEDED]
    await fleet.check_journal(runs, {"a"})
