"""START and IDLE: `structforge up` in a fresh home folder, cold and again, and what it then takes at rest.

Cold includes creating the database, migrations, building the web app and the starter workflow's run; downloads of
packages are not part of it (they come from the package manager's cache when it has them). IDLE is the
proportional set size (PSS) of each process kind, children included.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil

from bench.figures import Figure
from bench.measures import Result
from bench.stack import ROOT, BenchError, end_tree, environment_of, free_port, make_home

KINDS = ("web", "worker", "scheduler", "postgres", "redis")
SETTLE_S = 5.0
LIMIT_S = 300.0
STOP_S = 60.0


def measure(*, warm_rounds: int = 3, idle_samples: int = 3) -> Result:
    """Start once cold, then again; look at the memory of each later start once it has settled."""
    home = make_home()
    try:
        cold = _Start(home)
        parts = cold.await_ready()
        cold.stop()
        warm_s: list[float] = []
        idle: dict[str, list[float]] = defaultdict(list)
        for _ in range(warm_rounds):
            start = _Start(home)
            try:
                start.await_ready()
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
        {"start_cold_parts_s": parts},
    )


class _Start:
    """One `structforge up`, timed from its first instruction to the event that says everything is healthy."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.taken_s = 0.0
        read_end, write_end = os.pipe()
        self._began = time.perf_counter()
        with (home / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "structforge.cli", "up", f"--events-fd={write_end}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=environment_of(home, free_port()),
                start_new_session=True,
                pass_fds=(write_end,),
            )
        os.close(write_end)
        self._events = os.fdopen(read_end)

    def await_ready(self) -> dict[str, float]:
        """Return the seconds of each step. Raises: BenchError when it does not get ready."""
        parts: dict[str, float] = {}
        title, since = "", self._began
        for line in self._events:
            event: dict[str, Any] = json.loads(line)
            now = time.perf_counter()
            if event["event"] == "step":
                title, since = event["title"], now
            elif event["event"] == "done":
                parts[title] = round(now - since, 2)
            elif event["event"] == "ready":
                self.taken_s = now - self._began
                return parts
            elif event["event"] == "failed":
                break
        log = (self._home / "up.log").read_text(errors="replace")
        self.stop()
        raise BenchError(f"`structforge up` did not become ready: {log[-1500:]}")

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
        self._events.close()
        end_tree(self._process, STOP_S)


def pss_bytes(pid: int) -> int:
    """Return the proportional set size of a process: its own memory, and its share of what it shares."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0  # It has ended since it was listed.
    return 0
