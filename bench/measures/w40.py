"""W40: 40 sequential trivial pure nodes, sync by API, answered after the commit; beside 40 steps in plain psycopg.

What is compared: the program over HTTP with one kept connection (client, server, token, validation, expressions,
events included) against a floor that runs in process and only journals.
"""

import json
import subprocess
import sys
import time
from statistics import median

from bench.documents import chain
from bench.figures import Figure
from bench.measures import Result
from bench.stack import ROOT, Api, BenchError, Stack, end_tree

STEPS = 40


def measure(stack: Stack, api: Api, *, rounds: int = 10, repeats: int = 30, warm_up: int = 200) -> Result:
    """Take turns: `repeats` runs of the program, as many of the floor, `rounds` times."""
    path = f"/api/v1/workflows/{api.publish('W40', chain(STEPS))}/runs"
    floor = subprocess.Popen(
        [sys.executable, "-m", "bench.floors.steps", stack.settings.database_owner_url, str(STEPS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        _program(api, path, warm_up)
        _floor(floor, warm_up)
        ours, floors = [], []
        for _ in range(rounds):
            ours.append(_program(api, path, repeats))
            floors.append(_floor(floor, repeats))
    finally:
        end_tree(floor)
        for pipe in (floor.stdin, floor.stdout):
            if pipe is not None:
                pipe.close()
    # The spread is that of the rounds: single runs differ by what else the machine does at that moment.
    w40, w40_floor = Figure.of([median(r) for r in ours]), Figure.of([median(r) for r in floors])
    every = sorted(taken for taken_ms in ours for taken in taken_ms)
    return Result(
        {"w40_ms": w40, "w40_floor_ms": w40_floor},
        {
            "w40_times_floor": round(w40.median / w40_floor.median, 2),
            "w40_p95_ms": round(every[int(len(every) * 0.95)], 3),
        },
    )


def _program(api: Api, path: str, repeats: int) -> list[float]:
    taken_ms = []
    for _ in range(repeats):
        began = time.perf_counter()
        status, answer = api.send("POST", path, b'{"mode":"sync","input":{}}')
        taken_ms.append((time.perf_counter() - began) * 1e3)
        if status != 200 or b'"succeeded"' not in answer:
            raise BenchError(f"A run of W40 was answered {status}: {answer.decode()[:500]}")
    return taken_ms


def _floor(floor: "subprocess.Popen[str]", repeats: int) -> list[float]:
    assert floor.stdin is not None and floor.stdout is not None
    floor.stdin.write(f"{repeats}\n")
    floor.stdin.flush()
    line = floor.stdout.readline()
    if not line:
        raise BenchError("The floor of W40 ended; its reason is on the terminal.")
    taken_ms: list[float] = json.loads(line)
    return taken_ms
