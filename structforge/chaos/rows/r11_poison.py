"""R11: a run kills its worker each time, among fifty innocent ones.

Proves that poison is told from bad luck: after two deaths the run is claimed alone, only deaths alone count, five of
them fail it with that reason, and nobody else pays more than a restart.
"""

import asyncio
from collections.abc import Mapping, Sequence

from structforge.chaos.counting import count_journal
from structforge.chaos.documents import chain, node
from structforge.chaos.ground import Ground
from structforge.chaos.nodes import Trace, read_traces
from structforge.chaos.services import Service

DEATHS_ALONE = 5
INNOCENT_S, POISON_S = 0.5, 0.3
SETTINGS: Mapping[str, str] = {"STRUCTFORGE_LEASE_S": "1", "STRUCTFORGE_REDISPATCH_AFTER_S": "0.3"}

_FAILED = "SELECT status, error ->> 'code' FROM workflow_executions WHERE id = %s"


async def run(ground: Ground) -> None:
    """Keep two workers alive while one run kills them."""
    api = await ground.web()
    ground.service("scheduler")
    fleet = await ground.workers(2)
    trace, other = ground.home / "poison", ground.home / "innocent"
    poison = await api.publish(
        "Poison", chain(node("kill", "chaos.kill", seconds=POISON_S, trace=str(trace)))
    )
    steps = [node(f"s{number}", "chaos.pause", seconds=INNOCENT_S, trace=str(other)) for number in range(4)]
    innocent = await api.publish("Innocent", chain(*steps))
    accepted = await api.start_many(innocent, 25)
    guilty = await api.start(poison)
    accepted += await api.start_many(innocent, 25)
    keeper = asyncio.create_task(_keep_alive(ground, fleet))
    try:
        over = await ground.all_over([guilty, *accepted], limit_s=240)
    finally:
        keeper.cancel()
    ground.verdict.check(over, "not all runs came to their end")
    status, code = ground.rows(_FAILED, guilty)[0]
    ground.verdict.check(
        (status, code) == ("failed", "run.kills_workers"), f"the poison {status} with {code}"
    )
    count_journal(ground, accepted, steps=5)
    deaths = read_traces(trace)
    alone = sum(_was_alone(death, read_traces(other)) for death in deaths)
    ground.verdict.check(alone >= DEATHS_ALONE, f"{alone} of {len(deaths)} deaths were alone")
    ground.verdict.check(len(deaths) <= DEATHS_ALONE + 3, f"it took {len(deaths)} deaths")
    ground.verdict.figures.update(deaths=len(deaths), alone=alone, reason=code)


async def _keep_alive(ground: Ground, fleet: Sequence[Service]) -> None:
    while True:
        for worker in fleet:
            if not worker.running:
                ground.verdict.did("worker_deaths")
                worker.start()
        await asyncio.sleep(0.1)


def _was_alone(death: Trace, others: Sequence[Trace]) -> bool:
    """No innocent attempt was in flight in the same process between the poison's beginning and its end."""
    return not any(
        line.pid == death.pid and death.moment - INNOCENT_S < line.moment < death.moment + POISON_S
        for line in others
    )
