"""The installation's secret keys: from STRUCTFORGE_SECRET_KEY or the file `secret.key`, never the database.

Invariant: a master key signs and encrypts nothing itself; each use derives its own key (HKDF-SHA256), so the
key of one use tells nothing about another's. The first key is the active one; older ones stay for reading.
"""

import base64
import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from structforge.domain.errors import Problem, UnavailableError, sentence

KEY_BYTES = 32
FILE_NAME = "secret.key"

_LINE = re.compile(r"(?P<id>[A-Za-z0-9_-]{1,32}):(?P<key>[A-Za-z0-9_-]{43}=?)")


@dataclass(frozen=True, slots=True)
class DerivedKey:
    """A key for one use, with the id of the master key it comes from."""

    key_id: str
    secret: bytes


class Keyring:
    """Master keys in order: the first one is active."""

    def __init__(self, keys: list[tuple[str, bytes]]) -> None:
        if not keys:
            raise ValueError("a keyring needs a key")
        self._keys = tuple(keys)

    @property
    def active_id(self) -> str:
        """The id of the key that new signatures and ciphertexts use."""
        return self._keys[0][0]

    def derive(self, use: str) -> list[DerivedKey]:
        """Return the keys for `use` (`access-token`), the active one first."""
        info = f"structforge/{use}".encode()
        return [
            DerivedKey(key_id, HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(key))
            for key_id, key in self._keys
        ]


def parse_keyring(text: str, *, where: str) -> Keyring:
    """Read keys from `text`: `id:key` in lines or separated by commas, the active one first.

    A key is 32 bytes in URL-safe base64. Raises: UnavailableError `keys.malformed`; `where` names the source.
    """
    keys: list[tuple[str, bytes]] = []
    for number, entry in enumerate(re.split(r"[\s,]+", text.strip()), start=1):
        match = _LINE.fullmatch(entry)
        if match is None or match["id"] in dict(keys):
            raise UnavailableError(
                Problem(
                    "keys.malformed",
                    sentence(
                        "Key {number} in {where} is not `id:key`: its own id and 32 bytes in URL-safe "
                        "base64.",
                        number=number,
                        where=where,
                    ),
                    where,
                    "Restore it from your backup; `structforge keys generate` prints a new one.",
                )
            )
        keys.append((match["id"], base64.urlsafe_b64decode(match["key"].rstrip("=") + "=")))
    return Keyring(keys)


def generate_key() -> str:
    """Return a new key as `id:key`; the id is the start of the key's SHA-256."""
    key = secrets.token_bytes(KEY_BYTES)
    return f"{hashlib.sha256(key).hexdigest()[:8]}:{base64.urlsafe_b64encode(key).decode().rstrip('=')}"


def load_keyring(secret: str | None, home: Path) -> Keyring:
    """Return the keys in `secret` if it is set, else in the file in `home`, made at first use (mode 0600).

    Raises: UnavailableError `keys.malformed`, `keys.unreadable`, `keys.exposed`.
    """
    if secret:
        return parse_keyring(secret, where="STRUCTFORGE_SECRET_KEY")
    path = home / FILE_NAME
    if not path.exists():
        _write_new(path)
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(
            Problem(
                "keys.unreadable",
                sentence("The key file cannot be read: {error}.", error=error),
                str(path),
                "Mend its owner.",
            )
        ) from error
    if mode & 0o077:
        raise UnavailableError(
            Problem(
                "keys.exposed",
                "The key file can be read by other users of this machine.",
                str(path),
                sentence("Run `chmod 600 {path}`, and rotate the key if others had access.", path=path),
            )
        )
    return parse_keyring(text, where=str(path))


def _write_new(path: Path) -> None:
    """Create the key file whole: of several processes that start at once, one wins and all read its key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{generate_key()}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
