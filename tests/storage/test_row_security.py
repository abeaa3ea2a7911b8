"""Row-level security of every tenant's table, found by reflection: no filter reads only one's own."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from structforge.config import Settings
from structforge.storage.database import Database
from structforge.storage.migrate import is_partition
from structforge.storage.tables import METADATA
from tests.storage.conftest import Tenant

GLOBAL_TABLES = {
    "permissions": "SELECT",
    "role_permissions": "SELECT",
    "roles": "SELECT",
    "worker_heartbeats": "SELECT",
}
"""What belongs to no organization, and all that the app role may do there. `users` has its own rule."""

ENGINE_TABLES = {
    "artifacts",
    "execution_events",
    "execution_logs",
    "execution_steps",
    "idempotency_keys",
    "run_outbox",
    "worker_heartbeats",
    "workflow_executions",
}
ENGINE_READS = {"alembic_version", "connections", "run_limits", "workflow_versions", "draft_nodes"}

VALUES: dict[str, Any] = {
    "uuid": uuid4,
    "text": lambda: uuid4().hex,
    "int4": lambda: 1,
    "int2": lambda: 1,
    "int8": lambda: 1,
    "bool": lambda: True,
    "json": lambda: "{}",
    "jsonb": lambda: "{}",
    "date": lambda: datetime.now(UTC).date(),
    "timestamptz": lambda: datetime.now(UTC),
}


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    required: bool


def tables(connection: psycopg.Connection[Any]) -> dict[str, list[Column]]:
    """All tables of the database but partitions, with their columns."""
    rows = connection.execute(
        """
        SELECT c.relname, a.attname, t.typname, a.attnotnull AND NOT a.atthasdef
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
              AND NOT a.attisdropped
        ORDER BY c.relname, a.attnum
        """
    ).fetchall()
    found: dict[str, list[Column]] = {}
    for table, name, type_name, required in rows:
        if not is_partition(table):
            found.setdefault(table, []).append(Column(name, type_name, required))
    return found


def tenant_column(table: str, columns: list[Column]) -> str | None:
    if table == "organizations":
        return "id"
    return next((column.name for column in columns if column.name == "organization_id"), None)


def insert(
    connection: psycopg.Connection[Any], table: str, columns: list[Column], owner: UUID
) -> psycopg.Cursor[Any]:
    """Insert a row of made-up values that belongs to `owner`."""
    row = {column.name: VALUES[column.type]() for column in columns if column.required}
    row[tenant_column(table, columns) or ""] = owner
    return connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() for _ in row),
        ),
        list(row.values()),
    )


def owners(connection: psycopg.Connection[Any], table: str, column: str) -> set[UUID]:
    statement = sql.SQL("SELECT DISTINCT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))
    return {row[0] for row in connection.execute(statement).fetchall()}


@pytest.fixture
def tenant_tables(settings: Settings, ours: Tenant, theirs: Tenant) -> dict[str, tuple[str, list[Column]]]:
    """Every table of tenants, with a row of each organization in it."""
    with psycopg.connect(settings.database_owner_url) as connection:
        # The rows are made up: foreign keys would need the whole web of them.
        connection.execute("SET session_replication_role = replica")
        found = {}
        for table, columns in tables(connection).items():
            column = tenant_column(table, columns)
            if column is None:
                continue
            found[table] = (column, columns)
            for tenant in (ours, theirs):
                if table != "organizations":
                    insert(connection, table, columns, tenant.id)
        for table, (column, _) in found.items():
            assert owners(connection, table, column) >= {ours.id, theirs.id}
    return found


def enter(connection: psycopg.Connection[Any], organization_id: UUID) -> None:
    connection.execute("SELECT set_config('app.organization_id', %s, true)", (str(organization_id),))


def test_every_table_is_a_tenants_or_known_to_be_global(settings: Settings) -> None:
    with psycopg.connect(settings.database_owner_url) as connection:
        found = tables(connection)
    others = {name for name, columns in found.items() if tenant_column(name, columns) is None}
    assert others == {*GLOBAL_TABLES, "users", "alembic_version"}
    assert set(found) == {*METADATA.tables, "alembic_version"}


def test_row_level_security_is_forced_on_every_tenants_table(
    settings: Settings, tenant_tables: dict[str, Any]
) -> None:
    with psycopg.connect(settings.database_owner_url) as connection:
        rows = connection.execute(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
        ).fetchall()
    assert {row[0] for row in rows} == {*tenant_tables, "users"}


def test_a_query_without_filter_reads_only_its_own(
    settings: Settings, tenant_tables: dict[str, tuple[str, list[Column]]], ours: Tenant
) -> None:
    with psycopg.connect(settings.database_app_role_url) as connection:
        enter(connection, ours.id)
        for table, (column, _) in tenant_tables.items():
            assert owners(connection, table, column) == {ours.id}, table


def test_without_an_organization_nothing_is_read(
    settings: Settings, tenant_tables: dict[str, tuple[str, list[Column]]], ours: Tenant
) -> None:
    with psycopg.connect(settings.database_app_role_url) as connection:
        for table, (column, _) in (*tenant_tables.items(), ("users", ("id", []))):
            assert owners(connection, table, column) == set(), table
        enter(connection, ours.id)
        connection.commit()
        # The setting is an empty string now, not NULL: it must neither match nor fail to cast.
        for table, (column, _) in (*tenant_tables.items(), ("users", ("id", []))):
            assert owners(connection, table, column) == set(), table


def test_a_row_for_another_organization_is_refused(
    settings: Settings,
    tenant_tables: dict[str, tuple[str, list[Column]]],
    ours: Tenant,
    theirs: Tenant,
) -> None:
    with psycopg.connect(settings.database_app_role_url) as connection:
        for table, (_, columns) in tenant_tables.items():
            enter(connection, ours.id)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                insert(connection, table, columns, theirs.id)
            connection.rollback()


def test_foreign_rows_cannot_be_changed_moved_or_deleted(
    settings: Settings,
    tenant_tables: dict[str, tuple[str, list[Column]]],
    ours: Tenant,
    theirs: Tenant,
) -> None:
    with psycopg.connect(settings.database_app_role_url) as connection:
        for table, (column, _) in tenant_tables.items():
            names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
            move = sql.SQL("UPDATE {table} SET {column} = %s WHERE {column} = %s").format(**names)
            for target, source in ((ours.id, theirs.id), (theirs.id, ours.id)):
                enter(connection, ours.id)
                with suppress(psycopg.errors.InsufficientPrivilege):
                    assert connection.execute(move, (target, source)).rowcount == 0, table
                connection.rollback()
            enter(connection, ours.id)
            delete = sql.SQL("DELETE FROM {table} WHERE {column} = %s").format(**names)
            with suppress(psycopg.errors.InsufficientPrivilege):
                assert connection.execute(delete, (theirs.id,)).rowcount == 0, table
            connection.rollback()


def test_users_are_seen_by_those_they_share_an_organization_with(
    settings: Settings, ours: Tenant, theirs: Tenant
) -> None:
    with psycopg.connect(settings.database_app_role_url) as connection:
        enter(connection, ours.id)
        assert owners(connection, "users", "id") == {ours.user_id}
        renamed = connection.execute("UPDATE users SET name = 'x' WHERE id = %s", (theirs.user_id,))
        assert renamed.rowcount == 0


def privileges(settings: Settings, role: str) -> dict[str, set[str]]:
    with psycopg.connect(settings.database_owner_url) as connection:
        rows = connection.execute(
            """
            SELECT c.relname, p FROM pg_class c,
                unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                  AND has_table_privilege(%s, c.oid, p)
            """,
            (role,),
        ).fetchall()
    found: dict[str, set[str]] = {}
    for table, privilege in rows:
        found.setdefault(table, set()).add(privilege)
    return found


def test_the_engine_reaches_its_tables_across_organizations_and_nothing_else(
    settings: Settings,
    tenant_tables: dict[str, tuple[str, list[Column]]],
    ours: Tenant,
    theirs: Tenant,
) -> None:
    granted = privileges(settings, "structforge_engine")
    assert granted == {
        **dict.fromkeys(ENGINE_TABLES, {"SELECT", "INSERT", "UPDATE", "DELETE"}),
        **dict.fromkeys(ENGINE_READS, {"SELECT"}),
        # The engine takes answers over, and drops them with their runs; people give them.
        "run_answers": {"SELECT", "DELETE"},
        # It adds what it does to a run, and sees nothing of the trail.
        "audit_entries": {"INSERT"},
    }
    with psycopg.connect(settings.database_engine_role_url) as connection:
        for table in (ENGINE_TABLES | ENGINE_READS) & set(tenant_tables):
            assert owners(connection, table, tenant_tables[table][0]) == {ours.id, theirs.id}, table
        for table in set(tenant_tables) - ENGINE_TABLES - ENGINE_READS - {"run_answers"} | {"users"}:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier(table)))
            connection.rollback()


def test_the_app_changes_no_global_table_and_no_trail(settings: Settings) -> None:
    granted = privileges(settings, "structforge_app")
    for table, privilege in GLOBAL_TABLES.items():
        assert granted[table] == {privilege}, table
    assert granted["audit_entries"] == {"SELECT", "INSERT"}
    assert granted["workflow_versions"] == {"SELECT", "INSERT"}
    assert not any("TRUNCATE" in each or "TRIGGER" in each for each in granted.values())
    assert not any(is_partition(table) for table in granted)


def test_look_ups_are_for_the_app_alone_and_pin_their_search_path(settings: Settings) -> None:
    with psycopg.connect(settings.database_owner_url) as connection:
        rows = connection.execute(
            """
            SELECT proname, prosecdef, array_to_string(proconfig, ','),
                   has_function_privilege('structforge_app', oid, 'EXECUTE'),
                   has_function_privilege('structforge_engine', oid, 'EXECUTE'),
                   has_function_privilege('public', oid, 'EXECUTE')
            FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            """
        ).fetchall()
    assert {row[0] for row in rows} >= {"auth_user_by_email", "ensure_partitions"}
    for name, definer, config, app, engine, public in rows:
        assert definer and "search_path=pg_catalog, public, pg_temp" in config, name
        assert (app, engine, public) == (name.startswith("auth_"), not name.startswith("auth_"), False), name


async def test_look_ups_answer_before_the_organization_is_known(
    database: Database, settings: Settings, ours: Tenant, theirs: Tenant
) -> None:
    with psycopg.connect(settings.database_app_role_url) as connection:
        found = connection.execute("SELECT id FROM auth_user_by_email('OURS@example.org')").fetchall()
        assert found == [(ours.user_id,)]
        memberships = connection.execute(
            "SELECT organization_id FROM auth_memberships(%s)", (theirs.user_id,)
        ).fetchall()
        assert memberships == [(theirs.id,)]
