"""Retention: what is past its time goes, what a run still needs stays, and nobody waits for it."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from structforge.config import Settings
from structforge.sdk.context import ArtifactRef
from structforge.storage.artifacts import FileArtifactStore, OrganizationArtifacts
from structforge.storage.retention import Periods, Retention

Connection = psycopg.AsyncConnection[Any]
NOW = datetime.now(UTC)
OURS = uuid4()
STEPS_DAYS, RUNS_DAYS = 30, 90
TABLES = ("execution_steps", "execution_logs", "execution_events", "run_answers")


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[Connection]:
    """A connection of the engine role, as the scheduler has."""
    async with await psycopg.AsyncConnection.connect(
        settings.database_engine_role_url, autocommit=True
    ) as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> FileArtifactStore:
    return FileArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def retention(store: FileArtifactStore) -> Retention:
    return Retention(Periods(timedelta(days=STEPS_DAYS), timedelta(days=RUNS_DAYS)), store)


async def sweep_all(retention: Retention, connection: Connection) -> int:
    slices = 1
    while await retention.sweep(connection):
        slices += 1
        assert slices < 500
    return slices


async def add_run(
    connection: Connection,
    *,
    accepted: float,
    ended: float | None,
    status: str = "succeeded",
    outputs: str = '{"out": 1}',
    given: str = "{}",
    partition: bool = True,
) -> UUID:
    """Add a run with a row everywhere; the ages are days."""
    run_id, at = uuid4(), days_ago(accepted)
    day = at.date()
    if partition:
        await connection.execute("SELECT ensure_partitions(%s, %s)", (day, day))
    await connection.execute(
        "INSERT INTO workflow_executions (id, organization_id, workflow_id, version_id, accepted_on, accepted_at,"
        " status, trigger_kind, input, finished_at) VALUES (%s, %s, %s, %s, %s, %s, %s, 'api', %s, %s)",
        (
            run_id, OURS, uuid4(), uuid4(), day, at, status, given,
            None if ended is None else days_ago(ended),
        ),
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO execution_steps (accepted_on, run_id, step_key, attempt, organization_id, node_id, status,"
        " settled, outputs) VALUES (%s, %s, 'a', 1, %s, 'a', 'succeeded', true, %s)",
        (day, run_id, OURS, outputs),
    )
    await connection.execute(
        "INSERT INTO execution_logs (accepted_on, run_id, seq, organization_id, level, message, at)"
        " VALUES (%s, %s, 1, %s, 'info', 'x', %s)",
        (day, run_id, OURS, at),
    )
    await connection.execute(
        "INSERT INTO execution_events (accepted_on, run_id, first_seq, last_seq, organization_id, events)"
        " VALUES (%s, %s, 1, 1, %s, '[]')",
        (day, run_id, OURS),
    )
    return run_id


async def left_of(connection: Connection, run_id: UUID) -> set[str]:
    """The tables that still have something of a run."""
    found = set()
    for table, key in [("workflow_executions", "id"), *((table, "run_id") for table in TABLES[:3])]:
        cursor = await connection.execute(
            f"SELECT count(*) FROM {table} WHERE {key} = %s".encode(), (run_id,)
        )
        if await cursor.fetchone() != (0,):
            found.add(table)
    return found


async def partitions(connection: Connection, age: float) -> int:
    cursor = await connection.execute(
        "SELECT count(*) FROM pg_class WHERE relname LIKE %s AND relkind = 'r'",
        (f"execution\\_%\\_p{days_ago(age):%Y%m%d}",),
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


WHOLE = {"workflow_executions", "execution_steps", "execution_logs", "execution_events"}


async def test_a_day_whose_runs_are_past_their_time_goes_as_a_whole(
    connection: Connection, retention: Retention
) -> None:
    old = await add_run(connection, accepted=40, ended=40)
    late = await add_run(connection, accepted=50, ended=20)
    young = await add_run(connection, accepted=20, ended=20)
    await sweep_all(retention, connection)
    assert await left_of(connection, old) == {"workflow_executions"}
    assert (await left_of(connection, late), await left_of(connection, young)) == (WHOLE, WHOLE)
    assert [await partitions(connection, age) for age in (40, 50, 20)] == [0, 3, 3]


async def test_a_run_that_waits_for_weeks_keeps_its_day_and_only_itself(
    connection: Connection, retention: Retention
) -> None:
    waiting = await add_run(connection, accepted=120, ended=None, status="waiting")
    others = [await add_run(connection, accepted=120, ended=age) for age in (120, 100, 50)]
    recent = await add_run(connection, accepted=120, ended=5)
    await sweep_all(retention, connection)
    assert await left_of(connection, waiting) == WHOLE
    assert await left_of(connection, recent) == WHOLE
    assert [await left_of(connection, run) for run in others] == [set(), set(), {"workflow_executions"}]
    assert await partitions(connection, 120) == 3
    await connection.execute(
        "UPDATE workflow_executions SET status = 'cancelled', finished_at = %s WHERE id = ANY (%s)",
        (days_ago(31), [waiting, recent]),
    )
    await sweep_all(retention, connection)
    assert await left_of(connection, waiting) == {"workflow_executions"}
    assert await partitions(connection, 120) == 0


async def test_what_is_left_of_a_large_day_moves_and_its_partition_goes(
    connection: Connection, retention: Retention
) -> None:
    waiting = await add_run(connection, accepted=50, ended=None, status="waiting")
    past = await add_run(connection, accepted=50, ended=50)
    await connection.execute(
        "INSERT INTO execution_steps (accepted_on, run_id, step_key, attempt, organization_id, node_id, status,"
        " settled, outputs) SELECT %s, %s, 's' || n, 1, %s, 'a', 'succeeded', true, to_json(repeat('x', 1000))"
        " FROM generate_series(1, 2500) n",
        (days_ago(50).date(), past, OURS),
    )
    await sweep_all(retention, connection)
    assert await left_of(connection, waiting) == WHOLE
    assert await left_of(connection, past) == {"workflow_executions"}
    # The steps' partition is gone; those of logs and events are too small to be worth it.
    assert await partitions(connection, 50) == 2
    with pytest.raises(psycopg.errors.UniqueViolation):
        await connection.execute(
            "INSERT INTO execution_steps (accepted_on, run_id, step_key, attempt, organization_id, node_id, status,"
            " settled) VALUES (%s, %s, 'a', 2, %s, 'a', 'succeeded', true)",
            (days_ago(50).date(), waiting, OURS),
        )
    await connection.execute(
        "UPDATE workflow_executions SET status = 'failed', finished_at = %s WHERE id = %s",
        (days_ago(31), waiting),
    )
    await sweep_all(retention, connection)
    assert await left_of(connection, waiting) == {"workflow_executions"}
    assert await partitions(connection, 50) == 0


async def test_runs_go_with_their_answers_but_keys_and_outbox_stay(
    connection: Connection, retention: Retention, settings: Settings
) -> None:
    old = await add_run(connection, accepted=100, ended=95)
    kept = await add_run(connection, accepted=100, ended=80)
    open_run = await add_run(connection, accepted=100, ended=None, status="paused")
    async with await psycopg.AsyncConnection.connect(settings.database_owner_url, autocommit=True) as owner:
        for run in (old, kept):
            await owner.execute(
                "INSERT INTO run_answers (run_id, step_key, organization_id, answer) VALUES (%s, 'a', %s, '1')",
                (run, OURS),
            )
        await owner.execute(
            "INSERT INTO idempotency_keys (organization_id, route, key, body_hash, run_id, expires_at)"
            " VALUES (%s, 'r', 'k', '', %s, %s)",
            (OURS, old, days_ago(-1)),
        )
        await owner.execute(
            "INSERT INTO run_outbox (run_id, organization_id, workflow_id, accepted_on) VALUES (%s, %s, %s, %s)",
            (open_run, OURS, uuid4(), days_ago(100).date()),
        )
        await sweep_all(retention, connection)
        assert await left_of(connection, old) == set()
        assert await left_of(connection, kept) == {"workflow_executions"}
        assert await left_of(connection, open_run) == WHOLE
        rows = await (await owner.execute("SELECT run_id FROM run_answers")).fetchall()
        assert rows == [(kept,)]
        for table in ("idempotency_keys", "run_outbox"):
            count = await (await owner.execute(f"SELECT count(*) FROM {table}".encode())).fetchone()
            assert count == (1,)


async def test_rows_of_the_default_partition_are_past_their_time_too(
    connection: Connection, retention: Retention
) -> None:
    old = await add_run(connection, accepted=45, ended=45, partition=False)
    waiting = await add_run(connection, accepted=46, ended=None, status="waiting", partition=False)
    past = await add_run(connection, accepted=46, ended=46, partition=False)
    await sweep_all(retention, connection)
    assert await left_of(connection, old) == {"workflow_executions"}
    assert await left_of(connection, waiting) == WHOLE
    assert await left_of(connection, past) == {"workflow_executions"}


async def test_runs_are_never_kept_for_less_than_their_steps(
    connection: Connection, store: FileArtifactStore
) -> None:
    run = await add_run(connection, accepted=20, ended=20)
    eager = Retention(Periods(timedelta(days=30), timedelta(days=1)), store)
    await sweep_all(eager, connection)
    assert await left_of(connection, run) == WHOLE


async def test_a_called_run_stays_while_its_caller_goes_on(
    connection: Connection, retention: Retention
) -> None:
    caller = await add_run(connection, accepted=120, ended=None, status="paused")
    called = await add_run(connection, accepted=119, ended=119)
    await connection.execute(
        "UPDATE workflow_executions SET parent_run_id = %s WHERE id = %s", (caller, called)
    )
    await sweep_all(retention, connection)
    assert await left_of(connection, called) == {"workflow_executions"}
    await connection.execute(
        "UPDATE workflow_executions SET status = 'cancelled', finished_at = %s WHERE id = %s",
        (days_ago(1), caller),
    )
    await sweep_all(retention, connection)
    assert await left_of(connection, called) == set()


async def test_many_runs_go_in_slices(connection: Connection, retention: Retention) -> None:
    await connection.execute(
        "INSERT INTO workflow_executions (id, organization_id, workflow_id, version_id, accepted_on, accepted_at,"
        " status, trigger_kind, input, finished_at)"
        " SELECT gen_random_uuid(), %s, %s, %s, %s, %s, 'failed', 'api', '{}', %s FROM generate_series(1, 2500)",
        (OURS, uuid4(), uuid4(), days_ago(99).date(), days_ago(99), days_ago(99)),
    )
    assert await sweep_all(retention, connection) >= 3
    cursor = await connection.execute("SELECT count(*) FROM workflow_executions")
    assert await cursor.fetchone() == (0,)


async def test_a_busy_table_is_left_alone_and_its_writer_never_waits(
    connection: Connection, retention: Retention, settings: Settings
) -> None:
    old = await add_run(connection, accepted=40, ended=40)
    url = settings.database_engine_role_url
    async with await psycopg.AsyncConnection.connect(url) as writer:
        await writer.execute("LOCK TABLE execution_steps IN ROW EXCLUSIVE MODE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await retention.sweep(connection)
        assert await left_of(connection, old) == WHOLE
        await writer.rollback()
    await sweep_all(retention, connection)
    assert await left_of(connection, old) == {"workflow_executions"}


async def test_schedulers_that_sweep_together_do_not_trip(
    connection: Connection, store: FileArtifactStore, settings: Settings
) -> None:
    runs = [await add_run(connection, accepted=age, ended=age) for age in (40, 41, 95, 96)]
    await add_run(connection, accepted=41, ended=None, status="running")

    async def sweeping() -> None:
        url = settings.database_engine_role_url
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as own:
            periods = Periods(timedelta(days=STEPS_DAYS), timedelta(days=RUNS_DAYS))
            await sweep_all(Retention(periods, store), own)

    await asyncio.gather(*(sweeping() for _ in range(3)))
    left = [await left_of(connection, run) for run in runs]
    assert left == [{"workflow_executions"}, {"workflow_executions"}, set(), set()]


async def test_artifacts_go_when_nothing_can_refer_to_them_any_more(
    connection: Connection, retention: Retention, store: FileArtifactStore, settings: Settings
) -> None:
    access = OrganizationArtifacts(store, OURS)

    async def stored(text: str, *, used: float, touched: float | None = None) -> ArtifactRef:
        ref = access.put(text.encode(), media_type="text/plain")
        os.utime(access.path(ref), (days_ago(touched or used).timestamp(),) * 2)
        await connection.execute(
            "INSERT INTO artifacts (organization_id, hash, size_bytes, media_type, created_at, last_used_at)"
            " VALUES (%s, %s, %s, 'text/plain', %s, %s)",
            (OURS, ref.hash, ref.size_bytes, days_ago(used), days_ago(used)),
        )
        return ref

    unused = await stored("unused", used=100)
    recent = await stored("recent", used=80)
    held = await stored("held by a step of a run that waits", used=100)
    asked = await stored("input of a run that is paused", used=100)
    given_in = await stored("in an answer", used=100)
    again = await stored("stored again a moment ago", used=100, touched=0.001)
    ended = await stored("of a run that is over", used=100)
    pinned = await stored("pinned in a draft", used=100)
    shown = await stored("last result of a draft", used=100)
    outputs = f'{{"out": {{"$artifact": {{"hash": "{held.hash}"}}}}}}'
    await add_run(connection, accepted=110, ended=None, status="waiting", outputs=outputs)
    given = f'{{"file": {{"$artifact": {{"hash": "{asked.hash}"}}}}}}'
    await add_run(connection, accepted=110, ended=None, status="paused", given=given)
    outputs = f'{{"out": {{"$artifact": {{"hash": "{ended.hash}"}}}}}}'
    await add_run(connection, accepted=110, ended=100, outputs=outputs)
    async with await psycopg.AsyncConnection.connect(settings.database_owner_url, autocommit=True) as owner:
        await owner.execute(
            "INSERT INTO run_answers (run_id, step_key, organization_id, answer) VALUES (%s, 'a', %s, %s)",
            (uuid4(), OURS, f'{{"file": {{"$artifact": {{"hash": "{given_in.hash}"}}}}}}'),
        )
        await owner.execute("INSERT INTO organizations (id, name, slug) VALUES (%s, 'o', 'o')", (OURS,))
        await owner.execute(
            "INSERT INTO workflows (id, organization_id, name, draft) VALUES (%s, %s, 'w', '{}')",
            (OURS, OURS),
        )
        values = [f'{{"out": {{"$artifact": {{"hash": "{ref.hash}"}}}}}}' for ref in (pinned, shown)]
        await owner.execute(
            "INSERT INTO draft_nodes (workflow_id, node_id, organization_id, pinned, outputs)"
            " VALUES (%s, 'a', %s, %s, %s)",
            (OURS, OURS, *values),
        )
    await sweep_all(retention, connection)
    there = {
        name: store.exists(OURS, ref.hash)
        for name, ref in {
            "unused": unused, "recent": recent, "held": held, "asked": asked, "again": again, "ended": ended,
            "given_in": given_in, "pinned": pinned, "shown": shown,
        }.items()
    }  # fmt: skip
    assert there == {
        "unused": False, "recent": True, "held": True, "asked": True, "again": True, "ended": False,
        "given_in": True, "pinned": True, "shown": True,
    }  # fmt: skip
    rows = await (await connection.execute("SELECT hash FROM artifacts")).fetchall()
    assert {row[0] for row in rows} == {ref.hash for ref in (recent, held, asked, given_in, pinned, shown)}


async def test_an_artifact_in_use_at_this_moment_is_passed_over(
    connection: Connection, retention: Retention, store: FileArtifactStore, settings: Settings
) -> None:
    ref = OrganizationArtifacts(store, OURS).put(b"busy", media_type="text/plain")
    os.utime(store.path(OURS, ref.hash), (1, 1))
    await connection.execute(
        "INSERT INTO artifacts (organization_id, hash, size_bytes, media_type, last_used_at)"
        " VALUES (%s, %s, 4, 'text/plain', %s)",
        (OURS, ref.hash, days_ago(200)),
    )
    async with await psycopg.AsyncConnection.connect(settings.database_engine_role_url) as commit:
        await commit.execute("UPDATE artifacts SET last_used_at = now() WHERE hash = %s", (ref.hash,))
        await sweep_all(retention, connection)
        assert store.exists(OURS, ref.hash)
        await commit.commit()
    await sweep_all(retention, connection)
    assert store.exists(OURS, ref.hash)


async def test_files_that_a_crash_left_stay_for_a_day(
    connection: Connection, retention: Retention, store: FileArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = OrganizationArtifacts(store, OURS).put(b"whole", media_type="text/plain")
    crashed = store.path(OURS, ref.hash).parents[2] / "partial" / "tmpcrashed"
    crashed.write_bytes(b"half")
    await retention.clear_partial(connection)
    assert crashed.exists()
    monkeypatch.setattr("structforge.storage.retention.LEAST_AGE", timedelta(days=-1))
    await retention.clear_partial(connection)
    assert not crashed.exists()
    assert store.exists(OURS, ref.hash)
