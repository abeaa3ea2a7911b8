"""A test bench for node types: run one node with a fake context, no server, no database.

Invariant: what passes here passes in the engine: parameters are validated, ports checked, the result must be
JSON. Node authors and the tests of the built-in nodes use it; the program itself never does.
"""

import asyncio
import hashlib
import inspect
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from pydantic import ValidationError

from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.validation.parameters import resolved_problems
from structforge.domain.values import journal_safe
from structforge.domain.workflow import NodeSpec
from structforge.sdk.context import ArtifactRef, DatabaseAccess, HttpAccess, HttpResponse, LogLevel, NodeError
from structforge.sdk.control import Call, Return, Wait
from structforge.sdk.node import Node, Ports
from structforge.sdk.shapes import RegisteredShape

RUN_ID = UUID("00000000-0000-7000-8000-000000000001")
ORGANIZATION_ID = UUID("00000000-0000-7000-8000-000000000002")
BENCH_ID = "node"
"""Id of the node that is run."""
RETURNED = "out"
"""Where an outcome has what a node without outputs returned."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line the node logged."""

    level: LogLevel
    message: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FakeResponse:
    """An answer for `FakeHttp`."""

    status_code: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    url: str = ""
    set_cookies: tuple[str, ...] = ()


@dataclass(slots=True)
class FakeHttp:
    """Answers requests from a function and keeps them; without one, every request is refused."""

    answer: Callable[[str, str, dict[str, str], bytes], HttpResponse] | None = None
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

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
        """Answer one request. Raises: NodeError `outbound.blocked` without an answer function."""
        sent = (method, url, dict(headers or {}), content or b"")
        self.requests.append(sent)
        if self.answer is None:
            raise NodeError("outbound.blocked", sentence("The test bench has no answer for {url}.", url=url))
        return self.answer(*sent)


class FolderArtifacts:
    """Artifacts as files in a folder, named by their hash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes, *, media_type: str, name: str = "") -> ArtifactRef:
        """Store bytes."""
        digest = hashlib.sha256(data).hexdigest()
        (self._folder / digest).write_bytes(data)
        return ArtifactRef(digest, len(data), media_type, name)

    def put_file(self, path: Path, *, media_type: str, name: str = "") -> ArtifactRef:
        """Store a copy of a file."""
        return self.put(path.read_bytes(), media_type=media_type, name=name)

    def path(self, ref: ArtifactRef) -> Path:
        """Return the file. Raises: NodeError `artifact.missing`."""
        path = self._folder / ref.hash
        if not path.is_file():
            raise NodeError(
                "artifact.missing", sentence("The artifact {hash} is not in the store.", hash=ref.hash[:12])
            )
        return path

    def open(self, ref: ArtifactRef) -> BinaryIO:
        """Open the bytes. Raises: NodeError `artifact.missing`."""
        return self.path(ref).open("rb")


@dataclass(slots=True)
class FakeContext:
    """Implements `NodeContext` over two folders; keeps the log in a list."""

    files: Path
    artifacts: FolderArtifacts
    http: HttpAccess
    attempt: int = 1
    step_key: str = "node"
    run_id: UUID = RUN_ID
    organization_id: UUID = ORGANIZATION_ID
    max_file_bytes: int = 100 * 1024 * 1024
    lines: list[LogLine] = field(default_factory=list)
    waiting_since: datetime | None = None
    answer: Any = None

    @property
    def idempotency_key(self) -> str:
        return f"test-{self.step_key}"

    @property
    def databases(self) -> DatabaseAccess:
        raise NodeError("context.no_databases", "The test bench has no databases.")

    def log(self, level: LogLevel, message: str, **fields: Any) -> None:
        """Keep a line."""
        self.lines.append(LogLine(level, message, fields))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a node gave."""

    ports: dict[str, Any]
    """Live output port to JSON value; none when the node asks to wait or calls a workflow."""
    log: tuple[LogLine, ...]
    context: FakeContext

    @property
    def value(self) -> Any:
        """The value of the only live port."""
        (value,) = self.ports.values()
        return value


class Bench:
    """A place for several nodes that share files and artifacts; a context manager that removes both
    afterwards."""

    def __init__(
        self,
        *,
        files: Path | None = None,
        http: HttpAccess | None = None,
        max_file_bytes: int = 100 * 1024 * 1024,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="structforge-bench-"))
        (self._folder / "artifacts").mkdir()
        (self._folder / "files").mkdir()
        self.files = files or self._folder / "files"
        self.artifacts = FolderArtifacts(self._folder / "artifacts")
        self.http: HttpAccess = http or FakeHttp()
        self._max_file_bytes = max_file_bytes

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._folder)

    async def run_async(
        self,
        node: Node[Any],
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        attempt: int = 1,
        step_key: str = "node",
    ) -> Outcome:
        """Run one attempt of a node, its expressions resolved already.

        Raises: NodeError as the node does; InvalidError with every wrong parameter, or for a result that no
        engine would take.
        """
        context = FakeContext(
            self.files, self.artifacts, self.http, attempt, step_key, max_file_bytes=self._max_file_bytes
        )
        given = dict(parameters or {})
        values = dict(inputs or {})
        _check_inputs(node, given, values)
        result = node.run(context, validated(node, given), values)
        if inspect.isawaitable(result):
            result = await result
        return Outcome(_checked_ports(node, given, result), tuple(context.lines), context)

    def run(
        self,
        node: Node[Any],
        parameters: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        attempt: int = 1,
        step_key: str = "node",
    ) -> Outcome:
        """Run one attempt from code that is not asynchronous. Raises: as `run_async`."""
        return asyncio.run(self.run_async(node, parameters, inputs, attempt=attempt, step_key=step_key))


def run_node(
    node: Node[Any],
    parameters: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    *,
    files: Mapping[str, str | bytes] | None = None,
    http: HttpAccess | None = None,
    attempt: int = 1,
) -> Outcome:
    """Run one node on its own: `run_node(Filter(), {"expression": "qty > 1"}, {"in": rows}).value`.

    `files` stand in the organization's folder, by path. Artifacts are gone afterwards; use `Bench` to look
    at them.
    Raises: as `Bench.run_async`.
    """
    with Bench(http=http) as bench:
        for path, content in (files or {}).items():
            place = bench.files / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)
        return bench.run(node, parameters, inputs, attempt=attempt)


def validated(node: Node[Any], parameters: Mapping[str, Any]) -> Any:
    """Return the parameter model. Raises: InvalidError with one problem for each wrong parameter."""
    try:
        return node.Parameters.model_validate(dict(parameters))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        spec = NodeSpec(id=BENCH_ID, type=node.type)
        problems = resolved_problems(errors, parameters, spec, RegisteredShape(node))
        raise InvalidError(
            *(replace(each, where=each.where.removeprefix(f"nodes.{BENCH_ID}.")) for each in problems)
        ) from error


def _check_inputs(node: Node[Any], parameters: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    if node.trigger:
        return
    ports = {port.name: port for port in node.input_ports(parameters)}
    problems = [
        Problem(
            "port.unknown",
            sentence("{type} has no input port `{name}`.", type=node.type, name=name),
            where=f"input {name}",
        )
        for name in inputs
        if name not in ports
    ]
    problems += [
        Problem(
            "port.missing",
            sentence("The input port `{name}` needs a value.", name=port.name),
            where=f"input {port.name}",
        )
        for port in ports.values()
        if port.required and port.name not in inputs
    ]
    problems += [
        Problem(
            "port.not_a_list",
            sentence("The input port `{name}` takes a list of values.", name=port.name),
            where=f"input {port.name}",
        )
        for port in ports.values()
        if port.many and port.name in inputs and not isinstance(inputs[port.name], list)
    ]
    if problems:
        raise InvalidError(*problems)


def _checked_ports(node: Node[Any], parameters: Mapping[str, Any], result: Any) -> dict[str, Any]:
    names = [port.name for port in node.output_ports(parameters)]
    if isinstance(result, Wait | Call):
        return {}
    if isinstance(result, Return):
        # A node that ends the run needs no port for what it returns.
        names, result = (names or [RETURNED]), result.value
    ports = dict(result.values) if isinstance(result, Ports) else {names[0]: result}
    for name, value in ports.items():
        if name not in names:
            raise InvalidError(
                Problem(
                    "port.unknown", sentence("{type} has no output port `{name}`.", type=node.type, name=name)
                )
            )
        try:
            journal_safe(value)
        except InvalidError as error:
            raise InvalidError(
                Problem(
                    "result.not_json",
                    sentence(
                        "The value of port `{name}` is not JSON: {error}",
                        name=name,
                        error=error.problem.message,
                    ),
                    where=f"output {name}",
                    hint=error.problem.hint,
                )
            ) from error
    return ports
