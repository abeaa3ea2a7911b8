"""The processes of a row's installation: started as the supervisor would, ended by id, never left behind.

Invariant: only processes that this module started, and what they started, are ever signalled.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from structforge.config import Settings
from structforge.embedded.processes import start_process
from structforge.embedded.startup import ENTRY_MODULES


class Service:
    """One web, worker or scheduler process, which may be started anew after it was killed."""

    def __init__(
        self, settings: Settings, kind: str, name: str, environment: Mapping[str, str], lifeline_fd: int
    ) -> None:
        self.kind = kind
        self.log_file = settings.logs_dir / f"{name}.log"
        self._environment = environment
        self._lifeline_fd = lifeline_fd
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    def start(self) -> None:
        """Start it; the caller's is the thread whose end it does not outlive."""
        command = [sys.executable, "-m", "structforge.embedded.service", ENTRY_MODULES[self.kind]]
        self.started_at = time.monotonic()
        self._process = start_process(
            command,
            log_file=self.log_file,
            environment=self._environment,
            folder=Path(__file__).resolve().parents[2],
            lifeline_fd=self._lifeline_fd,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """It has not ended."""
        return self._process is not None and self._process.poll() is None

    def tree(self) -> list[psutil.Process]:
        """List it and everything below it; empty when it has ended."""
        if not self.running:
            return []
        try:
            top = psutil.Process(self.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def send(self, number: int) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> float:
        """End it alone, as a crash would; return the moment."""
        moment = time.monotonic()
        self.send(signal.SIGKILL)
        self.wait()
        return moment

    def wait(self, timeout_s: float = 60.0) -> int:
        """Wait for its end; return the exit code. Raises: subprocess.TimeoutExpired."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.wait(timeout_s)

    def end(self) -> None:
        """End it and everything below it, whatever state it is in."""
        for found in reversed(self.tree()):
            try:
                found.kill()
            except psutil.NoSuchProcess:
                continue
        if self._process is not None:
            self._process.wait()


def end_all_of(home: Path) -> int:
    """End every process that works for this home folder; return how many there were.

    Told by the environment that was given to them, or by the folder they work in: the servers' is inside.
    """
    mark = f"STRUCTFORGE_HOME={home}".encode()
    found = []
    for process in psutil.process_iter():
        if process.pid in (os.getpid(), os.getppid()):
            continue
        try:
            inside = Path(process.cwd()).is_relative_to(home)
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if inside or mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
                found.append(process)
        except (OSError, psutil.Error):
            continue
    for process in found:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(found, timeout=5)
    return len(found)
