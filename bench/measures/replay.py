"""REPLAY: a run of 200 steps is run again from its last one: from the request to the end of the new run.

199 steps are taken over, one is executed by a worker. The end is the time the worker wrote.
"""

import time

from bench.documents import chain
from bench.figures import Figure
from bench.measures import Result
from bench.stack import Api, BenchError, Stack

STEPS = 200

_FINISHED = "SELECT extract(epoch FROM finished_at)::float8 FROM workflow_executions WHERE id = %s"


def measure(stack: Stack, api: Api, *, rounds: int = 15, steps: int = STEPS) -> Result:
    """Replay one run `rounds` times."""
    workflow_id = api.publish("REPLAY", chain(steps))
    origin = api.call("POST", f"/workflows/{workflow_id}/runs", {"mode": "sync"})
    taken_ms = []
    for number in range(rounds + 3):
        began = time.time()
        made = api.call("POST", f"/runs/{origin['run_id']}/replay", {"from_nodes": [f"step_{steps}"]})
        if made["reused"] != steps - 1:
            raise BenchError(f"A replay took over {made['reused']} steps instead of {steps - 1}.")
        run_id = made["run_id"]
        stack.until(
            lambda run=run_id: api.call("GET", f"/runs/{run}")["status"] == "succeeded", "a replay ends"
        )  # type: ignore[misc]
        if number > 2:  # the first ones compile the plan in each process
            taken_ms.append((float(stack.value(_FINISHED, [run_id])) - began) * 1e3)
    return Result({"replay_ms": Figure.of(taken_ms)})
