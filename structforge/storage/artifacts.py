"""The artifact store: large and binary values as files named by their content, apart for each organization.

Invariant: when a reference is returned, the bytes, their name and every folder above are on disk, so a row
that names them may commit. A name is a checked SHA-256, never text from outside, so no path leads elsewhere.
"""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

from structforge.domain.errors import sentence
from structforge.sdk.context import ArtifactRef, NodeError

HASH = re.compile(r"[0-9a-f]{64}")

CHUNK_BYTES = 1024 * 1024
DEFAULT_MAX_BYTES = 256 * 1024 * 1024

PARTIAL = "partial"
"""The folder of files that are being written or removed; a crash may leave some."""
GOING = ".going"
"""How the name of a file ends that is about to be removed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What was stored: SHA-256 as 64 hex digits, and the number of bytes."""

    hash: str
    size_bytes: int


class ArtifactStore(Protocol):
    """Where artifacts are kept. An object store would use keys `organization/hash` and a local cache."""

    def put(self, organization_id: UUID, chunks: Iterable[bytes]) -> Stored:
        """Store a stream durably, once; storing the same bytes again is cheap.

        Raises: NodeError `artifact.too_large`; OSError when the disk is full (retrying helps once it is not).
        """
        ...

    def path(self, organization_id: UUID, digest: str) -> Path:
        """Return a local file with the bytes, for reading only. Raises: NodeError `artifact.missing`."""
        ...

    def exists(self, organization_id: UUID, digest: str) -> bool:
        """Tell whether the bytes are there."""
        ...

    def delete(self, organization_id: UUID, digest: str, *, unused_since: datetime) -> bool:
        """Remove the bytes unless they were stored again since; tell whether they are gone by this.

        Only the sweep may: it knows what refers to them.
        """
        ...

    def clear_partial(self, *, before: datetime) -> int:
        """Clear up what a crash left half written or half removed before that moment; return how many files."""
        ...


class FileArtifactStore:
    """Implements `ArtifactStore` with files `root/<organization>/ab/cd/<hash>`."""

    def __init__(self, root: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._settled: set[Path] = set()
        """Folders whose way from the root is on disk; none is ever removed."""

    def put(self, organization_id: UUID, chunks: Iterable[bytes]) -> Stored:
        """See `ArtifactStore.put`."""
        partial = self._root / str(organization_id) / PARTIAL
        partial.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=partial)
        try:
            with open(descriptor, "wb") as file:
                stored = self._write(file, chunks)
                target = self._file(organization_id, stored.hash)
                if not _touch(target):
                    file.flush()
                    os.fchmod(descriptor, 0o440)
                    os.fsync(descriptor)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(name, target)
        finally:
            Path(name).unlink(missing_ok=True)
        # Also when the file was there: whoever wrote it may not have come this far yet.
        _sync_folder(target.parent)
        if target.parent not in self._settled:
            for folder in (*target.parents[1:4], self._root.parent):
                _sync_folder(folder)
            self._settled.add(target.parent)
        return stored

    def path(self, organization_id: UUID, digest: str) -> Path:
        """See `ArtifactStore.path`."""
        file = self._file(organization_id, digest)
        if not file.is_file():
            raise _missing(digest)
        return file

    def exists(self, organization_id: UUID, digest: str) -> bool:
        """See `ArtifactStore.exists`."""
        return self._file(organization_id, digest).is_file()

    def delete(self, organization_id: UUID, digest: str, *, unused_since: datetime) -> bool:
        """See `ArtifactStore.delete`."""
        file = self._file(organization_id, digest)
        aside = self._root / str(organization_id) / PARTIAL / f"{digest}{GOING}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Out of the way first: who stores the same bytes from now on finds nothing and writes them anew, and
            # who did before has left its mark on the file that is looked at.
            os.replace(file, aside)
        except FileNotFoundError:
            return False
        if aside.stat().st_mtime >= unused_since.timestamp():
            os.replace(aside, file)
            return False
        aside.unlink()
        return True

    def clear_partial(self, *, before: datetime) -> int:
        """See `ArtifactStore.clear_partial`."""
        cleared = 0
        for file in self._root.glob(f"*/{PARTIAL}/*"):
            with contextlib.suppress(FileNotFoundError):
                # Not the time of its content: one that is being removed may be of any age.
                if file.stat().st_ctime < before.timestamp():
                    self._clear(file)
                    cleared += 1
        return cleared

    def _clear(self, file: Path) -> None:
        digest = file.name.removesuffix(GOING)
        if digest == file.name or HASH.fullmatch(digest) is None:
            file.unlink()
            return
        # Nobody has decided yet whether this one was stored again meanwhile: the next sweep does.
        target = self._file(UUID(file.parts[-3]), digest)
        if target.exists():
            file.unlink()
        else:
            os.replace(file, target)

    def _file(self, organization_id: UUID, digest: str) -> Path:
        if HASH.fullmatch(digest) is None:
            raise NodeError(
                "artifact.invalid",
                sentence("{digest} is not the hash of an artifact.", digest=repr(digest[:80])),
                hint="A reference has the SHA-256 of its bytes as 64 lower-case hex digits.",
            )
        return self._root / str(organization_id) / digest[:2] / digest[2:4] / digest

    def _write(self, file: BinaryIO, chunks: Iterable[bytes]) -> Stored:
        digest = hashlib.sha256()
        size_bytes = 0
        for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > self._max_bytes:
                raise NodeError(
                    "artifact.too_large",
                    sentence("The value is larger than {max_bytes} bytes.", max_bytes=self._max_bytes),
                    hint="Filter or split it earlier, or raise STRUCTFORGE_FILE_MAX_BYTES.",
                    max_bytes=self._max_bytes,
                )
            digest.update(chunk)
            file.write(chunk)
        return Stored(digest.hexdigest(), size_bytes)


class OrganizationArtifacts:
    """Implements `sdk.ArtifactAccess`: the store as the runs of one organization see it."""

    def __init__(self, store: ArtifactStore, organization_id: UUID) -> None:
        self._store = store
        self._organization_id = organization_id

    def put(self, data: bytes, *, media_type: str, name: str = "") -> ArtifactRef:
        """See `ArtifactAccess.put`."""
        return self._refer(self._store.put(self._organization_id, (data,)), media_type, name)

    def put_file(self, path: Path, *, media_type: str, name: str = "") -> ArtifactRef:
        """Store a copy of a file; the original stays."""
        return self._refer(
            self._store.put(self._organization_id, _chunks(path)), media_type, name or path.name
        )

    def path(self, ref: ArtifactRef) -> Path:
        """See `ArtifactAccess.path`."""
        return self._store.path(self._organization_id, ref.hash)

    def open(self, ref: ArtifactRef) -> BinaryIO:
        """See `ArtifactAccess.open`."""
        try:
            return self.path(ref).open("rb")
        except FileNotFoundError as error:
            raise _missing(ref.hash) from error

    def _refer(self, stored: Stored, media_type: str, name: str) -> ArtifactRef:
        return ArtifactRef(stored.hash, stored.size_bytes, media_type, name)


def _missing(digest: str) -> NodeError:
    return NodeError(
        "artifact.missing",
        sentence("The artifact {digest}… is not there.", digest=digest[:12]),
        hint="It may be past its retention; run the workflow again to make it anew.",
    )


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _touch(file: Path) -> bool:
    """Renew the time of a file, which keeps it from the sweep; tell whether it is there."""
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
