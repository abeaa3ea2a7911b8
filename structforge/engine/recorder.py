"""What one run writes down: steps, events and logs gathered into commits, in order.

Invariant: sequence numbers of events and logs have no gap and no repeat within a run, whoever executes it.
"""

from asyncio import Future
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from structforge.domain.journal import (
    Acceptance,
    Commit,
    Journal,
    LogRecord,
    RunChange,
    RunIdentity,
    StepRecord,
)
from structforge.domain.values import dump_json, encode_json
from structforge.engine.values import safe_fields

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
        wakes: UUID | None = None,
    ) -> None:
        """`wakes` is the run whose step waits for this one."""
        self.run = run
        self.event_seq = event_seq
        self._journal = journal
        self._epoch = epoch
        self._log_seq = log_seq
        self._settled = settled
        self._wakes = wakes
        self.settled_keys: set[str] = set()
        """Steps whose outcome was recorded here."""
        self.nudge: Callable[[], None] = lambda: None
        """Set by the executor: something was recorded that should not wait for the next step to end."""
        self.ring: Callable[[UUID], None] = lambda run_id: None
        """Set by the executor: a run that this one starts is durable and can be claimed."""
        self._commit = Commit(run, epoch, acceptance=acceptance)
        self._dirty = acceptance is not None

    @property
    def accepted(self) -> bool:
        """The run is in the database, or on its way there."""
        return self._commit.acceptance is None

    def step(self, record: StepRecord) -> None:
        """Write down an attempt; a later record of the same attempt replaces an earlier one not yet handed over."""
        commit = self._commit
        commit.steps[record.step_key, record.attempt] = record
        commit.progress = commit.progress or record.settled
        if record.settled:
            self._settled += 1
            self.settled_keys.add(record.step_key)
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
        encoded = _encoded(fields).replace(b"\\u0000", b"") if fields else None
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

    def child(self, child: Commit) -> None:
        """Start another run with this commit."""
        self._commit.children.append(child)
        self._dirty = True

    def change(self, change: RunChange) -> None:
        """Set the run's row; a start that is not handed over yet is kept."""
        if self._commit.change is not None and change.started_at is None:
            change.started_at = self._commit.change.started_at
        self._commit.change = change
        self._commit.wakes = self._wakes if change.status.terminal else None
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
        pending = self._journal.submit(commit)
        if commit.children:
            started = [child.run.run_id for child in commit.children]
            pending.add_done_callback(lambda written: self._ring(started, written))
        return pending

    def _ring(self, started: list[UUID], written: "Future[None]") -> None:
        if not written.cancelled() and written.exception() is None:
            for run_id in started:
                self.ring(run_id)


def _encoded(fields: dict[str, Any]) -> bytes:
    try:
        return dump_json(fields, default=str)
    except TypeError:
        return encode_json(safe_fields(fields))
