"""Password hashing: argon2id (19 MiB, 2 passes, 1 lane: the OWASP minimum), in threads of its own.

Invariant: the event loop never computes a hash, and an unknown account costs the time of a wrong password.
argon2-cffi is the binding of the reference implementation; it releases the interpreter lock while it works.
"""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from structforge.domain.errors import InvalidError, Problem, sentence

MIN_CHARACTERS = 10
MAX_CHARACTERS = 256
THREADS = 2
"""Hashes computed at the same time: each takes 19 MiB and a core, so a flood of sign-ins queues here."""

_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Passwords:
    """Hashes and verifies passwords off the event loop."""

    def __init__(self, *, memory_kib: int = 19 * 1024, passes: int = 2) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1, type=Type.ID)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Return the PHC string of `password`, to be stored."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether `password` belongs to `stored`; None (no such account) takes as long and is false."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._verify, stored, password)

    def is_outdated(self, stored: str) -> bool:
        """Tell whether `stored` was made with other parameters and should be replaced at the next sign-in."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, stored: str | None, password: str) -> bool:
        if self._nobody is None:
            self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        # A password longer than any account can have is not worth hashing, but must not answer faster.
        usable = stored is not None and len(password) <= MAX_CHARACTERS
        known = stored if usable and stored is not None else self._nobody
        try:
            matches = self._hasher.verify(known, password[:MAX_CHARACTERS])
        except (VerificationError, InvalidHashError):
            return False
        return matches and usable


def generate_password() -> str:
    """Make a password of 20 characters without look-alikes (115 bits)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))


def check_password(password: str, *, where: str = "password") -> None:
    """Refuse a password that is too short or too long. Raises: InvalidError `password.length`."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise InvalidError(
            Problem(
                "password.length",
                sentence(
                    "A password has {min_characters} to {max_characters} characters, this one {count}.",
                    min_characters=MIN_CHARACTERS,
                    max_characters=MAX_CHARACTERS,
                    count=len(password),
                ),
                where,
                "A few unrelated words make a long password that is easy to keep in mind.",
            )
        )
