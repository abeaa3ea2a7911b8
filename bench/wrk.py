"""The load client: `wrk`, a compiled one, so that the client's own work does not blur the figure.

Invariant: its CPU time is measured with every load, and answers other than 2xx make the figure invalid.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.stack import BenchError

SCRIPT = Path(__file__).with_name("post.lua")
LOOK_S = 0.01
REMEDY = "wrk is not installed. On Debian and Ubuntu: apt-get install wrk; elsewhere see github.com/wg/wrk."

_DONE = re.compile(r"done requests=(\d+) failed=(\d+) duration_us=(\d+) p50_us=(\d+) p99_us=(\d+)")


@dataclass(frozen=True, slots=True)
class Load:
    """What one call of wrk saw."""

    requests: int
    duration_s: float
    p50_ms: float
    p99_ms: float
    client_cpus: float
    """Processors that wrk itself kept busy."""

    @property
    def per_s(self) -> float:
        """Answered requests per second."""
        return self.requests / self.duration_s


def find_wrk() -> str:
    """Return the program. Raises: BenchError with what to install."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchError(REMEDY)
    return found


def wrk_version() -> str:
    """Return the line in which wrk names its version."""
    said = subprocess.run([find_wrk(), "-v"], capture_output=True, text=True).stdout
    return said.partition("Copyright")[0].strip()


def post(
    url: str,
    body: str,
    *,
    concurrency: int,
    duration_s: int,
    token: str = "",
    enough: Callable[[], bool] | None = None,
) -> Load:
    """Post `body` over and over on `concurrency` kept connections, for `duration_s` or until `enough` says so.

    Raises: BenchError when an answer was no success.
    """
    environment = os.environ | {"BENCH_BODY": body, "BENCH_TOKEN": token}
    command = [find_wrk(), "-t1", f"-c{concurrency}", f"-d{duration_s}s", "--timeout", "30s"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, "-s", str(SCRIPT), url],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
    )
    assert process.stdout is not None
    while enough is not None and time.perf_counter() - began < duration_s:
        if enough():
            process.send_signal(signal.SIGINT)  # wrk stops early and reports as usual
            break
        time.sleep(LOOK_S)
    with process.stdout:
        output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    found = _DONE.search(output)
    if process.returncode != 0 or found is None:
        raise BenchError(f"wrk ended with code {process.returncode}: {output[-1000:]}")
    requests, failed, duration_us, p50_us, p99_us = map(int, found.groups())
    if failed or not requests:
        raise BenchError(f"{failed} of {requests} requests to {url} failed: {output[-1000:]}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Load(requests, duration_us / 1e6, p50_us / 1e3, p99_us / 1e3, round(cpu_s / wall_s, 2))
