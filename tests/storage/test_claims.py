"""Whose turn it is, against real PostgreSQL: limits under many claims at once, fair shares, priorities that age."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection

from structforge.config import Settings
from structforge.domain.ids import new_id
from structforge.domain.journal import RunSnapshot
from structforge.domain.values import decode_json
from structforge.storage.claims import AGEING_S
from structforge.storage.leases import Claim, Leases
from tests.support.eventually import eventually

HIGH, NORMAL, LOW = 0, 1, 2


class Desk:
    """A queue, and workers that take from it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.organizations: list[UUID] = []

    def owner(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(self.settings.database_owner_url, autocommit=True)

    def organization(self, *, max_runs: int | None = None) -> UUID:
        made = new_id()
        with self.owner() as connection:
            connection.execute(
                "INSERT INTO organizations (id, name, slug) VALUES (%s, 'o', %s)", [made, made.hex]
            )
        if max_runs is not None:
            self.limit(made, made, max_runs)
        return made

    def limit(self, organization: UUID, scope: UUID, max_runs: int) -> None:
        with self.owner() as connection:
            connection.execute(
                "INSERT INTO run_limits (scope_id, organization_id, max_runs) VALUES (%s, %s, %s) "
                "ON CONFLICT (scope_id) DO UPDATE SET max_runs = excluded.max_runs",
                [scope, organization, max_runs],
            )

    def queue(
        self,
        organization: UUID,
        workflow: UUID,
        count: int,
        *,
        priority: int = NORMAL,
        age_s: float = 0,
    ) -> list[UUID]:
        """Queue runs that became available `age_s` ago."""
        runs = [new_id() for _ in range(count)]
        with self.owner() as connection, connection.transaction():
            connection.execute(
                "INSERT INTO workflow_executions (id, organization_id, workflow_id, version_id, accepted_on, "
                "accepted_at, status, trigger_kind, input) SELECT id, %s, %s, %s, current_date, now(), 'queued', "
                "'api', '{}' FROM unnest(%s::uuid[]) id",
                [organization, workflow, workflow, runs],
            )
            connection.execute(
                "INSERT INTO run_outbox (run_id, organization_id, workflow_id, accepted_on, priority, available_at) "
                "SELECT id, %s, %s, current_date, %s, now() - make_interval(secs => %s) FROM unnest(%s::uuid[]) id",
                [organization, workflow, priority, age_s, runs],
            )
        return runs

    async def worker(self, name: str = "w") -> "Worker":
        leases = Leases(name, 10)
        return Worker(leases, await leases.connect(self.settings.database_engine_role_url))

    async def claim(self, limit: int = 50, name: str = "w", **options: Any) -> list[RunSnapshot]:
        worker = await self.worker(name)
        try:
            return (await worker.claim(limit, **options)).snapshots
        finally:
            await worker.connection.close()

    def end(self, runs: Sequence[UUID]) -> None:
        with self.owner() as connection:
            connection.execute("DELETE FROM run_outbox WHERE run_id = ANY (%s)", [list(runs)])

    def in_hand(self, column: str = "workflow_id") -> Counter[UUID]:
        with self.owner() as connection:
            rows = connection.execute(
                f"SELECT {column}, count(*) FROM run_outbox WHERE owner IS NOT NULL GROUP BY 1".encode()
            )
            return Counter(dict(rows.fetchall()))


class Worker:
    """One connection that claims."""

    def __init__(self, leases: Leases, connection: "AsyncConnection[Any]") -> None:
        self.leases = leases
        self.connection = connection

    async def claim(self, limit: int, *, idle: bool = False, newcomers: bool = False) -> Claim:
        return await self.leases.claim(
            self.connection,
            limit,
            idle=idle,
            newcomers=newcomers,
            decode=lambda data: decode_json(data, max_bytes=1 << 20),
        )


@pytest.fixture
def desk(settings: Settings) -> Desk:
    """A queue on this test's database."""
    return Desk(settings)


def ids(snapshots: Sequence[RunSnapshot]) -> list[UUID]:
    return [snapshot.lease.run.run_id for snapshot in snapshots]


def workflows(snapshots: Sequence[RunSnapshot]) -> Counter[UUID]:
    return Counter(snapshot.lease.run.workflow_id for snapshot in snapshots)


def organizations(snapshots: Sequence[RunSnapshot]) -> Counter[UUID]:
    return Counter(snapshot.lease.run.organization_id for snapshot in snapshots)


async def test_a_workflow_has_no_more_runs_in_hand_than_it_may(desk: Desk) -> None:
    organization, limited, free = desk.organization(), new_id(), new_id()
    desk.limit(organization, limited, 3)
    waiting = desk.queue(organization, limited, 10, age_s=60)
    desk.queue(organization, free, 4)
    first = await desk.claim()
    # What is held back holds nobody else back, though it has been waiting longer.
    assert workflows(first) == {limited: 3, free: 4}
    assert {run.limited for run in first if run.lease.run.workflow_id == limited} == {True}
    assert await desk.claim() == []
    desk.end(waiting[:1])
    assert ids(await desk.claim()) == [waiting[3]]
    desk.limit(organization, limited, 5)
    assert len(await desk.claim()) == 2


async def test_an_organization_has_no_more_runs_in_hand_than_it_may(desk: Desk) -> None:
    organization = desk.organization(max_runs=5)
    other = desk.organization()
    for _ in range(3):
        desk.queue(organization, new_id(), 4)
    desk.queue(other, new_id(), 2)
    assert organizations(await desk.claim()) == {organization: 5, other: 2}
    assert await desk.claim() == []


async def test_limits_hold_while_many_workers_claim_and_end_runs(desk: Desk) -> None:
    first, second = desk.organization(max_runs=7), desk.organization()
    limits = {new_id(): 1, new_id(): 4, new_id(): 5}
    free = new_id()
    for workflow, most in limits.items():
        desk.limit(first, workflow, most)
        desk.queue(first, workflow, 40)
    desk.limit(second, free, 3)
    limits[free] = 3
    desk.queue(second, free, 40)
    done: list[UUID] = []
    peaks: Counter[UUID] = Counter()
    dice = random.Random(7)

    async def work(name: str) -> None:
        worker = await desk.worker(name)
        while len(done) < 160:
            mine = ids((await worker.claim(dice.randint(1, 6))).snapshots)
            for scope, count in (desk.in_hand() + desk.in_hand("organization_id")).items():
                peaks[scope] = max(peaks[scope], count)
            await asyncio.sleep(dice.random() * 0.01)
            desk.end(mine)
            done.extend(mine)
        await worker.connection.close()

    await asyncio.gather(*(work(f"w{number}") for number in range(6)))
    assert len(set(done)) == len(done) == 160
    assert all(peaks[workflow] <= most for workflow, most in limits.items()), peaks
    assert peaks[first] <= 7
    # They are used, too.
    assert [peaks[workflow] for workflow in limits] == list(limits.values())


async def test_a_claim_that_is_not_committed_yet_is_waited_for_by_nobody_and_passed_by_nobody(
    desk: Desk,
) -> None:
    organization, limited, free = desk.organization(), new_id(), new_id()
    desk.limit(organization, limited, 2)
    desk.queue(organization, limited, 6)
    desk.queue(organization, free, 1)
    slow, fast = await desk.worker("slow"), await desk.worker("fast")
    async with slow.connection.transaction():
        assert workflows((await slow.claim(50)).snapshots)[limited] == 2
        desk.queue(organization, free, 1)
        meanwhile = await fast.claim(50)
        assert (workflows(meanwhile.snapshots), meanwhile.contended) == ({free: 1}, True)
    after = await fast.claim(50)
    assert (after.snapshots, after.contended) == ([], False)
    for worker in (slow, fast):
        await worker.connection.close()


async def test_a_dead_workers_runs_keep_their_places_until_they_are_taken_over(desk: Desk) -> None:
    organization, workflow = desk.organization(), new_id()
    desk.limit(organization, workflow, 2)
    desk.queue(organization, workflow, 5)
    held = ids(await desk.claim(name="dies"))
    with desk.owner() as connection:
        connection.execute(
            "UPDATE run_outbox SET lease_expires_at = now() - interval '1 s' WHERE owner = 'dies'"
        )
    taken_over = await desk.claim(name="lives")
    assert sorted(ids(taken_over)) == sorted(held)
    assert {run.lease.deaths for run in taken_over} == {1}
    assert desk.in_hand() == {workflow: 2}


async def test_what_waits_or_is_paused_takes_no_place_and_is_not_taken(desk: Desk) -> None:
    organization, workflow = desk.organization(), new_id()
    desk.limit(organization, workflow, 1)
    waiting, paused, planned, ready = desk.queue(organization, workflow, 4)
    with desk.owner() as connection:
        for run, change in (
            (waiting, "available_at = 'infinity'"),
            (paused, "control = 'paused'"),
            (planned, "available_at = now() + interval '1 hour'"),
        ):
            connection.execute(f"UPDATE run_outbox SET {change} WHERE run_id = %s".encode(), [run])
    assert ids(await desk.claim()) == [ready]
    desk.end([ready])
    assert await desk.claim() == []


async def test_organizations_share_what_there_is(desk: Desk) -> None:
    flooding, modest = desk.organization(), desk.organization()
    desk.queue(flooding, new_id(), 500, age_s=60)
    assert organizations(await desk.claim(20)) == {flooding: 20}
    late = desk.queue(modest, new_id(), 10)
    # It has none in hand, the other 20: the next places are its.
    assert ids(await desk.claim(10)) == late
    desk.queue(modest, new_id(), 40)
    assert organizations(await desk.claim(30)) == {flooding: 10, modest: 20}
    assert desk.in_hand("organization_id") == {flooding: 30, modest: 30}


async def test_many_workflows_of_one_organization_weigh_no_more_than_one_of_another(desk: Desk) -> None:
    many, single = desk.organization(), desk.organization()
    for _ in range(30):
        desk.queue(many, new_id(), 20, priority=HIGH)
    desk.queue(single, new_id(), 20, priority=LOW)
    assert organizations(await desk.claim(20)) == {many: 10, single: 10}


async def test_guests_are_runs_of_organizations_that_have_none_in_hand(desk: Desk) -> None:
    busy, guest = desk.organization(), desk.organization()
    desk.queue(busy, new_id(), 10)
    await desk.claim(5)
    assert await desk.claim(5, newcomers=True) == []
    desk.queue(guest, new_id(), 3)
    assert organizations(await desk.claim(2, newcomers=True)) == {guest: 2}


async def test_priorities_order_the_runs_of_an_organization_and_age(desk: Desk) -> None:
    organization, workflow, other = desk.organization(), new_id(), new_id()
    (low,) = desk.queue(organization, workflow, 1, priority=LOW)
    (normal,) = desk.queue(organization, other, 1, priority=NORMAL)
    (high,) = desk.queue(organization, workflow, 1, priority=HIGH)
    (old_low,) = desk.queue(organization, other, 1, priority=LOW, age_s=2 * AGEING_S + 5)
    (old_normal,) = desk.queue(organization, workflow, 1, priority=NORMAL, age_s=AGEING_S - 5)
    # A low run that has waited for ten minutes goes before a high one that comes now: it is never starved.
    assert ids(await desk.claim()) == [old_low, high, old_normal, normal, low]
    endless = desk.queue(organization, workflow, 1, priority=LOW, age_s=2 * AGEING_S)
    for _ in range(3):
        desk.queue(organization, workflow, 5, priority=HIGH, age_s=-0.0)
        if endless[0] in ids(await desk.claim(5)):
            return
    raise AssertionError("the low run was overtaken for ever")


async def test_a_high_run_planned_for_later_hides_nothing(desk: Desk) -> None:
    organization, workflow = desk.organization(), new_id()
    desk.queue(organization, workflow, 20, priority=HIGH, age_s=-200)
    (now,) = desk.queue(organization, workflow, 1, priority=LOW)
    assert ids(await desk.claim(1)) == [now]


async def test_two_claims_at_once_take_different_runs_and_miss_none(desk: Desk) -> None:
    organization = desk.organization()
    for _ in range(5):
        desk.queue(organization, new_id(), 40)
    workers = [await desk.worker(f"w{number}") for number in range(4)]
    taken: list[UUID] = []

    async def take(worker: Worker) -> None:
        while True:
            found = await worker.claim(10)
            taken.extend(ids(found.snapshots))
            if not found.more:
                return

    async def all_taken() -> bool:
        await asyncio.gather(*map(take, workers))
        return len(taken) == 200

    await eventually(all_taken)
    assert len(set(taken)) == 200
    for worker in workers:
        await worker.connection.close()


@pytest.mark.parametrize("total", [10_000])
async def test_the_claim_walks_indexes_only(desk: Desk, total: int) -> None:
    """However long the queue is: no plan that reads the table."""
    organization, workflow = desk.organization(), new_id()
    desk.queue(organization, workflow, total)
    worker = await desk.worker()
    await worker.claim(10)
    with desk.owner() as connection:
        before = connection.execute("SELECT pg_stat_force_next_flush()").fetchone()
        assert before is not None
    await worker.connection.execute("SELECT pg_stat_force_next_flush()")
    await worker.claim(50)
    await worker.connection.execute("SELECT pg_stat_force_next_flush()")

    async def seen() -> bool:
        with desk.owner() as connection:
            row = connection.execute(
                "SELECT seq_scan, idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'run_outbox'"
            ).fetchone()
        # Two claims of 60 runs: each is found, locked and changed, and a few more are looked at.
        return row is not None and row[0] == 0 and 0 < row[1] < 1_000

    await eventually(seen)
    await worker.connection.close()
