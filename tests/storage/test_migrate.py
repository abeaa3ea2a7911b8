"""Migrations: up, down, up; the same tables as in the code; several processes at once; roles."""

import asyncio
from uuid import uuid4

import psycopg
import pytest

from structforge.config import DatabaseRole
from structforge.domain.errors import ConflictError, UnavailableError
from structforge.storage import migrate
from structforge.storage.roles import Role, Roles
from tests.support.servers import Servers

LEFT_OVERS = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""


def left_overs(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(LEFT_OVERS).fetchall()]


async def test_up_down_up_leaves_nothing_and_comes_back(empty_database: str) -> None:
    revisions = await migrate.pending(empty_database)
    assert revisions and await migrate.current(empty_database) is None

    await migrate.upgrade(empty_database)
    assert await migrate.current(empty_database) == revisions[-1]
    assert await migrate.pending(empty_database) == []

    await migrate.downgrade(empty_database, "base")
    assert left_overs(empty_database) == []
    assert await migrate.pending(empty_database) == revisions

    await migrate.upgrade(empty_database)
    assert await migrate.current(empty_database) == revisions[-1]


async def test_migrations_make_the_tables_of_the_code(empty_database: str) -> None:
    await migrate.upgrade(empty_database)
    assert await migrate.differences(empty_database) == []


async def test_a_column_that_no_migration_made_is_seen(empty_database: str) -> None:
    await migrate.upgrade(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute("ALTER TABLE execution_steps ADD COLUMN surplus text")
        connection.execute("DROP INDEX ix_workflow_executions_newest")
    kinds = [difference[0] for difference in await migrate.differences(empty_database)]
    assert sorted(kinds) == ["add_index", "remove_column"]


async def test_processes_that_start_together_migrate_once(empty_database: str) -> None:
    await asyncio.gather(*(migrate.upgrade(empty_database) for _ in range(5)))
    assert await migrate.pending(empty_database) == []
    assert await migrate.differences(empty_database) == []


async def test_several_databases_of_one_server_make_the_roles_together(servers: Servers) -> None:
    names = [servers.create_database() for _ in range(4)]
    tag = uuid4().hex[:8]
    roles = Roles(Role(f"app_{tag}", "one"), Role(f"engine_{tag}", "two"))
    try:
        await asyncio.gather(*(migrate.upgrade(servers.postgres.url(database=name), roles) for name in names))
        for name in names:
            url = servers.postgres.url(database=name).replace(DatabaseRole.OWNER.value, roles.app.name)
            with psycopg.connect(url) as connection:
                assert connection.execute("SELECT count(*) FROM workflows").fetchone() == (0,)
    finally:
        for name in names:
            servers.drop_database(name)
        with psycopg.connect(servers.postgres.url(database="postgres"), autocommit=True) as connection:
            for role in roles:
                connection.execute(f"DROP ROLE {role.name}".encode())


async def test_an_owner_who_may_not_create_roles_is_told_what_to_run(
    servers: Servers, empty_database: str
) -> None:
    weak, missing = f"weak_{uuid4().hex[:8]}", f"missing_{uuid4().hex[:8]}"
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {weak} LOGIN".encode())
    try:
        url = empty_database.replace(DatabaseRole.OWNER.value, weak)
        with pytest.raises(UnavailableError) as refused:
            await migrate.upgrade(url, Roles(app=Role(missing)))
        problem = refused.value.problem
        assert problem.code == "database.roles_missing"
        assert f'CREATE ROLE "{missing}" LOGIN' in problem.hint
    finally:
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute(f"DROP ROLE {weak}".encode())


async def test_an_owner_who_is_no_superuser_can_do_everything(servers: Servers) -> None:
    tag = uuid4().hex[:8]
    owner, roles = f"owner_{tag}", Roles(Role(f"app_{tag}"), Role(f"engine_{tag}"))
    name = servers.create_database()
    admin_url = servers.postgres.url(database=name)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {owner} LOGIN CREATEROLE".encode())
        connection.execute(f"ALTER DATABASE {name} OWNER TO {owner}".encode())
    url = admin_url.replace(DatabaseRole.OWNER.value, owner)
    try:
        await migrate.upgrade(url, roles)
        with psycopg.connect(url.replace(owner, roles.engine.name)) as connection:
            made = connection.execute("SELECT ensure_partitions('2031-01-01', '2031-01-02')").fetchone()
            assert made == (6,)
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO users (id, email) VALUES (gen_random_uuid(), 'a@example.org')")
        with psycopg.connect(url.replace(owner, roles.app.name)) as connection:
            found = connection.execute("SELECT email FROM auth_user_by_email('A@example.org')").fetchall()
            assert found == [("a@example.org",)]
        await migrate.downgrade(url, "base", roles)
    finally:
        servers.drop_database(name)
        with psycopg.connect(servers.postgres.url(database="postgres"), autocommit=True) as connection:
            for role in (*(role.name for role in roles), owner):
                connection.execute(f"DROP ROLE {role}".encode())


async def test_a_role_that_passes_by_row_level_security_is_refused(empty_database: str) -> None:
    with pytest.raises(UnavailableError) as refused:
        await migrate.upgrade(empty_database, Roles(app=Role(DatabaseRole.OWNER.value)))
    assert refused.value.problem.code == "database.role_too_strong"
    assert left_overs(empty_database) == []


async def test_a_server_that_is_not_there_is_named(tmp_path: object) -> None:
    for ask in (migrate.upgrade, migrate.pending, migrate.current):
        with pytest.raises(UnavailableError) as refused:
            await ask(f"postgresql://nobody@/none?host={tmp_path}")
        assert refused.value.problem.code == "database.unreachable"


async def test_a_database_of_a_later_release_is_left_alone(empty_database: str) -> None:
    await migrate.upgrade(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '29991231_later'")
    for ask in (migrate.upgrade, migrate.pending):
        with pytest.raises(ConflictError) as refused:
            await ask(empty_database)
        assert refused.value.problem.code == "database.newer"
        assert "29991231_later" in refused.value.problem.message


def test_roles_come_from_the_urls_processes_sign_in_with() -> None:
    roles = Roles.of_urls("postgresql://a:p%40ss@host/db", "postgresql://b@/db?host=/socket")
    assert roles == Roles(Role("a", "p@ss"), Role("b"))
