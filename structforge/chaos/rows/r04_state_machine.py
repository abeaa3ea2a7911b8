"""R4: claims, renewals, expiries, commits, ends, stops, pauses and recoveries in any order, against PostgreSQL.

Proves two sentences over 2,000 random histories: no run ever leaves a terminal status, and only the current epoch
writes. Each step is taken by the statements that workers and services use; the model is what the row says.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from structforge.chaos.ground import Ground
from structforge.config import DatabaseRole
from structforge.domain.ids import new_id
from structforge.domain.journal import (
    Acceptance,
    Commit,
    LeaseLostError,
    RunChange,
    RunIdentity,
    StepRecord,
)
from structforge.domain.run import RunStatus, StepStatus
from structforge.storage.control import Asked, request_pause, request_resume, request_stop
from structforge.storage.journal import PostgresJournal
from structforge.storage.leases import Leases

SETTINGS: Mapping[str, str] = {}
RUNS = 2
WORKERS = 3
STEPS_PER_HISTORY = 20
ENDS = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)
RESTS = (RunStatus.WAITING, RunStatus.PAUSED, RunStatus.QUEUED)

PICK = st.integers(0, 63)
"""Which of the leases given out so far: drawn without regard to how many there are, for that is the server's doing and
a history must be drawn alike each time."""

T = TypeVar("T")

_STATE = """
SELECT e.id, e.status, o.epoch, o.owner, o.run_id IS NOT NULL
FROM workflow_executions e LEFT JOIN run_outbox o ON o.run_id = e.id WHERE e.id = ANY (%s)
"""
_EXPIRE = (
    "UPDATE run_outbox SET lease_expires_at = now() - interval '1 s' WHERE run_id = %s AND owner IS NOT NULL"
)
_DUE = "UPDATE run_outbox SET available_at = now() WHERE run_id = %s AND owner IS NULL"


async def run(ground: Ground) -> None:
    """Search for a history that breaks one of the sentences."""
    histories = ground.scaled(2_000, 40)
    # What a crash of the server loses is other rows' business; without waiting for the disk there are more histories.
    url = f"{ground.postgres.url(DatabaseRole.ENGINE)}&options=-csynchronous_commit%3Doff"
    counts: dict[str, int] = {}
    await asyncio.to_thread(_search, url, histories, counts)
    ground.verdict.did("histories", counts.get("histories", 0))
    ground.verdict.check(counts.get("histories", 0) >= histories, f"only {counts} histories were tried")
    ground.verdict.figures.update({name: count for name, count in counts.items() if name != "histories"})


def _search(url: str, histories: int, counts: dict[str, int]) -> None:
    with asyncio.Runner() as runner, psycopg.connect(url, autocommit=True) as sync:
        world = _World(url, runner, sync, counts)
        world.wait(world.open())
        try:
            run_state_machine_as_test(
                lambda: Histories(world),  # type: ignore[arg-type]  # or what makes one
                settings=settings(
                    max_examples=histories,
                    stateful_step_count=STEPS_PER_HISTORY,
                    deadline=None,
                    database=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            world.wait(world.close())


class _World:
    """The connections of three workers and a service."""

    def __init__(
        self, url: str, runner: asyncio.Runner, sync: "psycopg.Connection[Any]", counts: dict[str, int]
    ) -> None:
        self.sync = sync
        self.counts = counts
        self.leases = [Leases(f"worker-{number}", 1_000.0) for number in range(WORKERS)]
        self._url = url
        self._runner = runner

    async def open(self) -> None:
        """Connect."""
        self.connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        self.journal = PostgresJournal(self._url, _tell_nobody)
        await self.journal.open()

    async def close(self) -> None:
        """Disconnect."""
        await self.journal.close()
        await self.connection.close()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop of this thread."""
        return self._runner.run(work)

    def count(self, what: str) -> None:
        """Say that something happened, so that the figures show the search is no empty one."""
        self.counts[what] = self.counts.get(what, 0) + 1


async def _tell_nobody(commits: Sequence[Commit]) -> None:
    return None


class Histories(RuleBasedStateMachine):
    """One history: two runs, three workers, and every lease that was ever given out."""

    def __init__(self, world: _World) -> None:
        super().__init__()
        self.world = world
        self.organization = uuid4()
        self.runs: list[RunIdentity] = []
        self.given: list[tuple[RunIdentity, int]] = []
        """Each claim: the run and its epoch. All of them may try to write, however old."""
        self.over: dict[UUID, str] = {}
        self.highest: dict[UUID, int] = {}
        self.writes = 0

    @initialize(claimed=st.integers(0, RUNS))
    def accept(self, claimed: int) -> None:
        """Accept the runs; some are claimed at once."""
        now = datetime.now(UTC)
        commits = []
        for _ in range(RUNS):
            identity = RunIdentity(new_id(), self.organization, uuid4(), now.date())
            acceptance = Acceptance(uuid4(), now, "api", None, 1, b"{}", None)
            commits.append(Commit(identity, None, acceptance=acceptance, events=[_event(1)]))
            self.runs.append(identity)
        assert all(self._write(*commits))
        self.world.count("histories")
        for worker in range(claimed):
            self._claim(worker, idle=True)

    @rule(worker=st.integers(0, WORKERS - 1), idle=st.booleans())
    def claim(self, worker: int, idle: bool) -> None:
        """A worker looks for work: what is fresh, what is due, what a dead one left."""
        self._claim(worker, idle=idle)

    @rule(which=st.integers(0, RUNS - 1), worker=st.integers(0, WORKERS - 1))
    def recover(self, which: int, worker: int) -> None:
        """The worker of a run dies, and another comes."""
        self._expire(which)
        self._claim(worker, idle=True)

    def _claim(self, worker: int, *, idle: bool) -> None:
        found = self.world.wait(
            self.world.leases[worker].claim(self.world.connection, 1, idle=idle, decode=lambda data: None)
        )
        for snapshot in found.snapshots:
            identity, epoch = snapshot.lease.run, snapshot.lease.epoch
            assert identity.run_id not in self.over, "a run that is over was claimed"
            assert epoch > self.highest.get(identity.run_id, 0), "an epoch was given out twice"
            self.highest[identity.run_id] = epoch
            self.given.append((identity, epoch))
            self.world.count("claims")

    @rule(worker=st.integers(0, WORKERS - 1))
    def renew(self, worker: int) -> None:
        """A worker renews whatever it ever had."""
        ids = [identity.run_id for identity in self.runs]
        before = self._state()
        for run_id, renewal in self.world.leases[worker].renew(self.world.sync, ids).items():
            _, epoch, owner, _ = before[run_id]
            assert owner == f"worker-{worker}" and renewal.epoch == epoch, "a lease of another was renewed"
            self.world.count("renewals")

    @rule(which=st.integers(0, RUNS - 1))
    def expire(self, which: int) -> None:
        """The worker of a run dies or is cut off for too long."""
        self._expire(which)

    @rule(which=st.integers(0, RUNS - 1))
    def come_due(self, which: int) -> None:
        """A timer is over, or an answer came."""
        self.world.sync.execute(_DUE, (self.runs[which].run_id,))

    @rule(pick=PICK, status=st.sampled_from([StepStatus.RUNNING, StepStatus.SUCCEEDED]))
    def write_step(self, pick: int, status: StepStatus) -> None:
        """Somebody who claimed a run at some time commits a step."""
        self._write_as_any(pick, None, step=status)

    @rule(pick=PICK, status=st.sampled_from(ENDS))
    def finish(self, pick: int, status: RunStatus) -> None:
        """Somebody who claimed a run at some time commits its end."""
        self._write_as_any(pick, status, step=StepStatus.SUCCEEDED)

    @rule(pick=PICK, status=st.sampled_from(RESTS))
    def rest(self, pick: int, status: RunStatus) -> None:
        """Somebody who claimed a run at some time gives it back: it waits, rests, or goes on elsewhere."""
        self._write_as_any(pick, status, step=None)

    @rule(which=st.integers(0, RUNS - 1))
    def stop(self, which: int) -> None:
        """A person stops a run."""
        self._ask(which, request_stop, "stops")

    @rule(which=st.integers(0, RUNS - 1))
    def pause(self, which: int) -> None:
        """A person pauses a run."""
        self._ask(which, request_pause, "pauses")

    @rule(which=st.integers(0, RUNS - 1))
    def resume(self, which: int) -> None:
        """A person resumes a run."""
        self._ask(which, request_resume, "resumes")

    @invariant()
    def terminal_is_for_ever(self) -> None:
        """What was over stays as it ended; exactly what is not over is in the outbox."""
        for run_id, (status, _, _, queued) in self._state().items():
            if run_id in self.over:
                assert status == self.over[run_id], f"{self.over[run_id]} became {status}"
            elif RunStatus(status).terminal:
                self.over[run_id] = status
                self.world.count("ends")
            assert queued != RunStatus(status).terminal, f"a run that is {status}: in the outbox is {queued}"

    def teardown(self) -> None:
        """Leave nothing that the next history could claim."""
        ids = [identity.run_id for identity in self.runs]
        self.world.sync.execute("DELETE FROM run_outbox WHERE run_id = ANY (%s)", (ids,))

    def _expire(self, which: int) -> None:
        self.world.sync.execute(_EXPIRE, (self.runs[which].run_id,))

    def _state(self) -> dict[UUID, tuple[str, int, str | None, bool]]:
        ids = [identity.run_id for identity in self.runs]
        rows = self.world.sync.execute(_STATE, (ids,)).fetchall()
        return {row[0]: row[1:] for row in rows}

    def _ask(self, which: int, ask: Any, what: str) -> None:
        identity = self.runs[which]
        before = self._state()[identity.run_id][0]
        answered = self.world.wait(ask(self.world.connection, identity.organization_id, identity.run_id))
        if RunStatus(before).terminal:
            assert answered.asked is Asked.NOTHING, f"a run that is {before} was changed"
        elif answered.asked is not Asked.NOTHING:
            self.world.count(what)

    def _write_as_any(self, pick: int, status: RunStatus | None, *, step: StepStatus | None) -> None:
        if not self.given:
            return
        identity, epoch = self.given[pick % len(self.given)]
        self.writes += 1
        commit = Commit(identity, epoch, events=[])
        key = f"step-{self.writes}"
        if step is not None:
            commit.steps[key, 1] = StepRecord(
                key, 1, "a", step, step is not StepStatus.RUNNING, b'{"out": 1}'
            )
            commit.progress = True
        if status is not None:
            commit.change = RunChange(status, finished_at=datetime.now(UTC) if status.terminal else None)
            commit.release = not status.terminal
        _, current, _, queued = self._state()[identity.run_id]
        allowed = queued and current == epoch
        [written] = self._write(commit)
        self.world.count("writes" if written else "stale_writes_refused")
        assert written == allowed, (
            f"epoch {epoch} of a run at {current} {'wrote' if written else 'was refused'}"
        )
        if step is not None:
            [(there,)] = self.world.sync.execute(
                "SELECT count(*) FROM execution_steps WHERE accepted_on = %s AND run_id = %s AND step_key = %s",
                (identity.accepted_on, identity.run_id, key),
            ).fetchall()
            assert (there == 1) == allowed, "what was refused is there, or what was written is not"

    def _write(self, *commits: Commit) -> list[bool]:
        async def submitted() -> list[bool]:
            futures = [self.world.journal.submit(commit) for commit in commits]
            ended = await asyncio.gather(*futures, return_exceptions=True)
            broken = [one for one in ended if one is not None and not isinstance(one, LeaseLostError)]
            assert not broken, broken
            return [one is None for one in ended]

        return self.world.wait(submitted())


def _event(seq: int) -> dict[str, Any]:
    return {"seq": seq, "type": "run.accepted", "at": datetime.now(UTC), "status": "queued"}
