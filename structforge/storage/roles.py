"""The three database roles, and the SQL that says what each may do with a table.

Invariant: row-level security is forced on every table of a tenant; what no policy names is not visible.
Migrations and `migrate.py` import it; a change here changes no database until a migration calls it.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict

from structforge.domain.errors import Problem, UnavailableError, sentence

ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Role:
    """A login role and the password migrations give it; none leaves its password as it is."""

    name: str
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles beside the owner, who is whoever runs the migrations."""

    app: Role = Role("structforge_app")
    engine: Role = Role("structforge_engine")

    @classmethod
    def of_urls(cls, app_url: str, engine_url: str) -> "Roles":
        """Return the roles that these libpq URLs sign in as, with the passwords in them."""
        given = [conninfo_to_dict(url) for url in (app_url, engine_url)]
        app, engine = (
            Role(str(one.get("user") or default.name), str(one["password"]) if one.get("password") else None)
            for one, default in zip(given, cls(), strict=True)
        )
        return cls(app, engine)

    def __iter__(self) -> Iterator[Role]:
        yield self.app
        yield self.engine


def ensure_roles(connection: psycopg.Connection[Any], roles: Roles) -> None:
    """Create the roles that are missing and set the passwords that are given. `connection` is in autocommit.

    Roles belong to the whole server, where no advisory lock reaches: several processes and databases may do
    this at once, so losing a race is answered by looking again.

    Raises:
        UnavailableError: `database.roles_missing` with the SQL an administrator has to run;
            `database.role_too_strong` when row-level security would not hold for a role.
    """
    for role in roles:
        for attempt in range(ATTEMPTS):
            try:
                _ensure_role(connection, role)
                break
            except (errors.DuplicateObject, errors.UniqueViolation, errors.InternalError_):
                # Another process created or altered the same role just now ("tuple concurrently updated").
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(0.02 * (attempt + 1))


def _ensure_role(connection: psycopg.Connection[Any], role: Role) -> None:
    name = sql.Identifier(role.name)
    known = connection.execute(
        "SELECT rolsuper OR rolbypassrls OR rolname = current_user FROM pg_roles WHERE rolname = %s",
        (role.name,),
    ).fetchone()
    if known is None:
        try:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS").format(name)
            )
        except errors.InsufficientPrivilege as error:
            raise UnavailableError(_missing(role)) from error
    elif known[0]:
        raise UnavailableError(_too_strong(role))
    if role.password is not None:
        # Where the owner may not set it, an administrator did; a wrong one shows when the role signs in.
        with suppress(errors.InsufficientPrivilege):
            connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(role.password)))


def _missing(role: Role) -> Problem:
    statement = f"CREATE ROLE {quoted(role)} LOGIN NOBYPASSRLS PASSWORD '...';"
    return Problem(
        "database.roles_missing",
        sentence(
            "The role {name} does not exist, and the database's owner may not create it.",
            name=repr(role.name),
        ),
        where="DATABASE_URL",
        hint=sentence(
            "Give the owner CREATEROLE, or let an administrator run: {statement}", statement=statement
        ),
        details={"sql": statement},
    )


def _too_strong(role: Role) -> Problem:
    return Problem(
        "database.role_too_strong",
        sentence(
            "The role {name} passes by row-level security, so organizations would not be kept apart.",
            name=repr(role.name),
        ),
        where="DATABASE_APP_URL, DATABASE_ENGINE_URL",
        hint="Name a role that is no superuser, has no BYPASSRLS and does not own the tables.",
    )


CURRENT_ORGANIZATION = "nullif((SELECT current_setting('app.organization_id', true)), '')::uuid"
"""The transaction's organization; where none was set NULL, which equals nothing. Read once a statement."""


def protect(
    table: str, roles: Roles, *, column: str = "organization_id", app: str, engine: str = ""
) -> list[str]:
    """Return the SQL that forces row-level security on a tenant's table.

    `app` and `engine` list privileges (`SELECT, INSERT`); the app role has them on rows of its organization,
    the engine role on all rows. The owner keeps seeing all rows: it drops partitions and serves the look-ups.
    """
    own = f"{column} = {CURRENT_ORGANIZATION}"
    statements = [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY owner_all ON {table} TO CURRENT_USER USING (true) WITH CHECK (true)",
        f"CREATE POLICY own_organization ON {table} TO {quoted(roles.app)} USING ({own}) WITH CHECK ({own})",
        f"GRANT {app} ON {table} TO {quoted(roles.app)}",
    ]
    if engine:
        name = quoted(roles.engine)
        statements += [
            f"CREATE POLICY engine_all ON {table} TO {name} USING (true) WITH CHECK (true)",
            f"GRANT {engine} ON {table} TO {name}",
        ]
    return statements


def callable_by(function: str, *callers: Role) -> list[str]:
    """Return the SQL that lets only `callers` call a function, given with its argument types."""
    names = ", ".join(quoted(caller) for caller in callers)
    return [
        f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {function} TO {names}",
    ]


def quoted(role: Role) -> str:
    """Return the role's name as an SQL identifier."""
    return '"' + role.name.replace('"', '""') + '"'
