"""Setting up an installation: what the first time makes, and what later times leave alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from structforge.config import Settings
from tests.support.programs import ROOT, outer_environment


def prepare(settings: Settings, home: Path, **environment: str) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "structforge.embedded.setup", "prepare"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={
            **outer_environment(),
            "STRUCTFORGE_HOME": str(home),
            "DATABASE_URL": settings.database_owner_url,
            "REDIS_URL": settings.redis_server_url,
            **environment,
        },
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def rows(settings: Settings, query: str) -> list[Any]:
    with psycopg.connect(settings.database_owner_url) as connection:
        return [row[0] for row in connection.execute(query.encode()).fetchall()]


def test_the_first_time_makes_everything_and_the_second_nothing(
    empty_settings: Settings, tmp_path: Path
) -> None:
    code, events = prepare(empty_settings, tmp_path)
    assert code == 0
    assert [event["event"] for event in events] == ["credentials", "outcome"]
    assert events[0]["email"] == "admin@structforge.local"
    assert len(events[0]["password"]) >= 16
    names = rows(
        empty_settings, "select name from workflows where published_version_id is not null order by name"
    )
    assert len(names) == len(list((ROOT / "examples").glob("*.json")))
    (organization,) = rows(empty_settings, "select id from organizations")
    data = tmp_path / "files" / str(organization) / "data" / "seattle-weather.csv"
    assert data.read_bytes() == (ROOT / "examples" / "data" / "seattle-weather.csv").read_bytes()

    code, events = prepare(empty_settings, tmp_path)
    assert (code, events) == (0, [{"event": "outcome", "text": "up to date"}])


def test_a_starter_that_a_person_deleted_stays_away(empty_settings: Settings, tmp_path: Path) -> None:
    prepare(empty_settings, tmp_path)
    with psycopg.connect(empty_settings.database_owner_url) as connection:
        connection.execute("update workflows set deleted_at = now() where name = 'Quick start'")
    assert prepare(empty_settings, tmp_path) == (0, [{"event": "outcome", "text": "up to date"}])


def test_starters_missing_after_a_crash_are_added(empty_settings: Settings, tmp_path: Path) -> None:
    prepare(empty_settings, tmp_path)
    with psycopg.connect(empty_settings.database_owner_url) as connection:
        connection.execute("update workflows set name = 'Mine' where name = 'Quick start'")
    assert prepare(empty_settings, tmp_path)[1] == [{"event": "outcome", "text": "1 starter workflows"}]


def test_a_given_password_is_used_and_not_shown(empty_settings: Settings, tmp_path: Path) -> None:
    code, events = prepare(empty_settings, tmp_path, STRUCTFORGE_ADMIN_PASSWORD="a long enough secret")
    assert (code, [event["event"] for event in events]) == (0, ["outcome"])
    assert rows(empty_settings, "select email from users") == ["admin@structforge.local"]


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("STRUCTFORGE_ADMIN_PASSWORD", "short", "password."),
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "database.unreachable"),
    ],
)
def test_what_cannot_be_done_is_one_problem(
    empty_settings: Settings, tmp_path: Path, variable: str, value: str, code: str
) -> None:
    exit_code, events = prepare(empty_settings, tmp_path, **{variable: value})
    assert (exit_code, events[-1]["event"]) == (1, "failed")
    assert events[-1]["problem"]["code"].startswith(code)
