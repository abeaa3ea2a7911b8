"""Turning a document into a plan: everything about a version that no run changes, computed once.

Invariant: a plan is immutable and shared by all runs of its version in this process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from structforge.domain.errors import InvalidError, Problem
from structforge.domain.expressions import CompiledValue, compile_value
from structforge.domain.graph import Graph
from structforge.domain.policies import Policies
from structforge.domain.run import Effect, Execution
from structforge.domain.workflow import NodeSpec, WorkflowDocument
from structforge.sdk.node import Node
from structforge.sdk.parameters import literal_fields
from structforge.sdk.registry import NodeRegistry


@dataclass(frozen=True, slots=True)
class InEdge:
    """An edge as its target sees it."""

    source: int
    source_port: str
    target_port: str
    many: bool


@dataclass(frozen=True, slots=True)
class OutEdge:
    """An edge as its source sees it."""

    port: str
    target: int


@dataclass(slots=True, eq=False)
class PlannedNode:
    """A node with all that can be known before a run."""

    index: int
    """Place in the stable topological order."""
    spec: NodeSpec
    node: Node[Any]
    default_port: str
    in_edges: tuple[InEdge, ...]
    out_edges: tuple[OutEdge, ...]
    literal: Mapping[str, Any]
    """Parameters in which nothing is resolved (code, row expressions)."""
    compiled: CompiledValue
    fixed: BaseModel | None
    """The validated parameters when no expression can change them."""
    referenced: tuple[int, ...]
    """Indexes of the nodes its expressions name."""
    many_ports: frozenset[str]
    fires_first: bool
    """Ready on its first live edge instead of when all are settled."""
    plain: bool
    """Inline, pure, without retry, timeout, caching in time or error handling: the executor's shortest path."""

    @property
    def id(self) -> str:
        """The node id of the document."""
        return self.spec.id

    @property
    def policies(self) -> Policies:
        """The policies of the document."""
        return self.spec.policies


@dataclass(frozen=True, slots=True)
class Plan:
    """A version, ready to run."""

    document: WorkflowDocument
    nodes: tuple[PlannedNode, ...]
    by_id: Mapping[str, PlannedNode]
    roots: tuple[int, ...]
    """Nodes without incoming edges, triggers among them."""
    sinks: tuple[int, ...]
    """Nodes without outgoing edges: their values are the run's output."""
    in_process_safe: bool
    """All steps are pure and inline: the accepting process may run it and commit once."""
    in_degree: tuple[int, ...] = field(default=())

    def triggers(self) -> tuple[PlannedNode, ...]:
        """Return the trigger nodes in document order."""
        return tuple(self.nodes[index] for index in self.roots if self.nodes[index].node.trigger)


def make_plan(document: WorkflowDocument, registry: NodeRegistry) -> Plan:
    """Compile a valid document.

    Raises: InvalidError when a node type is not installed, an expression does not parse or fixed parameters are wrong;
    a document that passed validation raises only the first, when a plugin was removed since.
    """
    problems = [
        Problem(
            "node.unknown_type",
            f"Node type {spec.type!r} is not installed.",
            f"nodes.{spec.id}.type",
            "Install the plugin that brings it, or replace the node.",
        )
        for spec in document.nodes
        if spec.type not in registry
    ]
    if problems:
        raise InvalidError(*problems)
    graph = Graph.of(document)
    order = [document.nodes[position] for position in graph.topological_order()]
    position = {spec.id: index for index, spec in enumerate(order)}
    incoming: list[list[InEdge]] = [[] for _ in order]
    outgoing: list[list[OutEdge]] = [[] for _ in order]
    for edge in document.edges:
        source, target = position[edge.source], position[edge.target]
        node = registry[order[target].type]
        many = any(
            port.many for port in node.input_ports(order[target].parameters) if port.name == edge.target_port
        )
        incoming[target].append(InEdge(source, edge.source_port, edge.target_port, many))
        outgoing[source].append(OutEdge(edge.source_port, target))
    nodes = tuple(
        _plan_node(index, spec, registry[spec.type], tuple(incoming[index]), tuple(outgoing[index]), position)
        for index, spec in enumerate(order)
    )
    return Plan(
        document=document,
        nodes=nodes,
        by_id={planned.id: planned for planned in nodes},
        roots=tuple(index for index, edges in enumerate(incoming) if not edges),
        sinks=tuple(index for index, edges in enumerate(outgoing) if not edges),
        in_process_safe=all(planned.plain for planned in nodes),
        in_degree=tuple(len(edges) for edges in incoming),
    )


def _plan_node(
    index: int,
    spec: NodeSpec,
    node: Node[Any],
    in_edges: tuple[InEdge, ...],
    out_edges: tuple[OutEdge, ...],
    position: Mapping[str, int],
) -> PlannedNode:
    literal_names = literal_fields(node.Parameters)
    literal = {name: value for name, value in spec.parameters.items() if name in literal_names}
    compiled = compile_value(
        {name: value for name, value in spec.parameters.items() if name not in literal_names}
    )
    fixed = validate_parameters(spec, node, spec.parameters) if compiled.is_constant else None
    outputs = node.output_ports(spec.parameters)
    policies = spec.policies
    return PlannedNode(
        index=index,
        spec=spec,
        node=node,
        default_port=outputs[0].name if outputs else "out",
        in_edges=in_edges,
        out_edges=out_edges,
        literal=literal,
        compiled=compiled,
        fixed=fixed,
        referenced=tuple(sorted({position[ref.name] for ref in compiled.references if ref.name in position})),
        many_ports=frozenset(port.name for port in node.input_ports(spec.parameters) if port.many),
        fires_first=node.fires_on_first(spec.parameters),
        plain=(
            node.execution is Execution.INLINE
            and node.effect is Effect.PURE
            and policies.retry.max_attempts == 1
            and policies.timeout_s is None
            and policies.each is None
        ),
    )


def validate_parameters(spec: NodeSpec, node: Node[Any], values: Mapping[str, Any]) -> BaseModel:
    """Make the typed parameters of a node. Raises: InvalidError naming each wrong parameter."""
    try:
        return node.Parameters.model_validate(values)
    except ValidationError as error:
        raise InvalidError(
            *(
                Problem(
                    "parameter.invalid",
                    f"{'.'.join(str(part) for part in found['loc']) or 'parameters'}: {found['msg']}.",
                    f"nodes.{spec.id}.parameters.{'.'.join(str(part) for part in found['loc'])}",
                    f"See the documentation of {node.title}.",
                )
                for found in error.errors(include_url=False)
            )
        ) from None
