"""R12: nodes return and raise what no journal can hold, from every place a node can run in.

Proves that whatever a node does ends in a definite, explained status: nothing is stuck, no worker dies of it, no
batch of other runs is lost with it. Each step's own failure is taken by its error port, so that the journal is
also shown what came out of it.
"""

from collections.abc import Mapping
from uuid import UUID

from structforge.chaos.counting import count_journal
from structforge.chaos.documents import chain, node
from structforge.chaos.ground import Ground
from structforge.chaos.nodes import HOSTILE

KINDS = ("chaos.hostile", "chaos.hostile_async", "chaos.hostile_blocking")
SETTINGS: Mapping[str, str] = {}

_STATUSES = """
SELECT run_id, status, error ->> 'code' FROM execution_steps
WHERE run_id = ANY (%s) AND step_key = 'hostile' AND settled
"""


async def run(ground: Ground) -> None:
    """Run every value at every kind of node, and an honest run beside each."""
    api = await ground.web()
    ground.service("scheduler")
    fleet = await ground.workers(2)
    honest = await api.publish("Honest", chain(node("a", "chaos.pause", seconds=0.1)))
    accepted: dict[UUID, str] = {}
    innocent = []
    for kind in KINDS:
        for value in HOSTILE:
            name = f"{value} at {kind}"
            made = chain(
                node("hostile", kind, kind=value),
                node("text", "data.set", fields={"seen": "{{ hostile }}"}),
            )
            accepted[await api.start(await api.publish(name, made))] = name
        innocent += await api.start_many(honest, 5)
    over = await ground.all_over([*accepted, *innocent], limit_s=120)
    ground.verdict.check(over, "not all runs came to their end")
    count_journal(ground, innocent, steps=2)
    settled = {row[0]: row[1:] for row in ground.rows(_STATUSES, list(accepted))}
    statuses = ground.statuses(list(accepted))
    stuck = [name for run, name in accepted.items() if statuses.get(run) not in ("succeeded", "failed")]
    ground.verdict.check(not stuck, f"stuck: {stuck}")
    unexplained = [
        name
        for run, name in accepted.items()
        if settled.get(run) is None or (settled[run][0] == "failed" and not settled[run][1])
    ]
    ground.verdict.check(not unexplained, f"without a definite, explained outcome: {unexplained}")
    dead = sum(not worker.running for worker in fleet)
    ground.verdict.check(dead == 0, f"{dead} workers died")
    outcomes = [row[0] for row in settled.values()]
    ground.verdict.figures.update(
        hostile=len(accepted),
        definite_pct=round(100 * len(settled) / len(accepted), 1),
        stuck=len(stuck),
        failed=outcomes.count("failed"),
        made_safe=outcomes.count("succeeded"),
    )
