"""The real PostgreSQL and Redis that the tests run against: one pair per session, one database per test."""

import itertools
import shutil
import tempfile
from pathlib import Path

import psycopg
import redis

from structforge.config import Settings, load_settings
from structforge.embedded.postgres import EmbeddedPostgres
from structforge.embedded.redis import EmbeddedRedis

# Tests do not survive a power cut and need not. What a crash of a process leaves is the same without fsync.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "200"}


class Servers:
    """A pair of servers in a temporary folder."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="structforge-test-"))
        logs = self.folder / "logs"
        self.postgres = EmbeddedPostgres(
            self.folder / "postgres", self.folder / "sockets", logs / "postgres.log", settings=settings
        )
        self.redis = EmbeddedRedis(self.folder / "redis", self.folder / "sockets", logs / "redis.log")
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Start both."""
        self.postgres.start()
        self.redis.start()

    def stop(self) -> None:
        """Stop both and remove their folder."""
        self.redis.stop()
        self.postgres.stop(immediately=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def create_database(self, template: str = "template0") -> str:
        """Create a database, a copy of `template`; return its name."""
        name = f"test_{next(self._numbers)}"
        self._administer(f'create database "{name}" template "{template}" strategy file_copy')
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, cutting its sessions."""
        self._administer(f'drop database if exists "{name}" with (force)')

    def flush_redis(self) -> None:
        """Empty the database of Redis that tests use; a site that lives longer has another."""
        with redis.Redis(unix_socket_path=str(self.redis.socket)) as client:
            client.flushdb()

    def settings(self, database: str, home: Path, **overrides: object) -> Settings:
        """Return settings that point at a database of this pair."""
        values: dict[str, object] = {
            "home": home,
            "DATABASE_URL": self.postgres.url(database=database),
            "REDIS_URL": self.redis.url,
            **overrides,
        }
        return load_settings(**values)

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.postgres.url(database="postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())
