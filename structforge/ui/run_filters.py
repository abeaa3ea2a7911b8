"""The filter of the list of runs, as its address holds it.

Invariant: whatever an address holds gives a filter that the database understands: unknown values narrow nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from structforge.domain.run import TERMINAL_RUN_STATUSES, RunStatus
from structforge.storage.repositories.runs import RunFilter
from structforge.ui import routes
from structforge.ui.library import entered

MAX_WORDS = 200

STATUS_GROUPS: Mapping[str, tuple[str, ...]] = {
    "all": (),
    "active": tuple(sorted(status for status in RunStatus if status not in TERMINAL_RUN_STATUSES)),
    "waiting": (RunStatus.WAITING, RunStatus.PAUSED, RunStatus.PAUSING),
    "succeeded": (RunStatus.SUCCEEDED,),
    "failed": (RunStatus.FAILED,),
    "cancelled": (RunStatus.CANCELLED,),
}

PERIODS: Mapping[str, timedelta | None] = {
    "any": None,
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
    "own": None,
}
"""`own` takes the two instants."""

TRIGGERS = ("manual", "api", "webhook", "schedule", "event", "form", "call", "error")


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What the visitor chose; empty narrows nothing."""

    status: str = "all"
    workflow: str = ""
    trigger: str = ""
    period: str = "any"
    since: str = ""
    """ISO 8601."""
    until: str = ""
    words: str = ""

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> "ListFilter":
        """Read the parameters of an address."""
        status, period = str(query.get("status", "")), str(query.get("period", ""))
        trigger = str(query.get("trigger", ""))
        return cls(
            status=status if status in STATUS_GROUPS else "all",
            workflow=_id_text(query.get("workflow")),
            trigger=trigger if trigger in TRIGGERS else "",
            period=period if period in PERIODS else "any",
            since=_instant_text(query.get("since")),
            until=_instant_text(query.get("until")),
            words=entered(query.get("words"), MAX_WORDS).strip(),
        )

    def with_field(self, name: str, value: Any) -> "ListFilter":
        """Return the filter with one field changed; unknown fields and values change nothing."""
        fields = self.fields()
        if name not in fields:
            return self
        changed = ListFilter.of({**fields, name: value})
        if name in ("since", "until") and getattr(changed, name):
            changed = replace(changed, period="own")
        return changed

    def fields(self) -> dict[str, str]:
        """Return the parameters, empty ones included."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def path(self) -> str:
        """Return the address of the list with this filter."""
        given = {name: value for name, value in self.fields().items() if value not in ("", "all", "any")}
        return f"{routes.RUNS}?{urlencode(given)}" if given else routes.RUNS

    def as_run_filter(self, now: datetime) -> RunFilter:
        """Return what the database is asked."""
        span = PERIODS[self.period]
        since = now - span if span else None
        until = None
        if self.period == "own":
            since, until = _instant(self.since), _instant(self.until)
        return RunFilter(
            workflow_id=UUID(self.workflow) if self.workflow else None,
            statuses=STATUS_GROUPS[self.status],
            trigger_kinds=(self.trigger,) if self.trigger else (),
            accepted_from=since,
            accepted_before=until,
            search=self.words,
        )


def _id_text(value: Any) -> str:
    try:
        return str(UUID(str(value)))
    except ValueError:
        return ""


def _instant(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        # Past what a database can hold near the borders of the calendar.
        return moment.astimezone(UTC) if moment.tzinfo and 1970 <= moment.year <= 9000 else None
    except (ValueError, OverflowError):
        return None


def _instant_text(value: Any) -> str:
    text = entered(value, 40)
    return text if _instant(text) is not None else ""
