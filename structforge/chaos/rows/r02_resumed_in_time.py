"""R2: a worker is killed while the fleet is idle, and its run goes on elsewhere within its lease and two seconds.

Proves that no run waits for a person, a restart or a time-out of the queue: the lease runs out, the sweep or a
worker's own look finds the run, and another worker starts its step again. Fifty times out of fifty.
"""

from collections.abc import Mapping

from structforge.chaos.documents import chain, node
from structforge.chaos.ground import Ground
from structforge.chaos.nodes import Trace, read_traces
from structforge.chaos.verdict import percentile

LEASE_S = 2.0
GRACE_S = 2.0
FLEET = 4
SETTINGS: Mapping[str, str] = {"STRUCTFORGE_LEASE_S": str(LEASE_S)}

_BEGUN = "SELECT count(*) FROM execution_steps WHERE run_id = %s AND step_key = 'hold' AND status = 'running'"


async def run(ground: Ground) -> None:
    """Kill the worker of one run after another."""
    api = await ground.web()
    ground.service("scheduler")
    fleet = await ground.workers(FLEET)
    trace = ground.home / "trace"
    held = node("hold", "chaos.pause", seconds=600, again_seconds=0, trace=str(trace))
    workflow = await api.publish("Held", chain(held))
    times = ground.scaled(50, 2)
    took: list[float] = []
    for number in range(times):
        accepted = await api.start(workflow)

        def attempts(run: str = str(accepted)) -> list[Trace]:
            return [line for line in read_traces(trace) if line.run == run]

        await ground.until(lambda seen=attempts: len(seen()) == 1, "a worker begins the run")  # type: ignore[misc]
        # Only an attempt that is in the journal is followed by a second one, which is short.
        await ground.until(lambda run=accepted: ground.value(_BEGUN, run) == 1, "the attempt is journaled")  # type: ignore[misc]
        pid = attempts()[0].pid
        [victim] = [worker for worker in fleet if worker.pid == pid]
        killed_at = victim.kill()
        ground.verdict.did("kills")
        victim.start()
        await ground.until(lambda seen=attempts: len(seen()) == 2, "the run is resumed", limit_s=60)  # type: ignore[misc]
        took.append(attempts()[1].moment - killed_at)
        over = await ground.all_over([accepted], limit_s=30)
        ground.verdict.check(over, f"run {number} did not end")
    in_time = sum(seconds <= LEASE_S + GRACE_S for seconds in took)
    ground.verdict.check(in_time == times, f"{in_time} of {times} were resumed in time: {max(took):.2f} s")
    ground.verdict.figures.update(
        in_time=f"{in_time} of {times}",
        lease_s=LEASE_S,
        resumed_p50_s=round(percentile(took, 0.5), 2),
        resumed_max_s=round(max(took), 2),
    )
