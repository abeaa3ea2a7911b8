"""The bytes of a file, up to a limit.

Invariant: only regular files are read, and never more than the limit.
"""

import os
import stat
from pathlib import Path

from structforge.domain.errors import sentence
from structforge.sdk import NodeError


def read_bounded(path: Path, source: str, *, must_not_link: bool, limit: int) -> bytes:
    """Return the content of a regular file.

    `must_not_link` closes the gap between the check of a path and its opening.
    Raises: NodeError `file.unreadable`, `file.not_a_file`, `file.too_large`.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (os.O_NOFOLLOW if must_not_link else 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise NodeError(
            "file.unreadable",
            sentence("{source} cannot be opened.", source=source),
            where=source,
            hint="Check the rights of the file, and try again.",
            final=False,
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NodeError(
            "file.not_a_file",
            sentence("{source} is not a file.", source=source),
            where=source,
            hint="Name a file in it.",
        )
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        size = os.fstat(descriptor).st_size
        data = stream.read(min(size, limit) + 1) or b""
        if len(data) > limit:
            raise NodeError(
                "file.too_large",
                sentence(
                    "{source} has {size} bytes; the limit is {limit}.", source=source, size=size, limit=limit
                ),
                where=source,
                hint="Split the file, or filter it where it is made.",
                size_bytes=size,
                limit_bytes=limit,
            )
    return data
