"""Access tokens (JWT, HS256, minutes) and refresh tokens (random, stored as a hash, used once).

Invariant: a token is accepted only with the algorithm, issuer and purpose it was made for, until it expires.
What a session may do is not in the token: `services/identity.py` looks it up, so a change of role needs none.
joserfc is Authlib's own JOSE library: typed, and it takes only the algorithms on our list.
"""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from structforge.domain.errors import Problem, UnauthenticatedError
from structforge.security.keyring import Keyring

ISSUER = "structforge"
ALGORITHM = "HS256"
MAX_TOKEN_CHARACTERS = 2048


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says."""

    user_id: UUID
    organization_id: UUID
    session_id: UUID
    """The family of refresh tokens it belongs to: revoking the family ends the session."""
    expires_at: int
    """Seconds since the epoch."""


class AccessTokens:
    """Signs and verifies access tokens."""

    def __init__(self, keyring: Keyring, *, ttl_s: int) -> None:
        self.ttl_s = ttl_s
        self._keys = KeySet(
            [
                OctKey.import_key(key.secret, {"kid": key.key_id, "alg": ALGORITHM, "use": "sig"})
                for key in keyring.derive("access-token")
            ]
        )
        self._active_id = keyring.active_id

    def issue(self, user_id: UUID, organization_id: UUID, session_id: UUID) -> tuple[str, AccessClaims]:
        """Return a new token and what it says."""
        now = int(time.time())
        claims = AccessClaims(user_id, organization_id, session_id, now + self.ttl_s)
        token = jwt.encode(
            {"alg": ALGORITHM, "kid": self._active_id, "typ": "at+jwt"},
            {
                "iss": ISSUER,
                "sub": str(user_id),
                "org": str(organization_id),
                "sid": str(session_id),
                "iat": now,
                "exp": claims.expires_at,
                "jti": secrets.token_urlsafe(9),
            },
            self._keys,
            algorithms=[ALGORITHM],
        )
        return token, claims

    def verify(self, token: str) -> AccessClaims:
        """Return what a token says. Raises: UnauthenticatedError `auth.token_invalid` or `_expired`."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise _invalid()
        try:
            decoded = jwt.decode(token, self._keys, algorithms=[ALGORITHM])
            body = decoded.claims
            if decoded.header.get("typ") != "at+jwt" or body.get("iss") != ISSUER:
                raise _invalid()
            claims = AccessClaims(UUID(body["sub"]), UUID(body["org"]), UUID(body["sid"]), int(body["exp"]))
        except (JoseError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise _invalid() from error
        if claims.expires_at <= time.time():
            raise expired()
        return claims


def new_refresh_token() -> tuple[str, bytes]:
    """Return a random refresh token (256 bits) and the hash of it that is stored."""
    token = secrets.token_urlsafe(32)
    return token, hash_token(token)


def hash_token(token: str) -> bytes:
    """Return the SHA-256 of a random token. Random tokens need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def same(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def expired() -> UnauthenticatedError:
    """Return the error of an access token that was good once."""
    return UnauthenticatedError(
        Problem(
            "auth.token_expired",
            "The access token has expired.",
            "Authorization",
            "Get a new one with your refresh token: POST /api/v1/auth/refresh.",
        )
    )


def _invalid() -> UnauthenticatedError:
    return UnauthenticatedError(
        Problem("auth.token_invalid", "The access token is not valid.", "Authorization", "Sign in again.")
    )
