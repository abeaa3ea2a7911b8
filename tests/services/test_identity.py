"""Accounts: the first organization, members, roles, passwords, and how fast a change takes effect."""

from uuid import UUID

import pytest
from sqlalchemy import text

from structforge.domain.access import ROLE_PERMISSIONS, Permission, Role
from structforge.domain.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
)
from structforge.security.keyring import generate_key, parse_keyring
from structforge.security.tokens import AccessTokens
from structforge.services import identity as module
from structforge.services.identity import Client
from tests.support.installation import FIRST, PASSWORD, SECOND, Installation


async def actions(installation: Installation) -> list[str]:
    async with installation.engine.database.transaction(installation.first.organization_id) as session:
        found = await session.execute(text("SELECT action FROM audit_entries ORDER BY at, id"))
        return list(found.scalars())


async def test_bootstrap_wrote_the_roles_and_is_done_once(installation: Installation) -> None:
    async with installation.engine.database.global_transaction() as session:
        rows = (await session.execute(text("SELECT role, permission FROM role_permissions"))).all()
    assert {(role, permission) for role, permission in rows} == {
        (role.value, item.value) for role, given in ROLE_PERMISSIONS.items() for item in given
    }
    assert (await actions(installation))[:2] == ["organization.create", "auth.sign_in"]


async def test_a_member_gets_a_password_once_and_the_roles_permissions(installation: Installation) -> None:
    identity = installation.services.identity
    user_id, password = await installation.services.members.add(
        installation.first, " New@Example.org ", role="operator"
    )
    assert password is not None
    session = await identity.sign_in("new@example.org", password, Client())
    principal = await identity.principal(session.access_token)
    assert (principal.user_id, principal.permissions) == (user_id, ROLE_PERMISSIONS[Role.OPERATOR])
    with pytest.raises(ConflictError):
        await installation.services.members.add(installation.first, "new@example.org")
    assert "member.add" in await actions(installation)


async def test_a_person_of_another_organization_joins_with_the_same_account(
    installation: Installation,
) -> None:
    identity = installation.services.identity
    user_id, password = await installation.services.members.add(installation.first, SECOND, role="viewer")
    assert (user_id, password) == (installation.second.user_id, None)
    at_home = await identity.sign_in(SECOND, PASSWORD, Client())
    assert at_home.organization_id == installation.second.organization_id
    first = installation.first.organization_id
    here = await identity.sign_in(SECOND, PASSWORD, Client(), organization_id=first)
    assert (await identity.principal(here.access_token)).permissions == ROLE_PERMISSIONS[Role.VIEWER]
    with pytest.raises(UnauthenticatedError):
        await identity.sign_in(FIRST, PASSWORD, Client(), organization_id=installation.second.organization_id)


async def test_who_founds_an_organization_owns_it_and_switches_to_it(installation: Installation) -> None:
    identity = installation.services.identity
    session = await identity.sign_in(FIRST, PASSWORD, Client())
    principal = await identity.principal(session.access_token)
    made = await identity.found_organization(principal, "  Second try!  ")
    assert (made["name"], made["roles"]) == ("Second try!", ["owner"])
    assert made["slug"].startswith("second-try-")
    listed = (await identity.me(principal))["organizations"]
    assert [each["name"] for each in listed] == ["First", "Second try!"]
    switched = await identity.switch(
        principal,
        UUID(made["id"]),
        Client(),
        access_token=session.access_token,
        refresh_token=session.refresh_token,
    )
    there = await identity.principal(switched.access_token)
    assert (there.organization_id, there.user_id) == (UUID(made["id"]), principal.user_id)
    assert there.permissions == ROLE_PERMISSIONS[Role.OWNER]
    with pytest.raises(UnauthenticatedError):
        await identity.principal(session.access_token)
    with pytest.raises(UnauthenticatedError):
        await identity.refresh(session.refresh_token, Client())
    assert (await identity.refresh(switched.refresh_token, Client())).organization_id == UUID(made["id"])


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\0b", "a\ud800b"])
async def test_an_organization_has_a_name_that_can_be_stored(installation: Installation, name: str) -> None:
    with pytest.raises(InvalidError):
        await installation.services.identity.found_organization(installation.first, name)


async def test_nobody_switches_to_an_organization_they_are_not_in(installation: Installation) -> None:
    identity = installation.services.identity
    for organization_id in (installation.second.organization_id, UUID(int=7)):
        with pytest.raises(NotFoundError) as refused:
            await identity.switch(installation.first, organization_id, Client())
        assert refused.value.problem.code == "organization.not_found"
    _, token = await installation.member(Role.EDITOR)
    with pytest.raises(ForbiddenError):
        await identity.found_organization(await identity.principal(token), "Mine")


async def test_a_person_is_renamed(installation: Installation) -> None:
    identity = installation.services.identity
    await identity.rename(installation.first, " Ada Lovelace ")
    assert (await identity.me(installation.first))["user"]["name"] == "Ada Lovelace"
    with pytest.raises(InvalidError):
        await identity.rename(installation.first, "x" * 101)


async def test_nobody_gives_more_than_they_have(installation: Installation) -> None:
    identity = installation.services.identity
    _, token = await installation.member(Role.ADMIN)
    admin = await identity.principal(token)
    with pytest.raises(ForbiddenError):
        await installation.services.members.add(admin, "x@example.org", role="owner")
    assert installation.first.user_id is not None
    with pytest.raises(ForbiddenError):
        await installation.services.members.remove(admin, installation.first.user_id)
    _, viewer_token = await installation.member(Role.VIEWER)
    with pytest.raises(ForbiddenError):
        await installation.services.members.add(
            await identity.principal(viewer_token), "y@example.org", role="viewer"
        )


async def test_a_removed_member_is_out_at_once(installation: Installation) -> None:
    identity = installation.services.identity
    user_id, token = await installation.member(Role.EDITOR)
    assert (await identity.principal(token)).may(Permission.WORKFLOW_EDIT)
    await installation.services.members.remove(installation.first, user_id)
    with pytest.raises(UnauthenticatedError):
        await identity.principal(token)
    with pytest.raises(NotFoundError):
        await installation.services.members.remove(installation.first, user_id)
    with pytest.raises(NotFoundError):
        await installation.services.members.remove(installation.second, user_id)


async def test_what_another_process_changed_is_seen_after_the_recheck(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = installation.services.identity
    _, token = await installation.member(Role.EDITOR)
    principal = await identity.principal(token)
    async with installation.engine.database.transaction(principal.organization_id) as session:
        await session.execute(text("UPDATE user_roles SET role = 'viewer' WHERE role = 'editor'"))
    assert identity.known_principal(token) is principal, "within the documented time"
    monkeypatch.setattr(module, "RECHECK_S", 0.0)
    assert identity.known_principal(token) is None
    assert not (await identity.principal(token)).may(Permission.WORKFLOW_EDIT)


async def test_a_known_token_is_forgotten_when_it_expires(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = installation.services.identity
    token = await installation.token()
    await identity.principal(token)
    known = identity._known[token]
    monkeypatch.setattr(known, "expires_at", 0)
    assert identity.known_principal(token) is None


async def test_a_new_password_ends_every_session(installation: Installation) -> None:
    identity = installation.services.identity
    token = await installation.token()
    session = await identity.sign_in(FIRST, PASSWORD, Client())
    principal = await identity.principal(token)
    with pytest.raises(UnauthenticatedError):
        await identity.change_password(principal, "wrong", "another good password")
    with pytest.raises(InvalidError):
        await identity.change_password(principal, PASSWORD, "short")
    await identity.change_password(principal, PASSWORD, "another good password")
    for ended in (token, session.access_token):
        with pytest.raises(UnauthenticatedError):
            await identity.principal(ended)
    with pytest.raises(UnauthenticatedError):
        await identity.refresh(session.refresh_token, Client())
    await identity.sign_in(FIRST, "another good password", Client())


async def test_a_token_of_another_installation_is_refused(installation: Installation) -> None:
    tokens = AccessTokens(parse_keyring(generate_key(), where="test"), ttl_s=600)
    first = installation.first
    assert first.user_id is not None
    token, _ = tokens.issue(first.user_id, first.organization_id, first.organization_id)
    with pytest.raises(UnauthenticatedError):
        await installation.services.identity.principal(token)


@pytest.mark.parametrize("email", ["", "x", "a@b@c", "a b@c", "a@", "@b", "a@b\n", "x" * 300 + "@b"])
async def test_an_address_must_be_one(installation: Installation, email: str) -> None:
    with pytest.raises(InvalidError):
        await installation.services.members.add(installation.first, email.replace("\n", "\x01"))
