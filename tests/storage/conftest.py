"""A `Database` on a migrated database of the test's own, with two organizations in it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from structforge.config import Settings
from structforge.storage.database import Database
from structforge.storage.repositories.organizations import Organizations
from structforge.storage.repositories.users import Users
from structforge.storage.tables import OrganizationRow, UserRow


@dataclass(frozen=True)
class Tenant:
    """An organization and its one member."""

    id: UUID
    user_id: UUID


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """All three roles, opened."""
    opened = Database(
        settings.database_app_role_url, settings.database_engine_role_url, settings.database_owner_url
    )
    await opened.open()
    yield opened
    await opened.close()


async def _tenant(database: Database, name: str) -> Tenant:
    organization = OrganizationRow(name=name.title(), slug=name)
    user = UserRow(email=f"{name}@example.org", name=name)
    async with database.transaction(organization.id) as session:
        await Organizations(session).add(organization)
        await Users(session).add(user)
        await Organizations(session).add_member(organization.id, user.id, ())
    return Tenant(organization.id, user.id)


@pytest.fixture
async def ours(database: Database) -> Tenant:
    """The organization a test works in."""
    return await _tenant(database, "ours")


@pytest.fixture
async def theirs(database: Database) -> Tenant:
    """The organization it must not see."""
    return await _tenant(database, "theirs")
