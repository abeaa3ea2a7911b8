"""What the figures were taken on, for whoever compares them.

Invariant: reads only.
"""

import os
import platform
from datetime import UTC, datetime
from typing import Any

import psutil


def describe_machine() -> dict[str, Any]:
    """Return when, how many processors, and how busy the machine was."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
    }
