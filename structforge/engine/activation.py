"""Which steps become ready and which die, as results settle edges. Pure: no clock, no I/O, no values looked into.

Invariant: every node is answered for exactly once, as ready or as dead, however the results arrive.
"""

from collections.abc import Mapping
from typing import Any

from structforge.domain.errors import Problem, StructForgeError
from structforge.engine.planner import Plan

DEAD: Mapping[str, Any] = {}
"""The ports of a step that gave nothing."""


class Activation:
    """The edges of one run of a plan (DESIGN 4, Activation)."""

    __slots__ = ("_live", "_open", "_plan", "results")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._open = list(plan.in_degree)
        self._live = [0] * len(plan.nodes)
        self.results: list[Mapping[str, Any] | None] = [None] * len(plan.nodes)
        """Live port name to value of each settled node; None while it is not settled."""

    def start(self, trigger: int | None) -> tuple[list[int], list[int]]:
        """Wake the roots; of the triggers only `trigger`. Returns the ready and the dead nodes."""
        ready: list[int] = []
        dead: list[int] = []
        for root in self._plan.roots:
            if self._plan.nodes[root].node.trigger and root != trigger:
                dead.append(root)
                more_ready, more_dead = self.settle(root, DEAD)
                ready += more_ready
                dead += more_dead
            else:
                ready.append(root)
        return ready, dead

    def settle(self, index: int, ports: Mapping[str, Any]) -> tuple[list[int], list[int]]:
        """Take the live ports of a node. Returns the nodes that became ready and those that died with it."""
        ready: list[int] = []
        dead: list[int] = []
        stack = [(index, ports)]
        nodes, open_edges, live = self._plan.nodes, self._open, self._live
        while stack:
            source, given = stack.pop()
            self.results[source] = given
            for edge in nodes[source].out_edges:
                target = edge.target
                open_edges[target] -= 1
                arrived = edge.port in given
                live[target] += arrived
                if nodes[target].fires_first:
                    if arrived and live[target] == 1:
                        ready.append(target)
                    elif not open_edges[target] and not live[target]:
                        dead.append(target)
                        stack.append((target, DEAD))
                elif not open_edges[target]:
                    if live[target]:
                        ready.append(target)
                    else:
                        dead.append(target)
                        stack.append((target, DEAD))
        return ready, dead

    def inputs(self, index: int) -> dict[str, Any]:
        """Collect the values on the live edges into a node, by input port.

        Raises: StructForgeError `graph.two_live_edges` when a single-value port has two.
        """
        values: dict[str, Any] = {}
        for edge in self._plan.nodes[index].in_edges:
            given = self.results[edge.source]
            if given is None or edge.source_port not in given:
                continue
            value = given[edge.source_port]
            if edge.many:
                values.setdefault(edge.target_port, []).append(value)
            elif edge.target_port in values:
                raise StructForgeError(
                    Problem(
                        "graph.two_live_edges",
                        f"Two live edges end in the single-value port {edge.target_port!r}.",
                        f"nodes.{self._plan.nodes[index].id}",
                        "Put a Merge node in front of it.",
                    )
                )
            else:
                values[edge.target_port] = value
        return values

    def value_of(self, index: int) -> Any:
        """Return what expressions see under the node's name: the value of its first live port.

        Raises: KeyError when the node gave nothing.
        """
        given = self.results[index]
        if not given:
            raise KeyError(self._plan.nodes[index].id)
        planned = self._plan.nodes[index]
        return given[planned.default_port] if planned.default_port in given else next(iter(given.values()))
