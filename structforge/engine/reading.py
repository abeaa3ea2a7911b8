"""Reading the values that stand as artifacts: for expressions, for nodes, and for whoever looks from outside.

Invariant: a reference counts only while its bytes are in the organization's store; anything else that looks like one is
data. What one reader reads is bounded, and what was read is shared by whoever asks for the same content.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from structforge.domain.errors import sentence
from structforge.domain.expressions import Keep, Lazy, LazyScope, Reading
from structforge.domain.values import decode_json
from structforge.sdk.context import ARTIFACT_KEY, ArtifactAccess, ArtifactRef, NodeError

VALUE_MEDIA_TYPE = "application/vnd.structforge.value+json"
"""The engine's own: a JSON value too large to stand in a row."""
BYTES_A_VALUE = 16
"""So many bytes of JSON count as one value that is read."""
READ_AT_ONCE = 200_000
"""A table of so few cells is read as a whole at the first look: the next one costs nothing then."""

_MARK = f'"{ARTIFACT_KEY}"'.encode()


class Referring(dict[str, Any]):
    """Values by name, among which are references to artifacts: only here they are looked for."""

    __slots__ = ("own",)

    def __init__(self, values: Mapping[str, Any], own: frozenset[str] = frozenset()) -> None:
        """`own` are the names whose values were made by steps: a reference there is never data from outside."""
        super().__init__(values)
        self.own = own


class TableRows(Protocol):
    """Reads rows of a table artifact as JSON, from `start` to `stop`, of all or some of its columns."""

    def __call__(
        self, path: Path, columns: Sequence[str] | None = None, start: int = 0, stop: int | None = None
    ) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class TableDecoder:
    """How the artifacts of one media type are read as tables."""

    rows: TableRows
    cells: Callable[[Path, str], list[Any]]
    """Reads the cells of one column."""
    shape: Callable[[Path], tuple[int, list[str]]]
    """Returns the number of rows and the names of the columns."""


class ReadValues:
    """What was read lately in this process, by content, so that loops do not read the same table again and again.

    Safe for threads; the values are read-only.
    """

    def __init__(self, most: int = 500_000) -> None:
        """`most` is the number of values that are kept."""
        self._most = most
        self._weight = 0
        self._known: OrderedDict[tuple[Any, ...], tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[Any, ...]) -> Any:
        """Return what was read, or None."""
        with self._lock:
            found = self._known.get(key)
            if found is None:
                return None
            self._known.move_to_end(key)
            return found[1]

    def put(self, key: tuple[Any, ...], weight: int, value: Any) -> None:
        """Keep what was read, in the place of what was not asked for the longest time."""
        if weight > self._most // 4:
            return
        with self._lock:
            before = self._known.pop(key, None)
            self._weight += weight - (before[0] if before else 0)
            self._known[key] = (weight, value)
            while self._weight > self._most:
                self._weight -= self._known.popitem(last=False)[1][0]


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds of what one reader reads."""

    values: int
    """Values: cells of tables, and sixteen bytes of JSON each."""
    value_bytes: int
    """Bytes of one stored value."""


class Reader:
    """Reads for one step, or for one answer to the outside. Its methods block: call them in a thread."""

    def __init__(
        self,
        artifacts: ArtifactAccess,
        decoders: Mapping[str, TableDecoder],
        read: ReadValues,
        limits: ReadLimits,
        organization_id: UUID,
    ) -> None:
        self._artifacts = artifacts
        self._decoders = decoders
        self._read = read
        self._limits = limits
        self._organization_id = organization_id
        self._left = limits.values
        self._held: dict[tuple[Any, ...], Any] = {}

    def open(self, value: Any) -> "StoredValue | None":
        """Return the value that a JSON value refers to; None for a file, and for data that only looks like one."""
        ref = self._known(value)
        if ref is None:
            return None
        try:
            path = self._artifacts.path(ref)
        except NodeError:
            return None
        if path.stat().st_size != ref.size_bytes:
            return None
        return StoredValue(ref, path, self._decoders.get(ref.media_type), self)

    def check(self, value: Any) -> None:
        """Refuse a value of a step whose bytes are gone. Raises: NodeError `artifact.missing`."""
        ref = self._known(value)
        if ref is not None:
            self._artifacts.path(ref)

    def reading(self, keep: Keep = Keep.NOTHING) -> Reading:
        """Return what evaluations read with."""
        return Reading(self.open, keep)

    def scope(self, names: Mapping[str, Any]) -> LazyScope:
        """Return names as expressions see them. Raises: NodeError `artifact.missing`."""
        for name in names.own if isinstance(names, Referring) else ():
            self.check(names[name])
        return LazyScope(names, self.reading())

    def whole(self, value: Any, keep: Keep = Keep.NOTHING, *, made_here: bool = False) -> Any:
        """Return a value with what it refers to in it; one that was `made_here`, by a step, has to be there.

        Raises: NodeError `value.*`, `artifact.missing`.
        """
        if made_here:
            self.check(value)
        reading = self.reading(keep)
        return reading.result(reading.seen(value))

    def take(self, key: tuple[Any, ...], weight: int, read: Callable[[], Any]) -> Any:
        """Return what `read` reads, or what was read before. Raises: NodeError `value.too_much_to_read`."""
        if key in self._held:
            return self._held[key]
        # Also for what somebody else has read: whether a step fails must not depend on that.
        self._charge(weight)
        shared = (self._organization_id, *key)
        found = self._read.get(shared)
        if found is None:
            try:
                found = read()
            except (NodeError, MemoryError):
                raise
            except Exception as error:
                raise NodeError(
                    "value.unreadable",
                    sentence("The stored value {hash}… cannot be read.", hash=str(key[0])[:12]),
                    hint="Its file is damaged, or is no value. Run the step that made it again.",
                ) from error
            self._read.put(shared, weight, found)
        self._held[key] = found
        return found

    def _known(self, value: Any) -> ArtifactRef | None:
        ref = ArtifactRef.from_json(value)
        if ref is None or (ref.media_type != VALUE_MEDIA_TYPE and ref.media_type not in self._decoders):
            return None
        return ref

    def _charge(self, weight: int) -> None:
        if weight > self._left:
            raise NodeError(
                "value.too_much_to_read",
                sentence(
                    "This would read {count} values into memory; at most {most} are read for one step.",
                    count=self._limits.values - self._left + weight,
                    most=self._limits.values,
                ),
                hint="Filter or aggregate with a table node first, or take what does not read all: `length`, "
                "`columns`, one row, one column.",
                count=self._limits.values - self._left + weight,
                most=self._limits.values,
            )
        self._left -= weight

    def has_room(self, cells: int) -> bool:
        """Tell whether a table is small enough to be read as a whole where a part would do."""
        return cells <= min(READ_AT_ONCE, self._left)

    @property
    def value_bytes(self) -> int:
        """Return the size of the largest stored value that is read."""
        return self._limits.value_bytes


class StoredValue(Lazy):
    """A large JSON value or a table in the artifact store."""

    def __init__(self, ref: ArtifactRef, path: Path, decoder: TableDecoder | None, reader: Reader) -> None:
        self._ref = ref
        self._path = path
        self._decoder = decoder
        self._reader = reader
        self._shape: tuple[int, list[str]] | None = None

    @property
    def reference(self) -> Any:
        """See `Lazy`."""
        return self._ref.as_json()

    @property
    def columns(self) -> list[str] | None:
        """See `Lazy`."""
        return None if self._decoder is None else self._facts(self._decoder)[1]

    @property
    def rows(self) -> int:
        """See `Lazy`."""
        return 0 if self._decoder is None else self._facts(self._decoder)[0]

    def content(self) -> tuple[Any, bool]:
        """See `Lazy`. Raises: NodeError `value.*`."""
        if self._decoder is not None:
            return self._table(self._decoder, 0, self.rows, None), False
        weight = self._ref.size_bytes // BYTES_A_VALUE + 1
        found: tuple[Any, bool] = self._reader.take((self._ref.hash,), weight, self._json)
        return found

    def part(self, start: int, stop: int, columns: Sequence[str] | None = None) -> list[Any]:
        """See `Lazy`. Raises: NodeError `value.*`."""
        if self._decoder is None:
            return super().part(start, stop, columns)
        if self._reader.has_room(self.rows * len(self.columns or ())):
            return self._table(self._decoder, 0, self.rows, None)[start:stop]
        return self._table(self._decoder, start, stop, columns)

    def cells(self, column: str) -> list[Any]:
        """See `Lazy`. Raises: NodeError `value.*`."""
        decoder = self._decoder
        if decoder is None or self._reader.has_room(self.rows * len(self.columns or ())):
            return super().cells(column)
        key = (self._ref.hash, "cells", column)
        found: list[Any] = self._reader.take(key, self.rows, lambda: decoder.cells(self._path, column))
        return found

    def _facts(self, decoder: TableDecoder) -> tuple[int, list[str]]:
        if self._shape is None:
            rows, columns = self._ref.meta.get("rows"), self._ref.meta.get("columns")
            known = type(rows) is int and rows >= 0 and isinstance(columns, list)
            if known and all(isinstance(name, str) for name in columns or ()):
                self._shape = (rows or 0, columns or [])
            else:
                key = (self._ref.hash, "shape")
                self._shape = self._reader.take(key, 1, lambda: decoder.shape(self._path))
        return self._shape

    def _table(
        self, decoder: TableDecoder, start: int, stop: int, columns: Sequence[str] | None
    ) -> list[Any]:
        width = len(self.columns or ()) if columns is None else len(columns)
        key = (self._ref.hash, start, stop, None if columns is None else tuple(columns))
        rows: list[Any] = self._reader.take(
            key, (stop - start) * max(width, 1), lambda: decoder.rows(self._path, columns, start, stop)
        )
        return rows

    def _json(self) -> tuple[Any, bool]:
        data = self._path.read_bytes()
        return decode_json(data, max_bytes=self._reader.value_bytes), _MARK in data


def refers(value: Any) -> bool:
    """Tell whether a reference to an artifact, or what looks like one, stands anywhere in a value."""
    if isinstance(value, dict):
        return ArtifactRef.from_json(value) is not None or any(refers(item) for item in value.values())
    return isinstance(value, list) and any(refers(item) for item in value)


def marked(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return values by name as `Referring` if there is a reference among them."""
    return Referring(values) if any(refers(value) for value in values.values()) else values
