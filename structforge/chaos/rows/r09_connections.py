"""R9: two hundred runs are in a step that takes a minute, with a pool of twenty connections in each process.

Proves that a run in flight holds no database connection: beside them the API answers as ever (p95 under 500 ms),
and no session of the database is in a transaction longer than a commit takes.
"""

import asyncio
import time
from collections.abc import Mapping

from structforge.chaos.client import Client
from structforge.chaos.counting import count_journal
from structforge.chaos.documents import chain, node
from structforge.chaos.ground import Ground
from structforge.chaos.nodes import read_traces
from structforge.chaos.verdict import percentile

POOL = 20
API_P95_S = 0.5
SETTINGS: Mapping[str, str] = {
    "STRUCTFORGE_DATABASE_POOL_SIZE": str(POOL),
    "STRUCTFORGE_WORKER_SLOTS": "250",
}

# A session in a transaction for half a second does not commit: it waits for something outside the database.
_HELD = """
SELECT count(*) FILTER (WHERE state <> 'idle' AND xact_start < clock_timestamp() - interval '0.5 s'), count(*)
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND usename IN ('structforge_app', 'structforge_engine')
"""


async def run(ground: Ground) -> None:
    """Ask the API all the time while every run holds."""
    api = await ground.web()
    ground.service("scheduler")
    await ground.workers(1)
    seconds, count = ground.scaled(60, 4), ground.scaled(200, 60)
    trace = ground.home / "trace"
    hold = node("hold", "chaos.pause", seconds=seconds, trace=str(trace))
    workflow = await api.publish("Hold", chain(hold, node("end", "data.set", fields={"x": 1})))
    accepted = await api.start_many(workflow, count)
    await ground.until(lambda: len(read_traces(trace)) == count, "every run is in its long step")
    end = time.monotonic() + seconds - 1.5
    held: list[int] = []
    sessions: list[int] = []

    async def watch() -> None:
        while time.monotonic() < end:
            [(holding, all_of_them)] = ground.rows(_HELD)
            held.append(holding)
            sessions.append(all_of_them)
            await asyncio.sleep(0.25)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch())
        callers = [tasks.create_task(_ask(api, str(accepted[n]), end)) for n in range(4)]
    answered = [seconds for caller in callers for seconds in caller.result()]
    over = await ground.all_over(accepted, limit_s=60)
    ground.verdict.check(over, "not all runs came to their end")
    count_journal(ground, accepted, steps=3)
    p95 = percentile(answered, 0.95)
    ground.verdict.check(p95 < API_P95_S, f"the API's p95 was {p95 * 1000:.0f} ms")
    ground.verdict.check(max(held) == 0, f"up to {max(held)} connections were held during a node's work")
    ground.verdict.figures.update(
        concurrent=count,
        held_connections=max(held),
        sessions_max=max(sessions),
        api_requests=len(answered),
        api_p95_ms=round(p95 * 1000, 1),
    )


async def _ask(api: Client, run_id: str, end: float) -> list[float]:
    took = []
    paths = ("/runs?limit=20", f"/runs/{run_id}", f"/runs/{run_id}/steps", "/workflows")
    number = 0
    while time.monotonic() < end:
        began = time.monotonic()
        await api.call("GET", paths[number % len(paths)])
        took.append(time.monotonic() - began)
        number += 1
        await asyncio.sleep(0.1)
    return took
