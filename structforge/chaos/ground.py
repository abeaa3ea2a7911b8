"""The installation that a row may ruin: servers, services, a client, and a look into the tables behind them.

Invariant: `Ground.close` leaves no process behind; everything lives in the home folder it was given.
"""

import asyncio
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import redis

from structforge.chaos import nodes
from structforge.chaos.client import ChaosError, Client
from structforge.chaos.services import Service
from structforge.chaos.verdict import Verdict
from structforge.config import Settings, child_environment
from structforge.domain.run import TERMINAL_RUN_STATUSES
from structforge.embedded.postgres import EmbeddedPostgres, tail
from structforge.embedded.redis import EmbeddedRedis
from structforge.embedded.startup import web_answers

READY_S = 120.0
POLL_S = 0.05
TERMINAL = tuple(status.value for status in TERMINAL_RUN_STATUSES)


class Ground:
    """One installation. `short` asks for the version of seconds."""

    def __init__(
        self, settings: Settings, verdict: Verdict, variables: Mapping[str, str], *, short: bool
    ) -> None:
        self.settings = settings
        self.verdict = verdict
        self.short = short
        self._variables = variables
        self.postgres = EmbeddedPostgres(
            settings.postgres_dir, settings.socket_dir, settings.logs_dir / "postgres.log"
        )
        self.redis = EmbeddedRedis(settings.redis_dir, settings.socket_dir, settings.logs_dir / "redis.log")
        self.services: list[Service] = []
        self._numbers = itertools.count(1)
        self._lifeline = os.pipe()
        self._clients: list[Client] = []

    @property
    def home(self) -> Path:
        """Folder of everything; a row may put files of its own there."""
        return self.settings.home

    @property
    def url(self) -> str:
        """Address of the web process."""
        return self.settings.local_url

    def scaled(self, full: int, short: int) -> int:
        """Return the number for this run of the row."""
        return short if self.short else full

    def start_servers(self) -> None:
        """Start PostgreSQL (durable, as users have it) and Redis."""
        self.postgres.start()
        self.redis.start()

    def service(self, kind: str, **variables: str) -> Service:
        """Start a process of a kind; `variables` are its settings beside those of the row."""
        settings = {
            "PYTHONPATH": str(self.home / "plugin"),
            "STRUCTFORGE_LOG_LEVEL": "warning",
            "STRUCTFORGE_ACCESS_TOKEN_TTL_S": "7200",
            **self._variables,
            **variables,
        }
        name = f"{kind}-{next(self._numbers)}"
        made = Service(self.settings, kind, name, child_environment(**settings), self._lifeline[0])
        made.start()
        self.services.append(made)
        return made

    async def web(self, **variables: str) -> Client:
        """Start the web process and return a signed-in client once it is ready."""
        service = self.service("web", **variables)
        await self.until(lambda: web_answers(self.url) is None, "the web process is ready", service=service)
        return await self.client()

    async def client(self, **who: str) -> Client:
        """Return a signed-in client."""
        made = Client(self.url, **who)
        self._clients.append(made)
        await made.sign_in()
        return made

    async def workers(self, count: int, **variables: str) -> list[Service]:
        """Start workers and return when they take runs."""
        made = [self.service("worker", **variables) for _ in range(count)]
        await self.take_runs(made)
        return made

    async def take_runs(self, workers: Sequence[Service]) -> None:
        """Return when these workers take runs: only then they register for wake-ups."""
        for worker in workers:
            await self.until(lambda pid=worker.pid: pid in self._registered(), "a worker", service=worker)  # type: ignore[misc]

    def _registered(self) -> set[int]:
        with redis.Redis.from_url(self.redis.url) as client:
            found = set()
            for key in client.smembers("rq:workers"):
                pid = client.hget(key.decode(), "pid")
                if isinstance(pid, bytes):
                    found.add(int(pid))
            return found

    def wipe_redis(self) -> None:
        """Let Redis forget everything."""
        with redis.Redis.from_url(self.redis.url) as client:
            client.flushall()
        self.verdict.did("redis_wipes")

    async def until(
        self,
        reached: Callable[[], bool | Awaitable[bool]],
        what: str,
        *,
        limit_s: float = READY_S,
        service: Service | None = None,
        every_s: float = POLL_S,
    ) -> float:
        """Wait until `reached` says so; return the seconds it took. Raises: ChaosError naming `what`."""
        began = time.monotonic()
        while True:
            answer = reached()
            if answer if isinstance(answer, bool) else await answer:
                return time.monotonic() - began
            if service is not None and not service.running:
                raise ChaosError(f"ended before {what}: {tail(service.log_file, 1500)}")
            if time.monotonic() - began > limit_s:
                raise ChaosError(f"waited {limit_s:.0f} s in vain until {what}")
            await asyncio.sleep(every_s)

    def rows(self, statement: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database as its owner, who sees every row."""
        with psycopg.connect(self.postgres.url(), autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: LiteralString, *parameters: object) -> Any:
        """Return the first column of the first row."""
        return self.rows(statement, *parameters)[0][0]

    def statuses(self, runs: Sequence[UUID]) -> dict[UUID, str]:
        """Return the status of each run that exists."""
        return dict(self.rows("SELECT id, status FROM workflow_executions WHERE id = ANY (%s)", list(runs)))

    async def all_over(self, runs: Sequence[UUID], *, limit_s: float) -> bool:
        """Wait until every run is in a terminal status; tell whether they all came there."""
        try:
            await self.until(
                lambda: set(self.statuses(runs).values()) <= set(TERMINAL),
                "all runs are over",
                limit_s=limit_s,
                every_s=0.25,
            )
        except ChaosError:
            return False
        return True

    async def close(self) -> None:
        """End every process."""
        for client in self._clients:
            await client.close()
        for service in reversed(self.services):
            service.end()
        self.redis.stop(timeout_s=2)
        self.postgres.stop(immediately=True)
        for descriptor in self._lifeline:
            os.close(descriptor)


def copy_template(template: Path, home: Path) -> None:
    """Make `home` an installation like the template, which must not run."""
    home.mkdir(parents=True, exist_ok=True)
    for name in ("files", "artifacts", "logs", "run", "plugin"):
        (home / name).mkdir(exist_ok=True)
    nodes.install(home / "plugin")
    shutil.copy2(template / "secret.key", home / "secret.key")
    (home / "web").symlink_to((template / "web").resolve())
    # Not by shutil: started by root, the server and its files belong to a system user.
    subprocess.run(["cp", "-a", str(template / "postgres"), str(home / "postgres")], check=True)
