"""START and IDLE: `structforge up` in a fresh home folder, cold and again, and what it then takes at rest.

Cold includes creating the database, migrations, building the web app and the starter workflow's run; downloads of
packages are not part of it (they come from the package manager's cache when it has them). IDLE is the
proportional set size (PSS) of each process kind, children included.
"""

import json
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import psutil

from bench.figures import Figure
from bench.measures import Result
from bench.plugin import write_distribution
from bench.stack import ROOT, BenchError, end_tree, environment_of, free_port, make_home

KINDS = ("web", "worker", "scheduler", "postgres", "redis")
SETTLE_S = 5.0
STOP_S = 60.0
READY = "StructForge is running"
STEP = re.compile(r"✓ (?P<title>.+?)(?:  .*)? \((?P<seconds>[\d.]+) s\)")


def measure(*, warm_rounds: int = 3, idle_samples: int = 3) -> Result:
    """Start once cold, then again; look at the memory of each later start once it has settled."""
    home = make_home()
    try:
        write_distribution(home / "plugin")
        cold = _Start(home)
        try:
            cold_parts = cold.await_ready()
        finally:
            cold.stop()
        warm_parts: dict[str, float] = {}
        warm_s: list[float] = []
        idle: dict[str, list[float]] = defaultdict(list)
        for _ in range(warm_rounds):
            start = _Start(home)
            try:
                warm_parts = start.await_ready()
                warm_s.append(start.taken_s)
                time.sleep(SETTLE_S)
                for _ in range(idle_samples):
                    for kind, size_mb in start.memory_mb().items():
                        idle[kind].append(size_mb)
                    time.sleep(0.5)
            finally:
                start.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return Result(
        {
            "start_cold_s": Figure.of([cold.taken_s]),
            "start_warm_s": Figure.of(warm_s),
            "idle_pss_mb": {kind: Figure.of(idle[kind], digits=1) for kind in KINDS},
        },
        {"start_cold_parts_s": cold_parts, "start_warm_parts_s": warm_parts},
    )


class _Start:
    """One `structforge up`, timed from its first instruction to the line that says everything is running."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.taken_s = 0.0
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "structforge.cli", "up"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=environment_of(home, free_port()) | {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
            start_new_session=True,
        )

    def await_ready(self) -> dict[str, float]:
        """Return the seconds of each step. Raises: BenchError when it does not get ready."""
        assert self._process.stdout is not None
        parts: dict[str, float] = {}
        said = []
        for line in self._process.stdout:
            said.append(line)
            step = STEP.fullmatch(line.strip())
            if step is not None:
                parts[step["title"]] = float(step["seconds"])
            elif line.startswith(READY):
                self.taken_s = time.perf_counter() - self._began
                return parts
        self.stop()
        raise BenchError(f"`structforge up` did not become ready: {''.join(said)[-1500:]}")

    def memory_mb(self) -> dict[str, float]:
        """Return the PSS of each process kind, children included, in MB (10^6 bytes)."""
        services = json.loads((self._home / "run" / "supervisor.json").read_text())["services"]
        sizes: dict[str, float] = defaultdict(float)
        for name, service in services.items():
            top = psutil.Process(service["pid"])
            for process in (top, *top.children(recursive=True)):
                sizes[name.partition("-")[0]] += pss_bytes(process.pid) / 1e6
        return {kind: sizes[kind] for kind in KINDS}

    def stop(self) -> None:
        """Ask it to stop everything, and wait."""
        end_tree(self._process, STOP_S)
        if self._process.stdout is not None:
            self._process.stdout.close()


def pss_bytes(pid: int) -> int:
    """Return the proportional set size of a process: its own memory, and its share of what it shares."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0  # It has ended since it was listed.
    return 0
