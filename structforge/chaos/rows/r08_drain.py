"""R8: workers are asked to stop (SIGTERM) in the middle of steps of 20 seconds, as in a rolling update.

Proves that an update costs nothing: what is in flight ends where it is, what is left goes on elsewhere, no attempt
is lost, none is made twice, and the worker ends with code 0.
"""

import signal
from collections.abc import Mapping

from structforge.chaos.counting import count_journal
from structforge.chaos.documents import chain, node
from structforge.chaos.ground import Ground
from structforge.chaos.nodes import read_traces

SETTINGS: Mapping[str, str] = {"STRUCTFORGE_LEASE_S": "2", "STRUCTFORGE_BLOCKING_PROCESSES": "4"}


async def run(ground: Ground) -> None:
    """Replace the whole fleet while every run is in its long step, and again in the next one."""
    api = await ground.web()
    ground.service("scheduler")
    old = await ground.workers(2)
    seconds = ground.scaled(20, 6)
    trace = ground.home / "trace"
    plain = chain(
        node("long", "chaos.pause", seconds=seconds, trace=str(trace)),
        node("next", "chaos.pause", seconds=0.2, trace=str(trace)),
        node("once", "chaos.pause_once", seconds=0.2, trace=str(trace)),
    )
    blocking = chain(
        node("long", "chaos.pause_blocking", seconds=seconds, trace=str(trace)),
        node("next", "chaos.pause", seconds=0.2, trace=str(trace)),
        node("once", "chaos.pause_once", seconds=0.2, trace=str(trace)),
    )
    accepted = await api.start_many(await api.publish("Plain", plain), ground.scaled(40, 8))
    accepted += await api.start_many(await api.publish("Blocking", blocking), 4)

    def all_begun() -> bool:
        return sum(line.step == "long" for line in read_traces(trace)) == len(accepted)

    await ground.until(all_begun, "every run is in its long step")
    for worker in old:
        worker.send(signal.SIGTERM)
        ground.verdict.did("drains")
    await ground.workers(2)
    over = await ground.all_over(accepted, limit_s=seconds + 60)
    ground.verdict.check(over, "not all runs came to their end")
    codes = [worker.wait() for worker in old]
    ground.verdict.check(codes == [0, 0], f"the drained workers ended with {codes}")
    count_journal(ground, accepted, steps=4)
    traces = [(line.run, line.step) for line in read_traces(trace)]
    again = len(traces) - len(set(traces))
    ground.verdict.check(again == 0, f"{again} steps were started twice")
    statuses = list(ground.statuses(accepted).values())
    ground.verdict.figures.update(
        failed=statuses.count("failed"), restarted=again, step_s=seconds, worker_exit_codes=codes
    )
