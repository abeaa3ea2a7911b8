"""Versions of workflows: published ones by number, copies of drafts by content.

Invariant: see the package. A version is inserted once and never changed; nodes and edges are derived from it.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.domain.connections import named_connections
from structforge.domain.ids import new_id
from structforge.domain.workflow import WorkflowDocument
from structforge.storage.repositories.limits import Limits
from structforge.storage.tables import WorkflowEdgeRow, WorkflowNodeRow, WorkflowVersionRow


class Versions:
    """Queries over workflow versions."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, organization_id: UUID, version_id: UUID) -> WorkflowVersionRow | None:
        """Return a version by id."""
        statement = select(WorkflowVersionRow).where(
            col(WorkflowVersionRow.organization_id) == organization_id,
            col(WorkflowVersionRow.id) == version_id,
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def numbered(
        self, organization_id: UUID, workflow_id: UUID, number: int
    ) -> WorkflowVersionRow | None:
        """Return a published version by its number."""
        statement = select(WorkflowVersionRow).where(
            col(WorkflowVersionRow.organization_id) == organization_id,
            col(WorkflowVersionRow.workflow_id) == workflow_id,
            col(WorkflowVersionRow.number) == number,
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def published(
        self, organization_id: UUID, workflow_id: UUID, *, before: int | None = None, limit: int = 50
    ) -> Sequence[WorkflowVersionRow]:
        """List published versions, the newest first, those with a number below `before`."""
        statement = select(WorkflowVersionRow).where(
            col(WorkflowVersionRow.organization_id) == organization_id,
            col(WorkflowVersionRow.workflow_id) == workflow_id,
            col(WorkflowVersionRow.number).is_not(None),
        )
        if before is not None:
            statement = statement.where(col(WorkflowVersionRow.number) < before)
        statement = statement.order_by(col(WorkflowVersionRow.number).desc()).limit(limit)
        return (await self._session.execute(statement)).scalars().all()

    async def publish(
        self,
        organization_id: UUID,
        workflow_id: UUID,
        document: WorkflowDocument,
        *,
        note: str = "",
        created_by: UUID | None = None,
    ) -> WorkflowVersionRow:
        """Insert the next version with its nodes, edges and limit of runs. The caller holds `Workflows.lock`."""
        last = await self._session.execute(
            select(func.max(col(WorkflowVersionRow.number))).where(
                col(WorkflowVersionRow.workflow_id) == workflow_id
            )
        )
        version = WorkflowVersionRow(
            organization_id=organization_id,
            workflow_id=workflow_id,
            number=(last.scalar_one() or 0) + 1,
            content_hash=document.content_hash(),
            document=document.as_json(),
            note=note,
            created_by=created_by,
        )
        self._session.add(version)
        await self._session.flush()
        await self._derive(version.id, organization_id, document)
        settings = document.settings
        await Limits(self._session).set(organization_id, workflow_id, settings.max_runs, settings.when_full)
        return version

    async def copy_of_draft(
        self,
        organization_id: UUID,
        workflow_id: UUID,
        document: WorkflowDocument,
        *,
        created_by: UUID | None = None,
    ) -> UUID:
        """Return the id of the immutable copy of this draft, made at its first run."""
        content_hash = document.content_hash()
        statement = (
            postgresql.insert(WorkflowVersionRow)
            .values(
                id=new_id(),
                organization_id=organization_id,
                workflow_id=workflow_id,
                content_hash=content_hash,
                document=document.as_json(),
                created_by=created_by,
            )
            .on_conflict_do_nothing(
                index_elements=["workflow_id", "content_hash"],
                index_where=col(WorkflowVersionRow.number).is_(None),
            )
            .returning(col(WorkflowVersionRow.id))
        )
        made = (await self._session.execute(statement)).scalar_one_or_none()
        if made is not None:
            return made
        known = select(col(WorkflowVersionRow.id)).where(
            col(WorkflowVersionRow.organization_id) == organization_id,
            col(WorkflowVersionRow.workflow_id) == workflow_id,
            col(WorkflowVersionRow.content_hash) == content_hash,
            col(WorkflowVersionRow.number).is_(None),
        )
        return (await self._session.execute(known)).scalar_one()

    async def workflows_using(self, organization_id: UUID, node_type: str) -> Sequence[UUID]:
        """List the workflows of which any published version has a node of this type."""
        statement = (
            select(col(WorkflowVersionRow.workflow_id))
            .join(WorkflowNodeRow, col(WorkflowNodeRow.version_id) == col(WorkflowVersionRow.id))
            .where(
                col(WorkflowNodeRow.organization_id) == organization_id,
                col(WorkflowNodeRow.type) == node_type,
            )
            .distinct()
        )
        return (await self._session.execute(statement)).scalars().all()

    async def _derive(self, version_id: UUID, organization_id: UUID, document: WorkflowDocument) -> None:
        owner: dict[str, Any] = {"version_id": version_id, "organization_id": organization_id}
        nodes = [
            owner
            | {
                "node_id": node.id,
                "type": node.type,
                "type_version": node.type_version,
                "title": node.title,
                "connections": named_connections(node.parameters),
            }
            for node in document.nodes
        ]
        edges = [owner | edge.model_dump(mode="json") for edge in dict.fromkeys(document.edges)]
        if nodes:
            await self._session.execute(insert(WorkflowNodeRow), nodes)
        if edges:
            await self._session.execute(insert(WorkflowEdgeRow), edges)
