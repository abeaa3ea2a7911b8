"""How often somebody may try to sign in.

Invariant: an attempt is counted before the password is looked at, so that attempts at the same time cannot pass
together; nobody is shut out because Redis is away. For `identity`.
"""

import hashlib
import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

from structforge.domain.errors import Problem, TooManyRequestsError, sentence

logger = logging.getLogger(__name__)

SIGN_IN_WINDOW_S = 900
SIGN_INS_PER_ACCOUNT_AND_ADDRESS = 10
SIGN_INS_PER_ADDRESS = 100


class SignInAttempts:
    """Counts attempts by account and address."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def count(self, email: str, address: str) -> list[str]:
        """Count an attempt; return what `forget` takes. Raises: TooManyRequestsError `auth.too_many_attempts`."""
        both = hashlib.sha256(f"{email}|{address}".encode("utf-8", "surrogatepass")).hexdigest()
        limits = {
            f"structforge:sign-in:{both}": SIGN_INS_PER_ACCOUNT_AND_ADDRESS,
            f"structforge:sign-in-from:{hashlib.sha256(address.encode()).hexdigest()}": SIGN_INS_PER_ADDRESS,
        }
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                for key in limits:
                    pipe.set(key, 0, ex=SIGN_IN_WINDOW_S, nx=True)
                    pipe.incr(key)
                counts = (await pipe.execute())[1::2]
        except RedisError as error:
            # Sign-in must not depend on Redis; the two hashing threads still bound how fast anyone can guess.
            logger.warning("sign-in attempts are not counted: %s", error)
            return []
        for count, limit in zip(counts, limits.values(), strict=True):
            if count > limit:
                raise TooManyRequestsError(
                    Problem(
                        "auth.too_many_attempts",
                        "Too many attempts to sign in.",
                        hint=sentence(
                            "Try again in {sign_in_window_s} minutes.",
                            sign_in_window_s=SIGN_IN_WINDOW_S // 60,
                        ),
                        details={"retry_after_s": SIGN_IN_WINDOW_S},
                    )
                )
        return list(limits)

    async def forget(self, keys: list[str]) -> None:
        """Begin anew for an account that signed in; its address goes on counting."""
        if not keys:
            return
        try:
            await self._redis.delete(keys[0])
        except RedisError as error:
            logger.warning("sign-in attempts are not forgotten: %s", error)
