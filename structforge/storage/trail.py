"""Adding to the audit trail as the engine's role, in the transaction of the deed.

Invariant: that role adds and nothing else: it can neither read the trail nor change it. For `services/audit.py`.
"""

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from structforge.domain.ids import new_id

_ADD = """
INSERT INTO audit_entries (id, organization_id, actor_id, actor, action, object_type, object_id, details)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
"""


async def add_entry(
    connection: AsyncConnection[Any],
    organization_id: UUID,
    action: str,
    *,
    actor_id: UUID | None,
    actor: str,
    object_type: str,
    object_id: str,
    details: dict[str, Any],
) -> None:
    """Note that `actor` did `action` (`run.stop`) to an object. `details` holds no secret."""
    entry = (new_id(), organization_id, actor_id, actor, action, object_type, object_id, Jsonb(details))
    await connection.execute(_ADD, entry)
