"""Named crash points: where a test lets the process die, to show that nothing is lost there.

Invariant: unarmed, a point costs one comparison and does nothing.
"""

import os
import signal

POINTS = (
    "after_claim",
    "after_intent",
    "before_commit",
    "after_step_commit",
    "before_final_commit",
    "after_final_commit",
    "after_accept",
)
"""Every point, in the order a run passes them (`after_accept` is in the accepting process)."""

_armed: str | None = None
_remaining = 0


def arm(name: str | None, after: int = 0) -> None:
    """Let the process die at point `name`, after passing it `after` times; None disarms. Raises: ValueError."""
    global _armed, _remaining
    if name is not None and name not in POINTS:
        raise ValueError(f"no crash point {name!r}; there are {', '.join(POINTS)}")
    _armed, _remaining = name, after


def point(name: str) -> None:
    """Die here by SIGKILL when this point is armed."""
    global _remaining
    if _armed != name:
        return
    if _remaining:
        _remaining -= 1
        return
    os.kill(os.getpid(), signal.SIGKILL)
