"""What a new run of a workflow may take over from an earlier one.

Invariant: re-executed are the chosen steps, their descendants, everything that had not succeeded and everything
whose definition differs; only what stands outside of all these is taken over. Pure.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from structforge.domain.journal import StepRecord
from structforge.domain.run import StepStatus
from structforge.engine.planner import Plan, PlannedNode

TAKEN_OVER = frozenset({StepStatus.SUCCEEDED, StepStatus.REUSED})


def nodes_to_execute(
    old: Plan,
    new: Plan,
    outcomes: Mapping[str, StepStatus],
    chosen: Collection[str],
    *,
    input_changed: bool,
) -> frozenset[str]:
    """Return the ids of the top-level nodes of `new` that run again.

    `outcomes` is the settled status of each top-level step of the earlier run; `chosen` may name nodes inside loops:
    their outermost loop runs again as a whole.
    """
    around = {planned.id: _outermost(new, planned) for planned in new.nodes}
    again = {around[node_id] for node_id in chosen if node_id in around}
    # How the new run ends is its own affair.
    again |= {around[planned.id] for planned in new.nodes if new.is_final(planned)}
    for planned in new.nodes:
        top = around[planned.id]
        if top in again:
            continue
        reads_input = planned.node.trigger or any(name == "inputs" for name in planned.names)
        not_done = not planned.depth and outcomes.get(planned.id) not in TAKEN_OVER
        if not_done or (input_changed and reads_input) or _differs(old, new, planned):
            again.add(top)
    for planned in new.nodes:
        # In topological order, so one pass reaches every descendant.
        if any(around[source] in again for source in _sources(new, planned)):
            again.add(around[planned.id])
    return frozenset(again)


def split(
    old: Plan,
    new: Plan,
    steps: Mapping[str, StepRecord],
    chosen: Collection[str],
    *,
    input_changed: bool,
) -> tuple[list[StepRecord], frozenset[str]]:
    """Return what a new run takes over of the settled `steps` of an earlier one, and which nodes run again."""
    outcomes = {step.node_id: step.status for key, step in steps.items() if key == step.node_id}
    again = nodes_to_execute(old, new, outcomes, chosen, input_changed=input_changed)
    kept = [steps[key] for key in taken_over(steps, again) if steps[key].status in TAKEN_OVER]
    return [replace(step, status=StepStatus.REUSED) for step in kept], again


def taken_over(step_keys: Iterable[str], again: Collection[str]) -> list[str]:
    """Return the keys of the steps that are reused: those of nodes that do not run again, iterations included."""
    return [
        key for key in step_keys if key.partition("/")[0].partition("[")[0].partition("#")[0] not in again
    ]


def _outermost(plan: Plan, planned: PlannedNode) -> str:
    return plan.nodes[planned.chain[0]].id if planned.chain else planned.id


def _differs(old: Plan, new: Plan, planned: PlannedNode) -> bool:
    before = old.by_id.get(planned.id)
    if before is None or before.spec != planned.spec.model_copy(update={"title": before.spec.title}):
        return True
    return _feeds(old, before) != _feeds(new, planned)


def _feeds(plan: Plan, planned: PlannedNode) -> list[tuple[str, str, str]]:
    return [(plan.nodes[edge.source].id, edge.source_port, edge.target_port) for edge in planned.in_edges]


def _sources(plan: Plan, planned: PlannedNode) -> list[str]:
    return [plan.nodes[edge.source].id for edge in planned.in_edges]
