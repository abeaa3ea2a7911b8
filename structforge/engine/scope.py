"""The names that the expressions of a step see: the run's own, those of its iterations, and the results it refers to.

Invariant: a reference is resolved in the same iteration first, then outward; a skipped step is told as such.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from structforge.domain.expressions import Skipped
from structforge.engine.activation import Activation
from structforge.engine.environment import Environment
from structforge.engine.order import RunOrder
from structforge.engine.planner import Plan, PlannedNode
from structforge.engine.reading import Referring, refers
from structforge.engine.recorder import RunRecorder


class Scopes:
    """Makes the scopes of one execution."""

    def __init__(self, plan: Plan, order: RunOrder, recorder: RunRecorder, environment: Environment) -> None:
        self._plan = plan
        self._run = recorder.run
        self._environment = environment
        self._names: Mapping[str, Any] = {
            "inputs": order.input,
            "run": {
                "id": str(recorder.run.run_id),
                "accepted_at": order.accepted_at.isoformat(),
                "trigger": order.trigger,
            },
            "workflow": {"id": str(recorder.run.workflow_id)},
        }

    def of(self, activation: Activation, planned: PlannedNode) -> Mapping[str, Any]:
        """Return what a node's expressions see in an activation."""
        names = dict(self._names)
        referring = "inputs" in planned.names and self._input_refers
        own = []
        at: Activation | None = activation
        while at is not None and at.parent is not None:
            if "item" not in names:
                names["item"], names["index"] = at.item, at.index
                referring = referring or at.refers
            at = at.parent
        if self._plan.receivers and "run" in planned.names:
            names["run"] = {**self._names["run"], "resume": self._resume_urls(activation)}
        for index in planned.referenced:
            node = self._plan.nodes[index]
            try:
                names[node.id], refers_too = activation.seen(index, planned.ways.get(index))
            except KeyError:
                names[node.id] = Skipped(node.id)
                continue
            if refers_too:
                referring = True
                if not node.node.trigger:
                    own.append(node.id)
        return Referring(names, frozenset(own)) if referring else names

    @cached_property
    def _input_refers(self) -> bool:
        return refers(self._names["inputs"])

    def _resume_urls(self, activation: Activation) -> dict[str, str]:
        """Return the addresses of the steps that wait for a request in this iteration and around it."""
        urls = {}
        at: Activation | None = activation
        while at is not None:
            for planned in self._plan.receivers:
                if planned.index in at.members:
                    key = at.prefix + planned.id
                    urls[planned.id] = self._environment.resume_url(
                        self._run.organization_id, self._run.run_id, key
                    )
            at = at.parent
        return urls
