"""The statements of the hot path find rows by key, although they were planned while the tables were small."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import AsyncConnection, AsyncRawCursor

from structforge.config import Settings
from structforge.domain.ids import new_id
from structforge.domain.journal import Acceptance, Commit, RunChange
from structforge.domain.run import RunStatus
from structforge.storage import claims
from structforge.storage.journal_statement import prepare
from structforge.storage.keyed_connection import connect_keyed
from tests.support.execution import fresh_run

NOW = datetime.now(UTC)
GROWING = {"workflow_executions", "run_outbox", "execution_steps"}


def _accepted() -> Commit:
    acceptance = Acceptance(new_id(), NOW, "api", "start", 0, b"{}", None)
    return Commit(fresh_run(), None, acceptance=acceptance, events=[{"seq": 1, "type": "run.accepted"}])


def _of(status: RunStatus, **more: Any) -> Commit:
    return Commit(fresh_run(), 1, change=RunChange(status), **more)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)


def _scans(connection: AsyncConnection[Any], statement: bytes) -> list[dict[str, Any]]:
    """Return how the plan for any parameters reads the tables that grow."""
    # psycopg would bind parameters, and there are none.
    told = connection.pgconn.exec_(b"EXPLAIN (GENERIC_PLAN, FORMAT JSON) " + statement).get_value(0, 0)
    assert told is not None
    return [
        node
        for node in _nodes(json.loads(told)[0]["Plan"])
        if "Scan" in node["Node Type"] and node.get("Relation Name") in GROWING
    ]


@pytest.fixture
async def small(settings: Settings) -> None:
    """Tables that were looked at while they had a row or none: planning them leaves no doubt that they are small."""
    statement, parameters = prepare([_accepted()])
    async with await connect_keyed(
        settings.database_engine_role_url, cursor_factory=AsyncRawCursor
    ) as connection:
        await connection.execute(statement, parameters)
    async with await AsyncConnection.connect(settings.database_owner_url, autocommit=True) as connection:
        await connection.execute("VACUUM ANALYZE")


@pytest.mark.parametrize(
    "commits",
    [
        [_accepted()],
        [_of(RunStatus.SUCCEEDED)],
        [_of(RunStatus.WAITING, release=True, progress=True)],
        [_accepted(), _of(RunStatus.FAILED, wakes=new_id())],
    ],
    ids=["accepted", "ended", "resting", "mixed"],
)
async def test_a_batch_finds_its_rows_by_key(small: None, settings: Settings, commits: list[Commit]) -> None:
    statement, _ = prepare(commits)
    async with await connect_keyed(settings.database_engine_role_url) as connection:
        scans = _scans(connection, statement)
    assert [scan for scan in scans if "id = ANY" not in scan.get("Index Cond", "")] == []
    assert bool(scans) == any(commit.epoch is not None for commit in commits)


async def test_a_claim_finds_the_runs_by_key(small: None, settings: Settings) -> None:
    async with await connect_keyed(settings.database_engine_role_url) as connection:
        scans = _scans(connection, claims.STATEMENT)
    runs = [scan for scan in scans if scan["Relation Name"] == "workflow_executions"]
    assert [scan.get("Index Cond") for scan in runs] == ["(id = c.run_id)"]
    assert any("(run_id = ANY" in scan.get("Index Cond", "") for scan in scans)


def test_a_batch_has_only_the_parts_it_needs() -> None:
    alone, _ = prepare([_of(RunStatus.SUCCEEDED)])
    assert b"run_outbox" in alone
    for absent in (b"idempotency_keys", b"execution_logs", b"artifacts", b"woken", b"INSERT INTO run_outbox"):
        assert absent not in alone
