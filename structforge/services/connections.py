"""Connections: making, changing, trying and removing them.

Invariant: a secret goes in and never comes out; what is tried is what a node would use, under the same rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.connections import SECRET_MAX_CHARACTERS, check_name, check_settings
from structforge.domain.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    Problem,
    sentence,
)
from structforge.runtime.postgres.access import Databases
from structforge.runtime.postgres.opening import connection_context
from structforge.sdk import NodeError
from structforge.security.cipher import Cipher
from structforge.services.audit import audit
from structforge.storage.database import Database
from structforge.storage.repositories.connections import Connections
from structforge.storage.tables import ConnectionRow

MAX_CONNECTIONS = 500
DESCRIPTION_MAX_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connection as people see it."""

    id: UUID
    name: str
    kind: str
    description: str
    settings: dict[str, Any]
    has_secret: bool
    created_at: datetime
    updated_at: datetime
    tested_at: datetime | None
    test_problem: str


@dataclass(frozen=True, slots=True)
class Trial:
    """How trying a connection ended."""

    ok: bool
    server: str
    """What answered: `PostgreSQL 18.4`."""
    problem: Problem | None


class ConnectionService:
    """The connections of all organizations."""

    def __init__(self, database: Database, databases: Databases, cipher: Cipher) -> None:
        self._database = database
        self._databases = databases
        self._cipher = cipher

    async def list(self, principal: Principal) -> list[ConnectionView]:
        """List the organization's connections by name."""
        authorize(principal, Permission.CONNECTION_READ)
        async with self._database.transaction(principal.organization_id) as session:
            rows = await Connections(session).all(principal.organization_id)
        return [_view(row) for row in rows]

    async def get(self, principal: Principal, connection_id: UUID) -> ConnectionView:
        """Return a connection. Raises: NotFoundError."""
        authorize(principal, Permission.CONNECTION_READ)
        async with self._database.transaction(principal.organization_id) as session:
            return _view(await _found(Connections(session), principal, connection_id))

    async def create(
        self,
        principal: Principal,
        name: str,
        kind: str,
        settings: dict[str, Any],
        *,
        secret: str | None = None,
        description: str = "",
    ) -> ConnectionView:
        """Make a connection. Raises: InvalidError, ConflictError `connection.name_taken`."""
        authorize(principal, Permission.CONNECTION_MANAGE)
        check_name(name)
        _check_texts(secret, description)
        row = ConnectionRow(
            organization_id=principal.organization_id,
            name=name,
            kind=kind,
            description=description,
            settings=check_settings(kind, settings),
        )
        row.secret = self._sealed(principal, row.id, secret)
        async with self._database.transaction(principal.organization_id) as session:
            connections = Connections(session)
            if len(await connections.all(principal.organization_id)) >= MAX_CONNECTIONS:
                raise ConflictError(
                    Problem(
                        "connection.too_many",
                        sentence(
                            "An organization has at most {max_connections} connections.",
                            max_connections=MAX_CONNECTIONS,
                        ),
                        hint="Delete some that nobody uses.",
                    )
                )
            if not await connections.add(row):
                raise ConflictError(
                    Problem(
                        "connection.name_taken",
                        sentence("There is a connection `{name}` already.", name=name),
                        "name",
                        "Choose another name, or change that connection.",
                    )
                )
            await audit(session, principal, "connection.create", "connection", row.id, name=name, kind=kind)
        return _view(row)

    async def update(
        self,
        principal: Principal,
        connection_id: UUID,
        *,
        settings: dict[str, Any] | None = None,
        secret: str | None = None,
        description: str | None = None,
    ) -> ConnectionView:
        """Change what is given; an empty secret removes it. Raises: NotFoundError, InvalidError.

        A connection whose address or user changes needs its secret anew: else whoever may change it could send the
        stored one to a server of their own.
        """
        authorize(principal, Permission.CONNECTION_MANAGE)
        _check_texts(secret, description or "")
        async with self._database.transaction(principal.organization_id) as session:
            connections = Connections(session)
            # A secret that is stored meanwhile must not be taken along unseen.
            row = await _found(connections, principal, connection_id, lock=True)
            values: dict[str, Any] = {}
            if description is not None:
                values["description"] = description
            if settings is not None:
                values["settings"] = checked = check_settings(row.kind, settings)
                moved = any(
                    checked[name] != row.settings.get(name) for name in ("host", "port", "user", "tls")
                )
                if moved and row.secret is not None and secret is None:
                    raise InvalidError(
                        Problem(
                            "connection.secret_needed",
                            "The stored secret is not taken along to another address, user or TLS setting.",
                            "secret",
                            "Give the secret anew; an empty one removes it.",
                        )
                    )
            if secret is not None:
                values["secret"] = self._sealed(principal, row.id, secret)
            if values:
                await connections.change(principal.organization_id, row.id, **values)
                changed = sorted(values)
                await audit(session, principal, "connection.update", "connection", row.id, changed=changed)
            return _view(await _found(connections, principal, connection_id))

    async def used_by(self, principal: Principal, connection_id: UUID) -> Sequence[str]:
        """List the names of the published workflows that use a connection. Raises: NotFoundError."""
        authorize(principal, Permission.CONNECTION_MANAGE)
        async with self._database.transaction(principal.organization_id) as session:
            connections = Connections(session)
            row = await _found(connections, principal, connection_id)
            return await connections.workflows_using(principal.organization_id, row.name)

    async def delete(self, principal: Principal, connection_id: UUID, *, force: bool = False) -> None:
        """Remove a connection. Raises: NotFoundError, ConflictError `connection.in_use` unless forced."""
        authorize(principal, Permission.CONNECTION_MANAGE)
        async with self._database.transaction(principal.organization_id) as session:
            connections = Connections(session)
            row = await _found(connections, principal, connection_id)
            using = await connections.workflows_using(principal.organization_id, row.name)
            if using and not force:
                raise ConflictError(
                    Problem(
                        "connection.in_use",
                        sentence(
                            "Published workflows use `{name}`: {using}.",
                            name=row.name,
                            using=", ".join(using[:10]),
                        ),
                        hint="Change and publish them first, or delete it all the same with force=true.",
                        details={"workflows": list(using[:100])},
                    )
                )
            await connections.delete(principal.organization_id, row.id)
            await audit(session, principal, "connection.delete", "connection", row.id, name=row.name)

    async def test(self, principal: Principal, connection_id: UUID) -> Trial:
        """Try a connection as a node would use it, and keep how it went. Raises: NotFoundError."""
        authorize(principal, Permission.CONNECTION_MANAGE)
        organization = principal.organization_id
        async with self._database.transaction(organization) as session:
            row = await _found(Connections(session), principal, connection_id)
        problem = None
        server = ""
        try:
            opened = await self._databases.opened(organization, row.name)
            server = await self._databases.probe(organization, opened)
        except NodeError as error:
            problem = error.problem
        async with self._database.transaction(organization) as session:
            told = "" if problem is None else problem.message
            await Connections(session).note_test(organization, row.id, told)
        return Trial(problem is None, server, problem)

    def _sealed(self, principal: Principal, connection_id: UUID, secret: str | None) -> str | None:
        if not secret:
            return None
        return self._cipher.seal(secret, connection_context(principal.organization_id, connection_id))


async def _found(
    connections: Connections, principal: Principal, connection_id: UUID, *, lock: bool = False
) -> ConnectionRow:
    row = await connections.get(principal.organization_id, connection_id, lock=lock)
    if row is None:
        raise NotFoundError(
            Problem(
                "connection.not_found",
                sentence("There is no connection {connection_id}.", connection_id=connection_id),
                "connection_id",
            )
        )
    return row


def _check_texts(secret: str | None, description: str) -> None:
    problems = []
    if secret is not None and (len(secret) > SECRET_MAX_CHARACTERS or "\0" in secret):
        problems.append(
            Problem(
                "connection.secret",
                sentence(
                    "A secret has at most {secret_max_characters} characters.",
                    secret_max_characters=SECRET_MAX_CHARACTERS,
                ),
                "secret",
            )
        )
    if len(description) > DESCRIPTION_MAX_CHARACTERS or "\0" in description:
        problems.append(
            Problem(
                "connection.description",
                sentence(
                    "A description has at most {description_max_characters} characters.",
                    description_max_characters=DESCRIPTION_MAX_CHARACTERS,
                ),
                "description",
            )
        )
    if problems:
        raise InvalidError(*problems)


def _view(row: ConnectionRow) -> ConnectionView:
    return ConnectionView(
        row.id,
        row.name,
        row.kind,
        row.description,
        row.settings,
        row.secret is not None,
        row.created_at,
        row.updated_at,
        row.tested_at,
        row.test_problem,
    )
