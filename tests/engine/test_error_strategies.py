"""What a failure leads to: retries, time limits that really stop the work, ports; also inside loops and lists."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from structforge.engine.control import RunControl
from structforge.runtime.processes import ProcessPool
from structforge.sdk.testing import FakeHttp, FakeResponse
from tests.support.eventually import eventually
from tests.support.execution import Workshop, lines_of
from tests.support.workflows import document, node

Make = Callable[..., Any]


def alone(wild: dict[str, Any]) -> Any:
    return document(wild, node("after"), edges=[f"{wild['id']}>after"])


def in_loop(wild: dict[str, Any]) -> Any:
    loop = node("all", "flow.loop", items=[1, 2], concurrency=2)
    return document(loop, wild, edges=["all.body>" + wild["id"], wild["id"] + ">all.again"])


def for_each(wild: dict[str, Any]) -> Any:
    return document(
        {**wild, "policies": {**wild["policies"], "each": {"items": "{{ [1, 2] }}", "concurrency": 2}}}
    )


PLACES: dict[str, tuple[Make, tuple[str, ...]]] = {
    "alone": (alone, ("a",)),
    "in_loop": (in_loop, ("all[0]/a", "all[1]/a")),
    "each": (for_each, ("a#0", "a#1")),
}


@pytest.mark.parametrize("place", PLACES)
async def test_a_failure_is_tried_again_and_counted_for_each_step(workshop: Workshop, place: str) -> None:
    make, keys = PLACES[place]
    retry = {"retry": {"max_attempts": 3, "backoff_s": 0.01}}
    good = await workshop.run(make(node("a", "test.fail", times=2, policies=retry)))
    assert good.status == "succeeded"
    bad = await workshop.run(make(node("a", "test.fail", times=3, policies=retry)))
    assert (bad.status, bad.code) == ("failed", "test.failed")
    for key in keys:
        assert good.attempts[key] == [(1, "failed"), (2, "failed"), (3, "succeeded")]
    # Whichever comes to its end first fails the run; the others are cut off.
    assert ["failed"] * 3 in [[status for _, status in bad.attempts[key]] for key in keys]


@pytest.mark.parametrize(
    ("on", "attempts"), [((), 2), (("test.",), 2), (("test.failed",), 2), (("http.",), 1)]
)
async def test_only_the_named_errors_are_tried_again(
    workshop: Workshop, on: tuple[str, ...], attempts: int
) -> None:
    retry = {"retry": {"max_attempts": 2, "backoff_s": 0, "on": on}}
    report = await workshop.run(document(node("a", "test.fail", policies=retry)))
    assert len(report.attempts["a"]) == attempts


async def test_an_error_marked_final_is_not_tried_again(workshop: Workshop) -> None:
    policies = {"retry": {"max_attempts": 5, "backoff_s": 0}}
    report = await workshop.run(document(node("a", "test.fail", final=True, policies=policies)))
    assert len(report.attempts["a"]) == 1


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("policy", ["continue", "port"])
async def test_a_failure_may_be_taken_care_of(workshop: Workshop, place: str, policy: str) -> None:
    make, keys = PLACES[place]
    made = make(node("a", "test.fail", policies={"on_error": policy, "error_value": "E"}))
    report = await workshop.run(made)
    assert report.status == "succeeded"
    for key in keys:
        assert report.settled[key] == "failed"
        given = report.outputs[key]
        assert given == {"out": "E"} if policy == "continue" else given["error"]["code"] == "test.failed"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["test.gate", "test.gate_blocking", "test.stubborn"])
async def test_a_time_limit_ends_the_work(workshop: Workshop, tmp_path: Path, place: str, kind: str) -> None:
    make, keys = PLACES[place]
    trace, gate = tmp_path / "trace", tmp_path / "gate"
    # A pool process takes its time to start.
    limit_s = 3.0 if kind == "test.gate_blocking" else 0.2
    if kind == "test.gate_blocking":
        assert isinstance(workshop.environment.processes, ProcessPool)
        await workshop.environment.processes.warm()
    policies = {"timeout_s": limit_s, "on_error": "continue", "error_value": "late"}
    async with asyncio.timeout(60):
        report = await workshop.run(
            make(node("a", kind, trace=str(trace), gate=str(gate), policies=policies))
        )
    assert report.status == "succeeded"
    for key in keys:
        assert (report.settled[key], report.error_of(key)["code"]) == ("failed", "step.timeout")
    if kind == "test.gate_blocking":
        pids = {line[2] for line in lines_of(trace)}
        await eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    gate.touch()


async def test_a_node_that_ignores_its_cancellation_does_not_hold_up_a_stop(
    workshop: Workshop, tmp_path: Path
) -> None:
    trace, gate, control = tmp_path / "trace", tmp_path / "gate", RunControl()
    made = document(node("a", "test.stubborn", trace=str(trace), gate=str(gate)))
    async with workshop.running(made, control) as running:
        await eventually(lambda: lines_of(trace))
        control.stop()
        report = await running.report()
    assert (report.status, report.settled) == ("cancelled", {"a": "cancelled"})
    gate.touch()


async def test_the_wait_between_attempts_grows_and_spreads(workshop: Workshop) -> None:
    retry = {
        "retry": {"max_attempts": 4, "backoff_s": 0.05, "multiplier": 2, "jitter": 0.5, "max_backoff_s": 0.1}
    }
    began = time.monotonic()
    report = await workshop.run(document(node("a", "test.fail", policies=retry)))
    told = [e["wait_s"] for commit in report.commits for e in commit.events if e["type"] == "step.retrying"]
    assert len(told) == 3
    for wait_s, base in zip(told, (0.05, 0.1, 0.1), strict=True):
        assert base * 0.5 <= wait_s <= base * 1.5 + 0.001
    assert time.monotonic() - began >= sum(told) - 0.01


async def test_the_next_attempt_waits_as_long_as_the_server_asks_within_the_limit(workshop: Workshop) -> None:
    answers = [
        FakeResponse(429, {"retry-after": "3600"}),
        FakeResponse(503, {"retry-after": "0"}),
        FakeResponse(200, {"content-type": "application/json"}, b"1"),
    ]
    workshop.environment.http = FakeHttp(lambda *sent: answers.pop(0))
    retry = {"max_attempts": 3, "backoff_s": 0, "jitter": 0, "max_backoff_s": 0.05}
    made = document(node("a", "http.request", url="https://api.example.org/", policies={"retry": retry}))
    report = await workshop.run(made)
    told = [e["wait_s"] for commit in report.commits for e in commit.events if e["type"] == "step.retrying"]
    assert (report.status, told) == ("succeeded", [0.05, 0.0])
