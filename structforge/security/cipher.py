"""Secrets at rest: authenticated encryption (AES-256-GCM) in an envelope that names its key.

Invariant: a ciphertext opens only for the use and the owner it was sealed for (`context` is authenticated), and
the key never comes from the database.
"""

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from structforge.domain.errors import Problem, UnavailableError
from structforge.security.keyring import Keyring

FORMAT = "v1"
NONCE_BYTES = 12

TRIGGER_SECRET = "trigger-secret"
"""The use that secrets of webhooks are sealed for."""
CONNECTION_SECRET = "connection-secret"
"""The use that secrets of connections are sealed for."""


class Cipher:
    """Seals and opens texts for one use (`trigger-secret`)."""

    def __init__(self, keyring: Keyring, use: str) -> None:
        keys = keyring.derive(use)
        self._active_id = keys[0].key_id
        self._keys = {key.key_id: AESGCM(key.secret) for key in keys}

    def seal(self, text: str, context: str) -> str:
        """Return the envelope `v1:<key id>:<nonce and ciphertext>`; `context` is needed to open it again."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._keys[self._active_id].encrypt(nonce, text.encode(), _bound(self._active_id, context))
        return f"{FORMAT}:{self._active_id}:{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, envelope: str, context: str) -> str:
        """Return what was sealed. Raises: UnavailableError `secret.unreadable` (key lost, or altered)."""
        kind, _, rest = envelope.partition(":")
        key_id, _, payload = rest.partition(":")
        key = self._keys.get(key_id)
        try:
            if kind != FORMAT or key is None:
                raise ValueError(f"no key {key_id[:32]!r}")
            data = base64.urlsafe_b64decode(payload)
            return key.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _bound(key_id, context)).decode()
        except (InvalidTag, ValueError) as error:
            raise UnavailableError(
                Problem(
                    "secret.unreadable",
                    "A stored secret cannot be decrypted with the keys of this installation.",
                    hint="Restore the key it was written with, or make a new secret.",
                )
            ) from error


def _bound(key_id: str, context: str) -> bytes:
    return f"{FORMAT}:{key_id}:{context}".encode()
