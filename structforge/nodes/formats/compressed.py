"""Packed files: gzip, and a zip of one file.

Invariant: unpacking stops at the limit, however small the packed file is.
"""

import gzip
import io
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import IO

from structforge.domain.errors import sentence
from structforge.sdk import NodeError

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"


def unpacked(data: bytes, source: str, *, limit: int) -> tuple[bytes, str]:
    """Return the content of a packed file and its name inside; other files come back as they are.

    An Excel file is a zip too, and stays one. Raises: NodeError `file.too_large`, `file.packed`, `file.zip`.
    """
    if data.startswith(GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                content = _bounded(stream, source, limit)
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(source) from error
        name = source[:-3] if source.lower().endswith(".gz") else source
        return unpacked_once(content, source), name
    if data.startswith((ZIP, EMPTY_ZIP)):
        return _of_zip(data, source, limit)
    return data, source


def require_bounded(data: bytes, source: str, *, limit: int) -> None:
    """Refuse a zip (an Excel file is one) that says it grows beyond `limit`. Raises: NodeError `file.too_large`."""
    if not data.startswith(ZIP):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            size = sum(member.file_size for member in packed.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return
    if size > limit:
        raise _too_large(source, limit)


def unpacked_once(content: bytes, source: str) -> bytes:
    """Return the content when it is not packed again. Raises: NodeError `file.packed`."""
    if content.startswith(GZIP):
        raise NodeError(
            "file.packed",
            sentence("{source} is packed more than once.", source=source),
            where=source,
            hint="Unpack it and read the file inside.",
        )
    return content


def _of_zip(data: bytes, source: str, limit: int) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            names = [name for name in packed.namelist() if not name.endswith("/") and not _beside(name)]
            if any(name in ("[Content_Types].xml", "mimetype") for name in names):
                return data, source
            if len(names) != 1:
                shown = ", ".join(f"`{name}`" for name in names[:10])
                raise NodeError(
                    "file.zip",
                    sentence("{source} holds {count} files; one is read.", source=source, count=len(names)),
                    where=source,
                    hint=sentence("It holds: {names}.", names=shown or "—"),
                )
            with packed.open(names[0]) as stream:
                content = _bounded(stream, source, limit)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError) as error:
        raise _damaged(source) from error
    except (NotImplementedError, RuntimeError) as error:
        raise NodeError(
            "file.packed",
            sentence(
                "{source} is protected by a password, or packed in a way that is not read.", source=source
            ),
            where=source,
            hint="Pack it as an ordinary zip without a password.",
        ) from error
    return unpacked_once(content, source), names[0]


def _beside(name: str) -> bool:
    """Tell whether a member is what macOS and others add to a zip."""
    path = PurePosixPath(name)
    return path.parts[0] == "__MACOSX" or path.name in (".DS_Store", "Thumbs.db")


def _bounded(stream: IO[bytes] | gzip.GzipFile, source: str, limit: int) -> bytes:
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise _too_large(source, limit)
    return content


def _too_large(source: str, limit: int) -> NodeError:
    return NodeError(
        "file.too_large",
        sentence("{source} has more than {limit} bytes when unpacked.", source=source, limit=limit),
        where=source,
        hint="Split the file, or filter it where it is made.",
        limit_bytes=limit,
    )


def _damaged(source: str) -> NodeError:
    return NodeError(
        "file.packed",
        sentence("{source} is damaged: it cannot be unpacked.", source=source),
        where=source,
        hint="Fetch the file again.",
    )
