"""Workflows, their immutable versions, and the rows derived from a version for queries.

Invariant: a version never changes. Its `document` is the truth; the engine never reads nodes or edges here.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, text
from sqlmodel import Field

from structforge.domain.ids import new_id
from structforge.storage.tables.columns import Row, identifier, moment, ordered_json, searchable_json, string


class WorkflowRow(Row, table=True):
    """A workflow with its draft."""

    __tablename__ = "workflows"
    __table_args__ = (
        Index(
            "ix_workflows_newest",
            "organization_id",
            text("updated_at DESC"),
            text("id DESC"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organization_id: UUID = identifier(references="organizations.id")
    name: str = string()
    description: str = string("")
    folder: str = string("")
    tags: list[str] = searchable_json("[]", list)
    draft: dict[str, Any] = ordered_json()
    """A `WorkflowDocument` as JSON."""
    draft_revision: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    """Raised by each change of the draft; a writer names the one it read."""
    published_version_id: UUID | None = identifier(
        null=True, references="workflow_versions.id", use_alter=True
    )
    created_by: UUID | None = identifier(null=True)
    created_at: datetime = moment(now=True)
    updated_at: datetime = moment(now=True)
    updated_by: UUID | None = identifier(null=True)
    deleted_at: datetime | None = moment(null=True)


class WorkflowVersionRow(Row, table=True):
    """A published version, or the immutable copy of a draft that a run executes (`number` is null)."""

    __tablename__ = "workflow_versions"
    __table_args__ = (
        Index("uq_workflow_versions_number", "workflow_id", "number", unique=True),
        Index(
            "uq_workflow_versions_draft_copy",
            "workflow_id",
            "content_hash",
            unique=True,
            postgresql_where=text("number IS NULL"),
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organization_id: UUID = identifier(references="organizations.id")
    workflow_id: UUID = identifier(references="workflows.id")
    number: int | None = Field(default=None, sa_type=Integer, nullable=True)
    content_hash: str = string()
    document: dict[str, Any] = ordered_json()
    note: str = string("")
    created_by: UUID | None = identifier(null=True)
    created_at: datetime = moment(now=True)


class WorkflowNodeRow(Row, table=True):
    """A node of a published version, for queries such as "which workflows use this connection"."""

    __tablename__ = "workflow_nodes"
    __table_args__ = (Index(None, "organization_id", "type"),)

    version_id: UUID = identifier(primary=True, references="workflow_versions.id", ondelete="CASCADE")
    node_id: str = string(primary_key=True)
    organization_id: UUID
    type: str = string()
    type_version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    title: str = string("")
    connections: list[str] = searchable_json("[]", list)
    """Ids of the connections and models its parameters name."""


class WorkflowEdgeRow(Row, table=True):
    """An edge of a published version."""

    __tablename__ = "workflow_edges"

    version_id: UUID = identifier(primary=True, references="workflow_versions.id", ondelete="CASCADE")
    source: str = string(primary_key=True)
    source_port: str = string(primary_key=True)
    target: str = string(primary_key=True)
    target_port: str = string(primary_key=True)
    organization_id: UUID
