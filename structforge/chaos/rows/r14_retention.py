"""R14: a history of a million steps over sixty days is cut to a tenth while twenty runs a second go through.

Proves that retention is nobody's outage: a writer hardly ever waits for a lock, and not for long; the disk is given
back; what is within its time, and a run that has been waiting for weeks, keeps all it has.
"""

import asyncio
import time
from collections.abc import Mapping
from uuid import UUID

import psycopg

from structforge.chaos.client import Client
from structforge.chaos.documents import chain, node
from structforge.chaos.ground import Ground
from structforge.chaos.verdict import percentile

DAYS, KEPT_DAYS = 60, 6
STEPS_PER_RUN = 50
RUNS_PER_S = 20
LOCK_P95_S = 0.05
SIZE_SLACK = 1.2
LEAST_LOAD_S = 15.0
NOTICEABLE_S = 0.001
"""A lock that was got sooner was not waited for."""
SETTINGS: Mapping[str, str] = {
    "STRUCTFORGE_STEP_RETENTION_DAYS": str(KEPT_DAYS),
    "STRUCTFORGE_RUN_RETENTION_DAYS": str(KEPT_DAYS),
}

_DAYS_MADE = "SELECT ensure_partitions(current_date - %s - 2, current_date)"

# Ended at noon of the day they were accepted on, so that a day is within its time or not as a whole.
_RUNS = """
INSERT INTO workflow_executions (id, organization_id, workflow_id, version_id, accepted_on, accepted_at, status,
    trigger_kind, input, output, started_at, finished_at, event_seq, step_count)
SELECT gen_random_uuid(), %(organization)s, %(workflow)s, %(workflow)s, d.day, d.day + interval '11 hours',
    CASE WHEN n %% 10 = 0 THEN 'failed' ELSE 'succeeded' END, 'api', '{"order": 17}', '{"total": 1234.5}',
    d.day + interval '11 hours', d.day + interval '12 hours', 2, %(steps)s
FROM generate_series(0, %(runs)s - 1) n, LATERAL (SELECT current_date - 1 - n %% %(days)s AS day) d
"""

_STEPS = """
INSERT INTO execution_steps (accepted_on, run_id, step_key, attempt, organization_id, node_id, status, settled,
    outputs, started_at, finished_at)
SELECT e.accepted_on, e.id, 'step_' || n, 1, e.organization_id, 'step_' || n, 'succeeded', true,
    json_build_object('out', json_build_object('number', n, 'text', repeat('lorem ipsum ', 12))),
    e.started_at, e.finished_at
FROM workflow_executions e, generate_series(1, %(steps)s) n
WHERE e.workflow_id = %(workflow)s
"""

_EVENTS = """
INSERT INTO execution_events (accepted_on, run_id, first_seq, last_seq, organization_id, events)
SELECT accepted_on, id, 1, 2, organization_id,
    '[{"seq": 1, "type": "run.accepted"}, {"seq": 2, "type": "run.finished"}]'
FROM workflow_executions WHERE workflow_id = %(workflow)s
"""

_WAITING = """
WITH one AS (
    UPDATE workflow_executions SET status = 'waiting', finished_at = NULL
    WHERE id = (SELECT id FROM workflow_executions WHERE accepted_on = current_date - 31 LIMIT 1) RETURNING *
)
INSERT INTO run_outbox (run_id, organization_id, workflow_id, accepted_on, available_at)
SELECT id, organization_id, workflow_id, accepted_on, 'infinity' FROM one RETURNING run_id
"""

# Of the days before today: what the load adds is not counted.
_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint + pg_total_relation_size('workflow_executions')
FROM pg_class c WHERE c.relname ~ '^execution_(steps|logs|events)_p[0-9]{8}$' AND c.relkind = 'r'
    AND right(c.relname, 8) < to_char(current_date, 'YYYYMMDD')
"""

_PAST = """
SELECT count(*) FROM workflow_executions
WHERE accepted_on < current_date - %s AND status IN ('succeeded', 'failed', 'cancelled')
"""


async def run(ground: Ground) -> None:
    """Make a history, then start the scheduler, whose duty it is to cut it."""
    api = await ground.web()
    await ground.workers(1)
    workflow = await api.publish("Load", chain(node("a", "data.set", fields={"x": 1})))
    steps = ground.scaled(1_000_000, 60_000)
    empty = ground.value(_SIZE)
    history = _make_history(ground, steps)
    full = ground.value(_SIZE)
    kept_steps = ground.value(
        "SELECT count(*) FROM execution_steps WHERE accepted_on BETWEEN current_date - %s AND current_date - 1",
        KEPT_DAYS - 1,
    )
    [(waiting,)] = ground.rows(_WAITING)

    stopping = asyncio.Event()
    waits: list[float] = []
    prober = asyncio.create_task(asyncio.to_thread(_probe, ground.postgres.url(), stopping, waits))
    load = asyncio.create_task(_load(api, workflow, stopping))
    began = time.monotonic()
    try:
        ground.service("scheduler")
        await ground.until(lambda: _is_cut(ground), "the history is cut", limit_s=240, every_s=0.5)
        cut_s = time.monotonic() - began
        await asyncio.sleep(max(0.0, LEAST_LOAD_S - cut_s))
    finally:
        stopping.set()
        accepted = await load
        await prober
    over = await ground.all_over(accepted, limit_s=60)
    ground.verdict.check(over, "runs of the load did not end")
    # What autovacuum does within minutes; space in the middle of a table stays with it, to be used again.
    ground.rows("VACUUM ANALYZE workflow_executions, execution_steps, execution_logs, execution_events")
    _judge(ground, empty, full, kept_steps, waiting)
    waited = [seconds for seconds in waits if seconds > NOTICEABLE_S]
    p95 = percentile(waited, 0.95)
    ground.verdict.check(p95 < LOCK_P95_S, f"those who waited for a lock did for {p95 * 1000:.0f} ms (p95)")
    ground.verdict.figures.update(
        steps_of_history=history,
        cut_in_s=round(cut_s, 1),
        load_runs=len(accepted),
        load_runs_per_s=round(len(accepted) / max(cut_s, LEAST_LOAD_S), 1),
        lock_probes=len(waits),
        lock_waits=len(waited),
        lock_wait_p95_ms=round(p95 * 1000, 1),
        lock_wait_max_ms=round(max(waits, default=0) * 1000, 1),
    )


def _make_history(ground: Ground, steps: int) -> int:
    known: dict[str, object] = {
        "organization": ground.value("SELECT id FROM organizations LIMIT 1"),
        "workflow": UUID(int=14),
        "days": DAYS,
        "steps": STEPS_PER_RUN,
        "runs": steps // STEPS_PER_RUN,
    }
    ground.rows(_DAYS_MADE, DAYS)
    with psycopg.connect(ground.postgres.url(), autocommit=True) as connection:
        for statement in (_RUNS, _STEPS, _EVENTS):
            connection.execute(statement, known)
        connection.execute("VACUUM ANALYZE workflow_executions")
    return int(ground.value("SELECT count(*) FROM execution_steps"))


def _is_cut(ground: Ground) -> bool:
    days = ground.rows("SELECT retirable_days(current_date - %s)", KEPT_DAYS + 1)
    # The day of the run that waits is kept by it, and thinned out.
    return len(days) == 1 and ground.value(_PAST, KEPT_DAYS) == 0


def _judge(ground: Ground, empty: int, full: int, kept_steps: int, waiting: UUID) -> None:
    verdict = ground.verdict
    left = ground.value(_SIZE)
    expected = empty + (full - empty) * KEPT_DAYS / DAYS
    # Of a short history the emptiest tables are the largest part.
    verdict.check(
        ground.short or left <= expected * SIZE_SLACK,
        f"{left / 2**20:.0f} MiB are left, a tenth is {expected / 2**20:.0f}",
    )
    still = ground.value(
        "SELECT count(*) FROM execution_steps WHERE accepted_on BETWEEN current_date - %s AND current_date - 1",
        KEPT_DAYS - 1,
    )
    verdict.check(still == kept_steps, f"{still} of {kept_steps} steps within their time are left")
    of_waiting = ground.value("SELECT count(*) FROM execution_steps WHERE run_id = %s", waiting)
    verdict.check(of_waiting == STEPS_PER_RUN, f"the run that waits has {of_waiting} steps left")
    neighbours = ground.value(
        "SELECT count(*) FROM execution_steps WHERE accepted_on = current_date - 31 AND run_id <> %s", waiting
    )
    verdict.check(neighbours == 0, f"{neighbours} steps are left beside the run that waits")
    verdict.figures.update(
        full_mib=round(full / 2**20, 1),
        left_mib=round(left / 2**20, 1),
        a_tenth_mib=round(expected / 2**20, 1),
    )


async def _load(api: Client, workflow: str, stopping: asyncio.Event) -> list[UUID]:
    starting: list[asyncio.Task[UUID]] = []
    began = time.monotonic()
    while not stopping.is_set():
        starting.append(asyncio.create_task(api.start(workflow)))
        await asyncio.sleep(max(0.0, began + len(starting) / RUNS_PER_S - time.monotonic()))
    return list(await asyncio.gather(*starting))


def _probe(url: str, stopping: asyncio.Event, waits: list[float]) -> None:
    """Ask for the locks of a commit all the time, and note how long each request waited."""
    with psycopg.connect(url) as connection:
        while not stopping.is_set():
            began = time.monotonic()
            connection.execute(
                "LOCK TABLE ONLY execution_steps, ONLY execution_events, ONLY execution_logs IN ROW EXCLUSIVE MODE"
            )
            waits.append(time.monotonic() - began)
            connection.rollback()
            time.sleep(0.01)
