"""What a running node may reach: its identity, the log, artifacts and the guarded HTTP client.

Invariant: a node reaches the outside through its context only, so tests can run it with a fake one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol
from uuid import UUID

from structforge.domain.errors import Problem, StructForgeError

LogLevel = Literal["debug", "info", "warning", "error"]

ARTIFACT_KEY = "$artifact"
_HASH = re.compile(r"[0-9a-f]{64}")
_MAX_SIZE_BYTES = 2**63 - 1
_MAX_TEXT = 1_000

TABLE_MEDIA_TYPE = "application/vnd.apache.parquet"
"""Media type of a table that travels as an artifact. Such a reference reaches a node as it is; other large
values reach it as the JSON value they are."""


class NodeError(StructForgeError):
    """A step failed in a way its author foresaw; `final` says that retrying cannot help."""

    def __init__(
        self, code: str, message: str, *, where: str = "", hint: str = "", final: bool = True, **details: Any
    ) -> None:
        super().__init__(Problem(code, message, where, hint, details))
        self.final = final


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """A large or binary value, stored once by content; travels on edges as `{"$artifact": {...}}`."""

    hash: str
    """SHA-256 of the bytes, 64 hex digits."""
    size_bytes: int
    media_type: str
    name: str = ""
    meta: dict[str, Any] = field(default_factory=dict, hash=False)
    """Small JSON facts about the content that save opening it: a table's `rows` and `columns`."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON form that travels on an edge."""
        body: dict[str, Any] = {
            "hash": self.hash, "size_bytes": self.size_bytes, "media_type": self.media_type
        }  # fmt: skip
        if self.name:
            body["name"] = self.name
        if self.meta:
            body["meta"] = self.meta
        return {ARTIFACT_KEY: body}

    @classmethod
    def from_json(cls, value: object) -> "ArtifactRef | None":
        """Read the JSON form; anything else gives None, also what only looks like one: it may come from outside."""
        if not isinstance(value, dict) or len(value) != 1 or not isinstance(value.get(ARTIFACT_KEY), dict):
            return None
        body = value[ARTIFACT_KEY]
        digest, size_bytes, media_type = (body.get(name) for name in ("hash", "size_bytes", "media_type"))
        name, meta = body.get("name", ""), body.get("meta", {})
        if (
            not (isinstance(digest, str) and _HASH.fullmatch(digest))
            or type(size_bytes) is not int
            or not 0 <= size_bytes <= _MAX_SIZE_BYTES
            or not all(isinstance(text, str) and len(text) <= _MAX_TEXT for text in (media_type, name))
            or not isinstance(meta, dict)
        ):
            return None
        return cls(digest, size_bytes, str(media_type), str(name), meta)


class ArtifactAccess(Protocol):
    """The artifact store as one organization's run sees it. Synchronous: blocking nodes use it in their
    process."""

    def put(self, data: bytes, *, media_type: str, name: str = "") -> ArtifactRef:
        """Store bytes durably and return their reference."""
        ...

    def put_file(self, path: Path, *, media_type: str, name: str = "") -> ArtifactRef:
        """Store a file durably by moving or copying it."""
        ...

    def path(self, ref: ArtifactRef) -> Path:
        """Return a local file with the bytes, for reading only. Raises: NodeError `artifact.missing`."""
        ...

    def open(self, ref: ArtifactRef) -> BinaryIO:
        """Open the bytes for reading. Raises: NodeError `artifact.missing`."""
        ...


class HttpResponse(Protocol):
    """What the guarded client answers."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> dict[str, str]:
        """By name in lower case, without cookies."""
        ...

    @property
    def content(self) -> bytes: ...
    @property
    def url(self) -> str:
        """Where the answer came from, after redirects."""
        ...

    @property
    def set_cookies(self) -> tuple[str, ...]: ...


class HttpAccess(Protocol):
    """The guarded HTTP client (`security/outbound.py`): the only way a node reaches the network."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float = 30.0,
        max_response_bytes: int = 10 * 1024 * 1024,
        follow_redirects: bool = True,
    ) -> HttpResponse:
        """Send one request. Raises: NodeError `http.*`, `outbound.*`."""
        ...


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows of a query."""

    columns: tuple[str, ...]
    """Each name once, also without rows: a second `id` is `id_2`."""
    rows: list[dict[str, Any]]
    """JSON cells by column name; exact numbers are `int` and `Decimal`."""
    cut: bool
    """There were more rows than the limit."""
    types: tuple[str, ...] = ()
    """The table type of each column: `integer`, `decimal`, `number`, `text`, `boolean`, `list`, `object`,
    `mixed`."""
    remarks: tuple[str, ...] = ()
    """What the log is to say of values that JSON cannot hold."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write did."""

    changed: int
    """Rows inserted, updated or deleted, over all statements."""
    rows: list[dict[str, Any]]
    """What the last statement with `RETURNING` returned, for every element of a batch in its order."""
    repeated: bool
    """It was done by an earlier attempt; this is what was recorded then."""


class DatabaseAccess(Protocol):
    """The databases behind an organization's connections (`runtime/postgres`). `connection` is a name;
    values are written `%(name)s` in statements and are bound, never put into the text."""

    async def query(
        self,
        connection: str,
        statement: str,
        values: Mapping[str, Any],
        *,
        time_limit_s: float,
        row_limit: int,
        max_bytes: int,
    ) -> QueryResult:
        """Read rows in a read-only transaction. Raises: NodeError `connection.*`, `database.*`, `outbound.*`."""
        ...

    async def write(
        self,
        connection: str,
        statements: Sequence[str],
        values: Mapping[str, Any],
        batch: Sequence[Mapping[str, Any]] | None,
        *,
        key: str,
        time_limit_s: float,
        row_limit: int,
        max_bytes: int = 100 * 1024 * 1024,
    ) -> WriteResult:
        """Run statements, for each element of `batch` if given, and note `key`, in one transaction.

        The same key again changes nothing and gives the recorded result.
        Raises: NodeError `connection.*`, `database.*`, `outbound.*`.
        """
        ...


class NodeContext(Protocol):
    """What a node's `run` gets beside its parameters and inputs."""

    @property
    def run_id(self) -> UUID: ...
    @property
    def organization_id(self) -> UUID: ...
    @property
    def step_key(self) -> str: ...
    @property
    def attempt(self) -> int:
        """The try of this step, from 1."""
        ...

    @property
    def waiting_since(self) -> datetime | None:
        """When this step first asked to wait; none at its first call."""
        ...

    @property
    def answer(self) -> Any:
        """What came in while the step waited; none if nothing did."""
        ...

    @property
    def idempotency_key(self) -> str:
        """A function of run and step key, never of the attempt: send it to receivers that can deduplicate."""
        ...

    @property
    def files(self) -> Path:
        """The organization's folder of uploaded and starter files, for reading."""
        ...

    @property
    def max_file_bytes(self) -> int:
        """The size of the largest file a node may read."""
        ...

    @property
    def artifacts(self) -> ArtifactAccess: ...
    @property
    def http(self) -> HttpAccess:
        """Only for nodes with `Execution.ASYNC`."""
        ...

    @property
    def databases(self) -> DatabaseAccess:
        """Only for nodes with `Execution.ASYNC`."""
        ...

    def log(self, level: LogLevel, message: str, **fields: Any) -> None:
        """Write a line to the run's log."""
        ...
