"""An organization's files: artifacts its runs made, and the folder of uploaded and starter files.

Invariant: a path names a file in the organization's own folder or nothing; an upload is whole or absent.
"""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.errors import (
    InvalidError,
    NotFoundError,
    Problem,
    TooLargeError,
    sentence,
)
from structforge.domain.values import JsonValue
from structforge.nodes.formats.file_names import entry_of, normal_name
from structforge.sdk import ArtifactRef, NodeError
from structforge.storage.artifacts import HASH, ArtifactStore
from structforge.storage.database import Database
from structforge.storage.repositories.artifacts import Artifacts

MAX_PATH_BYTES = 240
MAX_LISTED = 1_000

_SEGMENT = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,239}")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file on disk that may be sent to whoever asked."""

    path: Path
    name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FileEntry:
    """An uploaded file in a list."""

    path: str
    size_bytes: int
    changed_at: datetime


class FileService:
    """Artifacts and uploaded files."""

    def __init__(self, database: Database, store: ArtifactStore, root: Path, *, max_bytes: int) -> None:
        """`root` holds one folder for each organization."""
        self._database = database
        self._store = store
        self._root = root
        self._max_bytes = max_bytes

    async def artifact(self, principal: Principal, digest: str) -> StoredFile:
        """Return an artifact of the principal's organization. Raises: NotFoundError."""
        authorize(principal, Permission.ARTIFACT_READ)
        missing = NotFoundError(Problem("artifact.missing", "There is no such artifact.", "hash"))
        if HASH.fullmatch(digest) is None:
            raise missing
        async with self._database.transaction(principal.organization_id) as session:
            row = await Artifacts(session).get(principal.organization_id, digest)
        if row is None:
            raise missing
        try:
            path = self._store.path(principal.organization_id, digest)
        except NodeError as error:
            raise NotFoundError(error.problem) from error
        return StoredFile(path, digest, row.media_type, row.size_bytes)

    async def received(self, organization_id: UUID, data: bytes, media_type: str, name: str) -> JsonValue:
        """Store a file that came with a request from outside; return its reference. Raises: TooLargeError."""
        try:
            stored = await asyncio.to_thread(self._store.put, organization_id, (data,))
        except NodeError as error:
            raise TooLargeError(error.problem) from error
        # Noted at once: should no run come of the request, it is swept as what nobody uses.
        async with self._database.transaction(organization_id) as session:
            await Artifacts(session).add(
                organization_id, stored.hash, size_bytes=stored.size_bytes, media_type=media_type
            )
        reference: JsonValue = ArtifactRef(stored.hash, stored.size_bytes, media_type, name).as_json()
        return reference

    async def made(self, organization_id: UUID, ref: ArtifactRef) -> StoredFile:
        """Return the file that a run of the organization answers with. Raises: NotFoundError."""
        try:
            path = await asyncio.to_thread(self._store.path, organization_id, ref.hash)
        except NodeError as error:
            raise NotFoundError(error.problem) from error
        plain = ref.media_type.isascii() and ref.media_type.isprintable() and ref.media_type
        return StoredFile(path, ref.name or "file", plain or "application/octet-stream", ref.size_bytes)

    async def list(self, principal: Principal) -> "list[FileEntry]":
        """Return the organization's files by path, at most `MAX_LISTED`."""
        authorize(principal, Permission.ARTIFACT_READ)
        return await asyncio.to_thread(_entries, self.folder(principal.organization_id))

    async def get(self, principal: Principal, path: str) -> StoredFile:
        """Return an uploaded file. Raises: NotFoundError."""
        authorize(principal, Permission.ARTIFACT_READ)
        return await asyncio.to_thread(self._existing, principal.organization_id, path)

    async def upload(self, principal: Principal, path: str, chunks: AsyncIterator[bytes]) -> FileEntry:
        """Store a file as it arrives, in place of one of that path. Raises: InvalidError, TooLargeError."""
        authorize(principal, Permission.ARTIFACT_WRITE)
        target = self._target(principal.organization_id, path)
        partial = target.with_name(f".{secrets.token_hex(12)}")
        await asyncio.to_thread(_make_folder, target)
        size_bytes = 0
        try:
            with await asyncio.to_thread(partial.open, "xb") as file:
                async for chunk in chunks:
                    size_bytes += len(chunk)
                    if size_bytes > self._max_bytes:
                        raise TooLargeError(
                            Problem(
                                "file.too_large",
                                sentence(
                                    "The file is larger than {max_bytes} bytes.", max_bytes=self._max_bytes
                                ),
                                path[:MAX_PATH_BYTES],
                                "Split it, or raise STRUCTFORGE_FILE_MAX_BYTES.",
                                {"max_bytes": self._max_bytes},
                            )
                        )
                    await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(_sync, file.fileno())
            await asyncio.to_thread(_replace, partial, target)
        finally:
            await asyncio.to_thread(partial.unlink, missing_ok=True)
        return FileEntry(normal_name(path), size_bytes, datetime.now(UTC))

    async def delete(self, principal: Principal, path: str) -> None:
        """Remove an uploaded file. Raises: NotFoundError."""
        authorize(principal, Permission.ARTIFACT_WRITE)
        found = await asyncio.to_thread(self._existing, principal.organization_id, path)
        await asyncio.to_thread(found.path.unlink, missing_ok=True)

    def folder(self, organization_id: UUID) -> Path:
        """Return where an organization's uploaded files are."""
        return self._root / str(organization_id)

    def _target(self, organization_id: UUID, path: str) -> Path:
        path = normal_name(path)
        try:
            size = len(path.encode())
        except UnicodeEncodeError:
            size = 0
        if size > MAX_PATH_BYTES:
            raise InvalidError(
                Problem(
                    "file.path_invalid",
                    sentence(
                        "The path of a file has at most {most} bytes; this one has {count}.",
                        most=MAX_PATH_BYTES,
                        count=size,
                    ),
                    "path",
                    "Shorten the names of the file and its folders.",
                )
            )
        segments = path.split("/")
        if not size or not all(_SEGMENT.fullmatch(segment) for segment in segments):
            raise InvalidError(
                Problem(
                    "file.path_invalid",
                    sentence("{path} is not a path of a file here.", path=f"`{path[:80]}`"),
                    "path",
                    "Use names without leading dots, control characters and backslashes, separated by `/`.",
                )
            )
        folder = target = self.folder(organization_id)
        for segment in segments:
            target = entry_of(target, segment)
        # A link inside the folder (a workflow may have made one) must not lead out of it.
        if not target.resolve().is_relative_to(folder.resolve()):
            raise _no_such_file(path)
        return target

    def _existing(self, organization_id: UUID, path: str) -> StoredFile:
        try:
            target = self._target(organization_id, path)
        except InvalidError as error:
            raise _no_such_file(path) from error
        if not target.is_file():
            raise _no_such_file(path)
        return StoredFile(target, target.name, "application/octet-stream", target.stat().st_size)


def _no_such_file(path: str) -> NotFoundError:
    return NotFoundError(
        Problem("file.not_found", sentence("There is no file {path}.", path=f"`{path[:80]}`"), "path")
    )


def _make_folder(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InvalidError(
            Problem("file.path_invalid", "A part of the path is a file already.", "path")
        ) from error


def _replace(partial: Path, target: Path) -> None:
    try:
        os.replace(partial, target)
    except IsADirectoryError as error:
        raise InvalidError(Problem("file.path_invalid", "There is a folder of that name.", "path")) from error


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _entries(folder: Path) -> list[FileEntry]:
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            facts = path.stat()
            changed = datetime.fromtimestamp(facts.st_mtime, UTC)
            name = normal_name(path.relative_to(folder).as_posix())
            found.append(FileEntry(name, facts.st_size, changed))
            if len(found) == MAX_LISTED:
                break
    return found
