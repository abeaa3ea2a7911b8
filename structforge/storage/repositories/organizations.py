"""Organizations and their members.

Invariant: see the package. Creating one needs a transaction that has entered it (`enter_organization`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.storage.tables import OrganizationRow, UserOrganizationRow, UserRoleRow, UserRow


@dataclass(frozen=True, slots=True)
class Membership:
    """An organization as one of its members sees it."""

    organization_id: UUID
    name: str
    slug: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A member with the roles of one organization."""

    user: UserRow
    roles: tuple[str, ...]


class Organizations:
    """Queries over organizations, members and their roles."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, organization_id: UUID) -> OrganizationRow | None:
        """Return the organization."""
        statement = select(OrganizationRow).where(col(OrganizationRow.id) == organization_id)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def add(self, organization: OrganizationRow) -> OrganizationRow:
        """Insert an organization. Raises: IntegrityError when its slug is taken."""
        self._session.add(organization)
        await self._session.flush()
        return organization

    async def add_member(self, organization_id: UUID, user_id: UUID, roles: Iterable[str]) -> None:
        """Make a user a member with these roles. Raises: IntegrityError for a member or an unknown role."""
        self._session.add(UserOrganizationRow(organization_id=organization_id, user_id=user_id))
        await self._session.flush()
        await self._add_roles(organization_id, user_id, roles)

    async def set_roles(self, organization_id: UUID, user_id: UUID, roles: Iterable[str]) -> None:
        """Replace a member's roles."""
        await self._session.execute(
            delete(UserRoleRow).where(
                col(UserRoleRow.organization_id) == organization_id, col(UserRoleRow.user_id) == user_id
            )
        )
        await self._add_roles(organization_id, user_id, roles)

    async def remove_member(self, organization_id: UUID, user_id: UUID) -> bool:
        """End a membership with its roles; tell whether there was one."""
        result = await self._session.execute(
            delete(UserOrganizationRow)
            .where(
                col(UserOrganizationRow.organization_id) == organization_id,
                col(UserOrganizationRow.user_id) == user_id,
            )
            .returning(col(UserOrganizationRow.user_id))
        )
        return result.first() is not None

    async def roles(self, organization_id: UUID, user_id: UUID) -> tuple[str, ...] | None:
        """Return a member's roles in order of name; None for who is no member."""
        for membership in await self.memberships(user_id):
            if membership.organization_id == organization_id:
                return membership.roles
        return None

    async def members(self, organization_id: UUID) -> Sequence[Member]:
        """List the members by name."""
        users = (
            await self._session.execute(
                select(UserRow)
                .join(UserOrganizationRow, col(UserOrganizationRow.user_id) == col(UserRow.id))
                .where(col(UserOrganizationRow.organization_id) == organization_id)
                .order_by(col(UserRow.name), col(UserRow.email))
            )
        ).scalars()
        given = await self._session.execute(
            select(col(UserRoleRow.user_id), col(UserRoleRow.role))
            .where(col(UserRoleRow.organization_id) == organization_id)
            .order_by(col(UserRoleRow.role))
        )
        roles: dict[UUID, list[str]] = {}
        for user_id, role in given:
            roles.setdefault(user_id, []).append(role)
        return [Member(user, tuple(roles.get(user.id, ()))) for user in users]

    async def memberships(self, user_id: UUID) -> Sequence[Membership]:
        """List a user's organizations, oldest membership first. Works in no organization too."""
        rows = await self._session.execute(
            text("SELECT organization_id, name, slug, roles FROM auth_memberships(:user_id)"),
            {"user_id": user_id},
        )
        return [Membership(row[0], row[1], row[2], tuple(row[3])) for row in rows]

    async def _add_roles(self, organization_id: UUID, user_id: UUID, roles: Iterable[str]) -> None:
        self._session.add_all(
            UserRoleRow(organization_id=organization_id, user_id=user_id, role=role) for role in set(roles)
        )
        await self._session.flush()
