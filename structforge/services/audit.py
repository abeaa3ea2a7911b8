"""Writes audit entries for what a principal does, in the transaction that does it.

Invariant: an entry commits with its deed or not at all, and never holds a secret. For `services` only.
What the engine's role does cannot share a transaction with the trail, which that role may not touch: see `audited`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from structforge.domain.access import Principal
from structforge.storage.database import Database
from structforge.storage.repositories.audit import Audit
from structforge.storage.repositories.users import Users

SYSTEM = "system"


async def audit(
    session: AsyncSession,
    principal: Principal,
    action: str,
    object_type: str,
    object_id: object,
    **details: Any,
) -> None:
    """Note that `principal` did `action` (`workflow.publish`); the actor is shown by the address of now."""
    user = None if principal.user_id is None else await Users(session).get(principal.user_id)
    await Audit(session).add(
        principal.organization_id,
        action,
        actor_id=principal.user_id,
        actor=str(principal.via) if user is None else user.email,
        object_type=object_type,
        object_id=str(object_id),
        details=details,
    )


@asynccontextmanager
async def audited(
    database: Database, principal: Principal, action: str, object_type: str, object_id: object, **details: Any
) -> AsyncIterator[AsyncSession]:
    """Note a deed of the engine's role: the entry is written before it and commits when the block did not raise.

    A deed is refused where no entry can be written; only a process that dies between the two commits leaves one
    without.
    """
    async with database.transaction(principal.organization_id) as session:
        await audit(session, principal, action, object_type, object_id, **details)
        yield session
