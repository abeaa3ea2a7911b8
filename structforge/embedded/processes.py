"""Starting, recognising and ending processes.

Invariant: a signal goes only to a process whose identity (id and start time) was checked a moment before, so
a recycled process id is never hit; and a service never outlives the supervisor that started it, however that
ended. Used by `embedded/`, and by the entry points of services for `follow_parent`.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from structforge.embedded.system_user import Account

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process for certain: its id and when it started (seconds since the epoch)."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Return the identity of the process that has this id now; None when there is none."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except (psutil.NoSuchProcess, ValueError):
            return None

    @classmethod
    def own(cls) -> "ProcessIdentity":
        """Return the identity of this process."""
        return cls(os.getpid(), psutil.Process().create_time())

    def process(self) -> psutil.Process | None:
        """Return the process while it lives (a zombie does not)."""
        try:
            found = psutil.Process(self.pid)
            # Two readings of one start time may differ by rounding to clock ticks.
            if abs(found.create_time() - self.started_at) > 0.05 or found.status() == psutil.STATUS_ZOMBIE:
                return None
        except psutil.NoSuchProcess:
            return None
        return found

    def alive(self) -> bool:
        """Say whether it still runs."""
        return self.process() is not None

    def signal(self, number: int) -> None:
        """Send a signal, if it is still the same process."""
        found = self.process()
        if found is not None:
            try:
                found.send_signal(number)
            except psutil.NoSuchProcess:
                return

    def wait_gone(self, timeout_s: float) -> bool:
        """Wait until it has ended; says whether it has. Reaps it when it is a child of ours."""
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def stop(self, steps: Sequence[tuple[int, float]]) -> None:
        """Send each signal in turn, waiting its seconds, until the process is gone."""
        for number, timeout_s in steps:
            self.signal(number)
            if self.wait_gone(timeout_s):
                return


def find_process(pid: int, *, program: str, folder: Path) -> ProcessIdentity | None:
    """Return process `pid` if it is `program` working in `folder`; else None.

    The servers change into their data folder, so this tells ours from any other, and from a recycled id.
    """
    try:
        found = psutil.Process(pid)
        if found.status() == psutil.STATUS_ZOMBIE or program not in found.name():
            return None
        if Path(found.cwd()).resolve() != folder.resolve():
            return None
        return ProcessIdentity(pid, found.create_time())
    except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
        return None


def start_process(
    command: Sequence[str],
    *,
    log_file: Path,
    environment: Mapping[str, str],
    account: Account | None = None,
    folder: Path | None = None,
    lifeline_fd: int | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a process in a session of its own, its output appended to `log_file`.

    A terminal's Ctrl-C thus reaches only the supervisor, which stops everything in order.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    variables = dict(environment)
    if lifeline_fd is not None:
        variables["STRUCTFORGE_LIFELINE_FD"] = str(lifeline_fd)
    switch = account is not None and account.switch
    with log_file.open("ab") as log:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=variables,
            cwd=folder,
            start_new_session=True,
            pass_fds=() if lifeline_fd is None else (lifeline_fd,),
            user=account.uid if switch and account else None,
            group=account.gid if switch and account else None,
            extra_groups=() if switch else None,
        )


def follow_parent(lifeline_fd: int | None, *, grace_s: float) -> None:
    """End this process soon after its supervisor, even one that was killed outright.

    The lifeline is a pipe whose other end only the supervisor holds: end of file means that it is gone. Then
    this process is asked to stop, and after `grace_s` seconds its whole process group is killed.
    """
    if lifeline_fd is None:
        return
    os.set_inheritable(lifeline_fd, False)

    def watch() -> None:
        # Nothing is ever written to the pipe: the read returns when its last writer is gone.
        os.read(lifeline_fd, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
    die_with_parent(signal.SIGTERM)


def die_with_parent(number: int) -> None:
    """Ask the kernel to signal this process when its parent dies (Linux; elsewhere nothing happens)."""
    _prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Make this process the parent of orphaned descendants (Linux), so that it can find and end them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def reap_children() -> dict[int, int]:
    """Collect every child that has ended: process id to exit code (negative: killed by that signal).

    What a child left in its process group is killed first: while the child is a zombie, the id of the group
    cannot have become another's.
    """
    ended: dict[int, int] = {}
    while True:
        try:
            seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return ended
        if seen is None:
            return ended
        with suppress(ProcessLookupError, PermissionError):
            if seen.si_pid != os.getpgrp():
                os.killpg(seen.si_pid, signal.SIGKILL)
        pid, status = os.waitpid(seen.si_pid, 0)
        ended[pid] = os.waitstatus_to_exitcode(status)


def end_descendants(timeout_s: float, keep: Callable[[int], bool] = lambda pid: False) -> list[str]:
    """End every process below this one that is still there; return the names of those that were.

    First asks (SIGTERM), then kills. `keep` exempts process ids.
    """
    names: list[str] = []
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + timeout_s
        signalled: set[int] = set()
        while True:
            reap_children()
            left = [child for child in psutil.Process().children(recursive=True) if not keep(child.pid)]
            if not left:
                return names
            for child in left:
                if child.pid not in signalled:
                    signalled.add(child.pid)
                    try:
                        if number == signal.SIGTERM:
                            names.append(child.name())
                        child.send_signal(number)
                    except psutil.NoSuchProcess:
                        continue
            if time.monotonic() >= deadline:
                break
            time.sleep(_POLL_S)
    return names


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
