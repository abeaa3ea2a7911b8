"""Writes audit entries for what a principal does, in the transaction that does it.

Invariant: an entry commits with its deed or not at all, and never holds a secret. For `services` only.
What the engine's role does is noted by that role (`audit_deed`). Only a new run that is made of an earlier one is
accepted in a batch of the journal, with which the trail shares no transaction: see `audited`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncSession

from structforge.domain.access import Principal
from structforge.storage.database import Database
from structforge.storage.repositories.audit import Audit
from structforge.storage.repositories.users import Users
from structforge.storage.trail import add_entry

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
    await Audit(session).add(
        principal.organization_id,
        action,
        actor_id=principal.user_id,
        actor=await actor_of(session, principal),
        object_type=object_type,
        object_id=str(object_id),
        details=details,
    )


async def actor_of(session: AsyncSession, principal: Principal) -> str:
    """Return how who acts is shown in the trail."""
    user = None if principal.user_id is None else await Users(session).get(principal.user_id)
    return str(principal.via) if user is None else user.email


async def audit_deed(
    connection: AsyncConnection[Any],
    principal: Principal,
    actor: str,
    action: str,
    object_type: str,
    object_id: object,
    **details: Any,
) -> None:
    """Note what the engine's role does on this connection, in its transaction; `actor` is from `actor_of`."""
    await add_entry(
        connection,
        principal.organization_id,
        action,
        actor_id=principal.user_id,
        actor=actor,
        object_type=object_type,
        object_id=str(object_id),
        details=details,
    )


@asynccontextmanager
async def audited(
    database: Database, principal: Principal, action: str, object_type: str, object_id: object, **details: Any
) -> AsyncIterator[AsyncSession]:
    """Note a deed of the journal: the entry is written before it and commits when the block did not raise.

    A deed is refused where no entry can be written; only a process that dies between the two commits leaves one
    without.
    """
    async with database.transaction(principal.organization_id) as session:
        await audit(session, principal, action, object_type, object_id, **details)
        yield session
