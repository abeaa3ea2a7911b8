"""What may be asked of a run in flight: stop, or give it back to other workers.

Invariant: a request is only a flag and a wake-up; the executor acts on it between steps.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from structforge.domain.journal import CallEnd


@dataclass(frozen=True, slots=True)
class CameIn:
    """What waiting steps get from outside."""

    answers: Mapping[str, Any]
    ended: Mapping[UUID, CallEnd]


class RunControl:
    """Requests to one execution, from the same event loop."""

    __slots__ = (
        "_inner", "_wake", "awaited", "deadline", "inbox", "lost", "pause_requested", "stop_requested",
        "yield_requested",
    )  # fmt: skip

    def __init__(self, *, deadline: float | None = None) -> None:
        self.stop_requested = False
        self.yield_requested = False
        """Finish what is in flight, start nothing, release the lease."""
        self.pause_requested = False
        """Finish what is in flight, start nothing, rest until somebody resumes the run."""
        self.lost = False
        """The lease is gone: drop everything at once."""
        self.deadline = deadline
        """Loop time at which an execution that nobody accepted yet is handed to a worker."""
        self.awaited: set[UUID] = set()
        """Runs whose ends this execution waits for."""
        self.inbox: list[CameIn] = []
        """What came in meanwhile; the executor empties it."""
        self._inner: RunControl | None = None
        self._wake = asyncio.Event()

    def for_finally(self) -> "RunControl":
        """Return the control of the run's `finally` branch, which no stop and no pause interrupts."""
        inner = RunControl(deadline=self.deadline)
        inner.lost, inner.yield_requested = self.lost, self.yield_requested
        inner.awaited = self.awaited
        self._inner = inner
        return inner

    def stop(self) -> None:
        """Cancel the run: nothing starts any more, what can be interrupted is."""
        self.stop_requested = True
        self._wake.set()

    def pause(self) -> None:
        """Let the run rest, after the steps in flight have ended."""
        self.pause_requested = True
        self._wake.set()

    def unpause(self) -> None:
        """Take a pause back that is not complete."""
        self.pause_requested = False
        self._wake.set()

    def give_back(self) -> None:
        """Let the run go on elsewhere, after the steps in flight have ended."""
        self.yield_requested = True
        self._wake.set()
        if self._inner is not None:
            self._inner.give_back()

    def lose(self) -> None:
        """The lease belongs to somebody else."""
        self.lost = True
        self._wake.set()
        if self._inner is not None:
            self._inner.lose()

    def deliver(self, came_in: "CameIn") -> None:
        """Hand over answers and ends of called runs; what the execution has already is told again harmlessly."""
        if self._inner is not None:
            self._inner.deliver(came_in)
            return
        self.inbox.append(came_in)
        self._wake.set()

    def notify(self) -> None:
        """Wake the executor: a step ended."""
        self._wake.set()

    async def wait(self) -> None:
        """Wait until something happened, and forget it."""
        await self._wake.wait()
        self._wake.clear()
