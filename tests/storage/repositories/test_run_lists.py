"""Lists of runs on 100,000 rows: each filter finds its page without reading the table."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from structforge.storage.database import Database
from structforge.storage.repositories.paging import Cursor
from structforge.storage.repositories.runs import Group, RunFilter, Runs
from tests.storage.conftest import Tenant

START = datetime(2026, 11, 20, tzinfo=UTC)
ROWS = 100_000

# A hundred workflows; of 1,000 runs one failed, of 10,000 one is open.
_FILL = """
INSERT INTO workflow_executions
    (id, organization_id, workflow_id, version_id, accepted_on, accepted_at, status, trigger_kind, input, error)
SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, %(organization)s,
    ('00000000-0000-7000-9000-' || lpad((n %% 100)::text, 12, '0'))::uuid, gen_random_uuid(),
    %(start)s::date, %(start)s::timestamptz + n * interval '1 second',
    CASE WHEN n %% 10000 = 7 THEN 'running' WHEN n %% 1000 = 5 THEN 'failed' ELSE 'succeeded' END,
    CASE WHEN n %% 3 = 0 THEN 'webhook' ELSE 'api' END,
    json_build_object('customer', 'c' || n),
    CASE WHEN n %% 1000 = 5 THEN '{"code": "http.status", "message": "The server said 503."}'::json END
FROM generate_series(1, %(rows)s) n
"""


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Collect what is executed."""
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, sql: str, parameters: Any, context: Any, many: bool) -> None:
        seen.append((sql, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def plan_of(database: Database, tenant: Tenant, only: RunFilter, cursor: Cursor | None) -> Any:
    """Return the plan of a page as it was executed, and the rows found."""
    async with database.transaction(tenant.id) as session:
        with statements() as seen:
            page = await Runs(session).page(tenant.id, only, cursor=cursor, limit=25)
        sql, parameters = next(one for one in seen if "workflow_executions" in one[0])
        connection = await session.connection()
        explained = await connection.exec_driver_sql(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", parameters
        )
        plan = explained.scalar_one()
    return (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"], len(page.items)


def scans_of(plan: dict[str, Any]) -> set[str]:
    found = {plan["Index Name"]} if "Index Name" in plan else set()
    if plan["Node Type"] == "Seq Scan":
        found.add(f"all of {plan['Relation Name']}")
    return found.union(*(scans_of(child) for child in plan.get("Plans", ())))


NEWEST, OF_WORKFLOW = "ix_workflow_executions_newest", "ix_workflow_executions_of_workflow"
OPEN, UNSUCCESSFUL = "ix_workflow_executions_open", "ix_workflow_executions_unsuccessful"
ACTIVE = ("queued", "running", "waiting", "pausing", "paused", "cancelling")


async def test_each_filter_finds_its_page_by_an_index(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    async with database.engine_pool.connection() as connection:
        values = {"organization": ours.id, "start": START, "rows": ROWS}
        await connection.execute(_FILL.encode(), values)
        await connection.commit()
    async with database.owner_transaction() as session:
        await (await session.connection()).exec_driver_sql("ANALYZE workflow_executions")
    middle = Cursor(START + timedelta(seconds=ROWS // 2), UUID(int=0))
    for only, cursor, index, count in (
        (RunFilter(), None, NEWEST, 25),
        (RunFilter(), middle, NEWEST, 25),
        (RunFilter(statuses=("succeeded",), trigger_kinds=("webhook",)), middle, NEWEST, 25),
        (RunFilter(statuses=ACTIVE), None, OPEN, 10),
        (RunFilter(statuses=("failed",)), None, UNSUCCESSFUL, 25),
        (RunFilter(statuses=("failed",)), middle, UNSUCCESSFUL, 25),
        (RunFilter(workflow_id=UUID("00000000-0000-7000-9000-000000000042")), middle, OF_WORKFLOW, 25),
        (
            RunFilter(accepted_from=START, accepted_before=START + timedelta(seconds=2_000)),
            None,
            NEWEST,
            25,
        ),
        (RunFilter(statuses=("failed",), search="said 503"), None, UNSUCCESSFUL, 25),
        (RunFilter(search="c99"), None, NEWEST, 25),
    ):
        plan, rows = await plan_of(database, ours, only, cursor)
        scans = scans_of(plan) - {"all of workflows"}
        assert index in scans and "all of workflow_executions" not in scans, (only, plan)
        blocks = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        assert (rows, blocks < 1_000) == (count, True), (only, blocks)


@pytest.mark.parametrize("mark", ["[", "#"])
async def test_iterations_are_counted_and_paged(
    database: Database, ours: Tenant, theirs: Tenant, mark: str
) -> None:
    run, end = UUID(int=5), {"[": "]/work", "#": ""}[mark]
    keys = ["start", "each", *(f"each{mark}{n}{end}" for n in range(120))]
    async with database.engine_pool.connection() as connection:
        for organization in (ours.id, theirs.id):
            await connection.execute(
                b"INSERT INTO execution_steps (accepted_on, run_id, step_key, attempt, organization_id, node_id, "
                b"status, settled, error) SELECT %s, %s, key, 1, %s, 'n', 'failed', true, '{\"message\": \"No.\"}' "
                b"FROM unnest(%s::text[]) key ON CONFLICT DO NOTHING",
                (START.date(), run, organization, keys),
            )
    async with database.transaction(ours.id) as session:
        runs, where = Runs(session), (ours.id, run, START.date())
        assert await runs.groups(*where) == {"each": 120}
        top = await runs.attempts(*where, top_only=True, limit=50)
        assert [row.step_key for row in top] == ["each", "start"]
        assert top[0].message == "No."
        page = await runs.attempts(*where, group=Group("each", 98, 20), limit=500)
        assert {row.step_key for row in page} == {f"each{mark}{n}{end}" for n in range(98, 118)}
        assert len(await runs.attempts(*where, limit=7)) == 7
