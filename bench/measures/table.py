"""TABLE: a CSV file of a million rows: filter, compute, aggregate by city and month, join, sort, write as CSV.

The program runs it through the API with one worker, from request to answer, every step journaled and every table
stored; the floor is one polars script that does the same and stores nothing. They take turns.
"""

import shutil
import signal
import subprocess
import sys
import time

import psutil

from bench.documents import table
from bench.figures import Figure
from bench.measures import Result
from bench.orders import write_cities, write_orders
from bench.stack import ROOT, Api, BenchError, Stack, end_tree

ROWS = 1_000_000
LIMIT_S = 60


def measure(stack: Stack, api: Api, *, rounds: int = 5, rows: int = ROWS) -> Result:
    """Take turns `rounds` times, after one each that warms up."""
    organization_id = stack.value("SELECT id FROM organizations")
    files = stack.settings.files_dir / str(organization_id)
    files.mkdir(parents=True, exist_ok=True)
    write_orders(files / "orders.csv", rows)
    write_cities(files / "cities.csv")
    path = f"/workflows/{api.publish('TABLE', table())}/runs"
    floor = subprocess.Popen(
        [sys.executable, "-m", "bench.floors.table", *(str(files / name) for name in ("orders.csv", "cities.csv")),
         str(stack.home / "floor.csv")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )  # fmt: skip
    others = stack.workers[1:]
    for other in others:
        other.send_signal(signal.SIGSTOP)
    try:
        ours, floors, memory = [], [], 0.0
        for number in range(rounds + 1):
            taken, floor_taken = _program(api, path), _floor(floor)
            memory = max(memory, _memory_mb(stack.workers[0]))
            if number:
                ours.append(taken)
                floors.append(floor_taken)
    finally:
        for other in others:
            other.send_signal(signal.SIGCONT)
        end_tree(floor)
        for pipe in (floor.stdin, floor.stdout):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(files)
    table_s, floor_s = Figure.of(ours), Figure.of(floors)
    return Result(
        {"table_1m_s": table_s, "table_1m_floor_s": floor_s},
        {
            "table_1m_times_floor": round(table_s.median / floor_s.median, 2),
            "table_1m_worker_pss_mb": round(memory, 1),
        },
    )


def _program(api: Api, path: str) -> float:
    began = time.perf_counter()
    answer = api.call("POST", path, {"mode": "sync", "time_limit_s": LIMIT_S})
    if answer["status"] != "succeeded":
        raise BenchError(f"A run of TABLE was answered {str(answer)[:500]}")
    return time.perf_counter() - began


def _floor(floor: "subprocess.Popen[str]") -> float:
    assert floor.stdin is not None and floor.stdout is not None
    floor.stdin.write("\n")
    floor.stdin.flush()
    line = floor.stdout.readline()
    if not line:
        raise BenchError("The floor of TABLE ended; its reason is on the terminal.")
    return float(line)


def _memory_mb(worker: psutil.Process) -> float:
    """Return the proportional set size of a worker and its pool processes."""
    family = [worker, *worker.children(recursive=True)]
    return sum(process.memory_full_info().pss for process in family) / 1e6
