"""Permissions and roles, the whole table."""

from itertools import pairwise, product
from uuid import uuid4

import pytest

from structforge.domain.access import (
    ROLE_PERMISSIONS,
    Permission,
    Principal,
    Role,
    Via,
    authorize,
    meaning,
    permissions_of,
    system_principal,
)
from structforge.domain.errors import ForbiddenError

ORGANIZATION = uuid4()


def principal(*permissions: Permission, via: Via = Via.SESSION) -> Principal:
    return Principal(uuid4(), ORGANIZATION, frozenset(permissions), via)


@pytest.mark.parametrize(("role", "permission"), [*product(Role, Permission)])
def test_a_role_allows_exactly_its_permissions(role: Role, permission: Permission) -> None:
    who = Principal(uuid4(), ORGANIZATION, permissions_of(frozenset({role.value})))
    if permission in ROLE_PERMISSIONS[role]:
        authorize(who, permission)
    else:
        with pytest.raises(ForbiddenError) as refusal:
            authorize(who, permission)
        problem = refusal.value.problem
        assert problem.code == "access.forbidden"
        assert meaning(permission) in problem.message
        assert problem.details["permission"] == permission
        assert Role.OWNER in problem.details["roles"] and role not in problem.details["roles"]


def test_each_role_includes_the_weaker_ones_and_differs() -> None:
    for stronger, weaker in pairwise(Role):
        assert ROLE_PERMISSIONS[stronger] > ROLE_PERMISSIONS[weaker]


def test_a_viewer_changes_nothing() -> None:
    assert {permission.partition(".")[2] for permission in ROLE_PERMISSIONS[Role.VIEWER]} == {"read"}
    assert Permission.AUDIT_READ not in ROLE_PERMISSIONS[Role.EDITOR]


def test_roles_add_up_and_unknown_ones_add_nothing() -> None:
    assert permissions_of(frozenset({"viewer", "operator", "emperor"})) == ROLE_PERMISSIONS[Role.OPERATOR]
    assert permissions_of(frozenset()) == frozenset()


def test_a_scope_only_takes_away() -> None:
    who = principal(Permission.RUN_READ, Permission.RUN_START, via=Via.API_KEY)
    narrow = who.narrowed(frozenset({Permission.RUN_START, Permission.MEMBER_MANAGE}))
    assert narrow == Principal(who.user_id, ORGANIZATION, frozenset({Permission.RUN_START}), Via.API_KEY)
    assert narrow.may(Permission.RUN_START) and not narrow.may(Permission.RUN_READ)


def test_the_refusal_names_the_weakest_role_that_would_do() -> None:
    with pytest.raises(ForbiddenError, match="This API key may not start.* operator has"):
        authorize(principal(via=Via.API_KEY), Permission.RUN_START)


def test_the_system_runs_and_edits_nothing() -> None:
    system = system_principal(ORGANIZATION)
    assert system.user_id is None and system.via is Via.SYSTEM
    assert system.may(Permission.RUN_START) and not system.may(Permission.WORKFLOW_EDIT)


def test_every_permission_has_a_meaning() -> None:
    assert all(meaning(permission) for permission in Permission)
