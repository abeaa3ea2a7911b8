"""What can be asked of a run in which status, as one table: every action in every status, on real runs."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest

from structforge.config import Settings
from structforge.domain.errors import ConflictError
from structforge.domain.run import RunStatus
from structforge.services.bulk import BulkAction, BulkRequest
from structforge.services.replays import ReplayRequest
from structforge.services.runs import StartRequest
from structforge.storage.repositories.runs import RunFilter
from tests.services.test_run_control import is_, publish, status_of
from tests.support.eventually import eventually
from tests.support.installation import Installation, a_worker, installed
from tests.support.workflows import document, node, registry_with_test_nodes

ACTIONS = ("stop", "pause", "resume", "replay", "delete")

# What the caller is told: the status afterwards, or why not.
TABLE = {
    "queued": ("cancelled", "paused", "run.not_now", "run.not_over", "kept"),
    "planned": ("cancelled", "paused", "run.not_now", "run.not_over", "kept"),
    "orphaned": ("cancelled", "paused", "run.not_now", "run.not_over", "kept"),
    "running": ("cancelling", "pausing", "run.not_now", "run.not_over", "kept"),
    "waiting": ("cancelled", "paused", "run.not_now", "run.not_over", "kept"),
    "pausing": ("cancelling", "run.not_now", "running", "run.not_over", "kept"),
    "paused": ("cancelled", "run.not_now", "queued", "run.not_over", "kept"),
    "cancelling": ("cancelling", "run.not_now", "run.not_now", "run.not_over", "kept"),
    "succeeded": ("run.over", "run.over", "run.over", "queued", "gone"),
    "failed": ("run.over", "run.over", "run.over", "queued", "gone"),
    "cancelled": ("run.over", "run.over", "run.over", "queued", "gone"),
}
WITHOUT_A_WORKER = ("queued", "planned", "orphaned")


def test_the_table_has_every_status() -> None:
    assert set(TABLE) - {"planned", "orphaned"} == {status.value for status in RunStatus}


class Stage:
    """Brings runs into each status."""

    def __init__(self, made: Installation, folder: Path) -> None:
        self.made = made
        self.runs = made.services.runs
        self._folder = folder
        self._gates: dict[UUID, Path] = {}

    async def run_in(self, status: str) -> UUID:
        """Return a new run that is in this status."""
        if status == "planned":
            return await self._start("gate", run_at=datetime.now(UTC) + timedelta(hours=1))
        kinds = {"waiting": "wait", "succeeded": "pure", "failed": "fails", "cancelling": "once"}
        kind = kinds.get(status, "gate")
        run = await self._start(kind)
        if status == "queued":
            return run
        if status == "orphaned":
            async with self.made.engine.pool.connection() as connection:
                await connection.execute(
                    "WITH begun AS (UPDATE workflow_executions SET status = 'running', started_at = now() "
                    "WHERE id = %(run)s) UPDATE run_outbox SET owner = 'dead', epoch = 1, "
                    "lease_expires_at = now() - interval '1 s' WHERE run_id = %(run)s",
                    {"run": run},
                )
            return run
        reached = {"pausing": "running", "paused": "running", "cancelling": "running", "cancelled": "running"}
        await eventually(is_(self.made, run, RunStatus(reached.get(status, status))))
        if status in ("pausing", "paused"):
            await self.runs.pause(self.made.first, run)
        if status in ("cancelling", "cancelled"):
            await self.runs.stop(self.made.first, run)
        if status == "paused":
            # Its step in flight has to end first.
            self._gates[run].touch()
        await eventually(is_(self.made, run, RunStatus(status)))
        return run

    async def ask(self, action: str, run: UUID) -> str:
        """Ask, and return what the caller is told."""
        me = self.made.first
        try:
            if action == "delete":
                only = RunFilter(ids=(run,))
                done = (await self.made.services.bulk.apply(me, BulkRequest(BulkAction.DELETE, only))).done
                return "gone" if done else "kept"
            if action == "replay":
                again = await self.made.services.replays.replay(me, run, ReplayRequest())
                # It may have begun already.
                row = await self.runs.get(me, again.run_id)
                return "queued" if row.origin_run_id == run else "?"
            return (await getattr(self.runs, action)(me, run)).value
        except ConflictError as error:
            return error.problem.code

    async def _start(self, kind: str, **order: object) -> UUID:
        # Each run has a gate of its own.
        gate = self._folder / f"gate-{len(self._gates)}"
        steps = {
            "gate": [node("a", "test.gate", gate=str(gate)), node("b", "test.gate")],
            # A stop waits for what must not be repeated.
            "once": [node("a", "test.gate_once", gate=str(gate)), node("b", "test.gate")],
            "wait": [node("a", "flow.delay", seconds=3_600), node("b", "test.gate")],
            "pure": [node("a", "data.set", fields={}), node("b", "data.set", fields={})],
            "fails": [node("a", "data.set", fields={"v": "{{ inputs.no }}"}), node("b", "test.gate")],
        }[kind]
        workflow = await publish(self.made, document(*steps, edges=["a>b"]))
        request = StartRequest({}, **order)  # type: ignore[arg-type]
        run = (await self.runs.start(self.made.first, workflow, request)).run_id
        self._gates[run] = gate
        return run


@pytest.fixture
async def stage(settings: Settings, tmp_path: Path) -> AsyncIterator[Stage]:
    """Nobody works."""
    registry_with_test_nodes()
    # Steps that wait for a gate are still there at the end: nobody waits for them.
    async with installed(settings.model_copy(update={"drain_s": 0.0})) as made:
        yield Stage(made, tmp_path)


@pytest.fixture
async def live_stage(stage: Stage) -> AsyncIterator[Stage]:
    """A worker works."""
    async with a_worker(stage.made):
        yield stage


async def told(stage: Stage, statuses: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {
        status: tuple([await stage.ask(action, await stage.run_in(status)) for action in ACTIONS])
        for status in statuses
    }


async def test_every_action_on_runs_that_nobody_has_in_hand(stage: Stage) -> None:
    found = await told(stage, WITHOUT_A_WORKER)
    assert found == {status: TABLE[status] for status in WITHOUT_A_WORKER}


async def test_every_action_in_every_other_status(live_stage: Stage) -> None:
    others = tuple(status for status in TABLE if status not in WITHOUT_A_WORKER)
    assert await told(live_stage, others) == {status: TABLE[status] for status in others}


async def test_whatever_is_asked_a_stopped_run_ends_and_nothing_of_it_starts(live_stage: Stage) -> None:
    """After any action a stop leads to the end, and the step behind the stop never begins."""
    made = live_stage.made
    open_statuses = ("running", "waiting", "pausing", "paused")
    runs = {}
    for status, before in product(open_statuses, ("pause", "resume", "stop")):
        if (status, before) == ("paused", "resume"):
            continue  # Nothing holds it then: it may be over before the stop comes.
        run = runs[status, before] = await live_stage.run_in(status)
        await live_stage.ask(before, run)
        await live_stage.ask("stop", run)
    for run in runs.values():
        await eventually(is_(made, run, RunStatus.CANCELLED))
        steps = await made.services.runs.steps(made.first, run)
        assert [step.status for step in steps if step.node_id == "b"] == []


async def test_a_planned_run_that_was_paused_keeps_its_time(stage: Stage) -> None:
    runs = stage.runs
    run = await stage.run_in("planned")
    await runs.pause(stage.made.first, run)
    assert await runs.resume(stage.made.first, run) is RunStatus.QUEUED
    async with stage.made.engine.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT available_at > now() + interval '50 minutes' FROM run_outbox WHERE run_id = %s", [run]
        )
        assert await cursor.fetchone() == (True,)
    assert await status_of(stage.made, run) == "queued"
