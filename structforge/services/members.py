"""Who works in an organization: adding, listing, taking out.

Invariant: nobody gives or takes a role that may more than they may; who is taken out has no session there any more.
"""

from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from structforge.domain.access import Permission, Principal, Role, authorize, permissions_of
from structforge.domain.errors import ConflictError, InvalidError, NotFoundError, Problem, sentence
from structforge.security.passwords import check_password, generate_password
from structforge.services.audit import audit
from structforge.services.identity import IdentityService, checked_email
from structforge.storage.database import Database
from structforge.storage.repositories.organizations import Organizations
from structforge.storage.repositories.users import Users


class MemberService:
    """The members of all organizations."""

    def __init__(self, database: Database, identity: IdentityService) -> None:
        self._database = database
        self._identity = identity

    async def add(
        self,
        principal: Principal,
        email: str,
        *,
        name: str = "",
        role: str = Role.EDITOR.value,
        password: str | None = None,
    ) -> tuple[UUID, str | None]:
        """Add a person to the principal's organization; return the id and the password, if one was made.

        A person who has an account keeps it and its password, and only joins.
        Raises: InvalidError, ConflictError `member.exists`, ForbiddenError.
        """
        authorize(principal, Permission.MEMBER_MANAGE)
        email = checked_email(email)
        if role not in list(Role):
            raise InvalidError(
                Problem(
                    "role.unknown",
                    sentence("There is no role {role}.", role=repr(role)),
                    "role",
                    sentence("Choose from {role}.", role=", ".join(Role)),
                )
            )
        # Nobody gives more than they have: an administrator cannot make an owner.
        for permission in sorted(permissions_of(frozenset({role}))):
            authorize(principal, permission)
        if password is not None:
            check_password(password)
        async with self._database.global_transaction() as session:
            known = await Users(session).find_sign_in(email)
        made = generate_password() if known is None and not password else None
        # The connection is back in the pool while the hash is computed.
        password_hash = "" if known else await self._identity.hashed(password or made or "")
        try:
            async with self._database.transaction(principal.organization_id) as session:
                if known is None:
                    user_id = await self._identity.add_user(session, email, name, password_hash)
                else:
                    user_id = known.user_id
                await Organizations(session).add_member(principal.organization_id, user_id, [role])
                await audit(session, principal, "member.add", "user", user_id, email=email, role=role)
        except IntegrityError as error:
            raise ConflictError(
                Problem(
                    "member.exists",
                    sentence("{email} is a member of this organization already.", email=email),
                    "email",
                )
            ) from error
        return user_id, made

    async def list(self, principal: Principal) -> list[dict[str, Any]]:
        """List the members of the principal's organization by name."""
        authorize(principal, Permission.MEMBER_READ)
        async with self._database.transaction(principal.organization_id) as session:
            members = await Organizations(session).members(principal.organization_id)
        return [
            {
                "id": str(member.user.id),
                "email": member.user.email,
                "name": member.user.name,
                "active": member.user.active,
                "roles": list(member.roles),
                "last_sign_in_at": member.user.last_sign_in_at,
            }
            for member in members
        ]

    async def remove(self, principal: Principal, user_id: UUID) -> None:
        """Take a person out of the organization and end their sessions in it.

        Raises: NotFoundError `member.not_found`, ConflictError `member.self`, ForbiddenError.
        """
        authorize(principal, Permission.MEMBER_MANAGE)
        if user_id == principal.user_id:
            raise ConflictError(
                Problem("member.self", "You cannot remove yourself.", hint="Let another administrator do it.")
            )
        async with self._database.transaction(principal.organization_id) as session:
            organizations = Organizations(session)
            roles = await organizations.roles(principal.organization_id, user_id)
            if roles is None:
                raise NotFoundError(Problem("member.not_found", "There is no such member.", "user_id"))
            for permission in sorted(permissions_of(frozenset(roles))):
                authorize(principal, permission)
            ended = await Users(session).sessions_of(principal.organization_id, user_id)
            for family_id in ended:
                await Users(session).end_session(principal.organization_id, family_id)
            await organizations.remove_member(principal.organization_id, user_id)
            await audit(session, principal, "member.remove", "user", user_id)
        for family_id in ended:
            self._identity.forget_session(family_id)
