"""Workflows as people look for them: lists with what is published, folders and tags with their counts.

Invariant: read-only; every method checks the permission and reads within the principal's organization. Drafts
are read only to tell whether they differ from what is published, once for each revision.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, String, and_, cast, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.validation import parse_document
from structforge.interchange.own import Labels
from structforge.storage.database import Database
from structforge.storage.repositories.paging import Cursor, NameCursor, Page, page_size
from structforge.storage.tables import WorkflowRow, WorkflowVersionRow

MAX_PLACES = 200
"""Folders and tags named at most; the fullest first."""
MAX_WORDS = 8
MAX_KNOWN_HASHES = 10_000


@dataclass(frozen=True, slots=True)
class ListedWorkflow:
    """A workflow in a list."""

    id: UUID
    labels: Labels
    updated_at: datetime
    deleted_at: datetime | None
    published_version: int | None
    changed: bool
    """The draft means something else than the published version."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where workflows are filed, each with how many are there."""

    total: int
    deleted: int
    folders: Sequence[tuple[str, int]]
    tags: Sequence[tuple[str, int]]


class WorkflowLists:
    """Lists the workflows of an organization."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hashes: OrderedDict[tuple[UUID, int], str] = OrderedDict()

    async def page(
        self,
        principal: Principal,
        *,
        search: str = "",
        folder: str | None = None,
        tag: str | None = None,
        deleted: bool = False,
        cursor: Cursor | NameCursor | None = None,
        limit: int = 50,
        by_name: bool = False,
    ) -> Page[ListedWorkflow]:
        """List workflows, the last changed first or, with a `NameCursor` after the first page, by name.

        Every word of `search` occurs in the name, the description, the folder or a tag.
        """
        authorize(principal, Permission.WORKFLOW_READ)
        lowered = func.lower(col(WorkflowRow.name))
        removed = col(WorkflowRow.deleted_at)
        statement = (
            select(
                col(WorkflowRow.updated_at),
                col(WorkflowRow.id),
                lowered.label("lowered"),
                col(WorkflowRow.name),
                col(WorkflowRow.description),
                col(WorkflowRow.folder),
                col(WorkflowRow.tags),
                col(WorkflowRow.deleted_at),
                col(WorkflowRow.draft_revision),
                col(WorkflowVersionRow.number),
                col(WorkflowVersionRow.content_hash),
            )
            .outerjoin(
                WorkflowVersionRow,
                and_(
                    col(WorkflowVersionRow.id) == col(WorkflowRow.published_version_id),
                    col(WorkflowVersionRow.organization_id) == principal.organization_id,
                ),
            )
            .where(
                col(WorkflowRow.organization_id) == principal.organization_id,
                removed.is_not(None) if deleted else removed.is_(None),
                *(_mentions(word) for word in search.split()[:MAX_WORDS]),
            )
        )
        if folder is not None:
            # A folder holds what is in the folders below it.
            place = col(WorkflowRow.folder)
            statement = statement.where(
                or_(place == folder, place.startswith(f"{folder}/", autoescape=True))
                if folder
                else place == ""
            )
        if tag is not None:
            statement = statement.where(col(WorkflowRow.tags).contains([tag]))
        size = page_size(limit)
        identifier = col(WorkflowRow.id)
        if by_name:
            statement = statement.order_by(lowered, identifier).limit(size + 1)
        else:
            statement = statement.order_by(col(WorkflowRow.updated_at).desc(), identifier.desc()).limit(
                size + 1
            )
        if isinstance(cursor, NameCursor):
            statement = statement.where(tuple_(lowered, identifier) > (cursor.name, cursor.id))
        elif cursor is not None:
            statement = statement.where(
                tuple_(col(WorkflowRow.updated_at), identifier) < (cursor.at, cursor.id)
            )
        async with self._database.transaction(principal.organization_id) as session:
            rows = (await session.execute(statement)).all()
            shown = rows[:size]
            await self._learn_hashes(session, principal, shown)
        last = None
        if len(rows) > size:
            end = shown[-1]
            after = NameCursor(end.lowered, end.id) if by_name else Cursor(end.updated_at, end.id)
            last = after.encode()
        return Page([self._listed(row) for row in shown], last)

    async def places(self, principal: Principal) -> Places:
        """Return folders and tags by name, and how many workflows there are."""
        authorize(principal, Permission.WORKFLOW_READ)
        own = col(WorkflowRow.organization_id) == principal.organization_id
        present = and_(own, col(WorkflowRow.deleted_at).is_(None))
        deleted = and_(own, col(WorkflowRow.deleted_at).is_not(None))
        folder: Select[Any] = select(col(WorkflowRow.folder).label("name")).where(present)
        tag: Select[Any] = select(func.jsonb_array_elements_text(col(WorkflowRow.tags)).label("name")).where(
            present
        )
        async with self._database.transaction(principal.organization_id) as session:
            total = (await session.execute(select(func.count()).where(present))).scalar_one()
            gone = (await session.execute(select(func.count()).where(deleted))).scalar_one()
            folders = await _counted(session, folder)
            tags = await _counted(session, tag)
        return Places(total, gone, [(name, count) for name, count in folders if name], tags)

    async def _learn_hashes(self, session: AsyncSession, principal: Principal, rows: Sequence[Any]) -> None:
        """Compute what each published workflow's draft means, unless this revision is known."""
        asked = [
            row.id
            for row in rows
            if row.content_hash is not None and (row.id, row.draft_revision) not in self._hashes
        ]
        if not asked:
            return
        statement = select(
            col(WorkflowRow.id), col(WorkflowRow.draft_revision), col(WorkflowRow.draft)
        ).where(col(WorkflowRow.organization_id) == principal.organization_id, col(WorkflowRow.id).in_(asked))
        for row in await session.execute(statement):
            self._hashes[row.id, row.draft_revision] = parse_document(row.draft).content_hash()
        while len(self._hashes) > MAX_KNOWN_HASHES:
            self._hashes.popitem(last=False)

    def _listed(self, row: Any) -> ListedWorkflow:
        # Unknown: the draft moved on between two statements, so it has just been changed.
        draft = self._hashes.get((row.id, row.draft_revision), "")
        return ListedWorkflow(
            row.id,
            Labels(row.name, row.description, row.folder, tuple(row.tags)),
            row.updated_at,
            row.deleted_at,
            row.number,
            row.content_hash is not None and draft != row.content_hash,
        )


def _mentions(word: str) -> Any:
    return or_(
        *(
            column.icontains(word, autoescape=True)
            for column in (
                col(WorkflowRow.name),
                col(WorkflowRow.description),
                col(WorkflowRow.folder),
                cast(col(WorkflowRow.tags), String),
            )
        )
    )


async def _counted(session: AsyncSession, names: Any) -> list[tuple[str, int]]:
    """Count by name, the most frequent `MAX_PLACES`, in the order of the names."""
    name = names.subquery().c.name
    statement = (
        select(name, func.count()).group_by(name).order_by(func.count().desc(), name).limit(MAX_PLACES)
    )
    return sorted((row[0], row[1]) for row in await session.execute(statement))
