"""CSV: a file of 100 MB read as the node `file.read` reads it, beside bare polars and bare pyarrow, with the memory.

Each reads in a process of its own, warm, and they take turns; the file is in the page cache. What the node does beside
splitting: it recognises encoding, delimiter and decimal sign, checks quotes, and proves of each column that writing its
numbers gives the same text.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.figures import Figure
from bench.measures import Result
from bench.orders import write_orders
from bench.stack import ROOT, Api, BenchError, Stack

ROWS = 1_490_000
"""So many orders are 100 MB."""


def measure(stack: Stack, api: Api, *, rounds: int = 3, repeats: int = 3, rows: int = ROWS) -> Result:
    """Take turns `rounds` times; each reads `repeats` times after one that warms up."""
    path = stack.home / "bench-orders.csv"
    write_orders(path, rows)
    seconds: dict[str, list[float]] = {"product": [], "polars": [], "pyarrow": []}
    memory = dict.fromkeys(seconds, 0.0)
    try:
        for _ in range(rounds):
            for how, samples in seconds.items():
                read = _read(how, path, repeats)
                samples += read["seconds"]
                memory[how] = max(memory[how], read["peak_mb"])
        size_mb = path.stat().st_size / 1e6
    finally:
        path.unlink()
    ours, floor = Figure.of(seconds["product"]), Figure.of(seconds["polars"])
    return Result(
        {"csv_100mb_s": ours, "csv_100mb_floor_s": floor},
        {
            "csv_times_floor": round(ours.median / floor.median, 2),
            "csv_times_pyarrow": round(ours.median / Figure.of(seconds["pyarrow"]).median, 2),
            "csv_file_mb": round(size_mb, 1),
            "csv_peak_mb": {how: round(peak, 1) for how, peak in memory.items()},
        },
    )


def _read(how: str, path: Path, repeats: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.floors.csv_read", how, str(path), str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise BenchError(f"Reading CSV with {how} failed: {done.stderr[-500:]}")
    read: dict[str, Any] = json.loads(done.stdout)
    return read
