"""Fixtures that every test may use: real servers once per session, a fresh database per test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from structforge.config import Settings
from structforge.storage import migrate
from tests.support.servers import FAST, Servers

# How long an example takes says how busy the machine is, and nothing about the program.
settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL and Redis, without fsync (a crash test that needs it starts its own)."""
    pair = Servers(FAST)
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()


@pytest.fixture
def empty_database(servers: Servers) -> Iterator[str]:
    """A database without tables; the value is its owner URL."""
    name = servers.create_database()
    yield servers.postgres.url(database=name)
    servers.drop_database(name)


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """An empty Redis."""
    servers.flush_redis()
    return servers.redis.url


@pytest.fixture
def empty_settings(servers: Servers, empty_database: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings that point at an empty database and an empty Redis."""
    name = empty_database.partition("@/")[2].partition("?")[0]
    return servers.settings(name, tmp_path / "home")


@pytest.fixture(scope="session")
def migrated_template(servers: Servers) -> str:
    """The name of a migrated database without rows, which others are copied from."""
    name = servers.create_database()
    asyncio.run(migrate.upgrade(servers.postgres.url(database=name)))
    return name


@pytest.fixture
def database_name(servers: Servers, migrated_template: str) -> Iterator[str]:
    """A migrated database of this test alone."""
    name = servers.create_database(migrated_template)
    yield name
    servers.drop_database(name)


@pytest.fixture
def settings(servers: Servers, database_name: str, redis_url: str, tmp_path: Path) -> Settings:
    """Settings that point at this test's database and an empty Redis; the home folder is the test's own."""
    return servers.settings(database_name, tmp_path / "home")
