"""Every part of the bench at a tiny size on real processes: it measures something, and the file is complete.

No assertion on time: what the figures are is the bench's business, that it yields them is this test's.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import report
from bench.figures import Figure
from bench.measures import (
    Result,
    csv,
    fan,
    hook,
    idle_start,
    look,
    loop,
    queue,
    replay,
    resume,
    start,
    table,
    w40,
    webhook,
)
from bench.stack import Api, Stack
from bench.wrk import BenchError, find_wrk


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A whole installation, durable as `structforge up` makes it."""
    stack = Stack()
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[Api]:
    """A signed-in client."""
    api = Api(stack.port)
    stack.await_workers(api)
    yield api
    api.close()


@pytest.mark.slow
def test_every_part_measures_and_the_file_is_complete(stack: Stack, api: Api, tmp_path: Path) -> None:
    idle = {kind: Figure.of([1.0]) for kind in start.KINDS}
    results = {
        "W40": w40.measure(stack, api, rounds=2, repeats=2, warm_up=1),
        "HOOK": hook.measure(stack, api, rounds=1, duration_s=1, warm_up_s=1),
        "WEBHOOK": webhook.measure(stack, api, rounds=1, duration_s=1, warm_up_s=1),
        "FAN": fan.measure(stack, api, rounds=1, branches=3, many=5),
        "IDLE_START": idle_start.measure(stack, api, rounds=1, runs=3),
        "LOOK": look.measure(stack, api, rounds=1, rows=2_000),
        "LOOP": loop.measure(stack, api, rounds=1, iterations=10),
        "REPLAY": replay.measure(stack, api, rounds=1, steps=10),
        "QUEUE": queue.measure(stack, api, rounds=1, runs=50),
        "TABLE": table.measure(stack, api, rounds=1, rows=2_000),
        "CSV": csv.measure(stack, api, rounds=1, repeats=1, rows=2_000),
        "RESUME": resume.measure(stack, api, rounds=1, steps=10),
        # START makes installations of its own; tests/cli starts those.
        "START": Result(
            {"idle_pss_mb": idle, "start_cold_s": Figure.of([1.0]), "start_warm_s": Figure.of([1.0])}
        ),
    }
    target = tmp_path / "latest.json"
    report.write(report.compose(results, report.machine() | {"postgresql": stack.server_settings()}), target)
    body = json.loads(target.read_text())
    assert set(report.KEYS) <= set(body)
    assert set(body["spread"]) == set(report.KEYS)
    for key in ("hook_rps", "hook_floor_rps", "webhook_rps"):
        assert set(body[key]) == {"1", "16", "64"}
    assert set(body["idle_pss_mb"]) == {"web", "worker", "scheduler", "postgres", "redis"}
    single = set(report.KEYS) - {"hook_rps", "hook_floor_rps", "webhook_rps", "idle_pss_mb"}
    assert all(body[key] > 0 for key in single)
    assert body["settings"]["postgresql"]["fsync"] == "on"
    assert body["settings"]["postgresql"]["synchronous_commit"] == "on"


def test_a_request_without_its_row_makes_the_figure_invalid() -> None:
    load = hook.Load(requests=10, duration_s=1.0, p50_ms=1.0, p99_ms=1.0, client_cpus=0.1)
    hook.compare_rows(load, 10, concurrency=4)
    hook.compare_rows(load, 14, concurrency=4)
    for rows in (9, 15):
        with pytest.raises(BenchError, match=f"{rows} rows were committed"):
            hook.compare_rows(load, rows, concurrency=4)


def test_a_missing_wrk_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BenchError, match="apt-get install wrk"):
        find_wrk()


def test_memory_of_a_process_is_found() -> None:
    assert start.pss_bytes(os.getpid()) > 1_000_000
    assert start.pss_bytes(2**22 + 1) == 0


@pytest.mark.parametrize(
    ("line", "title", "seconds"),
    [
        ("✓ Redis (0.0 s)", "Redis", 0.0),
        ("✓ Web app, built once (29.6 s)", "Web app, built once", 29.6),
        ("✓ PostgreSQL  the running one (0.4 s)", "PostgreSQL", 0.4),
    ],
)
def test_lines_of_the_start_up_are_read(line: str, title: str, seconds: float) -> None:
    step = start.STEP.fullmatch(line)
    assert step is not None
    assert (step["title"], float(step["seconds"])) == (title, seconds)
