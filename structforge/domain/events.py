"""Run events: what observers of a run are told, as small JSON objects (docs/events.md).

Invariant: `seq` counts from 1 without a gap within a run, so a client that knows its last one misses nothing.
Events are built on the engine's hot path: plain dictionaries, no classes. Any layer may import it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NotRequired, TypedDict

from structforge.domain.run import TERMINAL_RUN_STATUSES


class EventType(StrEnum):
    """What happened."""

    RUN_ACCEPTED = "run.accepted"
    RUN_STARTED = "run.started"
    RUN_WAITING = "run.waiting"
    RUN_PAUSED = "run.paused"
    RUN_RESUMED = "run.resumed"
    RUN_FINISHED = "run.finished"
    STEP_STARTED = "step.started"
    STEP_RETRYING = "step.retrying"
    STEP_WAITING = "step.waiting"
    STEP_FINISHED = "step.finished"


class RunEvent(TypedDict):
    """One event as JSON; fields that do not apply are absent."""

    seq: int
    type: str
    at: str
    """ISO 8601, UTC, microseconds."""
    status: NotRequired[str]
    """Of the run or the step after the event."""
    step_key: NotRequired[str]
    node_id: NotRequired[str]
    attempt: NotRequired[int]
    started_at: NotRequired[str]
    wait_s: NotRequired[float]
    """Retrying: seconds until the next attempt."""
    ports: NotRequired[list[str]]
    """Finished: the outputs that gave a value."""
    error: NotRequired[dict[str, Any]]
    """A `Problem`."""
    summary: NotRequired[dict[str, Any]]
    """Finished: `[items, text]` of each port."""
    until: NotRequired[str | None]
    """Waiting: when it goes on by itself."""
    parent_run_id: NotRequired[str]
    """Accepted: the run that started this one."""
    origin_run_id: NotRequired[str]
    """Accepted: the run that this one retries or replays."""


def iso(at: datetime) -> str:
    """Return the moment in UTC as `2026-11-23T23:59:59.123456Z`: of one length, so texts sort by time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ends_run(body: Mapping[str, Any]) -> bool:
    """Tell whether this is the last event of its run, after which a stream closes."""
    return body.get("type") == EventType.RUN_FINISHED and body.get("status") in TERMINAL_RUN_STATUSES
