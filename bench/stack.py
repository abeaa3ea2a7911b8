"""The measured installation: PostgreSQL, Redis, web, workers and scheduler on the loopback, as `structforge up`
starts them, in a home folder of its own that is removed afterwards.

Invariant: whatever happens in a measurement, `Stack.stop` leaves no process and no folder behind.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg

from bench.documents import Document
from bench.plugin import write_distribution
from structforge.config import Settings, load_settings
from structforge.embedded.postgres import EmbeddedPostgres
from structforge.embedded.redis import EmbeddedRedis
from structforge.embedded.startup import ENTRY_MODULES, port_is_free, prepare_home, web_answers
from structforge.ui.bundle import build_bundle

ROOT = Path(__file__).resolve().parents[1]
EMAIL, PASSWORD = "bench@structforge.local", "only for this measurement"
READY_S = 90.0
POLL_S = 0.02
FIRST_PORT = 18440


class BenchError(Exception):
    """A figure cannot be measured; the message says why and what to do."""


def make_home() -> Path:
    """Create a home folder on the file system of the checkout, where `structforge up` keeps its data too."""
    parent = ROOT / ".structforge"
    parent.mkdir(exist_ok=True, mode=0o700)
    return Path(tempfile.mkdtemp(prefix="bench-", dir=parent))


def free_port(first: int = FIRST_PORT) -> int:
    """Return a port of the loopback that nothing listens on."""
    return next(port for port in range(first, 65536) if port_is_free("127.0.0.1", port))


def environment_of(home: Path, port: int) -> dict[str, str]:
    """Return the environment of a measured process: no setting of the caller's, the bench's plugin installed."""
    ours = ("STRUCTFORGE_", "DATABASE_", "REDIS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join((str(home / "plugin"), str(ROOT))),
        "STRUCTFORGE_HOME": str(home),
        "STRUCTFORGE_PORT": str(port),
        "STRUCTFORGE_ADMIN_EMAIL": EMAIL,
        "STRUCTFORGE_ADMIN_PASSWORD": PASSWORD,
        "STRUCTFORGE_ACCESS_TOKEN_TTL_S": "3600",
        "STRUCTFORGE_LOG_LEVEL": "warning",
    }


class Api:
    """A client with one kept connection and a bearer token; as thin as the standard library's is."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"content-type": "application/json"}
        answer = self.call("POST", "/auth/sign-in", {"email": EMAIL, "password": PASSWORD})
        self.token: str = answer["access_token"]
        self._headers["authorization"] = f"Bearer {self.token}"

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Send one request and return the decoded answer. Raises: BenchError when it is refused."""
        data = None if body is None else json.dumps(body).encode()
        status, answer = self.send(method, f"/api/v1{path}", data)
        if status >= 400:
            raise BenchError(f"{method} {path} was answered {status}: {answer.decode()[:500]}")
        return json.loads(answer)

    def send(self, method: str, path: str, data: bytes | None) -> tuple[int, bytes]:
        """Send one request as it is; return status and body."""
        self._connection.request(method, path, data, self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def publish(self, name: str, document: Document) -> str:
        """Create and publish a workflow on a new connection; return its id."""
        # The server lets go of one that was idle during the measurement before.
        self._connection.close()
        made = self.call("POST", "/workflows", {"name": name, "document": document})
        workflow_id: str = made["id"]
        self.call("POST", f"/workflows/{workflow_id}/publish", {})
        return workflow_id

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()


class Stack:
    """One running installation."""

    def __init__(self, *, workers: int = 2) -> None:
        self.home = make_home()
        self.port = free_port()
        self.settings: Settings = load_settings(home=self.home, port=self.port)
        self._worker_count = workers
        logs = self.settings.logs_dir
        self._postgres = EmbeddedPostgres(
            self.settings.postgres_dir, self.settings.socket_dir, logs / "postgres.log"
        )
        self._redis = EmbeddedRedis(self.settings.redis_dir, self.settings.socket_dir, logs / "redis.log")
        self._programs: list[subprocess.Popen[bytes]] = []
        self.workers: list[psutil.Process] = []

    @property
    def base_url(self) -> str:
        """Address of the web process."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start everything; return when the web process is ready. Raises: BenchError."""
        prepare_home(self.settings)
        write_distribution(self.home / "plugin")
        # Bundles are shared with the checkout's own, so that one is built once.
        shared = load_settings(home=ROOT / ".structforge").bundle_dir
        shared.mkdir(parents=True, exist_ok=True)
        (self.home / "web").symlink_to(shared)
        build_bundle(self.settings)
        self._postgres.start()
        self._redis.start()
        prepared = self.program("prepare", "-m", "structforge.embedded.setup", "prepare")
        if prepared.wait() != 0:
            raise BenchError(f"The installation could not be prepared: {self._log('prepare')}")
        web = self.program("web", "-m", ENTRY_MODULES["web"])
        for number in range(self._worker_count):
            worker = self.program(f"worker-{number}", "-m", ENTRY_MODULES["worker"])
            self.workers.append(psutil.Process(worker.pid))
        self.program("scheduler", "-m", ENTRY_MODULES["scheduler"])
        deadline = time.monotonic() + READY_S
        while web_answers(self.base_url) is not None:
            if web.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"The web process did not become ready: {self._log('web')}")
            time.sleep(POLL_S)

    def program(self, name: str, *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        """Start a Python program with the environment of this installation; `stop` ends it."""
        with (self.settings.logs_dir / f"{name}.log").open("ab") as log:
            program = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=environment_of(self.home, self.port) | variables,
                start_new_session=True,
            )
        self._programs.append(program)
        return program

    def await_workers(self, api: Api) -> None:
        """Return once every worker process has executed something, so that none is still starting."""
        workflow_id = api.publish(
            "Warm-up", {"format": 1, "nodes": [{"id": "start", "type": "trigger.manual"}]}
        )
        for worker in self.workers:
            others = [other for other in self.workers if other != worker]
            for other in others:
                other.send_signal(signal.SIGSTOP)
            try:
                started = api.call("POST", f"/workflows/{workflow_id}/runs", {"mode": "async"})
                self.until(
                    lambda run=started["run_id"]: (  # type: ignore[misc]
                        api.call("GET", f"/runs/{run}")["status"] == "succeeded"
                    ),
                    "a worker executes a run",
                )
            finally:
                for other in others:
                    other.send_signal(signal.SIGCONT)

    def replace_worker(self, gone: psutil.Process, api: Api) -> None:
        """Start a worker in the place of one that was killed; return when it takes runs."""
        place = self.workers.index(gone)
        worker = self.program(f"worker-{place}", "-m", ENTRY_MODULES["worker"])
        self.workers[place] = psutil.Process(worker.pid)
        self.await_workers(api)

    def until(self, reached: Callable[[], bool], what: str, *, limit_s: float = READY_S) -> None:
        """Wait until `reached` says so. Raises: BenchError naming `what` when it takes too long."""
        deadline = time.monotonic() + limit_s
        while not reached():
            if time.monotonic() > deadline:
                raise BenchError(f"Waited {limit_s:.0f} s until {what}. Logs: {self._log('worker-0')}")
            time.sleep(POLL_S)

    def connect(self) -> "psycopg.Connection[Any]":
        """Open a connection as the owner, who sees every row."""
        return psycopg.connect(self.settings.database_owner_url, autocommit=True)

    def count_runs(self, workflow_id: str) -> int:
        """Return how many runs of a workflow are in the database."""
        return int(
            self.value("SELECT count(*) FROM workflow_executions WHERE workflow_id = %s", [workflow_id])
        )

    def value(self, statement: LiteralString, parameters: Sequence[object] = ()) -> Any:
        """Return the first column of the first row."""
        with self.connect() as connection:
            row = connection.execute(statement, parameters).fetchone()
        return None if row is None else row[0]

    def server_settings(self) -> dict[str, str]:
        """Return the settings of PostgreSQL that decide what a commit costs."""
        names = (
            "server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method",
            "wal_level", "shared_buffers", "wal_buffers", "max_wal_size", "max_connections", "jit",
        )  # fmt: skip
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY (%s)", [list(names)]
            )
            return dict(rows.fetchall())

    def stop(self) -> None:
        """End every process and remove the home folder."""
        for worker in self.workers:
            if worker.is_running():
                worker.send_signal(signal.SIGCONT)
        for program in reversed(self._programs):
            end_tree(program)
        self._redis.stop()
        self._postgres.stop(immediately=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def _log(self, name: str) -> str:
        return (self.settings.logs_dir / f"{name}.log").read_text(errors="replace")[-1500:]


def end_tree(program: "subprocess.Popen[bytes]", grace_s: float = 15.0) -> None:
    """Ask a process to stop; after `grace_s` end it, and what it left."""
    try:
        tree = psutil.Process(program.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        tree = []
    if program.poll() is None:
        program.terminate()
    try:
        program.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
    _, alive = psutil.wait_procs(tree, timeout=2.0)
    for left in alive:
        left.kill()
