"""LOOP: 1,000 iterations of 2 pure nodes one after the other, durable: milliseconds per iteration.

From request to answer, so acceptance, wake-up and the last commit are in it. Each iteration writes two steps with
their events.
"""

import time

from bench.documents import loop
from bench.figures import Figure
from bench.measures import Result
from bench.stack import Api, BenchError, Stack

ITERATIONS = 1_000


def measure(stack: Stack, api: Api, *, rounds: int = 7, iterations: int = ITERATIONS) -> Result:
    """Run the loop `rounds` times, one after the other."""
    path = f"/workflows/{api.publish('LOOP', loop(iterations))}/runs"
    per_iteration_ms = []
    for number in range(rounds + 2):
        began = time.perf_counter()
        answer = api.call("POST", path, {"mode": "sync", "time_limit_s": 60})
        if answer["status"] != "succeeded" or len(answer["output"]) != iterations:
            raise BenchError(f"A run of LOOP was answered {str(answer)[:500]}")
        if number > 1:  # the first ones compile the plan in each worker
            per_iteration_ms.append((time.perf_counter() - began) * 1e3 / iterations)
    return Result({"loop_ms_per_iteration": Figure.of(per_iteration_ms, digits=4)})
