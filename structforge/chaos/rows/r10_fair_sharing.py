"""R10: organization A floods the queue with ten thousand runs, organization B submits ten.

Proves that one customer's flood is not another's outage: B's runs begin within seconds, long before the flood is
over.
"""

import asyncio
from collections.abc import Mapping

from structforge.chaos.client import SECOND
from structforge.chaos.documents import chain, node
from structforge.chaos.ground import Ground
from structforge.chaos.verdict import percentile

LIMIT_S = 5.0
SETTINGS: Mapping[str, str] = {}

_WAITS = (
    "SELECT extract(epoch FROM started_at - accepted_at)::float8 FROM workflow_executions WHERE id = ANY (%s)"
)
_LEFT = "SELECT count(*) FROM run_outbox WHERE workflow_id = %s"


async def run(ground: Ground) -> None:
    """Let the flood stand before the workers begin, then submit B's runs one after another."""
    flooding = await ground.web()
    ground.service("scheduler")
    submitting = await ground.client(email=SECOND)
    steps = chain(node("a", "chaos.pause", seconds=0.2), node("b", "data.set", fields={"x": 1}))
    flood, few = await flooding.publish("Flood", steps), await submitting.publish("Few", steps)
    count = ground.scaled(10_000, 600)
    await flooding.start_many(flood, count, at_once=48)
    await ground.workers(2)
    accepted = []
    left = []
    for _ in range(10):
        accepted.append(await submitting.start(few))
        left.append(ground.value(_LEFT, flood))
        await asyncio.sleep(0.2)
    over = await ground.all_over(accepted, limit_s=120)
    ground.verdict.check(over, "B's runs did not end")
    waits = [row[0] for row in ground.rows(_WAITS, accepted)]
    p95 = percentile(waits, 0.95)
    ground.verdict.check(p95 <= LIMIT_S, f"B's p95 wait was {p95:.1f} s")
    ground.verdict.check(left[0] > count / 2, f"only {left[0]} of the flood were left when B submitted")
    ground.verdict.did("flood_runs", count)
    ground.verdict.figures.update(
        flood_left_at_first=left[0],
        flood_left_at_last=left[-1],
        wait_p95_s=round(p95, 2),
        wait_max_s=round(max(waits), 2),
    )
