"""`structforge up`: starts the servers and the services in order, keeps them running, stops them in reverse.

Invariant: when this process has ended, nothing that it started is left, orphans of its children included; a
service follows even a supervisor that was killed outright (its lifeline breaks), while PostgreSQL and Redis
wait, healthy, for the next one. Everything happens on the main thread: the kernel ties a child to the thread
that started it.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

import psutil

from structforge.config import Settings, child_environment
from structforge.domain.errors import StructForgeError
from structforge.embedded.instance import InstanceLock, InstanceState, ServiceState, write_state
from structforge.embedded.processes import (
    ProcessIdentity,
    adopt_orphans,
    end_descendants,
    reap_children,
    start_process,
)
from structforge.embedded.progress import Reporter
from structforge.embedded.system_user import EmbeddedServerError

RESTART_PAUSE_FIRST_S = 0.5
RESTART_PAUSE_MAX_S = 30.0
STEADY_AFTER_S = 60.0
"""A service that ran this long has its next restart at once again."""
TICK_S = 1.0


class StopRequested(BaseException):
    """SIGINT or SIGTERM came while something was being started; not an Exception, so nothing swallows it."""


class Server(Protocol):
    """An embedded server."""

    name: str

    def start(self) -> bool:
        """Start it or take over the one that runs; True when taken over."""
        ...

    def stop(self) -> None:
        """End it."""
        ...

    def running(self) -> ProcessIdentity | None:
        """Return its process."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """One of our own process kinds."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """On top of what every service gets."""
    folder: Path | None = None
    """Where it works; the supervisor's own folder by default."""


@dataclass(slots=True)
class _Restart:
    due_at: float = 0.0
    pause_s: float = RESTART_PAUSE_FIRST_S


@dataclass(frozen=True, slots=True)
class Step:
    """One named part of the start-up. `run` returns a few words on the outcome."""

    title: str
    run: Callable[["Supervisor"], str]


class Supervisor:
    """Owns every process of one installation."""

    def __init__(self, settings: Settings, reporter: Reporter) -> None:
        self.settings = settings
        self.reporter = reporter
        self.lock = InstanceLock(settings.run_dir)
        own = ProcessIdentity.own()
        self.state = InstanceState(pid=own.pid, started_at=own.started_at)
        self._servers: list[Server] = []
        self._services: dict[str, Service] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._restarts: dict[str, _Restart] = {}
        self._stopping = False
        self._stop_signal: int | None = None
        self._interruptible = False
        self._wake_read, self._wake_write = -1, -1
        self._lifeline_read, self._lifeline_write = -1, -1

    # What steps call.

    def start_server(self, server: Server) -> bool:
        """Start an embedded server and watch it from now on; True when one was taken over."""
        self._servers.append(server)
        taken_over = server.start()
        self._note_server(server)
        return taken_over

    def start_service(self, service: Service) -> None:
        """Start a service and keep it running from now on."""
        self._services[service.name] = service
        self._restarts[service.name] = _Restart()
        self._spawn(service)

    def service_running(self, name: str) -> bool:
        """Say whether the service's process is there at the moment."""
        return name in self._processes

    def service_restarts(self, name: str) -> int:
        """Return how often the service was started again."""
        return self.state.services[name].restarts

    def tend(self, timeout_s: float) -> None:
        """Wait for something to happen, at most `timeout_s`, and do what is due: collect, restart."""
        ready, _, _ = select.select([self._wake_read], [], [], timeout_s)
        if ready:
            os.read(self._wake_read, 4096)
        self._collect_ended()
        self._restart_due()

    def run_to_end(self, command: Sequence[str], on_line: Callable[[str], None]) -> int:
        """Run a program of ours to its end, passing on each line it prints; returns its exit code.

        What it writes to stderr goes to `setup.log`.
        """
        log_file = self.settings.logs_dir / "setup.log"
        with log_file.open("ab") as log:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment(),
                start_new_session=True,
                text=True,
            )
        try:
            assert process.stdout is not None
            with process.stdout as lines:
                for line in lines:
                    on_line(line.rstrip("\n"))
            return process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise

    def environment(self) -> dict[str, str]:
        """Return the environment of everything that is started."""
        return child_environment(
            STRUCTFORGE_HOME=str(self.settings.home),
            STRUCTFORGE_HOST=self.settings.host,
            STRUCTFORGE_PORT=str(self.settings.port),
            # What a stopping worker cannot finish before it is killed, it had better hand back in time.
            STRUCTFORGE_DRAIN_S=str(min(self.settings.drain_s, 0.75 * self.settings.stop_grace_s)),
            PYTHONUNBUFFERED="1",
        )

    # The life of the supervisor.

    def run(self, steps: Sequence[Step], *, ready: Callable[["Supervisor"], None]) -> int:
        """Take the steps, call `ready`, tend everything until asked to stop, stop; returns the exit code.

        Raises:
            AlreadyRunningError: another supervisor has this home folder; nothing was touched.
        """
        self.lock.acquire()
        adopt_orphans()
        self._wake_read, self._wake_write = os.pipe()
        self._lifeline_read, self._lifeline_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_stop_signal)
        # Without a handler of Python's own a child's end would not wake the loop.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._save()
        code = 0
        try:
            self._interruptible = True
            if self._stop_signal is None:
                self._take(steps)
                self.state.phase = "healthy"
                self._save()
                self._log(f"running at {self.settings.web_url}")
                ready(self)
            self._interruptible = False
            while self._stop_signal is None:
                self.tend(TICK_S)
        except StopRequested:
            self._interruptible = False
        except StructForgeError as error:
            self._interruptible = False
            self.reporter.emit({"event": "failed", "problem": error.problem.as_json()})
            self._log(f"start-up failed: {error}")
            code = 1
        finally:
            self._interruptible = False
            self._stop_everything()
        return code

    def _take(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.reporter.emit({"event": "step", "title": step.title})
            began = time.monotonic()
            outcome = step.run(self)
            self.reporter.emit({"event": "done", "title": step.title, "text": outcome})
            self._log(f"{step.title}: {outcome or 'done'} ({time.monotonic() - began:.2f} s)")

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_signal = number
        if self._interruptible:
            self._interruptible = False
            raise StopRequested

    def _spawn(self, service: Service) -> None:
        process = start_process(
            service.command,
            log_file=self.settings.logs_dir / f"{service.name}.log",
            environment={**self.environment(), **service.environment},
            folder=service.folder,
            lifeline_fd=self._lifeline_read,
        )
        self._processes[service.name] = process
        identity = ProcessIdentity.of(process.pid)
        before = self.state.services.get(service.name)
        self.state.services[service.name] = ServiceState(
            pid=process.pid,
            started_at=identity.started_at if identity else time.time(),
            restarts=before.restarts + 1 if before else 0,
            last_exit=before.last_exit if before else "",
        )
        self._restarts[service.name].due_at = 0.0
        self._save()

    def _collect_ended(self) -> None:
        # waitpid collects adopted orphans too; a child that subprocess already collected is asked by poll.
        codes = reap_children()
        for name, process in list(self._processes.items()):
            code = codes.get(process.pid, None)
            if code is None:
                code = process.poll()
            if code is None:
                continue
            process.returncode = code
            del self._processes[name]
            how = f"code {code}" if code >= 0 else f"signal {-code}"
            self.state.services[name].last_exit = how
            restart = self._restarts[name]
            if time.time() - self.state.services[name].started_at > STEADY_AFTER_S:
                restart.pause_s = RESTART_PAUSE_FIRST_S
            restart.due_at = time.monotonic() + restart.pause_s
            self._tell(f"{name} ended ({how}); starting it again in {restart.pause_s:g} s")
            restart.pause_s = min(restart.pause_s * 2, RESTART_PAUSE_MAX_S)

    def _restart_due(self) -> None:
        for server in self._servers:
            if server.running() is None:
                self._tell(f"{server.name} is gone; starting it again")
                try:
                    server.start()
                except EmbeddedServerError as error:
                    self._tell(str(error))
                else:
                    self._note_server(server)
        for name, service in self._services.items():
            if name not in self._processes and time.monotonic() >= self._restarts[name].due_at:
                self._spawn(service)

    def _note_server(self, server: Server) -> None:
        found = server.running()
        if found is not None:
            before = self.state.services.get(server.name)
            self.state.services[server.name] = ServiceState(
                pid=found.pid, started_at=found.started_at, restarts=before.restarts + 1 if before else 0
            )
            self._save()

    def _stop_everything(self) -> None:
        self.state.phase = "stopping"
        self._save()
        # Only the servers' own processes are left to their own `stop`, which lets them write out.
        self._stop_services()
        servers = {found.pid for server in self._servers if (found := server.running()) is not None}
        left = end_descendants(3.0, keep=lambda pid: _belongs_to(pid, servers))
        if left:
            self._log(f"ended what services had left: {', '.join(left)}")
        for server in reversed(self._servers):
            server.stop()
        end_descendants(3.0)
        self._log("stopped")
        self.reporter.emit({"event": "stopped", "text": "StructForge has stopped."})
        (self.settings.run_dir / "supervisor.json").unlink(missing_ok=True)
        self.lock.release()

    def _stop_services(self) -> None:
        reap_children()
        present = {name: p for name, p in self._processes.items() if p.poll() is None}
        for name in reversed(present):
            present[name].send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self.settings.stop_grace_s
        for process in reversed(present.values()):
            try:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                # Not yet collected, so its id is still its own and names its process group.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self._processes.clear()

    def _tell(self, text: str) -> None:
        self.reporter.emit({"event": "note", "text": text})
        self._log(text)
        self._save()

    def _log(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        with (self.settings.logs_dir / "supervisor.log").open("a") as log:
            log.write(f"{stamp} {text}\n")

    def _save(self) -> None:
        if self.state.phase in ("healthy", "degraded"):
            complete = all(name in self._processes for name in self._services)
            self.state.phase = "healthy" if complete else "degraded"
        self.state.url, self.state.port = self.settings.web_url, self.settings.port
        self.settings.logs_dir.mkdir(parents=True, exist_ok=True)
        write_state(self.settings.run_dir, self.state)


def _belongs_to(pid: int, tops: set[int]) -> bool:
    """Say whether `pid` is one of `tops` or a process below one."""
    try:
        return bool(tops & {pid, *(parent.pid for parent in psutil.Process(pid).parents())})
    except psutil.NoSuchProcess:
        return False
