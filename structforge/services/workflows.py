"""Workflows: drafts, versions, comparing, restoring, importing.

Invariant: a draft changes only from the revision its writer read; a published version never changes and has
no error. Changes of what a start would run are announced on `targets.CHANNEL` in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.diff import Difference, difference
from structforge.domain.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    Problem,
    sentence,
)
from structforge.domain.validation import NodeShape, errors_of, parse_document, validate
from structforge.domain.workflow import NodeSpec, WorkflowDocument
from structforge.interchange.own import Labels, WorkflowFile, check_labels
from structforge.services.absent import workflow_not_found
from structforge.services.audit import audit
from structforge.services.connection_use import authorize_use, missing_connections
from structforge.services.file_previews import FilePreviews
from structforge.services.targets import CHANNEL
from structforge.services.triggers import derive_triggers
from structforge.storage.database import Database
from structforge.storage.repositories.paging import Cursor, Page
from structforge.storage.repositories.versions import Versions
from structforge.storage.repositories.workflows import Workflows
from structforge.storage.tables import WorkflowRow, WorkflowVersionRow, utc_now

MAX_NOTE_CHARACTERS = 2_000
MAX_VERSIONS_PAGE = 200

_ANNOUNCE = text("SELECT pg_notify(:channel, :workflow)")


@dataclass(frozen=True, slots=True)
class WorkflowSummary:
    """A workflow in a list."""

    id: UUID
    labels: Labels
    draft_revision: int
    published_version_id: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkflowDetail:
    """A workflow with its draft and what is wrong with that."""

    summary: WorkflowSummary
    draft: WorkflowDocument
    published_version: int | None
    problems: tuple[Problem, ...] = ()
    """Errors and warnings; a draft with errors is kept, but cannot be published."""


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """A published version in a list."""

    id: UUID
    number: int
    content_hash: str
    note: str
    created_at: datetime
    created_by: UUID | None


@dataclass(frozen=True, slots=True)
class VersionDetail:
    """A published version."""

    summary: VersionSummary
    document: WorkflowDocument


class WorkflowService:
    """Workflows of all organizations; every method works in the principal's."""

    def __init__(
        self, database: Database, shapes: Mapping[str, NodeShape], previews: FilePreviews | None = None
    ) -> None:
        """With `previews`, what is recognised of files is pinned into the versions that are published."""
        self._database = database
        self._shapes = shapes
        self._previews = previews

    async def validate(self, principal: Principal, document: WorkflowDocument) -> list[Problem]:
        """Return everything that is wrong with a document in the organization, warnings included."""
        authorize(principal, Permission.WORKFLOW_READ)
        async with self._database.transaction(principal.organization_id) as session:
            return await self._problems(session, principal, document)

    async def create(
        self, principal: Principal, labels: Labels, document: WorkflowDocument | None = None
    ) -> WorkflowDetail:
        """Make a workflow with this draft, or an empty one."""
        authorize(principal, Permission.WORKFLOW_CREATE)
        return await self._create(principal, labels, document or WorkflowDocument(), "workflow.create")

    async def import_file(self, principal: Principal, file: WorkflowFile) -> WorkflowDetail:
        """Make a workflow out of a file."""
        authorize(principal, Permission.WORKFLOW_CREATE)
        return await self._create(principal, file.labels, file.document, "workflow.import")

    async def export_file(
        self, principal: Principal, workflow_id: UUID, *, version: int | None = None
    ) -> WorkflowFile:
        """Return a workflow's draft, or a version of it, as a file. Raises: NotFoundError."""
        authorize(principal, Permission.WORKFLOW_READ)
        async with self._database.transaction(principal.organization_id) as session:
            row = await _workflow(session, principal, workflow_id)
            document = parse_document(row.draft)
            if version is not None:
                document = parse_document((await _version(session, principal, workflow_id, version)).document)
        return WorkflowFile(_labels(row), document)

    async def duplicate(
        self, principal: Principal, workflow_id: UUID, *, name: str | None = None
    ) -> WorkflowDetail:
        """Make a copy of a workflow's draft, without its versions. Raises: NotFoundError."""
        authorize(principal, Permission.WORKFLOW_CREATE)
        file = await self.export_file(principal, workflow_id)
        labels = replace(file.labels, name=name or f"{file.labels.name[:190]} (copy)")
        return await self._create(principal, labels, file.document, "workflow.duplicate", source=workflow_id)

    async def page(
        self,
        principal: Principal,
        *,
        search: str = "",
        folder: str | None = None,
        tag: str | None = None,
        deleted: bool = False,
        cursor: Cursor | None = None,
        limit: int = 50,
    ) -> Page[WorkflowSummary]:
        """List workflows, the last changed first."""
        authorize(principal, Permission.WORKFLOW_READ)
        async with self._database.transaction(principal.organization_id) as session:
            found = await Workflows(session).page(
                principal.organization_id,
                search=search,
                folder=folder,
                tag=tag,
                deleted=deleted,
                cursor=cursor,
                limit=limit,
            )
        return Page([_summary(row) for row in found.items], found.next_cursor)

    async def get(self, principal: Principal, workflow_id: UUID) -> WorkflowDetail:
        """Return a workflow. Raises: NotFoundError."""
        authorize(principal, Permission.WORKFLOW_READ)
        async with self._database.transaction(principal.organization_id) as session:
            return await self._detail(session, principal, await _workflow(session, principal, workflow_id))

    async def update_draft(
        self, principal: Principal, workflow_id: UUID, document: WorkflowDocument, *, revision: int
    ) -> WorkflowDetail:
        """Replace the draft that has `revision`; one with errors is kept, and they are in the answer.

        Raises: NotFoundError; ConflictError `workflow.stale_revision` with both revisions and the draft.
        """
        authorize(principal, Permission.WORKFLOW_EDIT)
        async with self._database.transaction(principal.organization_id) as session:
            await self._change_draft(session, principal, workflow_id, document, revision)
            await audit(session, principal, "workflow.edit", "workflow", workflow_id, revision=revision + 1)
            return await self._detail(session, principal, await _workflow(session, principal, workflow_id))

    async def update_labels(
        self, principal: Principal, workflow_id: UUID, changes: Mapping[str, Any]
    ) -> WorkflowDetail:
        """Change name, description, folder or tags; what `changes` does not name stays.

        Raises: NotFoundError; InvalidError with every problem.
        """
        authorize(principal, Permission.WORKFLOW_EDIT)
        async with self._database.transaction(principal.organization_id) as session:
            row = await _workflow(session, principal, workflow_id)
            known = {"name": row.name, "description": row.description, "folder": row.folder, "tags": row.tags}
            labels, problems = check_labels({**known, **changes})
            if problems:
                raise InvalidError(*problems)
            await Workflows(session).change(
                principal.organization_id, workflow_id, updated_by=principal.user_id, **_columns(labels)
            )
            await audit(
                session, principal, "workflow.label", "workflow", workflow_id, changed=sorted(changes)
            )
            return await self._detail(session, principal, await _workflow(session, principal, workflow_id))

    async def publish(
        self, principal: Principal, workflow_id: UUID, *, revision: int | None = None, note: str = ""
    ) -> VersionDetail:
        """Freeze the draft as the next version; from now on starts run it.

        `revision` makes sure that what is published is what the caller saw. Publishing the same meaning again
        gives the version that is published already.
        Raises: NotFoundError; InvalidError with every error; ConflictError `workflow.stale_revision`.
        """
        authorize(principal, Permission.WORKFLOW_PUBLISH)
        if len(note) > MAX_NOTE_CHARACTERS:
            raise InvalidError(
                Problem(
                    "version.note",
                    sentence(
                        "A note has at most {max_note_characters} characters.",
                        max_note_characters=MAX_NOTE_CHARACTERS,
                    ),
                    "note",
                )
            )
        pins = await self._pins(principal, workflow_id)
        async with self._database.transaction(principal.organization_id) as session:
            row = await Workflows(session).lock(principal.organization_id, workflow_id)
            if row is None:
                raise workflow_not_found(workflow_id)
            if revision is not None and revision != row.draft_revision:
                raise _stale(row, revision)
            document = _with_pins(parse_document(row.draft), pins)
            authorize_use(principal, document)
            await self._require_publishable(session, principal, document)
            versions = Versions(session)
            if row.published_version_id is not None:
                known = await versions.get(principal.organization_id, row.published_version_id)
                # The same workflow may have files that look otherwise by now.
                if (
                    known is not None
                    and known.content_hash == document.content_hash()
                    and parse_document(known.document).nodes == document.nodes
                ):
                    return _version_detail(known)
            version = await versions.publish(
                principal.organization_id, workflow_id, document, note=note, created_by=principal.user_id
            )
            await Workflows(session).change(
                principal.organization_id,
                workflow_id,
                updated_by=principal.user_id,
                published_version_id=version.id,
            )
            await derive_triggers(session, principal.organization_id, workflow_id, document)
            await audit(
                session, principal, "workflow.publish", "workflow", workflow_id, version=version.number
            )
            await _announce(session, workflow_id)
            return _version_detail(version)

    async def _pins(self, principal: Principal, workflow_id: UUID) -> dict[str, tuple[NodeSpec, NodeSpec]]:
        """Return the nodes of the draft that files are pinned in, as they are and pinned: before any lock is held."""
        if self._previews is None:
            return {}
        async with self._database.transaction(principal.organization_id) as session:
            draft = parse_document((await _workflow(session, principal, workflow_id)).draft)
        pinned = await self._previews.pinned(principal, draft)
        both = zip(draft.nodes, pinned.nodes, strict=True)
        return {spec.id: (spec, changed) for spec, changed in both if spec is not changed}

    async def versions(
        self, principal: Principal, workflow_id: UUID, *, before: int | None = None, limit: int = 50
    ) -> Sequence[VersionSummary]:
        """List published versions, the newest first. Raises: NotFoundError."""
        authorize(principal, Permission.WORKFLOW_READ)
        async with self._database.transaction(principal.organization_id) as session:
            await _workflow(session, principal, workflow_id)
            rows = await Versions(session).published(
                principal.organization_id,
                workflow_id,
                before=before,
                limit=min(max(limit, 1), MAX_VERSIONS_PAGE),
            )
        return [_version_summary(row) for row in rows]

    async def version(self, principal: Principal, workflow_id: UUID, number: int) -> VersionDetail:
        """Return a published version. Raises: NotFoundError."""
        authorize(principal, Permission.WORKFLOW_READ)
        async with self._database.transaction(principal.organization_id) as session:
            await _workflow(session, principal, workflow_id)
            return _version_detail(await _version(session, principal, workflow_id, number))

    async def restore(
        self, principal: Principal, workflow_id: UUID, number: int, *, revision: int
    ) -> WorkflowDetail:
        """Put a version's document into the draft that has `revision`.

        Raises: NotFoundError; ConflictError `workflow.stale_revision`.
        """
        authorize(principal, Permission.WORKFLOW_EDIT)
        async with self._database.transaction(principal.organization_id) as session:
            await _workflow(session, principal, workflow_id)
            version = await _version(session, principal, workflow_id, number)
            document = parse_document(version.document).without_pins()
            await self._change_draft(session, principal, workflow_id, document, revision)
            await audit(session, principal, "workflow.restore", "workflow", workflow_id, version=number)
            return await self._detail(session, principal, await _workflow(session, principal, workflow_id))

    async def compare(
        self, principal: Principal, workflow_id: UUID, old: int | None, new: int | None
    ) -> Difference:
        """Return what differs in meaning between two versions; None is the draft. Raises: NotFoundError."""
        authorize(principal, Permission.WORKFLOW_READ)
        async with self._database.transaction(principal.organization_id) as session:
            row = await _workflow(session, principal, workflow_id)
            documents = []
            for number in (old, new):
                if number is None:
                    documents.append(parse_document(row.draft))
                else:
                    version = await _version(session, principal, workflow_id, number)
                    documents.append(parse_document(version.document))
        return difference(documents[0], documents[1])

    async def delete(self, principal: Principal, workflow_id: UUID) -> None:
        """Put a workflow aside: it cannot be started, its runs and versions stay, `undelete` brings it back.

        Raises: NotFoundError.
        """
        authorize(principal, Permission.WORKFLOW_DELETE)
        async with self._database.transaction(principal.organization_id) as session:
            await _workflow(session, principal, workflow_id)
            await self._set_deleted(session, principal, workflow_id, utc_now(), "workflow.delete")

    async def undelete(self, principal: Principal, workflow_id: UUID) -> WorkflowDetail:
        """Bring a deleted workflow back. Raises: NotFoundError; ConflictError when it is not deleted."""
        authorize(principal, Permission.WORKFLOW_DELETE)
        async with self._database.transaction(principal.organization_id) as session:
            row = await Workflows(session).get(principal.organization_id, workflow_id, with_deleted=True)
            if row is None:
                raise workflow_not_found(workflow_id)
            if row.deleted_at is None:
                raise ConflictError(Problem("workflow.not_deleted", "This workflow is not deleted."))
            await self._set_deleted(session, principal, workflow_id, None, "workflow.undelete")
            return await self._detail(session, principal, await _workflow(session, principal, workflow_id))

    async def _create(
        self, principal: Principal, labels: Labels, document: WorkflowDocument, action: str, **details: object
    ) -> WorkflowDetail:
        authorize_use(principal, document)
        async with self._database.transaction(principal.organization_id) as session:
            row = await Workflows(session).add(
                WorkflowRow(
                    organization_id=principal.organization_id,
                    draft=document.as_json(),
                    created_by=principal.user_id,
                    updated_by=principal.user_id,
                    **_columns(labels),
                )
            )
            notes = {key: str(value) for key, value in details.items()}
            await audit(session, principal, action, "workflow", row.id, name=labels.name, **notes)
            return await self._detail(session, principal, row)

    async def _change_draft(
        self,
        session: AsyncSession,
        principal: Principal,
        workflow_id: UUID,
        document: WorkflowDocument,
        revision: int,
    ) -> None:
        if not principal.may(Permission.CONNECTION_USE):
            before = await _workflow(session, principal, workflow_id)
            authorize_use(principal, document, parse_document(before.draft))
        changed = await Workflows(session).change_draft(
            principal.organization_id,
            workflow_id,
            revision=revision,
            draft=document.as_json(),
            updated_by=principal.user_id,
        )
        if changed is None:
            raise _stale(await _workflow(session, principal, workflow_id), revision)

    async def _set_deleted(
        self,
        session: AsyncSession,
        principal: Principal,
        workflow_id: UUID,
        at: datetime | None,
        action: str,
    ) -> None:
        await Workflows(session).change(
            principal.organization_id, workflow_id, updated_by=principal.user_id, deleted_at=at
        )
        await audit(session, principal, action, "workflow", workflow_id)
        await _announce(session, workflow_id)

    async def _require_publishable(
        self, session: AsyncSession, principal: Principal, document: WorkflowDocument
    ) -> None:
        if not document.nodes:
            raise InvalidError(
                Problem("workflow.empty", "The workflow has no nodes.", "nodes", "Add a trigger and a node.")
            )
        errors = errors_of(await self._problems(session, principal, document))
        if errors:
            raise InvalidError(*errors)

    async def _problems(
        self, session: AsyncSession, principal: Principal, document: WorkflowDocument
    ) -> list[Problem]:
        missing = await missing_connections(session, principal.organization_id, document, self._shapes)
        return validate(document, self._shapes) + missing

    async def _detail(self, session: AsyncSession, principal: Principal, row: WorkflowRow) -> WorkflowDetail:
        document = parse_document(row.draft)
        number: int | None = None
        if row.published_version_id is not None:
            version = await Versions(session).get(principal.organization_id, row.published_version_id)
            number = None if version is None else version.number
        problems = await self._problems(session, principal, document)
        return WorkflowDetail(_summary(row), document, number, tuple(problems))


def _with_pins(document: WorkflowDocument, pins: Mapping[str, tuple[NodeSpec, NodeSpec]]) -> WorkflowDocument:
    """Return the document with the pinned nodes; one that was changed meanwhile stays as it is."""
    nodes = tuple(
        pins[spec.id][1] if spec.id in pins and pins[spec.id][0] == spec else spec for spec in document.nodes
    )
    return document.model_copy(update={"nodes": nodes})


async def _workflow(session: AsyncSession, principal: Principal, workflow_id: UUID) -> WorkflowRow:
    row = await Workflows(session).get(principal.organization_id, workflow_id)
    if row is None:
        raise workflow_not_found(workflow_id)
    return row


async def _version(
    session: AsyncSession, principal: Principal, workflow_id: UUID, number: int
) -> WorkflowVersionRow:
    row = await Versions(session).numbered(principal.organization_id, workflow_id, number)
    if row is None:
        raise NotFoundError(
            Problem(
                "version.not_found",
                sentence("The workflow has no version {number}.", number=number),
                "version",
            )
        )
    return row


async def _announce(session: AsyncSession, workflow_id: UUID) -> None:
    await session.execute(_ANNOUNCE, {"channel": CHANNEL, "workflow": str(workflow_id)})


def _stale(row: WorkflowRow, revision: int) -> ConflictError:
    return ConflictError(
        Problem(
            "workflow.stale_revision",
            sentence(
                "The draft has moved on: you changed revision {revision}, it is at {draft_revision}.",
                revision=revision,
                draft_revision=row.draft_revision,
            ),
            "revision",
            "Look at the present draft, bring your change into it, and send it with the present revision.",
            {"your_revision": revision, "current_revision": row.draft_revision, "current_draft": row.draft},
        )
    )


def _labels(row: WorkflowRow) -> Labels:
    return Labels(row.name, row.description, row.folder, tuple(row.tags))


def _columns(labels: Labels) -> dict[str, Any]:
    return {
        "name": labels.name,
        "description": labels.description,
        "folder": labels.folder,
        "tags": list(labels.tags),
    }


def _summary(row: WorkflowRow) -> WorkflowSummary:
    return WorkflowSummary(
        row.id,
        _labels(row),
        row.draft_revision,
        row.published_version_id,
        row.created_at,
        row.updated_at,
        row.deleted_at,
    )


def _version_summary(row: WorkflowVersionRow) -> VersionSummary:
    return VersionSummary(row.id, row.number or 0, row.content_hash, row.note, row.created_at, row.created_by)


def _version_detail(row: WorkflowVersionRow) -> VersionDetail:
    return VersionDetail(_version_summary(row), parse_document(row.document))
