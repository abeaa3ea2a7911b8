"""R7: runs are stopped in every status: queued, running, waiting, paused, orphaned.

Proves that stop means stop: within two seconds the run is over (within its lease and two seconds where its worker
is dead), and nothing of it starts afterwards.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from uuid import UUID

from structforge.chaos.client import Client
from structforge.chaos.documents import Document, chain, node
from structforge.chaos.ground import TERMINAL, Ground
from structforge.chaos.nodes import read_traces

LEASE_S = 2.0
LIMIT_S = 2.0
SETTINGS: Mapping[str, str] = {"STRUCTFORGE_LEASE_S": str(LEASE_S), "STRUCTFORGE_BLOCKING_PROCESSES": "8"}
DELAY_S = 8.0


async def run(ground: Ground) -> None:
    """Bring some runs into each status, stop them all, and see what happens."""
    each = ground.scaled(8, 2)
    api = await ground.web()
    ground.service("scheduler")
    trace = ground.home / "trace"
    after = node("after", "chaos.pause", trace=str(trace))
    kinds: dict[str, Document] = {
        "running": chain(node("long", "chaos.pause", seconds=600, trace=str(trace)), after),
        "blocking": chain(node("long", "chaos.pause_blocking", seconds=600, trace=str(trace)), after),
        "waiting": chain(node("long", "flow.delay", seconds=DELAY_S), after),
        "paused": chain(node("long", "chaos.pause", seconds=1, trace=str(trace)), after),
        "orphaned": chain(node("long", "chaos.pause", seconds=600, again_seconds=0, trace=str(trace)), after),
    }
    workflows = {name: await api.publish(name, document) for name, document in kinds.items()}
    queued = await api.start_many(workflows["running"], each)
    await _stop_all(ground, api, "queued", queued, LIMIT_S)

    await ground.workers(1)
    waiting = await api.start_many(workflows["waiting"], each)
    await ground.until(lambda: _all_are(ground, waiting, "waiting"), "all are waiting")
    await _stop_all(ground, api, "waiting", waiting, LIMIT_S)
    stopped_at = time.monotonic()

    groups = {name: await api.start_many(workflows[name], each) for name in ("running", "blocking")}
    for name, runs in groups.items():
        await ground.until(lambda runs=runs: _begun(trace, runs) == each, f"all are {name}")  # type: ignore[misc]
    for name, runs in groups.items():
        await _stop_all(ground, api, name, runs, LIMIT_S)

    paused = await api.start_many(workflows["paused"], each)
    await ground.until(lambda: _begun(trace, paused) == each, "all to be paused are running")
    await asyncio.gather(*(api.call("POST", f"/runs/{one}/pause") for one in paused))
    await ground.until(lambda: _all_are(ground, paused, "paused"), "all are paused")
    await _stop_all(ground, api, "paused", paused, LIMIT_S)

    orphaned = await api.start_many(workflows["orphaned"], each)
    await ground.until(lambda: _begun(trace, orphaned) == each, "all to be orphaned are running")
    [worker] = [service for service in ground.services if service.kind == "worker"]
    spare = await ground.workers(1)
    worker.kill()
    ground.verdict.did("kills")
    await _stop_all(ground, api, "orphaned", orphaned, LEASE_S + LIMIT_S)
    ground.verdict.check(spare[0].running, "the other worker died")

    seen = len(read_traces(trace))
    # Until the stopped delays would have been over, and their next step begun.
    await asyncio.sleep(max(2.0, stopped_at + DELAY_S + 2.0 - time.monotonic()))
    every = [*queued, *waiting, *paused, *orphaned, *(one for runs in groups.values() for one in runs)]
    later = [line for line in read_traces(trace) if line.step == "after"]
    ground.verdict.check(not later, f"{len(later)} steps started after the stop")
    ground.verdict.check(len(read_traces(trace)) == seen, "attempts began after all runs were over")
    wrong = set(ground.statuses(every).values()) - {"cancelled"}
    ground.verdict.check(not wrong, f"runs ended as {wrong}")
    ground.verdict.figures["started_afterwards"] = len(later)


async def _stop_all(ground: Ground, api: Client, name: str, runs: list[UUID], limit_s: float) -> None:
    began = time.monotonic()
    await asyncio.gather(*(api.call("POST", f"/runs/{one}/stop") for one in runs))
    over: Callable[[], bool | Awaitable[bool]] = lambda: set(ground.statuses(runs).values()) <= set(TERMINAL)  # noqa: E731
    await ground.until(over, f"the {name} runs are over", limit_s=30, every_s=0.02)
    took = time.monotonic() - began
    ground.verdict.did("stops", len(runs))
    ground.verdict.check(took <= limit_s, f"{name}: it took {took:.2f} s until all {len(runs)} were over")
    ground.verdict.figures[f"{name}_s"] = round(took, 2)


def _begun(trace: Path, runs: list[UUID]) -> int:
    wanted = {str(one) for one in runs}
    return sum(line.run in wanted for line in read_traces(trace))


def _all_are(ground: Ground, runs: list[UUID], status: str) -> bool:
    return set(ground.statuses(runs).values()) == {status}
