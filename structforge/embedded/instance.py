"""What is known about the running installation of a home folder: one lock, one state file.

Invariant: at most one supervisor per home folder. The lock is the kernel's (flock): it is free the moment its
holder is gone, however that ended; the state file is a report, believed only together with the lock.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from structforge.domain.errors import ConflictError, Problem, sentence
from structforge.embedded.processes import ProcessIdentity

LOCK_NAME = "supervisor.lock"
STATE_NAME = "supervisor.json"


class AlreadyRunningError(ConflictError):
    """Another supervisor holds this home folder."""


@dataclass(slots=True)
class ServiceState:
    """One process of the installation, as the supervisor sees it."""

    pid: int
    started_at: float
    """Seconds since the epoch."""
    restarts: int = 0
    last_exit: str = ""
    """How it ended the last time: `code 1`, `signal 9`."""


@dataclass(slots=True)
class InstanceState:
    """What the supervisor reports."""

    pid: int
    started_at: float
    """Seconds since the epoch, of the supervisor's process."""
    phase: str = "starting"
    """`starting`, `healthy`, `degraded` (a service is down), `stopping`."""
    url: str = ""
    port: int = 0
    services: dict[str, ServiceState] = field(default_factory=dict)

    @property
    def identity(self) -> ProcessIdentity:
        """The supervisor's process."""
        return ProcessIdentity(self.pid, self.started_at)


class InstanceLock:
    """The right to supervise one home folder; held until released or the process ends."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._handle: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            AlreadyRunningError: somebody has it; the problem names process and address.
        """
        self.run_dir.mkdir(parents=True, exist_ok=True)
        handle = (self.run_dir / LOCK_NAME).open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            state = read_state(self.run_dir)
            who = f" (process {state.pid}, {state.url or 'starting'})" if state else ""
            raise AlreadyRunningError(
                Problem(
                    "instance.already_running",
                    sentence(
                        "StructForge already runs on {parent}{who}.", parent=self.run_dir.parent, who=who
                    ),
                    where=str(self.run_dir.parent),
                    hint="Use it, or `structforge down`, or set STRUCTFORGE_HOME to another folder.",
                )
            ) from None
        self._handle = handle

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def held(self) -> bool:
        """Say whether some process (this one included) holds it."""
        if self._handle is not None:
            return True
        try:
            with (self.run_dir / LOCK_NAME).open("a") as probe:
                fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def write_state(run_dir: Path, state: InstanceState) -> None:
    """Replace the state file in one step."""
    target = run_dir / STATE_NAME
    draft = run_dir / f"{STATE_NAME}.{os.getpid()}"
    draft.write_text(json.dumps(asdict(state), indent=2))
    draft.replace(target)


def read_state(run_dir: Path) -> InstanceState | None:
    """Return the last report; None when there is none that can be read."""
    try:
        body = json.loads((run_dir / STATE_NAME).read_text())
        services = {name: ServiceState(**service) for name, service in body.pop("services").items()}
        return InstanceState(**body, services=services)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def running_state(run_dir: Path) -> InstanceState | None:
    """Return the report of the supervisor that runs now; None when none does."""
    return read_state(run_dir) if InstanceLock(run_dir).held() else None
