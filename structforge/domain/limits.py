"""How many runs may be in hand at once, and what happens with a start beyond.

Invariant: a limit counts runs that a worker has in hand; one that waits (a timer, an answer, a pause) counts nowhere,
since it holds nothing. Any layer may import it.
"""

from dataclasses import dataclass
from typing import Literal

MAX_RUNS = 100_000

WhenFull = Literal["queue", "reject", "replace"]


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What bounds the runs of one workflow."""

    workflow: int | None = None
    """Runs of the workflow in hand at once; none is no limit."""
    when_full: WhenFull = "queue"
    organization: int | None = None
    """Runs of the whole organization in hand at once; beyond it they always queue."""

    @property
    def any(self) -> bool:
        """Something has to be counted before a run starts."""
        return self.workflow is not None or self.organization is not None


NO_LIMITS = RunLimits()
