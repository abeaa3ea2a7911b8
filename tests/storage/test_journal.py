"""The journal's promises, against real PostgreSQL: order, fencing, one outcome, whole or not at all."""

import asyncio
import contextlib
from asyncio import Future
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from structforge.config import Settings
from structforge.domain.errors import Problem, UnavailableError
from structforge.domain.ids import new_id
from structforge.domain.journal import (
    WORKER_DIED,
    Acceptance,
    Commit,
    IdempotencyClaim,
    IdempotencyLostError,
    LeaseLostError,
    LogRecord,
    RunChange,
    RunIdentity,
    RunSnapshot,
    StepRecord,
)
from structforge.domain.run import RunStatus, StepStatus
from structforge.domain.values import decode_json
from structforge.storage.journal import PostgresJournal
from structforge.storage.leases import Leases
from tests.support.execution import fresh_run

Rows = list[dict[str, Any]]
NOW = datetime.now(UTC)


class Desk:
    """A journal, the table behind it, and what was published."""

    def __init__(self, conninfo: str, owner: str) -> None:
        self.conninfo = conninfo
        self.owner = owner
        self.published: list[Commit] = []

    @contextlib.asynccontextmanager
    async def journal(self, **options: Any) -> AsyncIterator[PostgresJournal]:
        """Open one more journal, as another process has it."""
        journal = PostgresJournal(self.conninfo, self.publish, **options)
        await journal.open()
        try:
            yield journal
        finally:
            await journal.close()

    async def publish(self, commits: Sequence[Commit]) -> None:
        self.published += commits

    async def rows(self, statement: str, *values: Any) -> Rows:
        """Read the tables as the owner."""
        async with await AsyncConnection.connect(
            self.owner, autocommit=True, row_factory=dict_row
        ) as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()

    async def do(self, statement: str, *values: Any) -> None:
        """Change the tables as the owner."""
        async with await AsyncConnection.connect(self.owner, autocommit=True) as connection:
            await connection.execute(statement.encode(), values)

    async def claim(self, worker: str = "w1", limit: int = 100, *, idle: bool = True) -> list[RunSnapshot]:
        """Claim what is runnable."""
        leases = Leases(worker, 10)
        async with await leases.connect(self.conninfo) as connection:
            while True:
                found = await leases.claim(
                    connection, limit, idle=idle, decode=lambda data: decode_json(data, max_bytes=1 << 20)
                )
                if found.snapshots or not found.contended:
                    return found.snapshots

    async def expire(self, run: RunIdentity) -> None:
        """Let a lease run out, as time would."""
        await self.do(
            "UPDATE run_outbox SET lease_expires_at = now() - interval '1 s' WHERE run_id = %s", run.run_id
        )

    async def sequence(self, run: RunIdentity) -> list[int]:
        """Return the numbers of the run's events as they are stored."""
        found = await self.rows(
            "SELECT events FROM execution_events WHERE run_id = %s ORDER BY first_seq", run.run_id
        )
        return [event["seq"] for row in found for event in row["events"]]


@pytest.fixture
def desk(settings: Settings) -> Desk:
    """A desk on this test's database."""
    return Desk(settings.database_engine_role_url, settings.database_owner_url)


@pytest.fixture
async def journal(desk: Desk) -> AsyncIterator[PostgresJournal]:
    """An open journal."""
    async with desk.journal() as opened:
        yield opened


def accepted(run: RunIdentity, **values: Any) -> Commit:
    """Accept a run."""
    acceptance = Acceptance(
        version_id=new_id(),
        accepted_at=NOW,
        trigger_kind="api",
        trigger_node=None,
        priority=1,
        input=b'{"x": 1}',
        created_by=None,
        **values,
    )
    return Commit(run, None, acceptance=acceptance, events=[event(1, "run.accepted")])


def event(seq: int, kind: str = "step.finished") -> dict[str, Any]:
    return {"seq": seq, "type": kind, "at": NOW}


def step(
    key: str, value: str = "1", *, attempt: int = 1, settled: bool = True
) -> dict[tuple[str, int], StepRecord]:
    status = StepStatus.SUCCEEDED if settled else StepStatus.RUNNING
    outputs = f'{{"out": {value}}}'.encode() if settled else None
    return {(key, attempt): StepRecord(key, attempt, key, status, settled, outputs, started_at=NOW)}


def key(name: str, body: str = "h", hours: float = 1) -> IdempotencyClaim:
    return IdempotencyClaim("start", name, body, NOW + timedelta(hours=hours))


DONE = RunChange(RunStatus.SUCCEEDED, b'"end"', started_at=NOW, finished_at=NOW)


async def test_a_run_from_acceptance_to_its_end(desk: Desk, journal: PostgresJournal) -> None:
    run = fresh_run()
    await journal.submit(accepted(run))
    (snapshot,) = await desk.claim()
    assert (snapshot.lease.run, snapshot.lease.epoch, snapshot.input) == (run, 1, {"x": 1})
    assert (snapshot.event_seq, snapshot.log_seq, snapshot.steps) == (1, 0, {})
    await journal.submit(
        Commit(
            run, 1, change=RunChange(RunStatus.RUNNING, started_at=NOW), steps=step("a"), events=[event(2)]
        )
    )
    line = LogRecord(1, "a", 1, "info", "hello", b'{"n": 1}', NOW)
    await journal.submit(
        Commit(run, 1, change=DONE, steps=step("b"), events=[event(3), event(4, "run.finished")], logs=[line])
    )
    (row,) = await desk.rows("SELECT status, output, event_seq, input FROM workflow_executions")
    assert row == {"status": "succeeded", "output": "end", "event_seq": 4, "input": {"x": 1}}
    assert await desk.rows("SELECT * FROM run_outbox") == []
    assert await desk.sequence(run) == [1, 2, 3, 4]
    assert await desk.rows("SELECT seq, message, fields FROM execution_logs") == [
        {"seq": 1, "message": "hello", "fields": {"n": 1}}
    ]
    assert len(desk.published) == 3


async def test_a_run_may_be_accepted_and_over_in_one_commit(desk: Desk, journal: PostgresJournal) -> None:
    run = fresh_run()
    commit = accepted(run)
    commit.change, commit.steps = DONE, step("a")
    await journal.submit(commit)
    assert await desk.rows("SELECT status FROM workflow_executions") == [{"status": "succeeded"}]
    assert await desk.rows("SELECT * FROM run_outbox") == []
    assert await desk.claim() == []


async def test_a_write_with_an_older_epoch_is_dropped_and_the_rest_of_its_batch_is_not(
    desk: Desk, journal: PostgresJournal
) -> None:
    ours, taken = fresh_run(), fresh_run()
    await asyncio.gather(journal.submit(accepted(ours)), journal.submit(accepted(taken)))
    await desk.claim("w1")
    await desk.expire(taken)
    (again,) = await desk.claim("w2")
    assert (again.lease.run, again.lease.epoch, again.lease.deaths) == (taken, 2, 1)
    outcomes = await asyncio.gather(
        journal.submit(Commit(taken, 1, change=DONE, steps=step("a", "1"), events=[event(2)])),
        journal.submit(Commit(ours, 1, change=DONE, steps=step("a", "1"), events=[event(2)])),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [LeaseLostError, type(None)]
    assert await desk.rows("SELECT run_id FROM execution_steps") == [{"run_id": ours.run_id}]
    assert await desk.sequence(taken) == [1]
    await journal.submit(Commit(taken, 2, change=DONE, steps=step("a", "2")))
    found = await desk.rows("SELECT outputs FROM execution_steps WHERE run_id = %s", taken.run_id)
    assert found == [{"outputs": {"out": 2}}]


async def test_a_run_that_is_over_takes_no_more(desk: Desk, journal: PostgresJournal) -> None:
    run = fresh_run()
    await journal.submit(accepted(run))
    await desk.claim()
    await journal.submit(Commit(run, 1, change=DONE, events=[event(2)]))
    with pytest.raises(LeaseLostError):
        await journal.submit(Commit(run, 1, change=RunChange(RunStatus.FAILED), steps=step("late")))
    assert await desk.rows("SELECT status FROM workflow_executions") == [{"status": "succeeded"}]
    assert await desk.rows("SELECT * FROM execution_steps") == []


async def test_a_settled_attempt_never_changes_and_a_step_has_one_outcome(
    desk: Desk, journal: PostgresJournal
) -> None:
    run = fresh_run()
    await journal.submit(accepted(run))
    await desk.claim()
    await journal.submit(Commit(run, 1, steps=step("a", settled=False)))
    await journal.submit(Commit(run, 1, steps=step("a", "1")))
    await journal.submit(Commit(run, 1, steps=step("a", "2")))
    rows = await desk.rows("SELECT attempt, outputs, settled FROM execution_steps")
    assert rows == [{"attempt": 1, "outputs": {"out": 1}, "settled": True}]
    with pytest.raises(psycopg.errors.UniqueViolation):
        await journal.submit(Commit(run, 1, steps=step("a", "3", attempt=2)))
    assert len(await desk.rows("SELECT * FROM execution_steps")) == 1


async def test_commits_of_a_run_keep_their_order_and_their_events_have_no_gap(
    desk: Desk, journal: PostgresJournal
) -> None:
    runs = [fresh_run() for _ in range(40)]
    await asyncio.gather(*(journal.submit(accepted(run)) for run in runs))
    assert len(await desk.claim(limit=100)) == 40
    pending: list[Future[None]] = []
    for turn in range(25):
        for run in runs:
            pending.append(
                journal.submit(
                    Commit(run, 1, steps=step("a", str(turn), settled=turn == 24), events=[event(turn + 2)])
                )
            )
        await asyncio.sleep(0)
    await asyncio.gather(*pending)
    for run in runs:
        assert await desk.sequence(run) == list(range(1, 27))
    rows = await desk.rows("SELECT DISTINCT outputs->>'out' AS value, settled FROM execution_steps")
    assert rows == [{"value": "24", "settled": True}]
    order: dict[Any, list[int]] = {}
    for commit in desk.published:
        order.setdefault(commit.run.run_id, []).extend(found["seq"] for found in commit.events)
    assert all(numbers == list(range(1, 27)) for numbers in order.values())


async def test_events_are_published_after_their_commit(desk: Desk, settings: Settings) -> None:
    seen: list[int] = []

    async def publish(commits: Sequence[Commit]) -> None:
        for commit in commits:
            seen.append(
                len(await desk.rows("SELECT 1 FROM execution_events WHERE run_id = %s", commit.run.run_id))
            )

    journal = PostgresJournal(settings.database_engine_role_url, publish)
    await journal.open()
    await journal.submit(accepted(fresh_run()))
    await journal.close()
    assert seen == [1]


@pytest.mark.parametrize(("body", "same"), [("h", True), ("other", False)])
async def test_the_second_use_of_a_key_is_told_who_won(
    desk: Desk, journal: PostgresJournal, body: str, same: bool
) -> None:
    first, second = fresh_run(), fresh_run()
    second = RunIdentity(second.run_id, first.organization_id, first.workflow_id, first.accepted_on)
    await journal.submit(accepted(first, idempotency=key("k")))
    with pytest.raises(IdempotencyLostError) as lost:
        await journal.submit(accepted(second, idempotency=key("k", body)))
    assert (lost.value.run_id, lost.value.same_body) == (first.run_id, same)
    assert len(await desk.rows("SELECT * FROM workflow_executions")) == 1
    assert len(await desk.rows("SELECT * FROM run_outbox")) == 1
    elsewhere = fresh_run()
    await journal.submit(accepted(elsewhere, idempotency=key("k", body)))
    assert len(await desk.rows("SELECT * FROM workflow_executions")) == 2


async def test_an_expired_key_may_be_used_again(desk: Desk, journal: PostgresJournal) -> None:
    first, second = fresh_run(), fresh_run()
    second = RunIdentity(second.run_id, first.organization_id, first.workflow_id, first.accepted_on)
    await journal.submit(accepted(first, idempotency=key("k", hours=-1)))
    await journal.submit(accepted(second, idempotency=key("k", "other")))
    assert await desk.rows("SELECT run_id FROM idempotency_keys") == [{"run_id": second.run_id}]


async def test_of_many_with_one_key_in_two_processes_one_wins(desk: Desk, journal: PostgresJournal) -> None:
    organization, workflow = new_id(), new_id()
    async with desk.journal() as other:
        outcomes = await asyncio.gather(
            *(
                place.submit(
                    accepted(
                        RunIdentity(new_id(), organization, workflow, NOW.date()),
                        idempotency=key(name, "h" if number % 2 else "g"),
                    )
                )
                for number in range(60)
                for name in ("k1", "k2")
                for place in (journal, other)
            ),
            return_exceptions=True,
        )
    winners = {row["run_id"] for row in await desk.rows("SELECT id AS run_id FROM workflow_executions")}
    assert len(winners) == 2
    assert outcomes.count(None) == 2
    losers = [outcome for outcome in outcomes if outcome is not None]
    assert all(isinstance(loser, IdempotencyLostError) and loser.run_id in winners for loser in losers)
    assert {row["run_id"] for row in await desk.rows("SELECT run_id FROM run_outbox")} == winners


async def cut(desk: Desk) -> None:
    """Cut every connection of the engine's role."""
    await desk.do(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'structforge_engine'"
    )


async def test_a_cut_connection_is_tried_again_and_writes_once(desk: Desk, journal: PostgresJournal) -> None:
    run = fresh_run()
    await journal.submit(accepted(run))
    await desk.claim()
    await cut(desk)
    await journal.submit(Commit(run, 1, steps=step("a"), events=[event(2)]))
    await cut(desk)
    await journal.submit(Commit(run, 1, change=DONE, steps=step("b"), events=[event(3)]))
    assert await desk.sequence(run) == [1, 2, 3]
    assert len(await desk.rows("SELECT * FROM execution_steps WHERE settled")) == 2


class LostAnswers(PostgresJournal):
    """Loses the answer to each statement once, after the server committed it: the worst moment for a cut."""

    def __init__(
        self, conninfo: str, publish: Callable[[Sequence[Commit]], Awaitable[None]], between: Any
    ) -> None:
        super().__init__(conninfo, publish)
        self._between = between
        self.lost = 0

    async def _connect(self) -> AsyncConnection[Any]:
        connection = await super()._connect()
        answer = connection.execute

        async def execute(query: Any, *values: Any, **options: Any) -> Any:
            result = await answer(query, *values, **options)
            if isinstance(query, bytes) and self.lost < 1:  # the one that commits a batch
                self.lost += 1
                await self._between()
                raise psycopg.OperationalError("the answer was lost")
            return result

        connection.execute = execute  # type: ignore[method-assign]
        return connection


@contextlib.asynccontextmanager
async def losing_answers(desk: Desk, between: Any) -> AsyncIterator[LostAnswers]:
    journal = LostAnswers(desk.conninfo, desk.publish, between)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()
    assert journal.lost == 1


async def nothing() -> None:
    """Let nothing happen in between."""


async def test_when_only_the_answer_was_lost_the_end_of_a_run_is_written_once(
    desk: Desk, journal: PostgresJournal
) -> None:
    run = fresh_run()
    await journal.submit(accepted(run))
    await desk.claim()
    async with losing_answers(desk, nothing) as losing:
        await losing.submit(Commit(run, 1, change=DONE, steps=step("a"), events=[event(2)]))
    assert await desk.sequence(run) == [1, 2]
    assert len(await desk.rows("SELECT * FROM execution_steps")) == 1
    assert await desk.rows("SELECT * FROM run_outbox") == []


async def test_when_only_the_answer_was_lost_a_key_is_won_all_the_same(desk: Desk) -> None:
    run = fresh_run()
    async with losing_answers(desk, nothing) as losing:
        await losing.submit(accepted(run, idempotency=key("k")))
    assert await desk.rows("SELECT run_id FROM idempotency_keys") == [{"run_id": run.run_id}]


async def test_a_run_that_ended_before_its_acceptance_was_tried_again_is_not_queued_again(
    desk: Desk, journal: PostgresJournal
) -> None:
    run = fresh_run()

    async def finish() -> None:
        await desk.claim()
        await journal.submit(Commit(run, 1, change=DONE, events=[event(2, "run.finished")]))

    async with losing_answers(desk, finish) as losing:
        await losing.submit(accepted(run))
    assert await desk.rows("SELECT * FROM run_outbox") == []
    assert await desk.rows("SELECT status FROM workflow_executions") == [{"status": "succeeded"}]
    assert await desk.sequence(run) == [1, 2]


async def test_after_a_commit_that_was_given_up_no_later_one_of_its_run_is_written(desk: Desk) -> None:
    run, other = fresh_run(), fresh_run()
    away = False

    def passing(point: str) -> None:
        if point == "before_commit" and away:
            raise UnavailableError(Problem("database.unavailable", "Away."))

    async with desk.journal(passing=passing) as journal:
        await asyncio.gather(journal.submit(accepted(run)), journal.submit(accepted(other)))
        await desk.claim()
        away = True
        first = journal.submit(Commit(run, 1, steps=step("a"), events=[event(2)]))
        assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], UnavailableError)
        away = False
        with pytest.raises(LeaseLostError):
            await journal.submit(Commit(run, 1, steps=step("b"), events=[event(3)]))
        await journal.submit(Commit(other, 1, steps=step("a"), events=[event(2)]))
        assert await desk.sequence(run) == [1]
        await desk.expire(run)
        (again,) = await desk.claim("w2")
        await journal.submit(Commit(run, again.lease.epoch, steps=step("a"), events=[event(2)]))
        assert await desk.sequence(run) == [1, 2]


async def test_a_row_that_cannot_be_written_costs_its_own_run_only(
    desk: Desk, journal: PostgresJournal
) -> None:
    runs = [fresh_run() for _ in range(3)]
    commits = [accepted(run) for run in runs]
    commits[1].artifacts.append({"hash": "a" * 64, "size_bytes": 10**30, "media_type": "x"})
    outcomes = await asyncio.gather(*(journal.submit(commit) for commit in commits), return_exceptions=True)
    assert [outcome is None for outcome in outcomes] == [True, False, True]
    assert {commit.run for commit in desk.published} == {runs[0], runs[2]}
    found = await desk.rows("SELECT id FROM workflow_executions")
    assert {row["id"] for row in found} == {runs[0].run_id, runs[2].run_id}
    await journal.submit(accepted(fresh_run()))


async def test_a_database_that_stays_away_is_told(settings: Settings, desk: Desk) -> None:
    async with desk.journal(patience_s=0.2) as journal:
        journal._conninfo = "host=/nowhere dbname=none"
        await cut(desk)
        with pytest.raises(UnavailableError) as told:
            await journal.submit(accepted(fresh_run()))
        assert told.value.problem.code == "database.unavailable"
        journal._conninfo = settings.database_engine_role_url
        await journal.submit(accepted(fresh_run()))
    assert len(await desk.rows("SELECT * FROM workflow_executions")) == 1


async def test_journals_that_share_runs_never_lock_each_other_for_good(desk: Desk) -> None:
    runs = [fresh_run() for _ in range(30)]
    async with desk.journal() as one, desk.journal() as two:
        await asyncio.gather(*(one.submit(accepted(run)) for run in runs))
        await desk.claim(limit=100)
        pending = []
        for turn in range(15):
            for place, order in ((one, runs), (two, runs[::-1])):
                pending += [place.submit(Commit(run, 1, steps=step(f"{id(place)}_{turn}"))) for run in order]
            await asyncio.sleep(0)
        outcomes = await asyncio.gather(*pending, return_exceptions=True)
    assert set(map(type, outcomes)) == {type(None)}
    assert len(await desk.rows("SELECT 1 FROM execution_steps")) == 30 * 15 * 2


async def test_a_run_given_back_is_claimed_by_another_with_what_it_did(
    desk: Desk, journal: PostgresJournal
) -> None:
    run = fresh_run()
    await journal.submit(accepted(run))
    await desk.claim("w1")
    await journal.submit(
        Commit(
            run,
            1,
            change=RunChange(RunStatus.RUNNING, started_at=NOW),
            steps={**step("a"), **step("b", settled=False)},
            events=[event(2), event(3)],
            release=True,
        )
    )
    (again,) = await desk.claim("w2")
    assert (again.lease.epoch, again.lease.deaths, again.event_seq) == (2, 0, 3)
    assert {name: (found.status, found.settled, found.outputs) for name, found in again.steps.items()} == {
        "a": ("succeeded", True, {"out": 1}),
        "b": ("running", False, None),
    }
    with pytest.raises(LeaseLostError):
        await journal.submit(Commit(run, 1, change=DONE))


async def test_whoever_claims_a_run_learns_how_many_attempts_of_a_step_died_with_their_workers(
    desk: Desk, journal: PostgresJournal
) -> None:
    run = fresh_run()
    await journal.submit(accepted(run))
    await desk.claim("w1")
    steps = {}
    for attempt, code in enumerate((WORKER_DIED, "http.status", WORKER_DIED), 1):
        error = f'{{"code": "{code}"}}'.encode()
        steps["a", attempt] = StepRecord("a", attempt, "a", StepStatus.FAILED, False, error=error)
    steps |= {**step("a", attempt=4, settled=False), **step("b", settled=False)}
    change = RunChange(RunStatus.RUNNING, started_at=NOW)
    await journal.submit(Commit(run, 1, change=change, steps=steps, release=True))
    (again,) = await desk.claim("w2")
    assert {name: (found.attempt, found.lost_attempts) for name, found in again.steps.items()} == {
        "a": (4, 2),
        "b": (1, 0),
    }


async def test_a_waiting_run_is_not_claimed(desk: Desk, journal: PostgresJournal) -> None:
    run = fresh_run()
    await journal.submit(accepted(run))
    await desk.claim()
    await journal.submit(Commit(run, 1, change=RunChange(RunStatus.WAITING), release=True))
    assert await desk.claim() == []
    assert await desk.rows("SELECT status FROM workflow_executions") == [{"status": "waiting"}]


async def test_after_two_deaths_a_run_is_claimed_alone_and_last(desk: Desk, journal: PostgresJournal) -> None:
    poison, others = fresh_run(), [fresh_run() for _ in range(3)]
    await journal.submit(accepted(poison))
    for deaths in range(3):
        (snapshot,) = await desk.claim(f"w{deaths}")
        assert snapshot.lease.deaths == deaths
        await desk.expire(poison)
    await asyncio.gather(*(journal.submit(accepted(run)) for run in others))
    assert {found.lease.run for found in await desk.claim("busy", idle=False)} == set(others)
    assert await desk.claim("busy", idle=False) == []
    (alone,) = await desk.claim("idle")
    assert (alone.lease.run, alone.lease.deaths) == (poison, 3)


async def test_progress_forgets_deaths(desk: Desk, journal: PostgresJournal) -> None:
    run = fresh_run()
    await journal.submit(accepted(run))
    await desk.claim("w1")
    await desk.expire(run)
    (again,) = await desk.claim("w2")
    await journal.submit(Commit(run, 2, steps=step("a", settled=False)))
    assert await desk.rows("SELECT deaths FROM run_outbox") == [{"deaths": 1}]
    await journal.submit(Commit(run, 2, steps=step("a"), progress=True))
    assert await desk.rows("SELECT deaths FROM run_outbox") == [{"deaths": 0}]


async def test_two_claimers_never_get_the_same_run(desk: Desk, journal: PostgresJournal) -> None:
    runs = {fresh_run().run_id: None for _ in range(120)}
    await asyncio.gather(
        *(journal.submit(accepted(RunIdentity(run_id, new_id(), new_id(), NOW.date()))) for run_id in runs)
    )
    claims = await asyncio.gather(*(desk.claim(f"w{number}", 25) for number in range(8)))
    # Who met others at the same rows has taken fewer than there was room for.
    while rest := await desk.claim("late", 25):
        claims.append(rest)
    found = [snapshot.lease.run.run_id for claim in claims for snapshot in claim]
    assert len(found) == len(set(found)) == 120


def begun(run: RunIdentity, epoch: int = 1, **values: Any) -> Commit:
    """Commit something under a lease."""
    return Commit(run, epoch, steps=step("a"), events=[event(2)], **values)


def called(parent: RunIdentity) -> Commit:
    """Accept a run that `parent` waits for."""
    return accepted(fresh_run(), parent_run_id=parent.run_id, parent_step_key="a", parent_waits=True, depth=1)


async def outbox_of(desk: Desk, run: RunIdentity) -> tuple[Any, ...]:
    """Return whether a worker holds the run, whether it can be claimed, and what it is told."""
    (row,) = await desk.rows(
        "SELECT owner IS NOT NULL AS held, available_at <= now() AS ready, control FROM run_outbox WHERE run_id = %s",
        run.run_id,
    )
    return row["held"], row["ready"], row["control"]


async def test_a_run_that_another_starts_is_durable_with_it_and_once(
    desk: Desk, journal: PostgresJournal
) -> None:
    parent = fresh_run()
    await journal.submit(accepted(parent))
    await desk.claim()
    child = called(parent)
    await journal.submit(begun(parent, children=[child]))
    again = Commit(parent, 1, children=[child], events=[event(3)])
    await journal.submit(again)
    found = await desk.rows(
        "SELECT parent_run_id, parent_step_key, parent_waits, depth, status FROM workflow_executions WHERE id = %s",
        child.run.run_id,
    )
    assert [tuple(row.values()) for row in found] == [(parent.run_id, "a", True, 1, "queued")]
    assert await outbox_of(desk, child.run) == (False, True, None)
    assert await desk.sequence(child.run) == [1]
    assert [commit.run.run_id for commit in desk.published].count(child.run.run_id) == 1


async def test_a_worker_that_lost_its_lease_starts_nothing(desk: Desk, journal: PostgresJournal) -> None:
    parent = fresh_run()
    await journal.submit(accepted(parent))
    await desk.claim()
    child = called(parent)
    with pytest.raises(LeaseLostError):
        await journal.submit(begun(parent, epoch=0, children=[child]))
    assert await desk.rows("SELECT id FROM workflow_executions WHERE id = %s", child.run.run_id) == []


@pytest.mark.parametrize("held", [True, False])
async def test_the_end_of_a_called_run_wakes_the_caller(
    desk: Desk, journal: PostgresJournal, held: bool
) -> None:
    parent = fresh_run()
    await journal.submit(accepted(parent))
    await desk.claim()
    child = called(parent)
    rest = {} if held else {"release": True, "change": RunChange(RunStatus.WAITING)}
    await journal.submit(begun(parent, children=[child], **rest))
    (snapshot,) = await desk.claim("w2")
    assert snapshot.wakes == parent.run_id
    assert await outbox_of(desk, parent) == ((True, True, None) if held else (False, False, None))
    end = RunChange(RunStatus.SUCCEEDED, output=b"1", finished_at=NOW)
    await journal.submit(
        Commit(child.run, 1, change=end, events=[event(2, "run.finished")], wakes=parent.run_id)
    )
    assert await outbox_of(desk, parent) == ((True, True, "answer") if held else (False, True, None))


async def test_a_caller_that_comes_to_rest_in_the_batch_in_which_its_call_ends_is_not_forgotten(
    desk: Desk, journal: PostgresJournal
) -> None:
    parent = fresh_run()
    await journal.submit(accepted(parent))
    await desk.claim()
    child = called(parent)
    await journal.submit(begun(parent, children=[child]))
    await desk.claim("w2")
    end = RunChange(RunStatus.SUCCEEDED, output=b"1", finished_at=NOW)
    await asyncio.gather(
        journal.submit(
            Commit(child.run, 1, change=end, events=[event(2, "run.finished")], wakes=parent.run_id)
        ),
        journal.submit(
            Commit(parent, 1, change=RunChange(RunStatus.WAITING), release=True, events=[event(3)])
        ),
    )
    assert await outbox_of(desk, parent) == (False, True, None)
