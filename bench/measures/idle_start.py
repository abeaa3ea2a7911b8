"""IDLE START: one queued run at a time on an idle fleet, from its acceptance to the start of its first node.

Both times are those the program wrote (`accepted_at`, before the commit of the acceptance; `started_at` of the first
step), taken by two processes of one machine from one clock.
"""

import random
import time
from statistics import median

from bench.documents import chain
from bench.figures import Figure
from bench.measures import Result
from bench.stack import Api, Stack

STEPS = 4
BATCH = 20

_WAITED = """
SELECT extract(epoch FROM min(s.started_at) - e.accepted_at)::float8 * 1000
FROM workflow_executions e JOIN execution_steps s ON s.run_id = e.id AND s.accepted_on = e.accepted_on
WHERE e.workflow_id = %s GROUP BY e.id, e.accepted_at ORDER BY e.accepted_at DESC LIMIT %s
"""


def measure(stack: Stack, api: Api, *, rounds: int = 5, runs: int = BATCH) -> Result:
    """Start runs with pauses in which everything comes to rest; a sample is the median of a round."""
    workflow_id = api.publish("IDLE START", chain(STEPS))
    path = f"/workflows/{workflow_id}/runs"
    dice = random.Random(7)
    samples: list[float] = []
    every: list[float] = []
    for number in range(rounds + 1):
        for _ in range(runs):
            started = api.call("POST", path, {"mode": "async"})
            # Long enough for the fleet to be idle again, and never in step with any timer.
            time.sleep(0.05 + 0.05 * dice.random())
        run_id = started["run_id"]
        stack.until(lambda run=run_id: api.call("GET", f"/runs/{run}")["status"] == "succeeded", "a run ends")  # type: ignore[misc]
        with stack.connect() as connection:
            waited = [row[0] for row in connection.execute(_WAITED, [workflow_id, runs]).fetchall()]
        if number:  # the first ones compile the plan in each worker
            samples.append(median(waited))
            every += waited
    every.sort()
    return Result(
        {"idle_start_ms": Figure.of(samples)},
        {"idle_start_p95_ms": round(every[int(len(every) * 0.95)], 3)},
    )
