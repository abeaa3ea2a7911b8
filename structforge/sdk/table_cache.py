"""Tables that a process of the pool has read or made lately, so that the next step need not read them again.

Invariant: artifacts are named by their content, so what is kept never grows old; at most `keep_recent` bytes are kept,
and nothing unless a process asks for it.
"""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """What can be kept."""

    @property
    def size_bytes(self) -> int: ...


S = TypeVar("S", bound=Sized)


class Recent(Generic[S]):
    """Values by the file they stand for; those used longest ago go first."""

    def __init__(self) -> None:
        self._most_bytes = 0
        self._bytes = 0
        self._kept: OrderedDict[Path, S] = OrderedDict()
        self._lock = Lock()

    def keep(self, most_bytes: int) -> None:
        """Keep values of at most so many bytes together from now on."""
        with self._lock:
            self._most_bytes = most_bytes
            self._shrink()

    def get(self, path: Path) -> S | None:
        """Return the value of a file if it is kept."""
        with self._lock:
            found = self._kept.get(path)
            if found is not None:
                self._kept.move_to_end(path)
            return found

    def put(self, path: Path, value: S) -> None:
        """Keep the value of a file, unless it is too large to leave room for others."""
        if not self._most_bytes:
            return
        size = value.size_bytes
        with self._lock:
            if size <= self._most_bytes // 2 and path not in self._kept:
                self._kept[path] = value
                self._bytes += size
                self._shrink()

    def _shrink(self) -> None:
        while self._bytes > self._most_bytes:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= gone.size_bytes
