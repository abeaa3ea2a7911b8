"""Real processes for tests: started with their output in a file, ended by process id, never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.support.eventually import eventually_sync

ROOT = Path(__file__).resolve().parents[2]


class Program:
    """One process (and what it starts), e.g. `Program(["-m", "structforge.cli", "worker"], folder)`."""

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        user: int | None = None,
        working_dir: Path = ROOT,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log_file = folder / f"program-{len(list(folder.glob('program-*.log')))}.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=working_dir,
                env={**outer_environment(), "PYTHONUNBUFFERED": "1", "COLUMNS": "120", **(environment or {})},
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else (),
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def output(self) -> str:
        """Everything it printed so far."""
        return self.log_file.read_text(errors="replace")

    def wait_for_output(self, text: str, *, timeout_s: float = 60.0) -> str:
        """Wait until it printed `text`; fails at once when it ended without."""

        def printed() -> str:
            ended = self.process.poll() is not None
            output = self.output
            if ended and text not in output:
                raise RuntimeError(f"ended with {self.process.returncode} before {text!r}:\n{output}")
            assert text in output, output
            return output

        return eventually_sync(printed, timeout_s=timeout_s)

    def wait(self, *, timeout_s: float = 60.0) -> int:
        """Wait for its end; return the exit code."""
        return self.process.wait(timeout=timeout_s)

    def tree(self) -> list[psutil.Process]:
        """List it and everything below it."""
        try:
            top = psutil.Process(self.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """End this process alone, as a crash would (SIGKILL)."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self, *, timeout_s: float = 60.0) -> int:
        """Ask it to stop; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout_s=timeout_s)

    def clean_up(self) -> None:
        """End it and everything below it, whatever state it is in."""
        for found in reversed(self.tree()):
            try:
                found.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()


def outer_environment() -> dict[str, str]:
    """Return the environment without settings: a test says itself which servers a process uses."""
    ours = ("STRUCTFORGE_", "DATABASE_", "REDIS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
