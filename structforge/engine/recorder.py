"""What one run writes down: steps, events and logs gathered into commits, in order.

Invariant: sequence numbers of events and logs have no gap and no repeat within a run, whoever executes it.
"""

from asyncio import Future
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from structforge.domain.journal import (
    Acceptance,
    Commit,
    Journal,
    LogRecord,
    RunChange,
    RunIdentity,
    StepRecord,
)

MAX_LOG_MESSAGE = 10_000
MAX_LOGS_PER_RUN = 20_000
"""Beyond this a run's log is cut, with one line that says so: a chatty loop must not fill the disk."""


class RunRecorder:
    """The pending commit of one run."""

    def __init__(
        self,
        journal: Journal,
        run: RunIdentity,
        epoch: int | None,
        *,
        event_seq: int = 0,
        log_seq: int = 0,
        settled: int = 0,
        acceptance: Acceptance | None = None,
        redact: Callable[[str], str] | None = None,
    ) -> None:
        self.run = run
        self.event_seq = event_seq
        self._journal = journal
        self._epoch = epoch
        self._log_seq = log_seq
        self._settled = settled
        self._redact = redact
        self.nudge: Callable[[], None] = lambda: None
        """Set by the executor: something was recorded that should not wait for the next step to end."""
        self._commit = Commit(run, epoch, acceptance=acceptance)
        self._dirty = acceptance is not None

    @property
    def dirty(self) -> bool:
        """Something waits to be handed over."""
        return self._dirty

    @property
    def accepted(self) -> bool:
        """The run is in the database, or on its way there."""
        return self._commit.acceptance is None

    def step(self, record: StepRecord) -> None:
        """Write down an attempt; a later record of the same attempt replaces an earlier one not yet handed over."""
        commit = self._commit
        commit.steps[record.step_key, record.attempt] = record
        commit.progress = commit.progress or record.settled
        self._settled += record.settled
        commit.settled_steps = self._settled
        self._dirty = True

    def event(self, kind: str, at: datetime, **fields: Any) -> None:
        """Tell observers of the run. `fields` are JSON values; dates are written as ISO 8601."""
        self.event_seq += 1
        self._commit.events.append({"seq": self.event_seq, "type": kind, "at": at, **fields})
        self._dirty = True

    def log(self, step_key: str, attempt: int, level: str, message: str, fields: dict[str, Any]) -> None:
        """Write a line to the run's log."""
        if self._log_seq >= MAX_LOGS_PER_RUN:
            if self._log_seq > MAX_LOGS_PER_RUN:
                return
            level, message, fields = "warning", f"The log is cut after {MAX_LOGS_PER_RUN} lines.", {}
        self._log_seq += 1
        if self._redact is not None:
            message = self._redact(message)
        encoded = orjson.dumps(fields, default=str).replace(b"\\u0000", b"") if fields else None
        self._commit.logs.append(
            LogRecord(
                self._log_seq,
                step_key,
                attempt,
                level,
                message.replace("\0", "\\0").encode("utf-8", "replace").decode()[:MAX_LOG_MESSAGE],
                encoded,
                datetime.now(UTC),
            )
        )
        self._dirty = True

    def artifact(self, body: dict[str, Any]) -> None:
        """Note an artifact that a recorded value refers to; its bytes are durable already."""
        self._commit.artifacts.append(body)

    def change(self, change: RunChange) -> None:
        """Set the run's row; a start that is not handed over yet is kept."""
        if self._commit.change is not None and change.started_at is None:
            change.started_at = self._commit.change.started_at
        self._commit.change = change
        self._commit.settled_steps = self._settled
        self._dirty = True

    def release(self, resume_at: datetime | None = None) -> None:
        """Give the lease back with this commit; `resume_at` is when a waiting run goes on by itself."""
        self._commit.release = True
        self._commit.resume_at = resume_at
        self._dirty = True

    def submit(self) -> "Future[None] | None":
        """Hand over what is there; None when there is nothing."""
        if not self._dirty:
            return None
        commit, self._commit, self._dirty = self._commit, Commit(self.run, self._epoch), False
        return self._journal.submit(commit)
