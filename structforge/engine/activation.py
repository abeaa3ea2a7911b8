"""Which steps become ready and which die, as results settle edges. Pure: no clock, no I/O, no values looked into.

Invariant: every node is answered for exactly once, as ready or as dead, however the results arrive.
"""

from collections.abc import Mapping
from typing import Any

from structforge.domain.errors import Problem, StructForgeError, sentence
from structforge.engine.planner import EdgeKind, InEdge, Plan, Region
from structforge.engine.reading import Referring

DEAD: Mapping[str, Any] = {}
"""The ports of a step that gave nothing."""

NOTHING = object()
"""The carry of an iteration whose `again` is dead."""


class Activation:
    """The edges of one execution of a region: of the whole run, or of one iteration of a loop (DESIGN 4)."""

    __slots__ = (
        "_live", "_open", "_plan", "_region", "carry", "index", "item", "parent", "prefix", "refers",
        "remaining", "results",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        region: Region | None = None,
        parent: "Activation | None" = None,
        *,
        prefix: str = "",
        item: Any = None,
        index: int = 0,
        refers: bool = False,
    ) -> None:
        self._plan = plan
        self._region = region or plan.top
        self._open = list(self._region.in_degree)
        self._live = [0] * len(self._open)
        self.results: list[Mapping[str, Any] | None] = [None] * len(self._open)
        """By slot: live port name to value of each settled node; None while it is not settled."""
        self.remaining = len(self._open)
        """Nodes that are not settled."""
        self.parent = parent
        self.prefix = prefix
        """What the keys of its steps begin with: `outer[1]/inner[4]/`."""
        self.item = item
        self.index = index
        self.refers = refers
        """There may be references to artifacts in the item."""
        self.carry: Any = NOTHING
        """What arrived at the loop's `again`."""

    @property
    def members(self) -> tuple[int, ...]:
        """The nodes of its region."""
        return self._region.members

    def start(self, trigger: int | None = None) -> tuple[list[int], list[int]]:
        """Wake what waits for nothing; of the triggers only `trigger`. Returns the ready and the dead nodes."""
        ready: list[int] = []
        dead: list[int] = []
        nodes = self._plan.nodes
        entered = set()
        for entry in self._region.entries:
            entered.add(entry.target)
            given, port = self._given(entry.edge)
            self._live[nodes[entry.target].slot] += given is not None and port in given
        for slot, member in enumerate(self._region.members):
            if self._open[slot] or self.results[slot] is not None:
                if nodes[member].fires_first and self._live[slot]:
                    ready.append(member)
                continue
            asleep = nodes[member].node.trigger and member != trigger
            if asleep or (member in entered and not self._live[slot]):
                dead.append(member)
                more_ready, more_dead = self.settle(member, DEAD)
                ready += more_ready
                dead += more_dead
            else:
                ready.append(member)
        return ready, dead

    def settle(self, index: int, ports: Mapping[str, Any]) -> tuple[list[int], list[int]]:
        """Take the live ports of a node. Returns the nodes that became ready and those that died with it."""
        ready: list[int] = []
        dead: list[int] = []
        stack = [(index, ports)]
        nodes, open_edges, live = self._plan.nodes, self._open, self._live
        while stack:
            source, given = stack.pop()
            self.results[nodes[source].slot] = given
            self.remaining -= 1
            for edge in nodes[source].out_edges:
                arrived = edge.port in given
                if edge.kind:
                    if edge.kind is EdgeKind.AGAIN and arrived and self.carry is NOTHING:
                        self.carry = given[edge.port]
                    if edge.kind is not EdgeKind.GATE:
                        continue
                    arrived = False
                target = nodes[edge.target]
                slot = target.slot
                open_edges[slot] -= 1
                live[slot] += arrived
                if target.fires_first and live[slot]:
                    if arrived and live[slot] == 1:
                        ready.append(edge.target)
                elif not open_edges[slot]:
                    if live[slot] or not target.in_edges:
                        ready.append(edge.target)
                    else:
                        dead.append(edge.target)
                        stack.append((edge.target, DEAD))
        return ready, dead

    def inputs(self, index: int) -> dict[str, Any]:
        """Collect the values on the live edges into a node, by input port.

        Raises: StructForgeError `graph.two_live_edges` when a single-value port has two.
        """
        values: dict[str, Any] = {}
        referring = False
        for edge in self._plan.nodes[index].in_edges:
            given, port = self._given(edge)
            if given is None or port not in given:
                continue
            referring = referring or type(given) is Referring
            value = given[port]
            if edge.many:
                values.setdefault(edge.target_port, []).append(value)
            elif edge.target_port in values:
                raise StructForgeError(
                    Problem(
                        "graph.two_live_edges",
                        sentence(
                            "Two live edges end in the single-value port {target_port}.",
                            target_port=repr(edge.target_port),
                        ),
                        f"nodes.{self._plan.nodes[index].id}",
                        "Put a Merge node in front of it.",
                    )
                )
            else:
                values[edge.target_port] = value
        return Referring(values, self._own_ports(index)) if referring else values

    def _own_ports(self, index: int) -> frozenset[str]:
        """Return the input ports at which nothing arrives from outside the run."""
        edges, nodes = self._plan.nodes[index].in_edges, self._plan.nodes
        outside = {edge.target_port for edge in edges if nodes[edge.source].node.trigger}
        return frozenset(edge.target_port for edge in edges) - outside

    def value_of(self, index: int) -> Any:
        """Return what expressions see under the node's name: the value of its first live port.

        A loop seen from inside is its iteration, `{"item", "index"}`. Raises: KeyError when the node gave nothing.
        """
        return self.seen(index)[0]

    def seen(self, index: int, way: str | None = None) -> tuple[Any, bool]:
        """Return the same, or what the port `way` gave, and whether there may be references to artifacts in it.

        Raises: KeyError.
        """
        planned = self._plan.nodes[index]
        at: Activation | None = self
        while at is not None:
            members = at._region.members
            if planned.slot < len(members) and members[planned.slot] == index:
                break
            if at._region is self._plan.regions.get(index):
                return {"item": at.item, "index": at.index}, at.refers
            at = at.parent
        given = at.results[planned.slot] if at is not None else None
        if not given:
            raise KeyError(planned.id)
        referring = type(given) is Referring
        if way is not None and way in given:
            return given[way], referring
        if planned.default_port in given:
            return given[planned.default_port], referring
        return next(iter(given.values())), referring

    def _given(self, edge: InEdge) -> tuple[Mapping[str, Any] | None, str]:
        """Find the live ports of an edge's source, however many iterations outward."""
        at = self
        for _ in range(edge.up):
            if at.parent is None:
                return None, edge.source_port
            at = at.parent
        if edge.body:
            item = {edge.source_port: at.item}
            return Referring(item) if at.refers else item, edge.source_port
        return at.results[self._plan.nodes[edge.source].slot], edge.source_port
