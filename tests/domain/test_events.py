"""Run events as observers get them."""

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from structforge.domain.events import EventType, RunEvent, ends_run, iso

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DOCUMENTED = Path(__file__).parents[2] / "docs" / "events.md"


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
    assert ends_run({"seq": 1, "type": kind, "status": status}) is last


def test_what_is_told_is_what_is_listed() -> None:
    source = Path(__file__).parents[2] / "structforge"
    files = [
        path
        for part in ("engine", "runtime", "services", "storage")
        for path in (source / part).rglob("*.py")
    ]
    told = {
        found
        for path in files
        for found in re.findall(
            r'(?:\.event\(|\.change\(|"type": |kind = )\s*"((?:run|step)\.[a-z]+)"',
            path.read_text(encoding="utf-8"),
        )
    }
    # `run.<status>` of a run that comes to rest.
    assert told | {"run.waiting", "run.paused"} == set(EventType)


@pytest.mark.parametrize("name", [*EventType, *RunEvent.__annotations__])
def test_every_type_and_field_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENTED.read_text(encoding="utf-8")
