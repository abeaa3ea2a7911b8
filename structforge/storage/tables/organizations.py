"""Organizations (the tenants), their members and their audit trail.

Invariant: every tenant row carries an `organization_id`; audit entries are only ever added.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field

from structforge.domain.ids import new_id
from structforge.storage.tables.columns import Row, identifier, moment, searchable_json, string


class OrganizationRow(Row, table=True):
    __tablename__ = "organizations"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    name: str = string()
    slug: str = string(unique=True)
    created_at: datetime = moment(now=True)
    updated_at: datetime = moment(now=True)


class UserOrganizationRow(Row, table=True):
    """A membership."""

    __tablename__ = "user_organizations"
    __table_args__ = (Index(None, "user_id"),)

    organization_id: UUID = identifier(primary=True, references="organizations.id")
    user_id: UUID = identifier(primary=True, references="users.id", ondelete="CASCADE")
    joined_at: datetime = moment(now=True)


class AuditEntryRow(Row, table=True):
    """Who did what to which object."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index("ix_audit_entries_newest", "organization_id", text("at DESC"), text("id DESC")),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organization_id: UUID
    at: datetime = moment(now=True)
    actor_id: UUID | None = identifier(null=True)
    """A user; none for the system itself. No foreign key: the trail outlives the person's row."""
    actor: str = string("")
    """As shown then: an e-mail address, `system`, a key's name."""
    action: str = string()
    object_type: str = string("")
    object_id: str = string("")
    details: dict[str, Any] = searchable_json("{}", dict)
    address: str = string("")
