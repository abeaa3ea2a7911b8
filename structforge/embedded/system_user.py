"""Who the embedded servers run as: PostgreSQL refuses to run as root, so root lends it a system user.

Invariant: permissions are only ever widened for that one user, and only to pass through folders (`x`), never
to list or read them. Used by `embedded/` alone.
"""

import errno
import os
import pwd
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from structforge.domain.errors import Problem, UnavailableError, sentence

ACCOUNT = "structforge"
FALLBACK_ACCOUNT = "nobody"

_ACL = "system.posix_acl_access"
_ACL_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NO_ID = 0xFFFFFFFF


class EmbeddedServerError(UnavailableError):
    """An embedded server cannot be started, reached or stopped."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user that servers run as; `switch` is false when that is simply the present one."""

    uid: int
    gid: int
    switch: bool

    def own(self, path: Path) -> None:
        """Give `path` itself to the account."""
        if self.switch:
            os.chown(path, self.uid, self.gid)


def server_account() -> Account:
    """Return the account for the servers: oneself, or as root a system user (created once).

    Raises:
        EmbeddedServerError: root, and no unprivileged account is to be had.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    entry = _lookup(ACCOUNT) or _create_account() or _lookup(FALLBACK_ACCOUNT)
    if entry is None:
        raise EmbeddedServerError(
            Problem(
                "embedded.no_account",
                "PostgreSQL does not run as root, and no other system user could be found or created.",
                hint=sentence(
                    "Create one (useradd --system {account}) or run as an ordinary user.", account=ACCOUNT
                ),
            )
        )
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def let_through(path: Path, account: Account) -> None:
    """Let the account pass through every folder above `path` (and `path`, when it is a folder)."""
    if not account.switch:
        return
    folders = [path, *path.parents] if path.is_dir() else list(path.parents)
    for folder in reversed(folders):
        _let_through_one(folder, account)


def _lookup(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create_account() -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    subprocess.run(
        [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", ACCOUNT],
        capture_output=True,
        check=False,
    )
    return _lookup(ACCOUNT)


def _let_through_one(folder: Path, account: Account) -> None:
    status = folder.stat()
    if status.st_uid == account.uid:
        allowed = status.st_mode & 0o100
    elif status.st_gid == account.gid:
        allowed = status.st_mode & 0o010
    else:
        allowed = status.st_mode & 0o001
    if allowed:
        return
    try:
        os.setxattr(folder, _ACL, _acl_with(folder, status.st_mode, account.uid))
    except (OSError, AttributeError):
        # No access lists on this file system: `x` for others is the next smallest thing.
        folder.chmod(status.st_mode & 0o7777 | 0o001)


def _acl_with(folder: Path, mode: int, uid: int) -> bytes:
    entries = {
        (_USER_OBJ, _NO_ID): mode >> 6 & 7,
        (_GROUP_OBJ, _NO_ID): mode >> 3 & 7,
        (_OTHER, _NO_ID): mode & 7,
    }
    try:
        raw = os.getxattr(folder, _ACL)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
    else:
        entries = {(tag, holder): bits for tag, bits, holder in struct.iter_unpack("<HHI", raw[4:])}
    entries[(_USER, uid)] = entries.get((_USER, uid), 0) | 0o1
    limited = [bits for (tag, _), bits in entries.items() if tag in (_USER, _GROUP, _GROUP_OBJ)]
    mask = 0
    for bits in limited:
        mask |= bits
    entries[(_MASK, _NO_ID)] = mask
    body = b"".join(struct.pack("<HHI", tag, bits, holder) for (tag, holder), bits in sorted(entries.items()))
    return struct.pack("<I", _ACL_VERSION) + body
