"""Run events as observers get them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from structforge.domain.events import EventType, RunEvent, ends_run, event, iso

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DOCUMENTED = Path(__file__).parents[2] / "docs" / "events.md"


def test_an_event_is_plain_json_without_absent_fields() -> None:
    body = event(7, EventType.STEP_FINISHED, AT, step_key="loop[2]/a", started_at=AT, error=None, attempt=1)
    assert json.loads(json.dumps(body)) == {
        "seq": 7,
        "type": "step.finished",
        "at": "2026-01-02T03:04:05.000000Z",
        "step_key": "loop[2]/a",
        "started_at": "2026-01-02T03:04:05.000000Z",
        "attempt": 1,
    }


def test_moments_are_in_utc_and_sort_as_text() -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=-7))) + timedelta(microseconds=1)
    assert iso(AT) < iso(elsewhere) == "2026-01-02T03:04:05.000001Z"


@pytest.mark.parametrize(
    ("kind", "status", "last"),
    [
        ("run.finished", "succeeded", True),
        ("run.finished", "failed", True),
        ("run.finished", "cancelled", True),
        ("run.paused", "paused", False),
        ("step.finished", "succeeded", False),
        ("run.finished", None, False),
    ],
)
def test_a_run_ends_with_run_finished(kind: str, status: str | None, last: bool) -> None:
    assert ends_run(event(1, kind, AT, status=status)) is last


@pytest.mark.parametrize("name", [*EventType, *RunEvent.__annotations__])
def test_every_type_and_field_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENTED.read_text(encoding="utf-8")
