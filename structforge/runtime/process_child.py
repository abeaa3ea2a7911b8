"""A process of the pool: reads calls from standard input, runs blocking nodes, answers on standard output.

Invariant: it dies with its parent, prints nothing but answers, and whatever a node raises becomes an answer.
"""

import ctypes
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from structforge.domain.errors import Problem
from structforge.domain.values import decode_json, encode_json, journal_safe
from structforge.engine.attempts import describe
from structforge.plugins import load_registry
from structforge.runtime.processes import HEADER, MAX_FRAME_BYTES, READY
from structforge.sdk.context import ArtifactAccess, DatabaseAccess, HttpAccess, LogLevel, NodeError
from structforge.sdk.node import Ports
from structforge.sdk.registry import NodeRegistry
from structforge.sdk.tables import RECENT
from structforge.storage.artifacts import FileArtifactStore, OrganizationArtifacts

PR_SET_PDEATHSIG = 1
RECENT_TABLES_BYTES = 256 * 1024 * 1024
"""Tables of so many bytes together stay in the memory of a process for the steps that come next."""


class ProcessContext:
    """Implements `sdk.NodeContext` inside the process; log lines travel with the answer."""

    def __init__(
        self, call: dict[str, Any], artifacts: ArtifactAccess, files: Path, file_max_bytes: int
    ) -> None:
        self.run_id = UUID(call["run_id"])
        self.organization_id = UUID(call["organization_id"])
        self.step_key: str = call["step_key"]
        self.attempt: int = call["attempt"]
        self.waiting_since: datetime | None = None
        self.answer: Any = None
        self.artifacts = artifacts
        self.files = files
        self.max_file_bytes = file_max_bytes
        self.lines: list[dict[str, Any]] = []

    @property
    def idempotency_key(self) -> str:
        raise NodeError("context.no_effects", "A blocking node has no effects on the outside.")

    @property
    def http(self) -> HttpAccess:
        raise NodeError("context.no_network", "A blocking node has no network; use an ASYNC node.")

    @property
    def databases(self) -> DatabaseAccess:
        raise NodeError("context.no_network", "A blocking node has no network; use an ASYNC node.")

    def log(self, level: LogLevel, message: str, **fields: Any) -> None:
        self.lines.append({"level": level, "message": message, "fields": fields})


def serve(
    source: BinaryIO,
    sink: BinaryIO,
    registry: NodeRegistry,
    store: FileArtifactStore,
    files: Path,
    file_max_bytes: int,
) -> None:
    """Answer calls until the parent closes the pipe."""
    while header := source.read(HEADER.size):
        (size,) = HEADER.unpack(header)
        call = decode_json(source.read(size), max_bytes=MAX_FRAME_BYTES)
        if not isinstance(call, dict):
            raise ValueError("a call is an object")
        organization_id = UUID(str(call["organization_id"]))
        context = ProcessContext(
            call, OrganizationArtifacts(store, organization_id), files / str(organization_id), file_max_bytes
        )
        answer = _answer(call, context, registry)
        answer["logs"] = context.lines
        data = encode_json(answer)
        sink.write(HEADER.pack(len(data)) + data)
        sink.flush()


def _answer(call: dict[str, Any], context: ProcessContext, registry: NodeRegistry) -> dict[str, Any]:
    try:
        node = registry[call["type"]]
        result = node.run(context, node.Parameters.model_validate(call["parameters"]), call["inputs"])
        key, value = ("ports", dict(result.values)) if isinstance(result, Ports) else ("value", result)
        return {key: journal_safe(value)}
    except MemoryError:
        problem = Problem(
            "step.out_of_memory",
            "The step needed more memory than there is.",
            hint="Filter the data earlier.",
        )
        return {"error": problem.as_json(), "final": False}
    except Exception as error:  # Whatever a node raises has to become an answer.
        problem, final = describe(error)
        return {"error": problem.as_json(), "final": final}


def main() -> None:
    """Serve standard input and output."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    artifacts_dir, files_dir, file_max_bytes = sys.argv[1:4]
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # A library that prints must not get between the answers.
    os.dup2(2, 1)
    registry = load_registry()
    RECENT.keep(RECENT_TABLES_BYTES)
    sink.write(READY)
    sink.flush()
    serve(
        source,
        sink,
        registry,
        FileArtifactStore(Path(artifacts_dir)),
        Path(files_dir),
        int(file_max_bytes),
    )


if __name__ == "__main__":
    main()
