"""R6: a step of 90 seconds with a lease of half a second is executed once.

Proves that a lease is kept by a thread with a connection of its own: neither a coroutine that waits, nor a node
that holds the event loop and half a processor, nor a blocking node in a process of the pool loses its run.
"""

from collections.abc import Mapping

from structforge.chaos.counting import count_journal
from structforge.chaos.documents import chain, node
from structforge.chaos.ground import Ground
from structforge.chaos.nodes import read_traces

KINDS = {"coroutine": "chaos.pause", "blocking": "chaos.pause_blocking", "holds_loop": "chaos.hold_loop"}
"""The last one keeps its worker from beginning anything else, so it comes when the others have begun."""
SETTINGS: Mapping[str, str] = {"STRUCTFORGE_LEASE_S": "0.5", "STRUCTFORGE_REDISPATCH_AFTER_S": "0.2"}


async def run(ground: Ground) -> None:
    """Run each kind beside two idle workers that would take it over."""
    api = await ground.web()
    ground.service("scheduler")
    await ground.workers(3)
    seconds = ground.scaled(90, 4)
    trace = ground.home / "trace"
    accepted = []
    for name, kind in KINDS.items():
        long = node(name, kind, seconds=seconds, trace=str(trace))
        accepted.append(await api.start(await api.publish(name, chain(long))))
        begun = len(accepted)
        await ground.until(lambda begun=begun: len(read_traces(trace)) >= begun, f"the {name} step begins")  # type: ignore[misc]
    over = await ground.all_over(accepted, limit_s=seconds + 60)
    ground.verdict.check(over, "not all runs came to their end")
    count_journal(ground, accepted, steps=2)
    for name in KINDS:
        times = sum(line.step == name for line in read_traces(trace))
        ground.verdict.check(times == 1, f"the {name} step was executed {times} times")
        ground.verdict.figures[f"{name}_executed"] = times
    ground.verdict.figures["step_s"] = seconds
