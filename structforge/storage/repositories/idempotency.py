"""Idempotency keys of callers, for answering a repeated call. The journal writes them with the run.

Invariant: see the package. A key that has expired is as good as none.
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.storage.tables import IdempotencyKeyRow, utc_now


class IdempotencyKeys:
    """Queries over idempotency keys."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, organization_id: UUID, route: str, key: str) -> IdempotencyKeyRow | None:
        """Return a key that is still valid, with the run it started and the hash of its body."""
        statement = (
            select(IdempotencyKeyRow)
            .where(
                col(IdempotencyKeyRow.organization_id) == organization_id,
                col(IdempotencyKeyRow.route) == route,
                col(IdempotencyKeyRow.key) == key,
                col(IdempotencyKeyRow.expires_at) > utc_now(),
            )
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()
