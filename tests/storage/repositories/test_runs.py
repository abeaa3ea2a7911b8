"""Runs as people look at them, and the small tables beside: artifacts, the audit trail, idempotency keys."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from structforge.domain.ids import new_id
from structforge.storage.database import Database
from structforge.storage.repositories.artifacts import Artifacts
from structforge.storage.repositories.audit import Audit
from structforge.storage.repositories.idempotency import IdempotencyKeys
from structforge.storage.repositories.paging import Cursor
from structforge.storage.repositories.runs import RunFilter, Runs
from structforge.storage.tables import WorkflowRow
from tests.storage.conftest import Tenant

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
DAY = START.date()


async def add_run(database: Database, tenant: Tenant, minute: int, **values: Any) -> UUID:
    run_id = new_id()
    row = {
        "id": run_id,
        "organization_id": tenant.id,
        "workflow_id": new_id(),
        "version_id": new_id(),
        "accepted_on": DAY,
        "accepted_at": START + timedelta(minutes=minute),
        "status": "succeeded",
        "trigger_kind": "manual",
        "input": "{}",
        **values,
    }
    await write(database, "workflow_executions", row)
    return run_id


async def write(database: Database, table: str, row: dict[str, Any]) -> None:
    """Insert as the engine does."""
    names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    async with database.engine_pool.connection() as connection:
        await connection.execute(f"INSERT INTO {table} ({names}) VALUES ({places})".encode(), row)


async def found(database: Database, tenant: Tenant, only: RunFilter | None = None, **page: Any) -> list[UUID]:
    async with database.transaction(tenant.id) as session:
        return [run.id for run in (await Runs(session).page(tenant.id, only, **page)).items]


async def test_runs_are_listed_newest_first_and_narrowed(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    workflow = WorkflowRow(organization_id=ours.id, name="Weather report", draft={})
    async with database.transaction(ours.id) as session:
        session.add(workflow)
    a = await add_run(database, ours, 1, input='{"city": "Oslo"}')
    b = await add_run(database, ours, 2, status="failed", error='{"message": "no such city"}')
    c = await add_run(database, ours, 3, workflow_id=workflow.id, trigger_kind="api", status="running")
    await add_run(database, theirs, 4, input='{"city": "Oslo"}')

    for only, expected in (
        (RunFilter(), [c, b, a]),
        (RunFilter(statuses=("failed", "running")), [c, b]),
        (RunFilter(trigger_kinds=("api",)), [c]),
        (RunFilter(workflow_id=workflow.id), [c]),
        (RunFilter(accepted_from=START + timedelta(minutes=2)), [c, b]),
        (RunFilter(accepted_before=START + timedelta(minutes=2)), [a]),
        (RunFilter(search="oslo"), [a]),
        (RunFilter(search="NO SUCH"), [b]),
        (RunFilter(search="weather"), [c]),
        (RunFilter(search=str(b)[:36]), [b]),
        (RunFilter(search="%"), []),
        (RunFilter(search="city", statuses=("failed",)), [b]),
    ):
        assert await found(database, ours, only) == expected, only
    async with database.transaction(ours.id) as session:
        assert await Runs(session).counts(ours.id) == {"succeeded": 1, "failed": 1, "running": 1}
        assert await Runs(session).counts(theirs.id) == {}


async def test_pages_of_runs_split_runs_of_one_instant(database: Database, ours: Tenant) -> None:
    runs = [await add_run(database, ours, 0) for _ in range(5)]
    seen: list[UUID] = []
    cursor: Cursor | None = None
    while True:
        async with database.transaction(ours.id) as session:
            page = await Runs(session).page(ours.id, cursor=cursor, limit=2)
        seen += [run.id for run in page.items]
        if page.next_cursor is None:
            break
        cursor = Cursor.decode(page.next_cursor)
    assert seen == runs[::-1]


@pytest.mark.parametrize(("limit", "shown"), [(-1, 1), (0, 1), (3, 3), (10**9, 5)])
async def test_a_limit_out_of_range_is_brought_into_it(
    database: Database, ours: Tenant, limit: int, shown: int
) -> None:
    for _ in range(5):
        await add_run(database, ours, 0)
    assert len(await found(database, ours, limit=limit)) == shown


async def test_a_run_comes_with_steps_logs_events_and_lease(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    run_id = await add_run(database, ours, 0, status="running", output="[1]")
    key = {"accepted_on": DAY, "run_id": run_id, "organization_id": ours.id}
    for attempt, status, settled in ((1, "failed", False), (2, "succeeded", True)):
        await write(
            database,
            "execution_steps",
            key
            | {
                "step_key": "a",
                "attempt": attempt,
                "node_id": "a",
                "status": status,
                "settled": settled,
                "outputs": '{"out": null}',
                "started_at": START + timedelta(seconds=attempt),
            },
        )
    for seq in range(1, 4):
        line = {"seq": seq, "step_key": "ab"[seq % 2], "level": "info", "message": f"m{seq}", "at": START}
        await write(database, "execution_logs", key | line)
    for first, last in ((1, 2), (3, 3)):
        events = json.dumps([{"seq": seq, "type": "x"} for seq in range(first, last + 1)])
        await write(
            database, "execution_events", key | {"first_seq": first, "last_seq": last, "events": events}
        )
    await write(database, "run_outbox", key | {"workflow_id": new_id(), "owner": "w1", "epoch": 2})

    async with database.transaction(ours.id) as session:
        runs = Runs(session)
        run = await runs.get(ours.id, run_id)
        assert run is not None and run.output == [1]
        steps = await runs.steps(ours.id, run_id, DAY)
        assert [(step.step_key, step.attempt, step.outputs) for step in steps] == [
            ("a", 1, {"out": None}),
            ("a", 2, {"out": None}),
        ]
        assert [step.attempt for step in await runs.step(ours.id, run_id, DAY, "a")] == [1, 2]
        assert [line.seq for line in await runs.logs(ours.id, run_id, DAY, after=1)] == [2, 3]
        assert [line.seq for line in await runs.logs(ours.id, run_id, DAY, step_key="b", limit=1)] == [1]
        assert await runs.logs(ours.id, run_id, DAY, levels=["error"]) == []
        for after, expected in ((0, [1, 2, 3]), (1, [2, 3]), (3, [])):
            events_after = await runs.events(ours.id, run_id, DAY, after=after)
            assert [event["seq"] for event in events_after] == expected
        lease = await runs.lease(ours.id, run_id)
        assert lease is not None and (lease.owner, lease.epoch) == ("w1", 2)

    async with database.transaction(theirs.id) as session:
        runs = Runs(session)
        assert await runs.get(theirs.id, run_id) is None
        assert await runs.get(ours.id, run_id) is None
        assert await runs.steps(ours.id, run_id, DAY) == []
        assert await runs.logs(ours.id, run_id, DAY) == []
        assert await runs.events(ours.id, run_id, DAY) == []
        assert await runs.lease(ours.id, run_id) is None


async def test_reading_steps_touches_one_partition(database: Database) -> None:
    today = datetime.now(UTC).date()
    async with database.engine_pool.connection() as connection:
        rows = await connection.execute(
            "EXPLAIN SELECT * FROM execution_steps WHERE run_id = %s AND accepted_on = %s",
            (new_id(), today),
        )
        plan = "\n".join(row[0] for row in await rows.fetchall())
    assert f"execution_steps_p{today:%Y%m%d}" in plan
    assert "pdefault" not in plan


async def test_artifacts_are_noted_once(database: Database, ours: Tenant, theirs: Tenant) -> None:
    async with database.transaction(ours.id) as session:
        artifacts = Artifacts(session)
        await artifacts.add(ours.id, "aa", size_bytes=3, media_type="text/plain")
        first = await artifacts.get(ours.id, "aa")
    async with database.transaction(ours.id) as session:
        artifacts = Artifacts(session)
        await artifacts.add(ours.id, "aa", size_bytes=3, media_type="text/html")
        again = await artifacts.get(ours.id, "aa")
        assert first is not None and again is not None
        assert (again.media_type, again.created_at) == ("text/plain", first.created_at)
        assert again.last_used_at > first.last_used_at
    async with database.transaction(theirs.id) as session:
        assert await Artifacts(session).get(theirs.id, "aa") is None


async def test_the_trail_tells_who_did_what(database: Database, ours: Tenant, theirs: Tenant) -> None:
    for tenant, action in (
        (ours, "workflow.create"),
        (ours, "workflow.publish"),
        (theirs, "workflow.create"),
    ):
        async with database.transaction(tenant.id) as session:
            await Audit(session).add(
                tenant.id, action, actor_id=tenant.user_id, actor="a@example.org", object_id=tenant.id
            )
    async with database.transaction(ours.id) as session:
        audit = Audit(session)
        entries = (await audit.page(ours.id)).items
        assert [entry.action for entry in entries] == ["workflow.publish", "workflow.create"]
        assert entries[0].object_id == str(ours.id)
        page = await audit.page(ours.id, limit=1)
        rest = await audit.page(ours.id, cursor=Cursor.decode(page.next_cursor or ""))
        assert [entry.action for entry in rest.items] == ["workflow.create"]
        narrowed = await audit.page(ours.id, action="workflow.publish", actor_id=ours.user_id)
        assert len(narrowed.items) == 1
        assert (await audit.page(ours.id, object_id="x")).items == []


async def test_an_idempotency_key_holds_until_it_expires(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    run_id = new_id()
    for key, hours in (("valid", 1), ("expired", -1)):
        await write(
            database,
            "idempotency_keys",
            {
                "organization_id": ours.id,
                "route": "/runs",
                "key": key,
                "body_hash": "h",
                "run_id": run_id,
                "expires_at": datetime.now(UTC) + timedelta(hours=hours),
            },
        )
    async with database.transaction(ours.id) as session:
        keys = IdempotencyKeys(session)
        valid = await keys.get(ours.id, "/runs", "valid")
        assert valid is not None and (valid.run_id, valid.body_hash) == (run_id, "h")
        assert await keys.get(ours.id, "/runs", "expired") is None
        assert await keys.get(ours.id, "/other", "valid") is None
    async with database.transaction(theirs.id) as session:
        assert await IdempotencyKeys(session).get(ours.id, "/runs", "valid") is None
