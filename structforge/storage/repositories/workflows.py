"""Workflows and their drafts.

Invariant: see the package. A draft changes only from the revision the writer read.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.storage.repositories.paging import Cursor, Page, page_size
from structforge.storage.tables import WorkflowRow, utc_now


class Workflows:
    """Queries over workflows."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(
        self, organization_id: UUID, workflow_id: UUID, *, with_deleted: bool = False
    ) -> WorkflowRow | None:
        """Return a workflow with its draft, as it is in the database now."""
        statement = select(WorkflowRow).where(
            col(WorkflowRow.organization_id) == organization_id, col(WorkflowRow.id) == workflow_id
        )
        if not with_deleted:
            statement = statement.where(col(WorkflowRow.deleted_at).is_(None))
        statement = statement.execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def add(self, workflow: WorkflowRow) -> WorkflowRow:
        """Insert a workflow."""
        self._session.add(workflow)
        await self._session.flush()
        return workflow

    async def page(
        self,
        organization_id: UUID,
        *,
        folder: str | None = None,
        tag: str | None = None,
        search: str = "",
        deleted: bool = False,
        cursor: Cursor | None = None,
        limit: int = 50,
    ) -> Page[WorkflowRow]:
        """List workflows, the last changed first. `search` looks into name and description."""
        key = (col(WorkflowRow.updated_at), col(WorkflowRow.id))
        statement = select(WorkflowRow).where(col(WorkflowRow.organization_id) == organization_id)
        removed = col(WorkflowRow.deleted_at)
        statement = statement.where(removed.is_not(None) if deleted else removed.is_(None))
        if folder is not None:
            statement = statement.where(col(WorkflowRow.folder) == folder)
        if tag is not None:
            statement = statement.where(col(WorkflowRow.tags).contains([tag]))
        if search:
            statement = statement.where(
                or_(
                    col(WorkflowRow.name).icontains(search, autoescape=True),
                    col(WorkflowRow.description).icontains(search, autoescape=True),
                )
            )
        if cursor is not None:
            statement = statement.where(tuple_(*key) < (cursor.at, cursor.id))
        size = page_size(limit)
        statement = statement.order_by(*(column.desc() for column in key)).limit(size + 1)
        rows: Sequence[WorkflowRow] = (await self._session.execute(statement)).scalars().all()
        shown = rows[:size]
        more = len(rows) > size
        return Page(shown, Cursor(shown[-1].updated_at, shown[-1].id).encode() if more else None)

    async def count(self, organization_id: UUID) -> int:
        """Return how many workflows there are, deleted ones left out."""
        statement = select(func.count()).where(
            col(WorkflowRow.organization_id) == organization_id, col(WorkflowRow.deleted_at).is_(None)
        )
        return int((await self._session.execute(statement)).scalar_one())

    async def change_draft(
        self,
        organization_id: UUID,
        workflow_id: UUID,
        *,
        revision: int,
        draft: dict[str, Any],
        updated_by: UUID | None,
    ) -> int | None:
        """Replace the draft of that revision; return the new revision, or None when it has moved on."""
        changed = await self._session.execute(
            update(WorkflowRow)
            .where(
                col(WorkflowRow.organization_id) == organization_id,
                col(WorkflowRow.id) == workflow_id,
                col(WorkflowRow.draft_revision) == revision,
                col(WorkflowRow.deleted_at).is_(None),
            )
            .values(draft=draft, draft_revision=revision + 1, updated_by=updated_by, updated_at=utc_now())
            .returning(col(WorkflowRow.draft_revision))
            .execution_options(synchronize_session=False)
        )
        return changed.scalar_one_or_none()

    async def change(
        self, organization_id: UUID, workflow_id: UUID, *, updated_by: UUID | None, **values: Any
    ) -> bool:
        """Set columns beside the draft (`name`, `tags`, `deleted_at`, …); False when not found."""
        changed = await self._session.execute(
            update(WorkflowRow)
            .where(
                col(WorkflowRow.organization_id) == organization_id,
                col(WorkflowRow.id) == workflow_id,
            )
            .values(**values, updated_by=updated_by, updated_at=utc_now())
            .returning(col(WorkflowRow.id))
            .execution_options(synchronize_session=False)
        )
        return changed.first() is not None

    async def lock(self, organization_id: UUID, workflow_id: UUID) -> WorkflowRow | None:
        """Return a workflow and hold it until the transaction ends, so that versions get one number each."""
        statement = (
            select(WorkflowRow)
            .where(
                col(WorkflowRow.organization_id) == organization_id,
                col(WorkflowRow.id) == workflow_id,
                col(WorkflowRow.deleted_at).is_(None),
            )
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()
