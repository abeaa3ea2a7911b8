"""Which artifacts an organization has. The bytes are in `storage/artifacts.py`.

Invariant: see the package. A row is written after its bytes are durable.
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.storage.tables import ArtifactRow, utc_now


class Artifacts:
    """Queries over known artifacts."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, organization_id: UUID, digest: str) -> ArtifactRow | None:
        """Return an artifact's row by its hash."""
        statement = select(ArtifactRow).where(
            col(ArtifactRow.organization_id) == organization_id, col(ArtifactRow.hash) == digest
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def add(self, organization_id: UUID, digest: str, *, size_bytes: int, media_type: str) -> None:
        """Note an artifact, or that it is in use again."""
        now = utc_now()
        statement = postgresql.insert(ArtifactRow).values(
            organization_id=organization_id,
            hash=digest,
            size_bytes=size_bytes,
            media_type=media_type,
            created_at=now,
            last_used_at=now,
        )
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["organization_id", "hash"], set_={"last_used_at": now}
            )
        )
