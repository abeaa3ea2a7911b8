"""Connections: named, configured ways to reach something outside.

Invariant: `secret` is an envelope of `security/cipher.py`, never a clear text; `name` never changes.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from structforge.domain.ids import new_id
from structforge.storage.tables.columns import Row, identifier, moment, searchable_json, string


class ConnectionRow(Row, table=True):
    """One connection of an organization."""

    __tablename__ = "connections"
    __table_args__ = (Index("uq_connections_name", "organization_id", "name", unique=True),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organization_id: UUID = identifier(references="organizations.id")
    name: str = string()
    kind: str = string()
    description: str = string("")
    settings: dict[str, Any] = searchable_json("{}", dict)
    secret: str | None = string(null=True)
    created_at: datetime = moment(now=True)
    updated_at: datetime = moment(now=True)
    tested_at: datetime | None = moment(null=True)
    """When it was tried last; none since it was changed."""
    test_problem: str = string("")
    """What was wrong then; empty when it worked."""
