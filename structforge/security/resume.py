"""Addresses at which a waiting step is answered: a signed name of the step, so that nobody can guess one.

Invariant: what `read` returns was signed here, with a key of this installation; the token is stored nowhere.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from functools import cached_property
from uuid import UUID

from structforge.security.keyring import Keyring

USE = "resume-token"
MAC_BYTES = 20
ID_BYTES = 16
MAX_CHARACTERS = 2_000

StepName = tuple[UUID, UUID, str]
"""Organization, run, step key."""


class ResumeTokens:
    """Makes and reads tokens; the keys are loaded at the first use."""

    def __init__(self, load: Callable[[], Keyring]) -> None:
        self._load = load

    @cached_property
    def _keys(self) -> list[bytes]:
        return [key.secret for key in self._load().derive(USE)]

    def make(self, organization_id: UUID, run_id: UUID, step_key: str) -> str:
        """Return the token of a step, the same each time."""
        name = organization_id.bytes + run_id.bytes + step_key.encode()
        return base64.urlsafe_b64encode(_mac(self._keys[0], name) + name).decode().rstrip("=")

    def read(self, token: str) -> StepName | None:
        """Return whose token it is; None for one that was not made here."""
        if not token.isascii() or len(token) > MAX_CHARACTERS:
            return None
        try:
            data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (ValueError, binascii.Error):
            return None
        mac, name = data[:MAC_BYTES], data[MAC_BYTES:]
        # Every key is tried: a run may have waited since before the active one.
        if len(name) <= 2 * ID_BYTES or not any(
            hmac.compare_digest(mac, _mac(key, name)) for key in self._keys
        ):
            return None
        organization_id, run_id, step_key = (
            name[:ID_BYTES],
            name[ID_BYTES : 2 * ID_BYTES],
            name[2 * ID_BYTES :],
        )
        return UUID(bytes=organization_id), UUID(bytes=run_id), step_key.decode()


def _mac(key: bytes, name: bytes) -> bytes:
    return hmac.new(key, name, hashlib.sha256).digest()[:MAC_BYTES]
