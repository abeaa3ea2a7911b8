"""Connections as the API takes and gives them.

Invariant: as in the package; what is not named here is not sent.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from structforge.api.schemas.body import Body


class ConnectionCreate(Body):
    """A new connection; docs/connections.md lists the settings of each kind."""

    name: Annotated[str, Field(max_length=63)]
    """What workflows call it; it cannot be changed later."""
    kind: Annotated[str, Field(max_length=40)]
    settings: dict[str, Any]
    secret: Annotated[str, Field(max_length=4_096)] | None = None
    """The password; sealed, and never returned."""
    description: Annotated[str, Field(max_length=1_000)] = ""


class ConnectionUpdate(Body):
    """What is to change; an empty secret removes it."""

    settings: dict[str, Any] | None = None
    secret: Annotated[str, Field(max_length=4_096)] | None = None
    description: Annotated[str, Field(max_length=1_000)] | None = None


class ConnectionPublic(BaseModel):
    """A connection without its secret."""

    id: UUID
    name: str
    kind: str
    description: str
    settings: dict[str, Any]
    has_secret: bool
    created_at: datetime
    updated_at: datetime
    tested_at: datetime | None
    """When it was tried last; null since it was changed."""
    test_problem: str
    """What was wrong then; empty when it worked."""


class ConnectionList(BaseModel):
    """All connections of the organization."""

    items: list[ConnectionPublic]


class ConnectionTestPublic(BaseModel):
    """How trying a connection ended."""

    ok: bool
    server: str
    problem: dict[str, Any] | None
