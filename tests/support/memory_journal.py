"""A journal in memory with the promises of the real one: order, fencing, one outcome per step. For tests only."""

import asyncio
from asyncio import Future
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from structforge.domain.journal import WORKER_DIED, Commit, LeaseLostError, StepHistory, StepRecord
from structforge.domain.values import decode_json

Steps = dict[tuple[str, int], StepRecord]


class MemoryJournal:
    """Keeps the commits of runs; `crash_after` commits the journal is lost, as if the process had died."""

    def __init__(self, *, crash_after: int | None = None) -> None:
        self.commits: list[Commit] = []
        self._crash_after = crash_after

    def submit(self, commit: Commit) -> "Future[None]":
        """Keep a commit; durable at the next turn of the loop, as a real one is never at once."""
        loop = asyncio.get_running_loop()
        future: Future[None] = loop.create_future()
        if self._crash_after is not None and len(self.commits) >= self._crash_after:
            future.set_exception(LeaseLostError())
            future.exception()
        else:
            self.commits.append(commit)
            loop.call_soon(lambda: future.done() or future.set_result(None))
        return future


def steps_of(commits: Sequence[Commit]) -> Steps:
    """Return the rows that stand after these commits; a settled one never changes."""
    rows: Steps = {}
    for commit in commits:
        for key, record in commit.steps.items():
            if key not in rows or not rows[key].settled:
                rows[key] = record
    return rows


def events_of(commits: Sequence[Commit]) -> list[dict[str, Any]]:
    """Return the events in the order they were committed."""
    return [event for commit in commits for event in commit.events]


def history_of(commits: Sequence[Commit]) -> Mapping[str, StepHistory]:
    """Return what a worker that claims the run now would find."""
    history: dict[str, StepHistory] = {}
    rows = steps_of(commits)
    lost = Counter(
        key for (key, _), record in rows.items() if (decode(record.error) or {}).get("code") == WORKER_DIED
    )
    for (key, attempt), record in sorted(rows.items(), key=lambda item: (item[1].settled, item[0][1])):
        history[key] = StepHistory(
            node_id=record.node_id,
            status=record.status,
            settled=record.settled,
            attempt=attempt,
            outputs=decode(record.outputs),
            error=decode(record.error),
            started_at=record.started_at,
            finished_at=record.finished_at,
            lost_attempts=lost[key],
        )
    return history


def decode(data: bytes | None) -> Any:
    """Read a column."""
    return None if data is None else decode_json(data, max_bytes=1 << 30)
