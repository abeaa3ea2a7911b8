"""Databases that nodes use: bound values, limits, hosts, and writes that happen once whatever dies."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from structforge.config import DatabaseRole, Settings
from structforge.domain.run import RunStatus
from structforge.runtime.postgres.text import refuse_transaction
from structforge.sdk import NodeError
from tests.crash.conftest import Fleet
from tests.support.database_proxy import tcp_port_of
from tests.support.installation import Installation, installed
from tests.support.servers import Servers
from tests.support.workflows import document, node, registry_with_test_nodes

SECRET = "hunter2-hunter2"
OWNER = DatabaseRole.OWNER.value


@dataclass
class Target:
    """A database that workflows use, and the installation that knows it as `warehouse`."""

    made: Installation
    url: str
    port: int

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement in the database itself."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    async def query(self, statement: str, values: dict[str, Any] | None = None, **more: Any) -> Any:
        """Read through the connection."""
        limits = {"time_limit_s": 20.0, "row_limit": 100, "max_bytes": 10_000, **more}
        access = self.made.engine.databases.of(self.made.first.organization_id)
        return await access.query(limits.pop("connection", "warehouse"), statement, values or {}, **limits)

    async def write(
        self, *statements: str, key: str, values: dict[str, Any] | None = None, batch: Any = None
    ) -> Any:
        """Change data through the connection."""
        access = self.made.engine.databases.of(self.made.first.organization_id)
        return await access.write(
            "warehouse", statements, values or {}, batch, key=key, time_limit_s=20, row_limit=10
        )

    async def refusal(self, *arguments: Any, **more: Any) -> NodeError:
        """Return how a query is refused."""
        with pytest.raises(NodeError) as caught:
            await self.query(*arguments, **more)
        return caught.value


def place(port: int, name: str, **more: Any) -> dict[str, Any]:
    """Return the settings of a connection to a test database."""
    return {"host": "127.0.0.1", "port": port, "database": name, "user": OWNER, "tls": "off", **more}


@pytest.fixture
async def target(servers: Servers, settings: Settings) -> AsyncIterator[Target]:
    """A database beside ours, reached by TCP on a host that an administrator allowed."""
    registry_with_test_nodes()
    name = servers.create_database()
    allowing = settings.model_copy(update={"outbound_allow_hosts": frozenset({"127.0.0.1"})})
    socket = servers.postgres.socket_dir / ".s.PGSQL.5432"
    async with tcp_port_of(socket) as port, installed(allowing) as made:
        await made.services.connections.create(
            made.first, "warehouse", "postgresql", place(port, name), secret=SECRET
        )
        made_target = Target(made, servers.postgres.url(database=name), port)
        made_target.sql("CREATE TABLE cities (id int GENERATED ALWAYS AS IDENTITY, name text UNIQUE)")
        yield made_target
    servers.drop_database(name)


async def test_rows_come_as_json_and_values_are_bound(target: Target) -> None:
    wild = "x'); DROP TABLE cities; --%s {{ 1 }}"
    found = await target.query(
        "SELECT %(text)s::text AS t, 1.5::numeric AS n, 0.1234567890123456789::numeric AS exact, 7::numeric AS n, "
        "date '2024-03-01' AS d, 'nan'::float AS nothing, ARRAY[1, 2] AS list, %(object)s->>'a' AS a, "
        "7 = ANY(%(ids)s) AS member, NULL AS empty, 'a%%' AS percent",
        {"text": wild, "object": {"a": "b"}, "ids": [7, 8]},
    )
    assert found.rows == [
        {
            "t": wild, "n": Decimal("1.5"), "exact": Decimal("0.1234567890123456789"), "n_2": 7,
            "d": "2024-03-01", "nothing": None, "list": [1, 2], "a": "b", "member": True, "empty": None,
            "percent": "a%",
        }
    ]  # fmt: skip
    assert target.sql("SELECT count(*) FROM cities") == [(0,)]
    empty = await target.query("SELECT id, name FROM cities")
    assert (empty.rows, empty.cut) == ([], False)
    assert (empty.columns, empty.types) == (("id", "name"), ("integer", "text"))


async def test_a_query_reads_one_statement_and_nothing_more_than_its_limits(target: Target) -> None:
    for statement, code in (
        ("INSERT INTO cities (name) VALUES ('x') RETURNING id", "database.read_only"),
        ("SELECT 1; DROP TABLE cities", "database.refused"),
        ("/* a */ -- b\n COMMIT", "database.transaction"),
        ("SELECT %(missing)s", "database.placeholder"),
        ("SELECT 100 % 7", "database.placeholder"),
        ("SELEC 1", "database.refused"),
    ):
        error = await target.refusal(statement)
        assert (error.problem.code, error.final) == (code, True), statement
        assert error.problem.hint, statement
    slow = await target.refusal("SELECT pg_sleep(60)", time_limit_s=0.5)
    assert (slow.problem.code, slow.final) == ("database.timeout", False)
    large = await target.refusal("SELECT repeat('x', 20000)")
    assert large.problem.code == "database.too_large"
    cut = await target.query("SELECT generate_series(1, 1000000) AS n", row_limit=3)
    assert (cut.cut, [row["n"] for row in cut.rows]) == (True, [1, 2, 3])
    assert target.sql("SELECT count(*) FROM cities") == [(0,)]
    assert target.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(60)%%' AND pid <> "
                      "pg_backend_pid() AND state = 'active'") == [(0,)]  # fmt: skip


async def test_only_hosts_that_may_be_reached_are(target: Target, servers: Servers) -> None:
    made, databases = target.made, target.made.engine.databases
    for host in ("169.254.169.254", "10.0.0.1", "[::1]", "0.0.0.0"):
        settings = {**place(target.port, "x"), "host": host.strip("[]")}
        name = f"other_{abs(hash(host))}"
        await made.services.connections.create(made.first, name, "postgresql", settings)
        refused = await target.refusal("SELECT 1", connection=name)
        assert refused.problem.code == "outbound.blocked", host
    # The administrator allowed an address, not whoever calls himself so.
    assert (await target.query("SELECT 1 AS one")).rows == [{"one": 1}]
    unknown = await target.refusal("SELECT 1", connection="none")
    assert unknown.problem.code == "connection.not_found"
    with pytest.raises(NodeError) as foreign:
        await databases.of(made.second.organization_id).query(
            "warehouse", "SELECT 1", {}, time_limit_s=5, row_limit=1, max_bytes=100
        )
    assert foreign.value.problem.code == "connection.not_found"


async def test_a_write_happens_once_for_its_key(target: Target) -> None:
    insert = "INSERT INTO cities (name) VALUES (%(name)s) RETURNING id, name"
    first = await target.write(insert, key="k1", values={"name": "Oslo"})
    again = await target.write(insert, key="k1", values={"name": "Oslo"})
    assert (first.changed, first.rows, first.repeated) == (1, [{"id": 1, "name": "Oslo"}], False)
    assert (again.changed, again.rows, again.repeated) == (1, first.rows, True)
    assert json.dumps(again.rows) == json.dumps(first.rows)
    together = await asyncio.gather(
        *(target.write(insert, key="k2", values={"name": "Bergen"}) for _ in range(4))
    )
    assert sorted(result.repeated for result in together) == [False, True, True, True]
    batch = [{"name": name} for name in ("a", "b", "c")]
    many = await target.write("INSERT INTO cities (name) VALUES (%(name)s)", key="k3", batch=batch)
    assert (many.changed, many.rows) == (3, [])
    none = await target.write("INSERT INTO cities (name) VALUES (%(name)s)", key="k4", batch=[])
    assert none.changed == 0
    assert target.sql("SELECT count(*) FROM cities") == [(5,)]


async def test_a_write_happens_whole_or_not_at_all(target: Target) -> None:
    with pytest.raises(NodeError) as caught:
        await target.write(
            "INSERT INTO cities (name) VALUES ('Oslo')", "INSERT INTO cities (name) VALUES ('Oslo')", key="k"
        )
    assert caught.value.problem.code == "database.refused"
    assert caught.value.problem.details["sqlstate"] == "23505"
    for statement in ("COMMIT", " ;rollback", "begin"):
        with pytest.raises(NodeError) as ends:
            await target.write("INSERT INTO cities (name) VALUES ('x')", statement, key="k")
        assert ends.value.problem.code == "database.transaction"
    with pytest.raises(NodeError) as two:
        await target.write("INSERT INTO cities (name) VALUES ('x'); COMMIT", key="k")
    assert two.value.problem.code == "database.refused"
    assert target.sql("SELECT count(*) FROM cities") == [(0,)]
    # A failed try leaves no note, so that a later one does the work.
    assert (await target.write("INSERT INTO cities (name) VALUES ('Oslo')", key="k")).repeated is False


async def test_who_may_not_make_the_table_is_told_what_to_run(target: Target) -> None:
    target.sql("DROP ROLE IF EXISTS plain_user")
    target.sql("CREATE ROLE plain_user LOGIN")
    target.sql("GRANT INSERT ON cities TO plain_user")
    made = target.made
    (view,) = await made.services.connections.list(made.first)
    settings = {**view.settings, "user": "plain_user"}
    await made.services.connections.update(made.first, view.id, settings=settings, secret=SECRET)
    try:
        with pytest.raises(NodeError) as caught:
            await target.write("INSERT INTO cities (name) VALUES ('x')", key="k")
        assert caught.value.problem.code == "database.no_effects_table"
        assert "CREATE TABLE" in caught.value.problem.hint
    finally:
        target.sql("DROP OWNED BY plain_user")
        target.sql("DROP ROLE plain_user")


async def test_a_worker_that_dies_between_effect_and_outcome_repeats_nothing_and_tells_no_secret(
    target: Target, tmp_path: Path
) -> None:
    fleet = Fleet(target.made, tmp_path / "processes")
    flow = document(
        node(
            "write",
            "database.execute",
            connection="warehouse",
            statements=["INSERT INTO cities (name) VALUES (%(name)s) RETURNING id"],
            values={"name": "Oslo"},
        ),
        node("read", "database.query", connection="warehouse", statement="SELECT name FROM cities"),
        # Whose name is the password: what the server says of it must not be told.
        node("bad", "database.query", connection="misnamed", statement="SELECT 1", policies={"on_error": "continue"}),
        # In this order: what fails the run would cancel what is still at work.
        edges=["bad>write", "write>read"],
    )  # fmt: skip
    await target.made.services.connections.create(
        target.made.first,
        "misnamed",
        "postgresql",
        place(target.port, "postgres", user=SECRET),
        secret=SECRET,
    )
    try:
        workflow = await fleet.publish(document(flow.nodes[0].model_dump()))
        (run,) = await fleet.accept(workflow, 1)
        allow = {"STRUCTFORGE_OUTBOUND_ALLOW_HOSTS": "127.0.0.1"}
        doomed = fleet.worker(STRUCTFORGE_CRASH_AT="before_final_commit", **allow)
        # Beside, not instead: the way to the database runs through this process.
        assert await asyncio.to_thread(doomed.wait) == -signal.SIGKILL
        assert target.sql("SELECT name FROM cities") == [("Oslo",)]
        worker = fleet.worker(**allow)
        await fleet.all_are([run], RunStatus.SUCCEEDED)
        await fleet.check_journal([run], {"write"})
        assert target.sql("SELECT name FROM cities") == [("Oslo",)]
        found = await target.made.services.runs.get(target.made.first, run)
        assert found.output == {"changed": 1, "rows": [{"id": 1}]}
        other = await fleet.publish(flow)
        (second,) = await fleet.accept(other, 1)
        await fleet.all_are([second], RunStatus.FAILED)
        rows = await target.made.services.runs.steps(target.made.first, second)
        told = json.dumps([[row.outputs, row.error] for row in rows], default=str, ensure_ascii=False)
        told += json.dumps(
            [event async for event in target.made.services.runs.events(target.made.first, second)]
        )
        assert "•••" in told, told
        assert SECRET not in told + doomed.output + worker.output
        assert worker.terminate() == 0
    finally:
        fleet.end()


@pytest.mark.parametrize(
    ("statement", "ends"),
    [
        ("COMMIT", True),
        (" ;; /* a /* nested */ comment */ -- and more\n rollback", True),
        ("/**/" * 20_000 + "begin", True),
        ("/**/" * 20_000 + "SELECT 1", False),
        ("/* never closed COMMIT", False),
        ("SELECT 'commit'", False),
        ("ending", False),
        ("", False),
    ],
)
def test_what_ends_the_transaction_is_found_behind_comments(statement: str, ends: bool) -> None:
    try:
        refuse_transaction(statement)
    except NodeError as error:
        assert (ends, error.problem.code) == (True, "database.transaction")
    else:
        assert not ends
