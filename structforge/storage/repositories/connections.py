"""Connections of an organization and the published workflows that name them.

Invariant: see the package.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.storage.tables import ConnectionRow, WorkflowNodeRow, WorkflowRow, utc_now


class Connections:
    """Queries over connections."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self, organization_id: UUID) -> Sequence[ConnectionRow]:
        """List the connections by name."""
        statement = (
            select(ConnectionRow)
            .where(col(ConnectionRow.organization_id) == organization_id)
            .order_by(col(ConnectionRow.name))
        )
        return (await self._session.execute(statement)).scalars().all()

    async def get(
        self, organization_id: UUID, connection_id: UUID, *, lock: bool = False
    ) -> ConnectionRow | None:
        """Return one connection; with `lock` nobody else changes it until this transaction ends."""
        statement = (
            select(ConnectionRow)
            .where(
                col(ConnectionRow.organization_id) == organization_id, col(ConnectionRow.id) == connection_id
            )
            .execution_options(populate_existing=True)
        )
        if lock:
            statement = statement.with_for_update()
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def add(self, row: ConnectionRow) -> bool:
        """Insert a connection; False when its name is taken."""
        statement = (
            postgresql.insert(ConnectionRow)
            .values(**row.model_dump())
            .on_conflict_do_nothing()
            .returning(col(ConnectionRow.id))
        )
        return (await self._session.execute(statement)).scalar_one_or_none() is not None

    async def change(self, organization_id: UUID, connection_id: UUID, **values: object) -> None:
        """Change columns of a connection; what was found by trying it is forgotten."""
        await self._set(
            organization_id,
            connection_id,
            {**values, "updated_at": utc_now(), "tested_at": None, "test_problem": ""},
        )

    async def note_test(self, organization_id: UUID, connection_id: UUID, problem: str) -> None:
        """Keep how trying a connection ended."""
        await self._set(organization_id, connection_id, {"tested_at": utc_now(), "test_problem": problem})

    async def delete(self, organization_id: UUID, connection_id: UUID) -> None:
        """Remove a connection with its secret."""
        await self._session.execute(
            delete(ConnectionRow).where(
                col(ConnectionRow.organization_id) == organization_id, col(ConnectionRow.id) == connection_id
            )
        )

    async def workflows_using(self, organization_id: UUID, name: str) -> Sequence[str]:
        """List the names of the workflows whose published version names the connection."""
        statement = (
            select(col(WorkflowRow.name))
            .join(WorkflowNodeRow, col(WorkflowNodeRow.version_id) == col(WorkflowRow.published_version_id))
            .where(
                col(WorkflowRow.organization_id) == organization_id,
                col(WorkflowRow.deleted_at).is_(None),
                col(WorkflowNodeRow.connections).contains([name]),
            )
            .distinct()
            .order_by(col(WorkflowRow.name))
        )
        return (await self._session.execute(statement)).scalars().all()

    async def _set(self, organization_id: UUID, connection_id: UUID, values: dict[str, object]) -> None:
        await self._session.execute(
            update(ConnectionRow)
            .where(
                col(ConnectionRow.organization_id) == organization_id, col(ConnectionRow.id) == connection_id
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        )
