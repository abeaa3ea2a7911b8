"""One JSON line for each request, like those of `telemetry.py`, but collected and written now and then.

Invariant: what is written is method, path, status, time, address and request id; no header, query or body, so
no secret. Through `logging` a line costs a tenth of a small run. A killed process loses the last lines.
"""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.types import Scope

FLUSH_S = 0.2

_logger = logging.getLogger("structforge.access")


class AccessLog:
    """Collects lines on the event loop; asks the log level of `structforge.access` each time."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def add(self, scope: Scope, status: int, request_id: str, took_s: float) -> None:
        """Note a request that has ended."""
        if not _logger.isEnabledFor(logging.INFO):
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        line: dict[str, Any] = {
            "at": datetime.now(UTC),
            "level": "info",
            "process": "web",
            "logger": _logger.name,
            "method": scope["method"],
            "path": scope["path"][:500],
            "status": status,
            "ms": round(took_s * 1000, 2),
            "address": scope["client"][0] if scope.get("client") else "",
            "request_id": request_id,
        }
        option = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
        self._lines.append(orjson.dumps(line, option=option))

    def flush(self) -> None:
        """Write what was collected."""
        lines, self._lines = self._lines, []
        sys.stderr.write(b"".join(lines).decode())
        sys.stderr.flush()
