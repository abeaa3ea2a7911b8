"""Users, what they sign in with, and their sessions.

Invariant: see the package. What works in no organization goes through the `auth_…` functions of the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.storage.tables import RefreshTokenRow, UserRow, utc_now


@dataclass(frozen=True, slots=True)
class SignIn:
    """What signing in compares with."""

    user_id: UUID
    email: str
    name: str
    password_hash: str | None = field(repr=False)
    active: bool


@dataclass(frozen=True, slots=True)
class StoredRefreshToken:
    """A refresh token as it stands, found before its organization is known."""

    id: UUID
    family_id: UUID
    organization_id: UUID
    user_id: UUID
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    user_active: bool


class Users:
    """Queries over users and refresh tokens."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def any_exists(self) -> bool:
        """Tell whether the installation has a user. Works in no organization."""
        return bool((await self._session.execute(text("SELECT auth_any_user()"))).scalar_one())

    async def find_sign_in(self, email: str) -> SignIn | None:
        """Return what signing in with this address needs. Works in no organization."""
        row = (
            await self._session.execute(
                text("SELECT id, email, name, password_hash, active FROM auth_user_by_email(:email)"),
                {"email": email},
            )
        ).one_or_none()
        return None if row is None else SignIn(*row)

    async def get(self, user_id: UUID) -> UserRow | None:
        """Return a member of the transaction's organization."""
        statement = select(UserRow).where(col(UserRow.id) == user_id)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def add(self, user: UserRow) -> UserRow:
        """Insert a user. Raises: IntegrityError when the address is taken."""
        user.email = user.email.lower()
        self._session.add(user)
        await self._session.flush()
        return user

    async def signed_in(self, user_id: UUID) -> None:
        """Note the time of a sign-in; the user is a member of the transaction's organization."""
        await self._session.execute(
            update(UserRow).where(col(UserRow.id) == user_id).values(last_sign_in_at=utc_now())
        )

    async def set_name(self, user_id: UUID, name: str) -> None:
        """Rename a member of the transaction's organization."""
        await self._session.execute(
            update(UserRow).where(col(UserRow.id) == user_id).values(name=name, updated_at=utc_now())
        )

    async def set_password_hash(self, user_id: UUID, password_hash: str) -> None:
        """Replace the password of a member of the transaction's organization."""
        await self._session.execute(
            update(UserRow)
            .where(col(UserRow.id) == user_id)
            .values(password_hash=password_hash, updated_at=utc_now())
        )

    async def add_refresh_token(self, token: RefreshTokenRow) -> None:
        """Insert a refresh token into its organization."""
        self._session.add(token)
        await self._session.flush()

    async def find_refresh_token(self, token_hash: str) -> StoredRefreshToken | None:
        """Return the token with this hash, used and revoked ones included. Works in no organization."""
        row = (
            await self._session.execute(
                text(
                    "SELECT id, family_id, organization_id, user_id, expires_at, used_at, revoked_at, "
                    "user_active FROM auth_refresh_token(:token_hash)"
                ),
                {"token_hash": token_hash},
            )
        ).one_or_none()
        return None if row is None else StoredRefreshToken(*row)

    async def spend_refresh_token(self, organization_id: UUID, token_id: UUID) -> bool:
        """Mark a token as used; False when another call was first, or it is revoked or expired."""
        spent = await self._session.execute(
            update(RefreshTokenRow)
            .where(
                col(RefreshTokenRow.organization_id) == organization_id,
                col(RefreshTokenRow.id) == token_id,
                col(RefreshTokenRow.used_at).is_(None),
                col(RefreshTokenRow.revoked_at).is_(None),
                col(RefreshTokenRow.expires_at) > utc_now(),
            )
            .values(used_at=utc_now())
            .returning(col(RefreshTokenRow.id))
        )
        return spent.first() is not None

    async def lock_family(self, family_id: UUID) -> None:
        """Let one transaction at a time change this session, until this one ends."""
        statement = text("SELECT pg_advisory_xact_lock(hashtextextended(:family, 0))")
        await self._session.execute(statement, {"family": str(family_id)})

    async def sessions_of(self, organization_id: UUID, user_id: UUID) -> Sequence[UUID]:
        """Return the sessions that a person ever had in an organization, in order."""
        statement = (
            select(col(RefreshTokenRow.family_id))
            .where(
                col(RefreshTokenRow.organization_id) == organization_id,
                col(RefreshTokenRow.user_id) == user_id,
            )
            .distinct()
            .order_by(col(RefreshTokenRow.family_id))
        )
        return (await self._session.execute(statement)).scalars().all()

    async def end_session(self, organization_id: UUID, family_id: UUID) -> None:
        """End a session, whatever refreshes it at this moment."""
        await self.lock_family(family_id)
        await self.revoke_family(organization_id, family_id)

    async def revoke_family(self, organization_id: UUID, family_id: UUID) -> None:
        """End a session: no token of the family works again."""
        await self._session.execute(
            update(RefreshTokenRow)
            .where(
                col(RefreshTokenRow.organization_id) == organization_id,
                col(RefreshTokenRow.family_id) == family_id,
                col(RefreshTokenRow.revoked_at).is_(None),
            )
            .values(revoked_at=utc_now())
        )

    async def revoke_all_sessions(self, user_id: UUID) -> int:
        """End all sessions of a user in every organization; return how many tokens that hit."""
        statement = text("SELECT auth_revoke_sessions(:user_id)")
        return int((await self._session.execute(statement, {"user_id": user_id})).scalar_one())
