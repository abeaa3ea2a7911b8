"""The audit trail of an organization.

Invariant: see the package. Entries are added in the transaction of what they tell of, and never changed.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.storage.repositories.paging import Cursor, Page, page_size
from structforge.storage.tables import AuditEntryRow


class Audit:
    """Adding to and reading the trail."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self,
        organization_id: UUID,
        action: str,
        *,
        actor_id: UUID | None,
        actor: str,
        object_type: str = "",
        object_id: str | UUID = "",
        details: dict[str, Any] | None = None,
        address: str = "",
    ) -> None:
        """Note that `actor` did `action` (`workflow.publish`) to an object. `details` holds no secret."""
        self._session.add(
            AuditEntryRow(
                organization_id=organization_id,
                actor_id=actor_id,
                actor=actor,
                action=action,
                object_type=object_type,
                object_id=str(object_id),
                details=details or {},
                address=address,
            )
        )
        await self._session.flush()

    async def page(
        self,
        organization_id: UUID,
        *,
        action: str | None = None,
        actor_id: UUID | None = None,
        object_id: str | None = None,
        cursor: Cursor | None = None,
        limit: int = 50,
    ) -> Page[AuditEntryRow]:
        """List entries, the newest first."""
        key = (col(AuditEntryRow.at), col(AuditEntryRow.id))
        statement = select(AuditEntryRow).where(col(AuditEntryRow.organization_id) == organization_id)
        if action is not None:
            statement = statement.where(col(AuditEntryRow.action) == action)
        if actor_id is not None:
            statement = statement.where(col(AuditEntryRow.actor_id) == actor_id)
        if object_id is not None:
            statement = statement.where(col(AuditEntryRow.object_id) == object_id)
        if cursor is not None:
            statement = statement.where(tuple_(*key) < (cursor.at, cursor.id))
        size = page_size(limit)
        statement = statement.order_by(*(column.desc() for column in key)).limit(size + 1)
        rows = (await self._session.execute(statement)).scalars().all()
        shown = rows[:size]
        more = len(rows) > size
        return Page(shown, Cursor(shown[-1].at, shown[-1].id).encode() if more else None)
