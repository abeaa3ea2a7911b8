"""An access token is taken only as it was made: every other one is refused with a definite code."""

import base64
import json
import time
from uuid import UUID

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from structforge.domain.errors import UnauthenticatedError
from structforge.domain.ids import new_id
from structforge.security.keyring import Keyring, generate_key, parse_keyring
from structforge.security.tokens import AccessTokens, hash_token, new_refresh_token

KEY = generate_key()
KEYRING = parse_keyring(KEY, where="test")
USER, ORGANIZATION, SESSION = UUID(int=1), UUID(int=2), UUID(int=3)


def issuer(keyring: Keyring = KEYRING, ttl_s: int = 600) -> AccessTokens:
    return AccessTokens(keyring, ttl_s=ttl_s)


def test_a_token_says_what_it_was_issued_for() -> None:
    token, claims = issuer().issue(USER, ORGANIZATION, SESSION)
    assert issuer().verify(token) == claims
    assert (claims.user_id, claims.organization_id, claims.session_id) == (USER, ORGANIZATION, SESSION)


def test_tokens_of_a_former_key_stay_good_until_it_is_removed() -> None:
    token, claims = issuer().issue(USER, ORGANIZATION, SESSION)
    new = generate_key()
    assert issuer(parse_keyring(f"{new},{KEY}", where="test")).verify(token) == claims
    with pytest.raises(UnauthenticatedError):
        issuer(parse_keyring(new, where="test")).verify(token)


def forged(header: dict[str, str], **changes: object) -> str:
    secret = KEYRING.derive("access-token")[0].secret
    body: dict[str, object] = {
        "iss": "structforge", "sub": str(USER), "org": str(ORGANIZATION), "sid": str(SESSION),
        "exp": int(time.time()) + 600,
    }  # fmt: skip
    body |= changes
    head = {"alg": "HS256", "kid": KEYRING.active_id, "typ": "at+jwt"} | header
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(head, body, OctKey.import_key(secret), algorithms=["HS256", "HS512"])


def unsigned() -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    body = {"iss": "structforge", "sub": str(USER), "org": str(ORGANIZATION), "sid": str(SESSION), "exp": 9e9}
    return f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{part(body)}."


def tampered() -> str:
    token, _ = issuer().issue(USER, ORGANIZATION, SESSION)
    head, _, signature = token.split(".")
    body = {"iss": "structforge", "sub": str(new_id()), "org": str(ORGANIZATION), "sid": str(SESSION)}
    encoded = base64.urlsafe_b64encode(json.dumps(body | {"exp": 9e9}).encode()).decode().rstrip("=")
    return ".".join([head, encoded, signature])


def test_a_forged_token_with_everything_right_is_the_control() -> None:
    assert issuer().verify(forged({})).user_id == USER


@pytest.mark.parametrize(
    "token",
    [
        "", ".", "..", "a.b.c", "é.é.é", "\udcff", "x" * 5000, unsigned(), tampered(),
        forged({"alg": "HS512"}), forged({"typ": "JWT"}), forged({"kid": "other"}),
        forged({}, iss="someone"), forged({}, sub="not an id"), forged({}, org=None), forged({}, sid=None),
        forged({}, exp=None), forged({}, exp="soon"),
    ],
)  # fmt: skip
def test_every_other_token_is_invalid(token: str) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        issuer().verify(token)
    assert caught.value.problem.code == "auth.token_invalid"


def test_an_expired_token_says_so() -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        issuer().verify(forged({}, exp=int(time.time()) - 1))
    assert caught.value.problem.code == "auth.token_expired"


def test_refresh_tokens_are_random_and_stored_as_a_hash() -> None:
    token, stored = new_refresh_token()
    assert hash_token(token) == stored
    assert len(stored) == 32
    assert new_refresh_token()[0] != token
