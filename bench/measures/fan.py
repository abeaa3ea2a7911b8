"""FAN: 100 parallel branches of a node that awaits one second, executed by a worker, from request to answer."""

import time

from bench.documents import fan
from bench.figures import Figure
from bench.measures import Result
from bench.stack import Api, BenchError, Stack

BRANCHES = 100


def measure(stack: Stack, api: Api, *, rounds: int = 5, branches: int = BRANCHES) -> Result:
    """Start the run `rounds` times, one after the other, and wait for each."""
    path = f"/workflows/{api.publish('FAN', fan(branches))}/runs"
    taken_s = []
    for number in range(rounds + 1):
        began = time.perf_counter()
        answer = api.call("POST", path, {"mode": "sync", "time_limit_s": 30})
        if answer["status"] != "succeeded" or len(answer["output"]) != branches:
            raise BenchError(f"A run of FAN was answered {str(answer)[:500]}")
        if number:  # the first one compiles the plan
            taken_s.append(time.perf_counter() - began)
    return Result({"fan_s": Figure.of(taken_s)})
