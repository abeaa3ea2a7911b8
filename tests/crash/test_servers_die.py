"""Redis loses everything; PostgreSQL is killed and comes back. Both are real servers of these tests alone."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from structforge.domain.run import RunStatus
from structforge.storage import migrate
from tests.crash.conftest import END_S, Fleet, lines
from tests.support.eventually import eventually
from tests.support.installation import installed
from tests.support.servers import Servers
from tests.support.workflows import document, node, registry_with_test_nodes

DURABLE = {"fsync": "on", "synchronous_commit": "on", "max_connections": "100"}


@pytest.fixture
def own_servers() -> Iterator[Servers]:
    """A durable PostgreSQL and a Redis that may be killed."""
    pair = Servers(DURABLE)
    try:
        pair.start()
        yield pair
    finally:
        pair.stop()


@pytest.fixture
async def own_fleet(own_servers: Servers, tmp_path: Path) -> AsyncIterator[Fleet]:
    """An installation on servers of its own."""
    registry_with_test_nodes()
    name = own_servers.create_database()
    await migrate.upgrade(own_servers.postgres.url(database=name))
    settings = own_servers.settings(name, tmp_path / "home")
    async with installed(settings) as made:
        processes = Fleet(made, tmp_path / "processes")
        yield processes
        processes.end()


async def test_queued_runs_survive_a_redis_that_comes_back_empty(
    own_fleet: Fleet, own_servers: Servers
) -> None:
    workflow = await own_fleet.publish(document(node("a", "test.gate")))
    runs = await own_fleet.accept(workflow, 20)
    own_servers.flush_redis()
    own_servers.redis.stop()
    worker = own_fleet.worker()
    own_fleet.start("-m", "workers.schedule")
    runs += await own_fleet.accept(workflow, 5)
    await own_fleet.all_are(runs, RunStatus.SUCCEEDED)
    own_servers.redis.start()
    own_servers.flush_redis()
    runs += await own_fleet.accept(workflow, 5)
    await own_fleet.all_are(runs, RunStatus.SUCCEEDED)
    await own_fleet.check_journal(runs, {"a"})
    assert worker.terminate() == 0


async def test_runs_go_on_after_postgresql_was_killed_and_came_back(
    own_fleet: Fleet, own_servers: Servers, gate: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    made = document(
        node("a", "test.gate"),
        node("b", "test.gate", gate=str(gate), trace=str(trace)),
        node("c", "test.pass"),
        edges=["a>b", "b>c"],
    )
    workflow = await own_fleet.publish(made)
    own_fleet.worker()
    own_fleet.start("-m", "workers.schedule")
    runs = await own_fleet.accept(workflow, 5)

    def all_wait_at_the_gate() -> bool:
        assert lines(trace) == {"b": 5}
        return True

    await eventually(all_wait_at_the_gate, timeout_s=END_S)
    own_servers.postgres.stop(immediately=True)
    gate.touch()
    own_servers.postgres.start()
    await own_fleet.all_are(runs, RunStatus.SUCCEEDED)
    await own_fleet.check_journal(runs, {"a", "b", "c"})
    assert lines(trace)["b"] <= 10
    later = await own_fleet.accept(workflow, 3)
    await own_fleet.all_are(later, RunStatus.SUCCEEDED)
