"""What may be asked of a run in flight: stop, or give it back to other workers.

Invariant: a request is only a flag and a wake-up; the executor acts on it between steps.
"""

import asyncio


class RunControl:
    """Requests to one execution, from the same event loop."""

    __slots__ = ("_wake", "deadline", "lost", "pause_requested", "stop_requested", "yield_requested")

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
        self._wake = asyncio.Event()

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

    def lose(self) -> None:
        """The lease belongs to somebody else."""
        self.lost = True
        self._wake.set()

    def notify(self) -> None:
        """Wake the executor: a step ended."""
        self._wake.set()

    async def wait(self) -> None:
        """Wait until something happened, and forget it."""
        await self._wake.wait()
        self._wake.clear()
