"""Daily partitions: made ahead, never missed by an insert, dropped only when their runs are over."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg

from structforge.config import Settings
from structforge.storage.database import Database

PARTITIONED = ("execution_events", "execution_logs", "execution_steps")
FAR = date(2041, 5, 6)
OLD = date(2020, 2, 3)


async def add_step(connection: psycopg.AsyncConnection[Any], day: date, run_id: UUID | None = None) -> UUID:
    run_id = run_id or uuid4()
    await connection.execute(
        "INSERT INTO execution_steps (accepted_on, run_id, step_key, attempt, organization_id, node_id,"
        " status, settled) VALUES (%s, %s, 'a', 1, %s, 'a', 'succeeded', true)",
        (day, run_id, uuid4()),
    )
    return run_id


async def add_run(connection: psycopg.AsyncConnection[Any], day: date, status: str) -> None:
    await connection.execute(
        "INSERT INTO workflow_executions (id, organization_id, workflow_id, version_id, accepted_on,"
        " accepted_at, status, trigger_kind, input) VALUES (%s, %s, %s, %s, %s, %s, %s, 'manual', '{}')",
        (uuid4(), uuid4(), uuid4(), uuid4(), day, datetime(day.year, day.month, day.day, tzinfo=UTC), status),
    )


async def partition_of(connection: psycopg.AsyncConnection[Any], run_id: UUID) -> str:
    found = await connection.execute(
        "SELECT tableoid::regclass::text FROM execution_steps WHERE run_id = %s", (run_id,)
    )
    row = await found.fetchone()
    assert row is not None
    return str(row[0])


async def ask(connection: psycopg.AsyncConnection[Any], statement: str, *values: object) -> Any:
    row = await (await connection.execute(statement.encode(), values)).fetchone()
    assert row is not None
    return row[0]


async def retire(connection: psycopg.AsyncConnection[Any], day: date) -> bool:
    return bool(await ask(connection, "SELECT retire_partition('execution_steps', %s, now())", day))


async def test_migrating_made_yesterday_until_in_seven_days(database: Database) -> None:
    today = datetime.now(UTC).date()
    async with database.engine_pool.connection() as connection:
        for offset, name in ((-1, None), (0, None), (7, None), (9, "execution_steps_pdefault")):
            day = today + timedelta(days=offset)
            run_id = await add_step(connection, day)
            expected = name or f"execution_steps_p{day:%Y%m%d}"
            assert await partition_of(connection, run_id) == expected


async def test_ensuring_is_idempotent_and_only_counts_what_it_made(database: Database) -> None:
    async with database.engine_pool.connection() as connection:
        assert await ask(connection, "SELECT ensure_partitions(%s, %s)", FAR, FAR + timedelta(days=1)) == 6
        assert await ask(connection, "SELECT ensure_partitions(%s, %s)", FAR, FAR + timedelta(days=2)) == 3
        assert await ask(connection, "SELECT ensure_partitions(%s, %s)", FAR, FAR) == 0


async def test_schedulers_that_ensure_together_do_not_trip(database: Database) -> None:
    async def ensure() -> int:
        async with database.engine_pool.connection() as connection:
            return int(await ask(connection, "SELECT ensure_partitions(%s, %s)", FAR, FAR))

    assert sum(await asyncio.gather(*(ensure() for _ in range(4)))) == len(PARTITIONED)


async def test_rows_that_came_before_their_partition_move_into_it(database: Database) -> None:
    async with database.engine_pool.connection() as connection:
        early = await add_step(connection, FAR)
        other = await add_step(connection, FAR + timedelta(days=1))
        await ask(connection, "SELECT ensure_partitions(%s, %s)", FAR, FAR)
        assert await partition_of(connection, early) == f"execution_steps_p{FAR:%Y%m%d}"
        assert await partition_of(connection, other) == "execution_steps_pdefault"


async def test_one_outcome_per_step_holds_in_every_partition(database: Database) -> None:
    for day in (FAR, datetime.now(UTC).date()):
        async with database.engine_pool.connection() as connection:
            run_id = await add_step(connection, day)
        try:
            async with database.engine_pool.connection() as connection:
                await connection.execute(
                    "INSERT INTO execution_steps (accepted_on, run_id, step_key, attempt, organization_id,"
                    " node_id, status, settled) VALUES (%s, %s, 'a', 2, %s, 'a', 'failed', true)",
                    (day, run_id, uuid4()),
                )
        except psycopg.errors.UniqueViolation as error:
            assert "settled" in str(error) or "step_key" in str(error)
        else:
            raise AssertionError("a second outcome was accepted")


async def test_partitions_go_when_all_their_runs_are_over(database: Database) -> None:
    async with database.engine_pool.connection() as connection:
        await ask(connection, "SELECT ensure_partitions(%s, %s)", OLD, OLD + timedelta(days=1))
        kept, dropped = await add_step(connection, OLD), await add_step(connection, OLD + timedelta(days=1))
        await add_run(connection, OLD, "waiting")
        await add_run(connection, OLD + timedelta(days=1), "failed")

        assert await retire(connection, OLD) is False
        assert await retire(connection, OLD + timedelta(days=1)) is True

        assert await partition_of(connection, kept) == f"execution_steps_p{OLD:%Y%m%d}"
        left = await ask(connection, "SELECT count(*) FROM execution_steps WHERE run_id = %s", dropped)
        assert left == 0
        name = f"execution_steps_p{OLD + timedelta(days=1):%Y%m%d}"
        assert await ask(connection, "SELECT to_regclass(%s) IS NULL", name)


async def test_rows_in_the_default_partition_go_with_their_day(database: Database) -> None:
    async with database.engine_pool.connection() as connection:
        gone, stays = await add_step(connection, OLD), await add_step(connection, OLD - timedelta(days=1))
        assert await retire(connection, OLD) is True
        assert await ask(connection, "SELECT count(*) FROM execution_steps WHERE run_id = %s", gone) == 0
        assert await partition_of(connection, stays) == "execution_steps_pdefault"


async def test_the_present_is_never_dropped(database: Database) -> None:
    today = datetime.now(UTC).date()
    async with database.engine_pool.connection() as connection:
        for day in (today - timedelta(days=1), today, today + timedelta(days=3)):
            assert await retire(connection, day) is False


async def test_the_app_may_not_touch_partitions(database: Database, settings: Settings) -> None:
    with psycopg.connect(settings.database_app_role_url, autocommit=True) as connection:
        for statement in (
            "SELECT ensure_partitions('2041-01-01', '2041-01-02')",
            "SELECT retire_partition('execution_steps', '2020-01-01', now())",
            "SELECT retirable_days('2020-01-01')",
            f"SELECT * FROM execution_steps_p{datetime.now(UTC):%Y%m%d}",
            "SELECT * FROM execution_logs_pdefault",
        ):
            try:
                connection.execute(statement.encode())
            except psycopg.errors.InsufficientPrivilege:
                continue
            raise AssertionError(f"allowed: {statement}")
