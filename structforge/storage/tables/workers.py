"""Processes that are alive: workers, schedulers, web processes.

Invariant: a row tells what was true at `seen_at`, no more; leases, not heartbeats, decide who owns a run.
"""

from datetime import datetime
from typing import Any

from structforge.storage.tables.columns import Row, moment, searchable_json, string


class WorkerHeartbeatRow(Row, table=True):
    __tablename__ = "worker_heartbeats"

    id: str = string(primary_key=True)
    kind: str = string()
    started_at: datetime = moment(now=True)
    seen_at: datetime = moment(now=True)
    details: dict[str, Any] = searchable_json("{}", dict)
