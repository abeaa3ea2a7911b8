"""Who someone is: the first organization, sign-in and sign-out, sessions, a token's principal.

Invariant: a principal comes from a verified token and a live session, never from what a client says it is.
Signing out or losing a role takes effect here at once, in other processes within `RECHECK_S`.
"""

import asyncio
import logging
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from structforge.domain.access import (
    Permission,
    Principal,
    Role,
    Via,
    authorize,
    permissions_of,
)
from structforge.domain.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    Problem,
    UnauthenticatedError,
    sentence,
)
from structforge.domain.ids import new_id
from structforge.security.passwords import Passwords, check_password, generate_password
from structforge.security.tokens import AccessClaims, AccessTokens, expired, hash_token, new_refresh_token
from structforge.services.audit import SYSTEM, audit
from structforge.services.founding import note_founded, slug_of, write_roles
from structforge.services.sign_in_attempts import SignInAttempts
from structforge.storage.database import Database, enter_organization
from structforge.storage.repositories.audit import Audit
from structforge.storage.repositories.organizations import Membership, Organizations
from structforge.storage.repositories.users import Users
from structforge.storage.tables import OrganizationRow, RefreshTokenRow, UserRow, utc_now

logger = logging.getLogger(__name__)

RECHECK_S = 10.0
"""How long a verified token is trusted before its session and roles are read again."""
MAX_KNOWN_TOKENS = 10_000
EMAIL_MAX_CHARACTERS = 255
NAME_MAX_CHARACTERS = 100
MAX_ORGANIZATIONS = 100

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,190}")

_LOCK_BOOTSTRAP = text("SELECT pg_advisory_xact_lock(hashtextextended('structforge.bootstrap', 0))")

_SESSION = text(
    """
    SELECT array(SELECT r.role FROM user_roles r
                 WHERE r.organization_id = m.organization_id AND r.user_id = u.id) AS roles
    FROM users u
    JOIN user_organizations m ON m.user_id = u.id AND m.organization_id = :organization
    WHERE u.id = :user AND u.active
      AND EXISTS (SELECT FROM refresh_tokens t
                  WHERE t.family_id = :session AND t.user_id = u.id AND t.organization_id = m.organization_id
                    AND t.revoked_at IS NULL AND t.expires_at > now())
    """
)


@dataclass(frozen=True, slots=True)
class Client:
    """Where a sign-in comes from, as the session list and the audit trail show it."""

    address: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session's tokens. Both are shown once; only the refresh token's hash is stored."""

    access_token: str
    access_expires_at: int
    """Seconds since the epoch."""
    refresh_token: str
    refresh_ttl_s: int
    user_id: UUID
    organization_id: UUID


@dataclass(slots=True)
class _Known:
    principal: Principal
    session_id: UUID
    expires_at: int
    checked_at: float


class IdentityService:
    """Accounts and sessions."""

    def __init__(
        self,
        database: Database,
        redis: Redis,
        passwords: Passwords,
        tokens: AccessTokens,
        *,
        refresh_ttl_s: int,
    ) -> None:
        self._database = database
        self._attempts = SignInAttempts(redis)
        self._passwords = passwords
        self._tokens = tokens
        self._refresh_ttl_s = refresh_ttl_s
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._checking: dict[str, asyncio.Task[Principal]] = {}

    async def bootstrap(
        self, email: str, password: str | None = None, *, organization: str = "Main"
    ) -> str | None:
        """Make the first organization and its owner; write down the roles and permissions.

        Returns the password (generated when none is given), or None when there is a user already.
        The service's database must know the owner's URL. Several processes may call it at once.
        """
        email = checked_email(email)
        if password is not None:
            check_password(password)
        async with self._database.owner_transaction() as session:
            await session.execute(_LOCK_BOOTSTRAP)
            await write_roles(session)
            if await Users(session).any_exists():
                return None
            password = password or generate_password()
            await self._found(session, organization, slug_of(organization) or "main", email, password)
        return password

    async def create_organization(self, name: str, slug: str, email: str, password: str) -> Principal:
        """Make another organization with its owner, and return that owner's principal.

        For the installation's own commands; no route leads here. Raises: ConflictError `organization.exists`.
        """
        email = checked_email(email)
        check_password(password)
        try:
            async with self._database.global_transaction() as session:
                organization_id, user_id = await self._found(session, name, slug, email, password)
        except IntegrityError as error:
            raise ConflictError(
                Problem(
                    "organization.exists",
                    sentence(
                        "The name {slug} or the address {email} is taken.", slug=repr(slug), email=repr(email)
                    ),
                    "slug",
                )
            ) from error
        return Principal(user_id, organization_id, permissions_of(frozenset({Role.OWNER.value})))

    async def sign_in(
        self, email: str, password: str, client: Client, *, organization_id: UUID | None = None
    ) -> SignedIn:
        """Start a session in `organization_id`, or in the first organization the person joined.

        Raises: UnauthenticatedError `auth.wrong_credentials`, the same for every reason, after the same work;
        TooManyRequestsError `auth.too_many_attempts`.
        """
        email = email.strip().lower()[:EMAIL_MAX_CHARACTERS]
        keys = await self._attempts.count(email, client.address)
        async with self._database.global_transaction() as session:
            found = await Users(session).find_sign_in(storable(email))
            memberships = [] if found is None else await Organizations(session).memberships(found.user_id)
        # The connection is back in the pool while the hash is computed.
        stored = None if found is None else found.password_hash
        correct = await self._passwords.verify(stored, password)
        organizations = [membership.organization_id for membership in memberships]
        if organization_id is not None:
            organizations = [known for known in organizations if known == organization_id]
        if found is None or not correct or not found.active or not organizations:
            if found is not None and organizations:
                async with self._database.transaction(organizations[0]) as session:
                    await _note(
                        session, organizations[0], found.user_id, email, "auth.sign_in_failed", client
                    )
            raise UnauthenticatedError(
                Problem(
                    "auth.wrong_credentials",
                    "The e-mail address or the password is wrong.",
                    hint="After several failures sign-in is blocked for a while.",
                )
            )
        chosen = organizations[0]
        renewed = None
        if stored is not None and self._passwords.is_outdated(stored):
            renewed = await self._passwords.hash(password)
        family_id = new_id()
        token, token_hash = new_refresh_token()
        async with self._database.transaction(chosen) as session:
            users = Users(session)
            await users.add_refresh_token(
                self._refresh_row(family_id, chosen, found.user_id, token_hash, client)
            )
            await users.signed_in(found.user_id)
            if renewed is not None:
                await users.set_password_hash(found.user_id, renewed)
            await _note(session, chosen, found.user_id, email, "auth.sign_in", client)
        await self._attempts.forget(keys)
        return self._signed_in(found.user_id, chosen, family_id, token)

    async def open_local_session(self, email: str) -> SignedIn:
        """Start a session without a password, for the installation's own commands; no route leads here.

        Whoever can run those holds the secret key and the database already.
        Raises: NotFoundError `user.not_found`.
        """
        async with self._database.global_transaction() as session:
            found = await Users(session).find_sign_in(storable(email.strip().lower()))
            memberships = [] if found is None else await Organizations(session).memberships(found.user_id)
        if found is None or not found.active or not memberships:
            raise NotFoundError(
                Problem(
                    "user.not_found",
                    sentence("There is no active member with the address {email}.", email=repr(email)),
                    "STRUCTFORGE_ADMIN_EMAIL",
                    "Set it to the address of a member.",
                )
            )
        organization_id, family_id = memberships[0].organization_id, new_id()
        token, token_hash = new_refresh_token()
        client = Client(user_agent="structforge command line")
        async with self._database.transaction(organization_id) as session:
            await Users(session).add_refresh_token(
                self._refresh_row(family_id, organization_id, found.user_id, token_hash, client)
            )
            await _note(session, organization_id, found.user_id, email, "auth.local_session", client)
        return self._signed_in(found.user_id, organization_id, family_id, token)

    async def refresh(self, refresh_token: str, client: Client) -> SignedIn:
        """Exchange a refresh token for new tokens; the old one is spent.

        Raises: UnauthenticatedError `auth.refresh_invalid`; `auth.refresh_reused` when it was spent before,
        which ends the whole session, because one of the two holders is a thief.
        """
        async with self._database.global_transaction() as session:
            known = await Users(session).find_refresh_token(hash_token(refresh_token).hex())
        if (
            known is None
            or known.revoked_at is not None
            or not known.user_active
            or known.expires_at <= utc_now()
        ):
            raise _refresh_invalid()
        token, token_hash = new_refresh_token()
        async with self._database.transaction(known.organization_id) as session:
            # One at a time in a family: a rotation cannot slip a live token past a revocation.
            users = Users(session)
            await users.lock_family(known.family_id)
            spent = await users.spend_refresh_token(known.organization_id, known.id)
            if spent:
                await users.add_refresh_token(
                    self._refresh_row(
                        known.family_id, known.organization_id, known.user_id, token_hash, client
                    )
                )
            else:
                # Committed although the call fails: the block ends without raising.
                await users.revoke_family(known.organization_id, known.family_id)
                await _note(session, known.organization_id, known.user_id, "", "auth.refresh_reused", client)
        if not spent:
            self.forget_session(known.family_id)
            raise UnauthenticatedError(
                Problem(
                    "auth.refresh_reused",
                    "This refresh token was used before, so the session was ended.",
                    hint="Sign in again. If it was not you who used it, change your password.",
                )
            )
        return self._signed_in(known.user_id, known.organization_id, known.family_id, token)

    async def sign_out(self, *, access_token: str = "", refresh_token: str = "") -> None:
        """End the session that either token belongs to; unknown tokens have nothing to end."""
        sessions: set[tuple[UUID, UUID, UUID]] = set()
        if access_token:
            try:
                claims = self._tokens.verify(access_token)
                sessions.add((claims.organization_id, claims.user_id, claims.session_id))
            except UnauthenticatedError:
                logger.debug("sign-out with an access token that is no longer valid")
        if refresh_token:
            async with self._database.global_transaction() as session:
                known = await Users(session).find_refresh_token(hash_token(refresh_token).hex())
            if known is not None:
                sessions.add((known.organization_id, known.user_id, known.family_id))
        for organization_id, user_id, session_id in sessions:
            async with self._database.transaction(organization_id) as session:
                await Users(session).end_session(organization_id, session_id)
                await _note(session, organization_id, user_id, "", "auth.sign_out", Client())
            self.forget_session(session_id)

    def known_principal(self, access_token: str) -> Principal | None:
        """Return the principal of a token that was verified a moment ago, without waiting; else None."""
        known = self._known.get(access_token)
        if (
            known is None
            or time.time() >= known.expires_at
            or time.monotonic() - known.checked_at > RECHECK_S
        ):
            return None
        return known.principal

    async def principal(self, access_token: str) -> Principal:
        """Return who the bearer of a token is and what they may do.

        Raises: UnauthenticatedError `auth.token_invalid`, `auth.token_expired`, `auth.session_ended`.
        """
        known = self.known_principal(access_token)
        if known is not None:
            return known
        claims = self._tokens.verify(access_token)
        # Of many calls with one token that come together, one asks the database.
        task = self._checking.get(access_token)
        if task is None:
            task = asyncio.create_task(self._check(access_token, claims))
            self._checking[access_token] = task
            task.add_done_callback(lambda _: self._checking.pop(access_token, None))
        return await asyncio.shield(task)

    async def continued(self, access_token: str) -> Principal:
        """Return the principal of a connection that was opened with this token, which may have expired since.

        A token's life limits how long a stolen one opens doors; an open websocket goes on while its session does.
        Raises: as `principal`, also when this process never saw the token while it was good.
        """
        known = self._known.get(access_token)
        if known is None or known.principal.user_id is None or time.time() < known.expires_at:
            return await self.principal(access_token)
        if time.monotonic() - known.checked_at > RECHECK_S:
            user_id, organization_id = known.principal.user_id, known.principal.organization_id
            row = await self._session_row(
                AccessClaims(user_id, organization_id, known.session_id, known.expires_at)
            )
            if row is None:
                self._known.pop(access_token, None)
                raise _session_ended()
            known.principal = replace(known.principal, permissions=permissions_of(frozenset(row.roles)))
            known.checked_at = time.monotonic()
        return known.principal

    async def me(self, principal: Principal) -> dict[str, Any]:
        """Return the person, the organization of the session, all memberships and what they may do here."""
        async with self._database.transaction(principal.organization_id) as session:
            user = None if principal.user_id is None else await Users(session).get(principal.user_id)
            memberships = [] if user is None else await Organizations(session).memberships(user.id)
        if user is None:
            raise _session_ended()
        here = next((m for m in memberships if m.organization_id == principal.organization_id), None)
        return {
            "user": {"id": str(user.id), "email": user.email, "name": user.name},
            "organization": None if here is None else _membership_json(here),
            "organizations": [_membership_json(membership) for membership in memberships],
            "permissions": sorted(principal.permissions),
        }

    async def found_organization(self, principal: Principal, name: str) -> dict[str, Any]:
        """Make an organization with the principal as its owner; return it as `me` lists it.

        Raises: InvalidError `organization.name`, ForbiddenError, ConflictError `organization.too_many`.
        """
        authorize(principal, Permission.ORGANIZATION_EDIT)
        name = name.strip()
        if not name or len(name) > NAME_MAX_CHARACTERS or storable(name) != name:
            limit = f"1 to {NAME_MAX_CHARACTERS} characters"
            raise InvalidError(
                Problem(
                    "organization.name",
                    sentence("The name of an organization has {limit}.", limit=limit),
                    "name",
                )
            )
        if principal.user_id is None:
            raise _session_ended()
        organization_id = new_id()
        # Names need not differ, slugs do; the end of an id is its random part.
        slug = f"{slug_of(name)[:40]}-{organization_id.hex[-8:]}"
        async with self._database.transaction(principal.organization_id) as session:
            user = await Users(session).get(principal.user_id)
        if user is None:
            raise _session_ended()
        async with self._database.global_transaction() as session:
            organizations = Organizations(session)
            if len(await organizations.memberships(user.id)) >= MAX_ORGANIZATIONS:
                raise ConflictError(
                    Problem(
                        "organization.too_many",
                        sentence(
                            "An account is in at most {max_organizations} organizations.",
                            max_organizations=MAX_ORGANIZATIONS,
                        ),
                        hint="Leave one first.",
                    )
                )
            await enter_organization(session, organization_id)
            await organizations.add(OrganizationRow(id=organization_id, name=name, slug=slug))
            await organizations.add_member(organization_id, user.id, [Role.OWNER.value])
            await note_founded(session, organization_id, user.id, user.email, user.email)
        return _membership_json(Membership(organization_id, name, slug, (Role.OWNER.value,)))

    async def switch(
        self,
        principal: Principal,
        organization_id: UUID,
        client: Client,
        *,
        access_token: str = "",
        refresh_token: str = "",
    ) -> SignedIn:
        """Start a session in another organization of the principal's, and end the one of these tokens.

        Raises: NotFoundError `organization.not_found`, the same for an unknown one and for a foreign one.
        """
        user_id = principal.user_id
        if user_id is None or principal.via is not Via.SESSION:
            raise _session_ended()
        async with self._database.global_transaction() as session:
            memberships = await Organizations(session).memberships(user_id)
        if organization_id not in {membership.organization_id for membership in memberships}:
            raise NotFoundError(
                Problem(
                    "organization.not_found",
                    "You are not a member of such an organization.",
                    "organization_id",
                    "See `organizations` of GET /api/v1/me.",
                )
            )
        family_id = new_id()
        token, token_hash = new_refresh_token()
        async with self._database.transaction(organization_id) as session:
            users = Users(session)
            await users.add_refresh_token(
                self._refresh_row(family_id, organization_id, user_id, token_hash, client)
            )
            user = await users.get(user_id)
            email = "" if user is None else user.email
            await _note(session, organization_id, user_id, email, "auth.switch", client)
        await self.sign_out(access_token=access_token, refresh_token=refresh_token)
        return self._signed_in(user_id, organization_id, family_id, token)

    async def rename(self, principal: Principal, name: str) -> None:
        """Set the name others see of the principal's person. Raises: InvalidError `user.name`."""
        name = name.strip()
        if len(name) > NAME_MAX_CHARACTERS or storable(name) != name:
            raise InvalidError(
                Problem(
                    "user.name",
                    sentence(
                        "A name has at most {name_max_characters} characters.",
                        name_max_characters=NAME_MAX_CHARACTERS,
                    ),
                    "name",
                )
            )
        if principal.user_id is None:
            raise _session_ended()
        async with self._database.transaction(principal.organization_id) as session:
            await Users(session).set_name(principal.user_id, name)
            await audit(session, principal, "user.rename", "user", principal.user_id)

    async def change_password(self, principal: Principal, current: str, new: str) -> None:
        """Set a new password and end all sessions of the person, this one included.

        Raises: UnauthenticatedError `auth.wrong_credentials`, InvalidError `password.length`.
        """
        check_password(new, where="new_password")
        async with self._database.transaction(principal.organization_id) as session:
            user = None if principal.user_id is None else await Users(session).get(principal.user_id)
        if user is None or not await self._passwords.verify(user.password_hash, current):
            raise UnauthenticatedError(
                Problem("auth.wrong_credentials", "The current password is wrong.", "current_password")
            )
        stored = await self._passwords.hash(new)
        async with self._database.transaction(principal.organization_id) as session:
            users = Users(session)
            await users.set_password_hash(user.id, stored)
            await users.revoke_all_sessions(user.id)
            await audit(session, principal, "auth.change_password", "user", user.id)
        for token in [token for token, known in self._known.items() if known.principal.user_id == user.id]:
            del self._known[token]

    async def _session_row(self, claims: AccessClaims) -> Row[Any] | None:
        async with self._database.transaction(claims.organization_id) as session:
            return (
                await session.execute(
                    _SESSION,
                    {
                        "user": claims.user_id,
                        "organization": claims.organization_id,
                        "session": claims.session_id,
                    },
                )
            ).one_or_none()

    async def _check(self, access_token: str, claims: AccessClaims) -> Principal:
        row = await self._session_row(claims)
        if row is None:
            self._known.pop(access_token, None)
            raise _session_ended()
        if claims.expires_at <= time.time():
            raise expired()
        permissions = permissions_of(frozenset(row.roles))
        principal = Principal(claims.user_id, claims.organization_id, permissions)
        self._known[access_token] = _Known(principal, claims.session_id, claims.expires_at, time.monotonic())
        self._known.move_to_end(access_token)
        while len(self._known) > MAX_KNOWN_TOKENS:
            self._known.popitem(last=False)
        return principal

    def forget_session(self, session_id: UUID) -> None:
        """Trust no token of a session any more that was verified here."""
        for token in [token for token, known in self._known.items() if known.session_id == session_id]:
            del self._known[token]

    async def _found(
        self, session: AsyncSession, name: str, slug: str, email: str, password: str
    ) -> tuple[UUID, UUID]:
        organization_id = new_id()
        await enter_organization(session, organization_id)
        await Organizations(session).add(OrganizationRow(id=organization_id, name=name, slug=slug))
        user_id = await self.add_user(session, email, "Administrator", await self.hashed(password))
        await Organizations(session).add_member(organization_id, user_id, [Role.OWNER.value])
        await note_founded(session, organization_id, None, SYSTEM, email)
        return organization_id, user_id

    async def hashed(self, password: str) -> str:
        """Return a password as it is stored. It takes a while: not for a transaction that others wait for."""
        return await self._passwords.hash(password)

    async def add_user(self, session: AsyncSession, email: str, name: str, password_hash: str) -> UUID:
        """Make an account in a transaction of the caller. Raises: IntegrityError when the address is taken."""
        user = await Users(session).add(UserRow(email=email, name=name, password_hash=password_hash))
        return user.id

    def _refresh_row(
        self, family_id: UUID, organization_id: UUID, user_id: UUID, token_hash: bytes, client: Client
    ) -> RefreshTokenRow:
        now = utc_now()
        return RefreshTokenRow(
            family_id=family_id,
            organization_id=organization_id,
            user_id=user_id,
            token_hash=token_hash.hex(),
            created_at=now,
            expires_at=now + timedelta(seconds=self._refresh_ttl_s),
            user_agent=storable(client.user_agent)[:300],
            address=storable(client.address)[:64],
        )

    def _signed_in(self, user_id: UUID, organization_id: UUID, session_id: UUID, token: str) -> SignedIn:
        access_token, claims = self._tokens.issue(user_id, organization_id, session_id)
        return SignedIn(access_token, claims.expires_at, token, self._refresh_ttl_s, user_id, organization_id)


async def _note(
    session: AsyncSession, organization_id: UUID, user_id: UUID, email: str, action: str, client: Client
) -> None:
    """Write what happens to a session, before there is a principal or after it has gone."""
    await Audit(session).add(
        organization_id,
        action,
        actor_id=user_id,
        actor=email,
        object_type="user",
        object_id=user_id,
        address=storable(client.address)[:64],
    )


def _membership_json(membership: Membership) -> dict[str, Any]:
    return {
        "id": str(membership.organization_id),
        "name": membership.name,
        "slug": membership.slug,
        "roles": list(membership.roles),
    }


def checked_email(email: str) -> str:
    """Return an address as it is stored. Raises: InvalidError `email.invalid`."""
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email) or email != storable(email):
        raise InvalidError(
            Problem(
                "email.invalid",
                sentence("{email} is not an e-mail address.", email=repr(email[:100])),
                "email",
                "Write name@host.",
            )
        )
    return email


def storable(value: str) -> str:
    """Return what of a text a database can hold."""
    return value.replace("\0", "").encode("utf-8", "ignore").decode()


def _refresh_invalid() -> UnauthenticatedError:
    return UnauthenticatedError(
        Problem("auth.refresh_invalid", "The refresh token is not valid.", "refresh_token", "Sign in again.")
    )


def _session_ended() -> UnauthenticatedError:
    return UnauthenticatedError(
        Problem("auth.session_ended", "This session has ended.", "Authorization", "Sign in again.")
    )
