"""Runs as rows, and the filter of their list as an address."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from structforge.services.run_views import RunPicture
from structforge.storage.repositories.runs import AttemptRow, RunFilter
from structforge.ui.run_filters import ListFilter
from structforge.ui.run_rows import by_step, inner_nodes, step_items
from tests.support.workflows import document, node

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
BEGAN, ENDED = "2026-11-25T12:00:00.000000Z", "2026-11-25T12:00:01.000000Z"


def attempt(key: str, number: int, status: str, message: str | None = None) -> AttemptRow:
    return AttemptRow(key, key.split("/")[-1], number, status, NOW, NOW + timedelta(seconds=1), message, None)


def test_attempts_before_the_last_are_kept_with_the_step() -> None:
    rows = [attempt("a", 1, "failed", "No."), attempt("l[2]/b", 1, "succeeded"), attempt("a", 2, "succeeded")]
    assert by_step(rows, {"a": "First"}) == {
        "a": {
            "key": "a",
            "title": "First",
            "status": "succeeded",
            "started_at": BEGAN,
            "finished_at": ENDED,
            "attempt": 2,
            "tries": [[1, BEGAN, ENDED, "No."]],
        },
        "l[2]/b": {
            "key": "l[2]/b",
            "title": "b",
            "node_id": "b",
            "status": "succeeded",
            "started_at": BEGAN,
            "finished_at": ENDED,
        },
    }


def test_what_loops_repeat_is_found_through_inner_loops() -> None:
    made = document(
        *(node(name) for name in ("start", "loop", "inner", "a", "b", "after")),
        edges=[
            "start>loop", "loop.body>inner", "inner.body>a", "a>inner.again", "inner.done>b", "b>loop.again",
            "loop.done>after",
        ],
    )  # fmt: skip
    assert inner_nodes(made) == {"inner", "a", "b"}


def test_a_node_in_a_loop_shows_its_last_iteration_and_how_often_it_was_done() -> None:
    made = document(
        *(node(name) for name in ("loop", "inner", "a")),
        edges=["loop.body>inner", "inner.body>a", "a>inner.again", "inner.done>loop.again"],
    )
    keys = ["loop", "loop[0]/inner", "loop[0]/inner[0]/a", "loop[0]/inner[1]/a", "loop[0]/inner[1]/a#0"]
    rows = [attempt(key, 1, "succeeded") for key in keys]
    rows[2] = AttemptRow(keys[2], "a", 1, "skipped", None, NOW, None, None)
    picture = RunPicture(None, made, rows, {}, {})  # type: ignore[arg-type]
    shown = {item["key"]: item for item in step_items(picture)[:3]}
    assert (shown["loop"].get("repeats"), shown["inner"].get("repeats")) == (True, True)
    assert {key: item.get("times") for key, item in shown.items()} == {"loop": None, "inner": 1, "a": 1}
    assert (shown["a"]["started_at"], shown["a"]["finished_at"]) == (BEGAN, ENDED)


def test_an_address_holds_the_whole_filter() -> None:
    chosen = ListFilter("failed", str(UUID(int=7)), "webhook", "own", ENDED, "", "ab & c=d?")
    query = {name: values[0] for name, values in parse_qs(urlsplit(chosen.path).query).items()}
    assert ListFilter.of(query) == chosen
    assert chosen.as_run_filter(NOW) == RunFilter(
        workflow_id=UUID(int=7),
        statuses=("failed",),
        trigger_kinds=("webhook",),
        accepted_from=NOW + timedelta(seconds=1),
        search="ab & c=d?",
    )
    assert ListFilter(period="day").as_run_filter(NOW).accepted_from == NOW - timedelta(days=1)
    assert ListFilter().path == "/runs"


@pytest.mark.parametrize(
    "query",
    [
        {
            "status": "odd",
            "workflow": "1",
            "trigger": "x",
            "period": "y",
            "since": "2026-01-01",
            "until": "z",
        },
        {"since": "9999-12-31T23:59:59-12:00", "words": "\0\0"},
        {"status": ["failed"], "workflow": None, "words": {"a": 1}, "more": "x"},
    ],
)
def test_what_makes_no_sense_narrows_nothing(query: dict[str, Any]) -> None:
    assert ListFilter.of(query) == ListFilter()


def test_an_instant_chooses_its_period() -> None:
    assert ListFilter(period="day").with_field("since", ENDED).period == "own"
    assert ListFilter().with_field("nonsense", "x") == ListFilter()
