"""The embedded Redis: kept data, adoption, stale files."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from structforge.embedded.redis import EmbeddedRedis


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedRedis]:
    found = EmbeddedRedis(folder / "redis", folder / "s", folder / "logs" / "redis.log")
    yield found
    found.stop()


def test_data_is_kept_over_a_restart(server: EmbeddedRedis) -> None:
    assert server.start() is False
    with redis.Redis.from_url(server.url) as client:
        client.rpush("queue", "run")
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("save") == {"save": ""}
    server.stop()
    assert server.running() is None
    assert server.start() is False
    with redis.Redis.from_url(server.url) as client:
        assert client.lrange("queue", 0, -1) == [b"run"]


def test_a_running_server_is_taken_over(server: EmbeddedRedis) -> None:
    server.start()
    first = server.running()
    successor = EmbeddedRedis(server.data_dir, server.socket.parent, server.log_file)
    assert successor.start() is True
    assert successor.running() == first


def test_a_killed_server_starts_again_with_its_data(server: EmbeddedRedis) -> None:
    server.start()
    first = server.running()
    assert first is not None
    first.stop([(signal.SIGKILL, 10.0)])
    assert server.start() is False
    assert server.running() != first


def test_it_listens_on_no_network_port(server: EmbeddedRedis) -> None:
    server.start()
    found = server.running()
    assert found is not None
    connections = psutil.Process(found.pid).net_connections("inet")
    assert [c for c in connections if c.status == psutil.CONN_LISTEN] == []
