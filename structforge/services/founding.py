"""What an installation and an organization begin with: the roles as the database knows them, the first audit entry.

Invariant: `domain/access.py` says what a role may; the tables follow it. For `identity`.
"""

import re
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from structforge.domain.access import ROLE_PERMISSIONS, Permission, meaning
from structforge.storage.repositories.audit import Audit

_UPSERT_PERMISSION = text(
    "INSERT INTO permissions (name, description) VALUES (:name, :description) "
    "ON CONFLICT (name) DO UPDATE SET description = excluded.description"
)
_UPSERT_ROLE = text(
    "INSERT INTO roles (name, title) VALUES (:name, :title) "
    "ON CONFLICT (name) DO UPDATE SET title = excluded.title"
)
_REVOKE = text("DELETE FROM role_permissions WHERE role = :role AND permission <> ALL (:given)")
_GRANT = text(
    "INSERT INTO role_permissions (role, permission) VALUES (:role, :permission) ON CONFLICT DO NOTHING"
)


async def note_founded(
    session: AsyncSession, organization_id: UUID, actor_id: UUID | None, actor: str, owner: str
) -> None:
    """Note who made an organization, as its first entry."""
    await Audit(session).add(
        organization_id,
        "organization.create",
        actor_id=actor_id,
        actor=actor,
        object_type="organization",
        object_id=organization_id,
        details={"owner": owner},
    )


def slug_of(name: str) -> str:
    """Return a name as an address may hold it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


async def write_roles(session: AsyncSession) -> None:
    """Bring the database's copy of the roles to what `domain/access.py` says; reports join with it."""
    for permission in Permission:
        await session.execute(
            _UPSERT_PERMISSION, {"name": permission.value, "description": meaning(permission)}
        )
    for role, given in ROLE_PERMISSIONS.items():
        await session.execute(_UPSERT_ROLE, {"name": role.value, "title": role.value.title()})
        await session.execute(_REVOKE, {"role": role.value, "given": [item.value for item in given]})
        for permission in sorted(given):
            await session.execute(_GRANT, {"role": role.value, "permission": permission.value})
