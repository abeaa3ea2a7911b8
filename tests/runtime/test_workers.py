"""Real worker processes on real servers: many runs at once, several workers, stopping, poison."""

from pathlib import Path

from structforge.domain.run import RunStatus
from tests.crash.conftest import END_S, Fleet, lines
from tests.support.eventually import eventually
from tests.support.execution import lines_of
from tests.support.workflows import document, node


async def test_two_workers_share_what_is_more_than_one_takes(
    fleet: Fleet, gate: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    made = document(
        node("a", "test.gate", gate=str(gate), trace=str(trace)),
        node("b", "test.gate"),
        node("c"),
        edges=["a>b", "a>c"],
    )
    workflow = await fleet.publish(made)
    runs = await fleet.accept(workflow, 60)
    workers = [fleet.worker(STRUCTFORGE_WORKER_SLOTS="40") for _ in range(2)]
    await eventually(lambda: len(lines_of(trace)) == 60, timeout_s=END_S)
    assert {line[2] for line in lines_of(trace)} == {str(worker.pid) for worker in workers}
    gate.touch()
    await fleet.all_are(runs, RunStatus.SUCCEEDED)
    await fleet.check_journal(runs, {"a", "b", "c"})
    assert lines(trace) == {"a": 60}
    assert [worker.terminate() for worker in workers] == [0, 0]


async def test_a_queued_run_is_stopped_at_once_and_never_begins(fleet: Fleet, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    workflow = await fleet.publish(document(node("a", "test.gate", trace=str(trace))))
    stopped, other = await fleet.accept(workflow, 2)
    assert await fleet.made.services.runs.stop(fleet.made.first, stopped) is RunStatus.CANCELLED
    fleet.worker()
    await fleet.all_are([other], RunStatus.SUCCEEDED)
    assert await fleet.status(stopped) is RunStatus.CANCELLED
    await fleet.check_journal([stopped], set())
    assert lines(trace) == {"a": 1}


async def test_stopping_a_run_kills_its_blocking_process_and_no_other(
    fleet: Fleet, gate: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    workflow = await fleet.publish(
        document(node("a", "test.gate_blocking", gate=str(gate), trace=str(trace)), node("b"), edges=["a>b"])
    )
    worker = fleet.worker()
    stopped, other = await fleet.accept(workflow, 2)
    await eventually(lambda: len(lines_of(trace)) == 2, timeout_s=END_S)
    assert await fleet.made.services.runs.stop(fleet.made.first, stopped) is RunStatus.CANCELLING
    await fleet.all_are([stopped], RunStatus.CANCELLED)
    pids = [line[2] for line in lines_of(trace)]
    await eventually(lambda: sum(Path(f"/proc/{pid}").exists() for pid in pids) == 1)
    gate.touch()
    await fleet.all_are([other], RunStatus.SUCCEEDED)
    assert worker.terminate() == 0


async def test_a_run_that_kills_its_workers_is_failed_and_takes_nobody_with_it(
    fleet: Fleet, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    poison = await fleet.publish(
        document(node("die", "test.die", gate=str(tmp_path / "never"), trace=str(trace)))
    )
    harmless = await fleet.publish(document(node("a", "test.gate"), node("b"), edges=["a>b"]))
    (bad,) = await fleet.accept(poison, 1)
    others = await fleet.accept(harmless, 5)
    # It has killed five already; counting those is shown in tests/storage/test_journal.py without processes.
    async with fleet.made.engine.database.engine_pool.connection() as connection:
        await connection.execute("UPDATE run_outbox SET deaths = 5 WHERE run_id = %s", (bad,))

    async def is_over() -> bool:
        if not fleet.programs or fleet.programs[-1].process.poll() is not None:
            fleet.worker(STRUCTFORGE_LEASE_S="0.5")
        return await fleet.status(bad) is RunStatus.FAILED

    await eventually(is_over, timeout_s=2 * END_S)
    row = await fleet.made.services.runs.get(fleet.made.first, bad)
    assert row.error["code"] == "run.kills_workers"
    assert lines(trace) == {"die": 2}
    await fleet.all_are(others, RunStatus.SUCCEEDED)
    await fleet.check_journal(others, {"a", "b"})
