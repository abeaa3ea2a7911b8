"""R1: while 400 runs are accepted and executed, everything is killed: web, workers, their children, schedulers.

Proves the promise as a whole. For a minute there is a SIGKILL every 0.75 s; Redis is wiped twice, PostgreSQL crashes
once. Afterwards every accepted run has ended once, with one outcome of each step in the journal, the outside saw
one effect of each request, and a hundred new runs succeed at once.
"""

import asyncio
import contextlib
import itertools
import random
import signal
import time
from collections.abc import Mapping
from uuid import UUID

import psutil

from structforge.chaos.client import Client
from structforge.chaos.counting import count_journal
from structforge.chaos.documents import chain, node, post
from structforge.chaos.ground import Ground
from structforge.chaos.receiver import Receiver

SETTINGS: Mapping[str, str] = {
    "STRUCTFORGE_LEASE_S": "3",
    "STRUCTFORGE_OUTBOUND_ALLOW_HOSTS": "127.0.0.1",
}
NODES = 5
KILL_EVERY_S = 0.75
VICTIMS = (
    "worker",
    "pool",
    "worker",
    "pool",
    "scheduler",
    "pool",
    "worker",
    "web",
    "pool",
    "scheduler",
    "web child",
)
"""Killed in this order, again and again: a web process needs seconds to come back, a pool process none."""
LEAST_KILLS = 70
PATIENCE_S = 120.0


async def run(ground: Ground) -> None:
    """Let the storm rage over the runs, then count."""
    receiver = Receiver()
    try:
        await _run(ground, receiver)
    finally:
        receiver.close()


async def _run(ground: Ground, receiver: Receiver) -> None:
    api = await ground.web()
    for _ in range(2):
        ground.service("scheduler")
    await ground.workers(3)
    made = chain(
        node("pure", "data.set", fields={"x": "{{ 1 + 1 }}"}),
        post("first", receiver.url),
        node("blocking", "chaos.pause_blocking", seconds=0.05),
        node("delay", "flow.delay", seconds=3),
        post("second", receiver.url),
    )
    workflow = await api.publish("Five nodes", made)
    seconds, count = ground.scaled(60, 10), ground.scaled(400, 40)
    accepting = asyncio.create_task(_accept(api, workflow, count, over_s=seconds * 0.8))
    keeper = asyncio.create_task(_keep_alive(ground))
    try:
        await _storm(ground, api, seconds)
        accepted = await accepting
    finally:
        accepting.cancel()
        await asyncio.sleep(3)
        keeper.cancel()
    over = await ground.all_over(accepted, limit_s=120)
    ground.verdict.check(over, "not all runs came to their end within two minutes of the storm")
    count_journal(ground, accepted, steps=NODES + 1)
    _count_effects(ground, receiver, accepted)
    kills = ground.verdict.done.get("kills", 0)
    ground.verdict.check(ground.short or kills >= LEAST_KILLS, f"only {kills} kills")
    known = ground.value("SELECT count(*) FROM workflow_executions WHERE workflow_id = %s", workflow)
    ground.verdict.check(known == count, f"{known} runs are there, {count} were asked for")

    await ground.until(lambda: all(service.running for service in ground.services), "everything is back")
    later = await api.start_many(workflow, ground.scaled(100, 20), patience_s=PATIENCE_S)
    over = await ground.all_over(later, limit_s=60)
    succeeded = list(ground.statuses(later).values()).count("succeeded")
    ground.verdict.check(
        over and succeeded == len(later), f"{succeeded} of the last {len(later)} runs succeeded"
    )
    ground.verdict.figures["last_runs_succeeded"] = f"{succeeded} of {len(later)}"


async def _accept(api: Client, workflow: str, count: int, *, over_s: float) -> list[UUID]:
    """Start runs evenly over the storm; a start whose answer got lost is sent again with its key."""

    async def one(number: int) -> UUID:
        await asyncio.sleep(over_s * number / count)
        return await api.start(workflow, patience_s=PATIENCE_S)

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def _storm(ground: Ground, api: Client, seconds: int) -> None:
    began = time.monotonic()
    wipes = [seconds / 3, seconds * 2 / 3]
    crash_at = seconds / 2
    least = ground.scaled(LEAST_KILLS, 0)
    for number in itertools.count():
        elapsed = time.monotonic() - began
        kills = ground.verdict.done.get("kills", 0)
        if elapsed > seconds and (kills >= least or elapsed > 3 * seconds):
            break
        if wipes and elapsed > wipes[0]:
            wipes.pop(0)
            ground.wipe_redis()
        if crash_at and elapsed > crash_at:
            crash_at = 0.0
            await asyncio.to_thread(ground.postgres.stop, immediately=True)
            await asyncio.to_thread(ground.postgres.start)
            ground.verdict.did("postgresql_crashes")
        kind = VICTIMS[number % len(VICTIMS)]
        # A web process that is still starting is spared: on a slow machine callers would never see one.
        spared = kind.startswith("web") and not await api.answers(within_s=0.5)
        if not spared and _kill(ground, kind):
            ground.verdict.did("kills")
        await asyncio.sleep(max(0.0, KILL_EVERY_S - (time.monotonic() - began - elapsed)))
    ground.verdict.figures["storm_s"] = round(time.monotonic() - began, 1)


def _kill(ground: Ground, kind: str) -> bool:
    """Kill one process of a kind, the one that has lived longest; False when there is none at the moment."""
    above = {"pool": "worker", "web child": "web"}.get(kind, kind)
    alive = [service for service in ground.services if service.kind == above and service.running]
    for service in sorted(alive, key=lambda service: service.started_at):
        if above == kind:
            service.send(signal.SIGKILL)
            return True
        below = service.tree()[1:]
        if below:
            with contextlib.suppress(psutil.NoSuchProcess):
                random.choice(below).kill()
                return True
    return False


async def _keep_alive(ground: Ground) -> None:
    """Start again what was killed, as a supervisor would."""
    while True:
        for service in ground.services:
            if not service.running:
                service.start()
        await asyncio.sleep(0.2)


def _count_effects(ground: Ground, receiver: Receiver, accepted: list[UUID]) -> None:
    places = [(str(one), step) for one in accepted for step in ("first", "second")]
    missing = sum(place not in receiver.effects for place in places)
    ground.verdict.check(missing == 0, f"{missing} effects never reached the receiver")
    doubled = sum(count > 1 for count in receiver.effects.values())
    ground.verdict.check(doubled == 0, f"the idempotent receiver saw {doubled} effects twice")
    ground.verdict.figures["effects_seen_twice"] = doubled
    ground.verdict.figures["requests_repeated"] = sum(receiver.requests.values()) - len(receiver.requests)
