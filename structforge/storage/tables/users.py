"""People, what they may do, and their sessions.

Invariant: a password or token is stored only as a hash. `users`, `roles`, `permissions`, `role_permissions`
belong to no organization; the app role sees of `users` only the members of its transaction's organization.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from structforge.domain.ids import new_id
from structforge.storage.tables.columns import Row, identifier, moment, string


class UserRow(Row, table=True):
    """A person, in any number of organizations."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("email = lower(email)", name="email_lower"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    email: str = string(unique=True)
    name: str = string("")
    password_hash: str | None = string(null=True, repr=False)
    """argon2id; none where an identity provider signs the person in."""
    active: bool = Field(default=True, sa_column_kwargs={"server_default": "true"})
    created_at: datetime = moment(now=True)
    updated_at: datetime = moment(now=True)
    last_sign_in_at: datetime | None = moment(null=True)


class RoleRow(Row, table=True):
    """A named set of permissions, the same in every organization."""

    __tablename__ = "roles"

    name: str = string(primary_key=True)
    title: str = string("")
    description: str = string("")


class PermissionRow(Row, table=True):
    """Something a role may allow, e.g. `workflow.publish`."""

    __tablename__ = "permissions"

    name: str = string(primary_key=True)
    description: str = string("")


class RolePermissionRow(Row, table=True):
    __tablename__ = "role_permissions"

    role: str = string(primary_key=True, references="roles.name")
    permission: str = string(primary_key=True, references="permissions.name")


class UserRoleRow(Row, table=True):
    """A role one member has in one organization."""

    __tablename__ = "user_roles"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "user_id"],
            ["user_organizations.organization_id", "user_organizations.user_id"],
            ondelete="CASCADE",
        ),
    )

    organization_id: UUID = identifier(primary=True)
    user_id: UUID = identifier(primary=True)
    role: str = string(primary_key=True, references="roles.name")


class RefreshTokenRow(Row, table=True):
    """One refresh token of a session, which is a family of them: each use spends one and makes the next."""

    __tablename__ = "refresh_tokens"
    __table_args__: Any = (
        Index(None, "user_id"),
        Index(None, "family_id"),
        Index(None, "expires_at"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    family_id: UUID
    organization_id: UUID = identifier(references="organizations.id")
    """The organization the session works in; switching starts another session."""
    user_id: UUID = identifier(references="users.id", ondelete="CASCADE")
    token_hash: str = string(unique=True, repr=False)
    """SHA-256 of the token, which is random and long: it needs no slow hash."""
    created_at: datetime = moment(now=True)
    expires_at: datetime = moment()
    used_at: datetime | None = moment(null=True)
    """Set once, when it was exchanged; a second use is theft and revokes the family."""
    revoked_at: datetime | None = moment(null=True)
    user_agent: str = string("")
    address: str = string("")
