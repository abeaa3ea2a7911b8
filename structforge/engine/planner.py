"""Turning a document into a plan: everything about a version that no run changes, computed once.

Invariant: a plan is immutable and shared by all runs of its version in this process.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ValidationError

from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.expressions import CompiledValue, Keep, compile_value
from structforge.domain.graph import AGAIN_PORT, Graph
from structforge.domain.policies import Policies
from structforge.domain.run import Effect, Execution
from structforge.domain.validation.parameters import resolved_problems
from structforge.domain.workflow import Edge, NodeSpec, WorkflowDocument
from structforge.sdk.node import Node
from structforge.sdk.parameters import kept_by_reference, literal_fields
from structforge.sdk.registry import NodeRegistry
from structforge.sdk.shapes import RegisteredShape

FINAL = -1
"""Stands where a loop would for the region of the `finally` branch."""


class EdgeKind(IntEnum):
    """How an edge lies to the loop regions."""

    SAME = 0
    """Both ends in one region: the common case."""
    BODY = 1
    """From a loop into its region: alive whenever an iteration begins."""
    AGAIN = 2
    """From a region back to its loop: the result of the iteration."""
    GATE = 3
    """Into a region from outside: the loop waits for its source, and every iteration sees the value."""


@dataclass(frozen=True, slots=True)
class InEdge:
    """An edge as its target sees it; edges into `again` are left out."""

    source: int
    source_port: str
    target_port: str
    many: bool
    up: int = 0
    """How many iterations outward the value is found."""
    body: bool = False
    """The value is the item of that iteration, not a result."""


@dataclass(frozen=True, slots=True)
class OutEdge:
    """An edge as its source sees it."""

    port: str
    target: int
    """The node it settles; for a gate, the loop that waits."""
    kind: EdgeKind = EdgeKind.SAME


@dataclass(frozen=True, slots=True)
class Entry:
    """An edge that is settled when an iteration begins."""

    target: int
    edge: InEdge


@dataclass(frozen=True, slots=True)
class Region:
    """The nodes that are executed together: all at the top level, or those one loop repeats."""

    members: tuple[int, ...]
    """Nodes directly in the region, in topological order; the position here is the node's `slot`."""
    in_degree: tuple[int, ...]
    """By slot: edges that are settled while the region runs."""
    entries: tuple[Entry, ...] = ()
    straight: bool = False
    """The loop's `body` leads to its `again`: each item arrives there as it is."""


@dataclass(slots=True, eq=False)
class PlannedNode:
    """A node with all that can be known before a run."""

    index: int
    """Place in the stable topological order."""
    spec: NodeSpec
    node: Node[Any]
    default_port: str
    slot: int
    """Place among the members of its region."""
    chain: tuple[int, ...]
    """The loops it stands in, outermost first."""
    in_edges: tuple[InEdge, ...]
    out_edges: tuple[OutEdge, ...]
    literal: Mapping[str, Any]
    """Parameters in which nothing is resolved (code, row expressions)."""
    compiled: CompiledValue
    by_keep: tuple[tuple[Keep, CompiledValue], ...]
    """The same by what becomes of large values in them: most are read, some handed on as references."""
    takes_references: bool
    """Its inputs arrive as references when they are large."""
    fixed: BaseModel | None
    """The validated parameters when no expression can change them."""
    referenced: tuple[int, ...]
    """Indexes of the nodes its expressions name."""
    ways: Mapping[int, str]
    """Of those, where only one of their ports leads here: that port, whose value their name stands for."""
    names: frozenset[str]
    """Every name its expressions read."""
    many_ports: frozenset[str]
    fires_first: bool
    """Ready on its first live edge instead of when all are settled."""
    plain: bool
    """Inline, pure, without retry, timeout, caching in time or error handling: the executor's shortest path."""

    @property
    def depth(self) -> int:
        """How many loops it stands in."""
        return len(self.chain)

    @property
    def id(self) -> str:
        """The node id of the document."""
        return self.spec.id

    @property
    def policies(self) -> Policies:
        """The policies of the document."""
        return self.spec.policies


@dataclass(frozen=True)
class Plan:
    """A version, ready to run."""

    document: WorkflowDocument
    nodes: tuple[PlannedNode, ...]
    by_id: Mapping[str, PlannedNode]
    top: Region
    regions: Mapping[int, Region]
    """Loop node to what it repeats."""
    sinks: tuple[int, ...]
    """Top-level nodes whose result nothing else takes: their values are the run's output."""
    final: Region | None
    """The `finally` branch, which runs when all else is over."""
    final_node: PlannedNode | None
    """Where that branch begins."""
    in_process_safe: bool
    """All steps are pure and inline: the accepting process may run it and commit once."""

    @cached_property
    def receivers(self) -> tuple[PlannedNode, ...]:
        """The nodes that wait for a request."""
        return tuple(planned for planned in self.nodes if planned.node.receives)

    def is_final(self, planned: PlannedNode) -> bool:
        """Tell whether a node stands in the `finally` branch, be it inside a loop there."""
        outermost = planned.chain[0] if planned.chain else planned.index
        return self.final is not None and outermost in self.final.members

    def triggers(self) -> tuple[PlannedNode, ...]:
        """Return the trigger nodes in document order."""
        return tuple(planned for planned in self.nodes if planned.node.trigger)


def make_plan(document: WorkflowDocument, registry: NodeRegistry) -> Plan:
    """Compile a valid document.

    Raises: InvalidError when a node type is not installed, an expression does not parse or fixed parameters are wrong;
    a document that passed validation raises only the first, when a plugin was removed since.
    """
    problems = [
        Problem(
            "node.unknown_type",
            sentence("Node type {type} is not installed.", type=repr(spec.type)),
            f"nodes.{spec.id}.type",
            "Install the plugin that brings it, or replace the node.",
        )
        for spec in document.nodes
        if spec.type not in registry
    ]
    if problems:
        raise InvalidError(*problems)
    layout = _Layout(document, registry)
    nodes = tuple(_plan_node(index, layout, registry) for index in range(len(layout.order)))
    return Plan(
        document=document,
        nodes=nodes,
        by_id={planned.id: planned for planned in nodes},
        top=layout.region(None),
        regions={loop: layout.region(loop) for loop in layout.loops},
        sinks=tuple(
            planned.index
            for planned in nodes
            if not planned.depth
            and planned.index not in layout.final
            and all(edge.kind is EdgeKind.BODY for edge in planned.out_edges)
        ),
        final=layout.region(FINAL) if layout.final else None,
        final_node=next((planned for planned in nodes if planned.node.final), None),
        in_process_safe=all(planned.plain or planned.node.loop for planned in nodes),
    )


class _Layout:
    """Order, regions and edges of a document, by topological index."""

    def __init__(self, document: WorkflowDocument, registry: NodeRegistry) -> None:
        loop_ids = {spec.id for spec in document.nodes if registry[spec.type].loop}
        graph = Graph.of(document, loop_ids)
        by_document = graph.topological_order()
        self._graph = graph
        self._by_document = by_document
        self.order = [document.nodes[number] for number in by_document]
        self.position = {spec.id: index for index, spec in enumerate(self.order)}
        renamed = {number: index for index, number in enumerate(by_document)}
        self.chains = [tuple(renamed[loop] for loop in graph.enclosing[number]) for number in by_document]
        """For each node the loops around it, outermost first."""
        self.loops = [index for index, spec in enumerate(self.order) if spec.id in loop_ids]
        roots = [graph.index(spec.id) for spec in document.nodes if registry[spec.type].final]
        self.final = frozenset(renamed[number] for number in graph.reachable(roots))
        """Nodes of the `finally` branch."""
        self.members: dict[int | None, list[int]] = {
            None: [], FINAL: [], **{loop: [] for loop in self.loops}
        }  # fmt: skip
        self.slots: list[int] = []
        for index, chain in enumerate(self.chains):
            members = self.members[chain[-1] if chain else FINAL if index in self.final else None]
            self.slots.append(len(members))
            members.append(index)
        self.incoming: list[list[InEdge]] = [[] for _ in self.order]
        self.outgoing: list[list[OutEdge]] = [[] for _ in self.order]
        self.settling = [0] * len(self.order)
        """Edges that are settled while a node's region runs, gates included."""
        self.entries: dict[int, list[Entry]] = {loop: [] for loop in self.loops}
        for edge in document.edges:
            self._add(edge, registry)

    def _add(self, edge: Edge, registry: NodeRegistry) -> None:
        source, target = self.position[edge.source], self.position[edge.target]
        spec = self.order[target]
        from_chain, to_chain = self.chains[source], self.chains[target]
        if edge.target_port == AGAIN_PORT and target in self.loops:
            self.outgoing[source].append(OutEdge(edge.source_port, target, EdgeKind.AGAIN))
            return
        many = any(
            port.many
            for port in registry[spec.type].input_ports(spec.parameters)
            if port.name == edge.target_port
        )
        depth = len(to_chain) - len(from_chain)
        body = source in to_chain
        link = InEdge(
            source, edge.source_port, edge.target_port, many, up=depth - 1 if body else depth, body=body
        )
        self.incoming[target].append(link)
        if not depth:
            self.outgoing[source].append(OutEdge(edge.source_port, target))
            self.settling[target] += 1
            return
        self.entries[to_chain[-1]].append(Entry(target, link))
        if body:
            self.outgoing[source].append(OutEdge(edge.source_port, target, EdgeKind.BODY))
        else:
            gate = to_chain[len(from_chain)]
            self.outgoing[source].append(OutEdge(edge.source_port, gate, EdgeKind.GATE))
            self.settling[gate] += 1

    def way(self, source: int, target: int) -> str | None:
        """Return the only port of a node that leads to another one; None where there are several or none."""
        ports = self._graph.ports_towards(self._by_document[source], self._by_document[target])
        return next(iter(ports)) if len(ports) == 1 else None

    def region(self, loop: int | None) -> Region:
        """Describe what `loop` repeats, the `finally` branch (`FINAL`), or the top level."""
        members = tuple(self.members[loop])
        return Region(
            members,
            tuple(self.settling[index] for index in members),
            tuple(self.entries.get(loop, ())) if loop is not None else (),
            loop in self.loops
            and any(edge.kind is EdgeKind.AGAIN for edge in self.outgoing[loop] if edge.target == loop),
        )


def _plan_node(index: int, layout: _Layout, registry: NodeRegistry) -> PlannedNode:
    spec = layout.order[index]
    node = registry[spec.type]
    position, chain = layout.position, layout.chains[index]
    literal_names = literal_fields(node.Parameters)
    parameters = node.prepared(spec.parameters)
    literal = {name: value for name, value in parameters.items() if name in literal_names}
    compiled = compile_value({name: value for name, value in parameters.items() if name not in literal_names})
    fixed = validate_parameters(spec, node, parameters) if compiled.is_constant else None
    outputs = node.output_ports(spec.parameters)
    policies = spec.policies
    # The list of an `each` policy and the literal texts of a loop (`until`) are resolved by the engine too.
    others = [policies.each.items] if policies.each else []
    others += [value for value in literal.values() if node.loop and isinstance(value, str)]
    references = compiled.references + compile_value(list(others)).references
    referenced = tuple(sorted({position[ref.name] for ref in references if ref.name in position}))
    return PlannedNode(
        index=index,
        spec=spec,
        node=node,
        default_port=outputs[0].name if outputs else "out",
        slot=layout.slots[index],
        chain=chain,
        in_edges=tuple(layout.incoming[index]),
        out_edges=tuple(layout.outgoing[index]),
        literal=literal,
        compiled=compiled,
        by_keep=_by_keep(parameters, node, literal_names),
        takes_references=node.takes_references(spec.parameters),
        fixed=fixed,
        referenced=referenced,
        ways={other: way for other in referenced if (way := layout.way(other, index)) is not None},
        names=frozenset(ref.name for ref in references),
        many_ports=frozenset(port.name for port in node.input_ports(spec.parameters) if port.many),
        fires_first=node.fires_on_first(spec.parameters),
        plain=(
            node.execution is Execution.INLINE
            and node.effect is Effect.PURE
            and policies.retry.max_attempts == 1
            and policies.timeout_s is None
            and policies.each is None
            and not node.loop
        ),
    )


def _by_keep(
    parameters: Mapping[str, Any], node: Node[Any], literal: Collection[str]
) -> tuple[tuple[Keep, CompiledValue], ...]:
    kept = kept_by_reference(node.Parameters)
    groups: dict[Keep, dict[str, Any]] = {}
    for name, value in parameters.items():
        if name not in literal:
            groups.setdefault(Keep(kept.get(name, "nothing")), {})[name] = value
    return tuple((keep, compile_value(values)) for keep, values in groups.items())


def validate_parameters(spec: NodeSpec, node: Node[Any], values: Mapping[str, Any]) -> BaseModel:
    """Make the typed parameters of a node. Raises: InvalidError naming each wrong parameter."""
    try:
        return node.Parameters.model_validate(values)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        raise InvalidError(*resolved_problems(errors, values, spec, RegisteredShape(node))) from None
