"""Workflows and their versions as the API takes and gives them.

Invariant: as in the package; what is not named here is not sent.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from structforge.api.schemas.body import Body
from structforge.services.workflows import VersionDetail, VersionSummary, WorkflowDetail, WorkflowSummary
from structforge.storage.repositories.paging import Page


class WorkflowCreate(Body):
    """A new workflow; without a document its draft is empty."""

    name: str
    description: str = ""
    folder: str = ""
    tags: list[str] = []
    document: dict[str, Any] | None = None


class WorkflowLabels(Body):
    """What changes; fields left out stay."""

    name: str | None = None
    description: str | None = None
    folder: str | None = None
    tags: list[str] | None = None


class DraftUpdate(Body):
    """The draft in whole, and the revision it was made from."""

    revision: Annotated[int, Field(ge=1)]
    document: dict[str, Any]


class PublishBody(Body):
    """What to publish."""

    revision: Annotated[int, Field(ge=1)] | None = None
    """Refuse when the draft is at another revision."""
    note: str = ""


class RestoreBody(Body):
    """The draft's revision that is replaced."""

    revision: Annotated[int, Field(ge=1)]


class DuplicateBody(Body):
    """How the copy is called."""

    name: str | None = None


class ValidateBody(Body):
    """A document to check; nothing is stored."""

    document: dict[str, Any]


class WorkflowSummaryPublic(BaseModel):
    """A workflow in a list."""

    id: UUID
    name: str
    description: str
    folder: str
    tags: list[str]
    draft_revision: int
    published: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @classmethod
    def fields_of(cls, summary: WorkflowSummary) -> dict[str, Any]:
        """Return the fields that summary and detail share."""
        return {
            "id": summary.id,
            "name": summary.labels.name,
            "description": summary.labels.description,
            "folder": summary.labels.folder,
            "tags": list(summary.labels.tags),
            "draft_revision": summary.draft_revision,
            "published": summary.published_version_id is not None,
            "created_at": summary.created_at,
            "updated_at": summary.updated_at,
            "deleted_at": summary.deleted_at,
        }

    @classmethod
    def of(cls, summary: WorkflowSummary) -> "WorkflowSummaryPublic":
        """Make the answer."""
        return cls(**cls.fields_of(summary))


class WorkflowPublic(WorkflowSummaryPublic):
    """A workflow with its draft."""

    draft: dict[str, Any]
    published_version: int | None
    problems: list[dict[str, Any]]
    """What is wrong with the draft; those with `details.severity: warning` hinder nobody."""

    @classmethod
    def detail(cls, detail: WorkflowDetail) -> "WorkflowPublic":
        """Make the answer."""
        return cls(
            **cls.fields_of(detail.summary),
            draft=detail.draft.as_json(),
            published_version=detail.published_version,
            problems=[problem.as_json() for problem in detail.problems],
        )


class WorkflowPage(BaseModel):
    """A page of workflows, the last changed first."""

    items: list[WorkflowSummaryPublic]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[WorkflowSummary]) -> "WorkflowPage":
        """Make the answer."""
        return cls(
            items=[WorkflowSummaryPublic.of(item) for item in page.items], next_cursor=page.next_cursor
        )


class VersionSummaryPublic(BaseModel):
    """A published version in a list."""

    id: UUID
    number: int
    content_hash: str
    note: str
    created_at: datetime
    created_by: UUID | None

    @classmethod
    def of(cls, summary: VersionSummary) -> "VersionSummaryPublic":
        """Make the answer."""
        return cls.model_validate(summary, from_attributes=True)


class VersionList(BaseModel):
    """Published versions, the newest first."""

    items: list[VersionSummaryPublic]


class VersionPublic(VersionSummaryPublic):
    """A published version."""

    document: dict[str, Any]

    @classmethod
    def detail(cls, detail: VersionDetail) -> "VersionPublic":
        """Make the answer."""
        return cls(**VersionSummaryPublic.of(detail.summary).model_dump(), document=detail.document.as_json())


class ValidationPublic(BaseModel):
    """What is wrong with a document."""

    valid: bool
    """No errors; there may be warnings."""
    problems: list[dict[str, Any]]
