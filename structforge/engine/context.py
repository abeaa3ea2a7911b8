"""The context a node's `run` gets from the engine.

Invariant: it belongs to one attempt; nothing in it lets a node write to the journal.
"""

from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from structforge.domain.journal import RunIdentity
from structforge.engine.environment import Environment
from structforge.engine.recorder import RunRecorder
from structforge.sdk.context import ArtifactAccess, DatabaseAccess, HttpAccess, LogLevel


def idempotency_key(run_id: UUID, step_key: str) -> str:
    """Return the key sent to receivers: the same for every attempt and after every crash."""
    return sha256(f"{run_id}/{step_key}".encode()).hexdigest()[:40]


class StepContext:
    """Implements `sdk.NodeContext`."""

    __slots__ = ("_environment", "_recorder", "_run", "answer", "attempt", "step_key", "waiting_since")

    def __init__(
        self, run: RunIdentity, step_key: str, attempt: int, environment: Environment, recorder: RunRecorder
    ) -> None:
        self._run = run
        self._environment = environment
        self._recorder = recorder
        self.step_key = step_key
        self.attempt = attempt
        self.waiting_since: datetime | None = None
        self.answer: Any = None

    @property
    def run_id(self) -> UUID:
        return self._run.run_id

    @property
    def organization_id(self) -> UUID:
        return self._run.organization_id

    @property
    def idempotency_key(self) -> str:
        return idempotency_key(self._run.run_id, self.step_key)

    @property
    def files(self) -> Path:
        return self._environment.files(self._run.organization_id)

    @property
    def max_file_bytes(self) -> int:
        return self._environment.limits.max_file_bytes

    @property
    def artifacts(self) -> ArtifactAccess:
        return self._environment.artifacts(self._run.organization_id)

    @property
    def http(self) -> HttpAccess:
        return self._environment.http

    @property
    def databases(self) -> DatabaseAccess:
        return self._environment.databases(self._run.organization_id)

    def log(self, level: LogLevel, message: str, **fields: Any) -> None:
        self._recorder.log(self.step_key, self.attempt, level, message, fields)

    def log_fields(self, level: LogLevel, message: str, fields: dict[str, Any]) -> None:
        """Write a line whose fields came as a dict: the sink of a process call."""
        self._recorder.log(self.step_key, self.attempt, level, message, fields)
