"""FAN: 100 and 1,000 parallel branches that await one second each, executed by a worker, from request to answer."""

import time

from bench.documents import fan
from bench.figures import Figure
from bench.measures import Result
from bench.stack import Api, BenchError, Stack

BRANCHES = 100
MANY = 1_000


def measure(stack: Stack, api: Api, *, rounds: int = 5, branches: int = BRANCHES, many: int = MANY) -> Result:
    """Start each run `rounds` times, one after the other, and wait for each."""
    return Result({"fan_s": _measure(api, branches, rounds), "fan_1000_s": _measure(api, many, rounds)})


def _measure(api: Api, branches: int, rounds: int) -> Figure:
    path = f"/workflows/{api.publish(f'FAN {branches}', fan(branches))}/runs"
    taken_s = []
    for number in range(rounds + 2):
        began = time.perf_counter()
        answer = api.call("POST", path, {"mode": "sync", "time_limit_s": 30})
        if answer["status"] != "succeeded" or len(answer["output"]) != branches:
            raise BenchError(f"A run of FAN was answered {str(answer)[:500]}")
        if number > 1:  # the first ones compile the plan in each worker
            taken_s.append(time.perf_counter() - began)
    return Figure.of(taken_s)
