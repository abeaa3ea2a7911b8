"""Connections as the engine reads them: by organization and name, the secret still sealed.

Invariant: a reader of one organization never gets another's row.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection


@dataclass(frozen=True, slots=True)
class StoredConnection:
    """A connection as it is stored."""

    id: UUID
    kind: str
    settings: dict[str, Any]
    secret: str | None


async def load_connection(
    database: AsyncConnection[Any], organization_id: UUID, name: str
) -> StoredConnection | None:
    """Return a connection of an organization by its name."""
    cursor = await database.execute(
        "SELECT id, kind, settings, secret FROM connections WHERE organization_id = %s AND name = %s",
        (organization_id, name),
    )
    row = await cursor.fetchone()
    return None if row is None else StoredConnection(*row)
