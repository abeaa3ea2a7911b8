"""Users, sessions, organizations and their members."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from structforge.domain.ids import new_id
from structforge.storage.database import Database
from structforge.storage.repositories.organizations import Membership, Organizations
from structforge.storage.repositories.users import SignIn, StoredRefreshToken, Users
from structforge.storage.tables import RefreshTokenRow, UserRow, utc_now
from tests.storage.conftest import Tenant


async def add_roles(database: Database, *names: str) -> None:
    async with database.owner_transaction() as session:
        for name in names:
            await session.execute(text("INSERT INTO roles (name) VALUES (:name)"), {"name": name})


def token(tenant: Tenant, **values: Any) -> RefreshTokenRow:
    given: dict[str, Any] = {"expires_at": utc_now() + timedelta(days=1), "family_id": new_id()}
    return RefreshTokenRow(
        organization_id=tenant.id, user_id=tenant.user_id, token_hash=str(new_id()), **(given | values)
    )


async def add_token(database: Database, tenant: Tenant, **values: Any) -> RefreshTokenRow:
    row = token(tenant, **values)
    async with database.transaction(tenant.id) as session:
        await Users(session).add_refresh_token(row)
    return row


async def test_signing_in_finds_a_user_by_any_spelling(database: Database) -> None:
    async with database.global_transaction() as session:
        assert not await Users(session).any_exists()
        user = await Users(session).add(UserRow(email="Ada@Example.org", name="Ada", password_hash="h"))
    async with database.global_transaction() as session:
        users = Users(session)
        assert await users.any_exists()
        assert await users.find_sign_in("ADA@example.ORG") == SignIn(
            user.id, "ada@example.org", "Ada", "h", True
        )
        assert await users.find_sign_in("bob@example.org") is None
        assert "h'" not in repr(await users.find_sign_in("ada@example.org"))
        with pytest.raises(IntegrityError):
            await users.add(UserRow(email="ada@example.org"))


async def test_members_have_roles_per_organization(database: Database, ours: Tenant, theirs: Tenant) -> None:
    await add_roles(database, "editor", "viewer")
    async with database.transaction(ours.id) as session:
        organizations = Organizations(session)
        await organizations.set_roles(ours.id, ours.user_id, ["viewer", "editor", "editor"])
        await organizations.add_member(ours.id, theirs.user_id, ["viewer"])
    async with database.transaction(ours.id) as session:
        organizations = Organizations(session)
        members = await organizations.members(ours.id)
        assert [(member.user.name, member.roles) for member in members] == [
            ("ours", ("editor", "viewer")),
            ("theirs", ("viewer",)),
        ]
        assert await organizations.roles(ours.id, ours.user_id) == ("editor", "viewer")
        assert await organizations.roles(theirs.id, ours.user_id) is None
        assert await organizations.memberships(theirs.user_id) == [
            Membership(theirs.id, "Theirs", "theirs", ()),
            Membership(ours.id, "Ours", "ours", ("viewer",)),
        ]
        assert await organizations.remove_member(ours.id, theirs.user_id)
        assert not await organizations.remove_member(ours.id, theirs.user_id)
        assert await organizations.members(theirs.id) == []
        assert await organizations.get(theirs.id) is None


async def test_an_unknown_role_cannot_be_given(database: Database, ours: Tenant) -> None:
    with pytest.raises(IntegrityError):
        async with database.transaction(ours.id) as session:
            await Organizations(session).set_roles(ours.id, ours.user_id, ["king"])


async def test_a_refresh_token_is_spent_once(database: Database, ours: Tenant, theirs: Tenant) -> None:
    row = await add_token(database, ours)
    async with database.global_transaction() as session:
        found = await Users(session).find_refresh_token(row.token_hash)
        assert found == StoredRefreshToken(
            row.id, row.family_id, ours.id, ours.user_id, row.expires_at, None, None, True
        )
        assert await Users(session).find_refresh_token("other") is None
    async with database.transaction(theirs.id) as session:
        assert not await Users(session).spend_refresh_token(theirs.id, row.id)
    async with database.transaction(ours.id) as session:
        users = Users(session)
        assert await users.spend_refresh_token(ours.id, row.id)
        assert not await users.spend_refresh_token(ours.id, row.id)


async def test_expired_and_revoked_tokens_cannot_be_spent(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    expired = await add_token(database, ours, expires_at=utc_now() - timedelta(seconds=1))
    revoked, other, foreign = [await add_token(database, one) for one in (ours, ours, theirs)]
    async with database.transaction(ours.id) as session:
        users = Users(session)
        await users.revoke_family(ours.id, revoked.family_id)
        spent = [await users.spend_refresh_token(ours.id, row.id) for row in (expired, revoked, other)]
        assert spent == [False, False, True]
    async with database.global_transaction() as session:
        assert await Users(session).revoke_all_sessions(theirs.user_id) == 1
        found = await Users(session).find_refresh_token(foreign.token_hash)
        assert found is not None and found.revoked_at is not None


async def test_a_user_is_changed_from_an_organization_of_theirs(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    async def hash_of(user_id: UUID, tenant: Tenant) -> str | None:
        async with database.transaction(tenant.id) as session:
            user = await Users(session).get(user_id)
            assert user is not None
            return user.password_hash

    async with database.transaction(ours.id) as session:
        users = Users(session)
        assert await users.get(theirs.user_id) is None
        await users.set_password_hash(ours.user_id, "new")
        await users.set_password_hash(theirs.user_id, "stolen")
        await users.signed_in(ours.user_id)
    assert await hash_of(ours.user_id, ours) == "new"
    assert await hash_of(theirs.user_id, theirs) is None
