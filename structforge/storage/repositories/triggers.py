"""Addresses and secrets of triggers.

Invariant: see the package. One row per workflow and node; its path is kept as long as the node asks for no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.domain.ids import new_id
from structforge.storage.tables import OrganizationRow, TriggerRow

_BY_PATH = text(
    "SELECT id, organization_id, workflow_id, node_id, enabled, secret FROM auth_hook_by_path(:path)"
)


@dataclass(frozen=True, slots=True)
class FoundHook:
    """What a path leads to, whichever organization has it."""

    id: UUID
    organization_id: UUID
    workflow_id: UUID
    node_id: str
    enabled: bool
    secret: str | None


class Triggers:
    """Queries over triggers."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def by_path(self, path: str) -> FoundHook | None:
        """Return the trigger at a path; works in no organization."""
        row = (await self._session.execute(_BY_PATH, {"path": path})).one_or_none()
        return None if row is None else FoundHook(*row)

    async def of_workflow(self, organization_id: UUID, workflow_id: UUID) -> Sequence[TriggerRow]:
        """List a workflow's triggers by node."""
        statement = (
            select(TriggerRow)
            .where(
                col(TriggerRow.organization_id) == organization_id,
                col(TriggerRow.workflow_id) == workflow_id,
            )
            .order_by(col(TriggerRow.node_id))
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def add(self, organization_id: UUID, workflow_id: UUID, node_id: str, kind: str, path: str) -> bool:
        """Insert a trigger that is not enabled yet; False when the path is taken, or the node has one already."""
        statement = (
            postgresql.insert(TriggerRow)
            .values(
                id=new_id(),
                organization_id=organization_id,
                workflow_id=workflow_id,
                node_id=node_id,
                kind=kind,
                path=path,
            )
            .on_conflict_do_nothing()
            .returning(col(TriggerRow.id))
        )
        return (await self._session.execute(statement)).scalar_one_or_none() is not None

    async def change(self, organization_id: UUID, trigger_id: UUID, **values: object) -> None:
        """Change columns of a trigger."""
        statement = (
            update(TriggerRow)
            .where(col(TriggerRow.organization_id) == organization_id, col(TriggerRow.id) == trigger_id)
            .values(**values)
        )
        await self._session.execute(statement)

    async def slug(self, organization_id: UUID) -> str:
        """Return the name of the organization in addresses."""
        statement = select(col(OrganizationRow.slug)).where(col(OrganizationRow.id) == organization_id)
        return (await self._session.execute(statement)).scalar_one()
