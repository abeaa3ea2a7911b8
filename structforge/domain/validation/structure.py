"""Rules between nodes: ids, ports, edges, cycles, loop regions, branches that meet, triggers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from structforge.domain.errors import Problem, sentence
from structforge.domain.expressions.problems import suggestion
from structforge.domain.graph import DONE_PORT, Graph, Link
from structforge.domain.ports import ERROR_PORT, Port, connects, listed
from structforge.domain.validation.findings import at_edge, at_node, warning
from structforge.domain.validation.references import RESERVED_IDS
from structforge.domain.validation.shapes import NodeShape
from structforge.domain.workflow import NodeSpec, WorkflowDocument

MAX_MEETING_EDGES = 200
"""Edges into one single-value port that are compared pair by pair; the run checks the others."""


@dataclass(frozen=True, slots=True)
class NodePorts:
    """The ports of one node for its parameters."""

    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    """With the error port when the policy opens it."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A document with what the checks of this module need."""

    document: WorkflowDocument
    graph: Graph
    shapes: Sequence[NodeShape | None]
    """By node index; None for a type that is not installed."""
    ports: Sequence[NodePorts | None]
    """By node index; None where the type or the parameters do not tell."""

    @property
    def finals(self) -> list[int]:
        """Nodes that begin a `finally` branch."""
        return [node for node, shape in enumerate(self.shapes) if shape is not None and shape.final]


def structure_problems(structure: Structure) -> Iterator[Problem]:
    """Yield every problem between nodes."""
    yield from _id_problems(structure)
    yield from _edge_problems(structure)
    yield from _cycle_problems(structure)
    yield from _region_problems(structure)
    yield from _input_problems(structure)
    yield from _meeting_problems(structure)
    yield from _trigger_problems(structure)
    yield from _final_problems(structure)


def _id_problems(structure: Structure) -> Iterator[Problem]:
    nodes = structure.document.nodes
    for position in structure.graph.duplicates:
        yield Problem(
            "node.duplicate_id",
            sentence("Two nodes have the id {id}.", id=repr(nodes[position].id)),
            at_node(nodes[position].id),
            "Rename one of them: expressions and edges name nodes by id.",
            {"index": position},
        )
    for spec in nodes:
        if spec.id in RESERVED_IDS:
            yield Problem(
                "node.reserved_id",
                sentence(
                    "{id} means something else in expressions and cannot be a node's id.", id=repr(spec.id)
                ),
                at_node(spec.id),
                sentence("Rename it, for example to {id}_1.", id=spec.id),
            )


def _edge_problems(structure: Structure) -> Iterator[Problem]:
    document, graph = structure.document, structure.graph
    for number in graph.dangling:
        edge = document.edges[number]
        for node_id in dict.fromkeys(end for end in (edge.source, edge.target) if end not in graph):
            yield Problem(
                "edge.missing_node",
                sentence("The edge names a node {node_id} that does not exist.", node_id=repr(node_id)),
                at_edge(number, edge),
                suggestion(node_id, graph.ids, "nodes"),
            )
    seen: set[tuple[int, str, int, str]] = set()
    for link in graph.links:
        where = at_edge(link.edge, document.edges[link.edge])
        if link[1:] in seen:
            yield Problem("edge.duplicate", "The same edge is there twice.", where, "Remove one of them.")
        seen.add(link[1:])
        yield from _port_problems(structure, link, where)


def _port_problems(structure: Structure, link: Link, where: str) -> Iterator[Problem]:
    source, target = structure.document.nodes[link.source], structure.document.nodes[link.target]
    leaving, entering = structure.ports[link.source], structure.ports[link.target]
    output = leaving.outputs.get(link.source_port) if leaving else None
    input_ = entering.inputs.get(link.target_port) if entering else None
    if leaving and output is None:
        if link.source_port == ERROR_PORT:
            yield Problem(
                "edge.error_port_closed",
                sentence(
                    "{id} has no error port: its policy on errors is {on_error}.",
                    id=repr(source.id),
                    on_error=repr(source.policies.on_error),
                ),
                where,
                "Set `on_error` of the node to `port`, or remove the edge.",
            )
        else:
            yield Problem(
                "edge.unknown_port",
                sentence(
                    "{id} has no output {source_port}.",
                    id=repr(source.id),
                    source_port=repr(link.source_port),
                ),
                where,
                suggestion(link.source_port, leaving.outputs, "outputs"),
                {"ports": list(leaving.outputs)},
            )
    target_shape = structure.shapes[link.target]
    if target_shape is not None and target_shape.trigger:
        yield Problem(
            "trigger.has_input",
            sentence("{id} is a trigger: a run starts there, so no edge can lead to it.", id=repr(target.id)),
            where,
            "Lead the edge to the node after the trigger.",
        )
    elif entering and input_ is None:
        yield Problem(
            "edge.unknown_port",
            sentence(
                "{id} has no input {target_port}.", id=repr(target.id), target_port=repr(link.target_port)
            ),
            where,
            suggestion(link.target_port, entering.inputs, "inputs"),
            {"ports": list(entering.inputs)},
        )
    if output and input_ and not connects(output.type, input_.type):
        yield Problem(
            "edge.type_mismatch",
            sentence(
                "{id}.{name} gives {type}; {target_id}.{input_name} takes {input_type}.",
                id=source.id,
                name=output.name,
                type=output.type,
                target_id=target.id,
                input_name=input_.name,
                input_type=input_.type,
            ),
            where,
            _conversion(source, target, input_),
            {"source_type": output.type, "target_type": input_.type},
        )
    if source.disabled and leaving and output and link.source_port != next(iter(leaving.outputs)):
        yield warning(
            "edge.from_disabled",
            sentence(
                "{id} is disabled and passes its input to {outputs} only.",
                id=repr(source.id),
                outputs=repr(next(iter(leaving.outputs))),
            ),
            where,
            "Enable the node, or expect this branch to be skipped.",
        )


def _conversion(source: NodeSpec, target: NodeSpec, port: Port) -> str:
    if port.instead:
        return sentence(
            "Fill in {instead} of {target} with the list that is in it, as in {{{{ {source}.items }}}}.",
            instead=port.instead,
            target=target.id,
            source=source.id,
        )
    return "Put a node between them that converts the value."


def _cycle_problems(structure: Structure) -> Iterator[Problem]:
    for cycle in structure.graph.cycles:
        path = [structure.graph.ids[node] for node in cycle]
        if len(path) == 2:
            yield Problem(
                "graph.self_edge",
                sentence("{path} feeds itself.", path=repr(path[0])),
                at_node(path[0]),
                "Remove the edge; to repeat work, use a loop node.",
                {"path": path},
            )
        else:
            shown = path if len(path) <= 12 else [*path[:6], "…", *path[-5:]]
            yield Problem(
                "graph.cycle",
                sentence("These nodes wait for each other: {shown}.", shown=" -> ".join(shown)),
                at_node(path[0]),
                "Remove one of these edges; to repeat work, use a loop node.",
                {"path": path},
            )


def _region_problems(structure: Structure) -> Iterator[Problem]:
    graph = structure.graph
    for link in graph.crossings:
        where = at_edge(link.edge, structure.document.edges[link.edge])
        if graph.leads_back(link):
            yield Problem(
                "loop.foreign_again",
                sentence(
                    "The edge ends an iteration of {ids} from outside its region.",
                    ids=repr(graph.ids[link.target]),
                ),
                where,
                "Start it at a node that the loop's body leads to and that is in no inner loop.",
            )
        else:
            left = [loop for loop in graph.enclosing[link.source] if loop not in graph.enclosing[link.target]]
            loop = graph.ids[left[-1] if left else link.source]
            yield Problem(
                "loop.left",
                sentence("The edge leaves the region of the loop {loop}, which repeats.", loop=repr(loop)),
                where,
                sentence("Take the results from {loop}.{done_port}.", loop=loop, done_port=DONE_PORT),
                {"loop": loop},
            )


def _input_problems(structure: Structure) -> Iterator[Problem]:
    for node, spec in enumerate(structure.document.nodes):
        ports, shape = structure.ports[node], structure.shapes[node]
        if ports is None or (shape is not None and shape.trigger):
            continue
        fed = {link.target_port for link in structure.graph.incoming[node]}
        for port in ports.inputs.values():
            if port.required and port.name not in fed:
                yield Problem(
                    "port.not_connected",
                    sentence(
                        "{id} needs something at its input {name}.", id=repr(spec.id), name=repr(port.name)
                    ),
                    at_node(spec.id, "ports", port.name),
                    _ways_in(spec, port),
                )
        if spec.policies.on_error == "port" and not structure.graph.successors(node, ERROR_PORT):
            yield warning(
                "node.error_unused",
                sentence(
                    "Nothing follows the error port of {id}: its failures would pass unnoticed.",
                    id=repr(spec.id),
                ),
                at_node(spec.id, "policies.on_error"),
                "Lead an edge from its error port, or let the failure end the run.",
            )


def _ways_in(spec: NodeSpec, port: Port) -> str:
    if port.instead:
        return sentence(
            "Lead an edge to {id}.{name}, or fill in {instead}.",
            id=spec.id,
            name=port.name,
            instead=port.instead,
        )
    return sentence("Lead an edge to {id}.{name}.", id=spec.id, name=port.name)


def _meeting_problems(structure: Structure) -> Iterator[Problem]:
    """Yield ports for one value where two edges can bring one in the same run."""
    branches = Branches(structure)
    for node, links in enumerate(structure.graph.incoming):
        ports = structure.ports[node]
        by_port: dict[str, list[Link]] = {}
        for link in links:
            by_port.setdefault(link.target_port, []).append(link)
        for name, meeting in by_port.items():
            port = ports.inputs.get(name) if ports else None
            if port is None or port.many or len(meeting) < 2:
                continue
            for first, second in combinations(meeting[:MAX_MEETING_EDGES], 2):
                if not branches.exclude(first, second):
                    edges = [str(structure.document.edges[link.edge]) for link in (first, second)]
                    yield Problem(
                        "port.two_values",
                        sentence(
                            "{edge} and {other} can both bring a value to a port that takes one.",
                            edge=edges[0],
                            other=edges[1],
                        ),
                        at_node(structure.graph.ids[node], "ports", name),
                        "Put a Merge node in front of it.",
                        {"edges": edges},
                    )
                    break


class Branches:
    """On which decisions each link depends: a link lives only if certain ports of certain nodes do.

    Two links exclude each other when they depend on different ports of one node, or on different triggers: of
    those the run takes one, as far as the document tells (the run itself checks again). A set of decisions is
    an integer with a bit for each, so 5,000 nodes with 5,000 decisions fit in a few megabytes.
    """

    def __init__(self, structure: Structure) -> None:
        graph = structure.graph
        self._bits: dict[tuple[int, str], int] = {}
        self._rivals: list[int] = []
        for node, links in enumerate(graph.outgoing):
            ports = list(dict.fromkeys(link.source_port for link in links))
            if len(ports) > 1:
                self._add([(node, port) for port in ports])
        triggers = [
            node for node, shape in enumerate(structure.shapes) if shape is not None and shape.trigger
        ]
        if len(triggers) > 1:
            self._add([(node, "") for node in triggers])
        self._needs = [0] * len(graph)
        for node in graph.topological_order():
            needs = None
            for link in graph.incoming[node]:
                if not graph.leads_back(link):
                    needs = self._needs_of(link) if needs is None else needs & self._needs_of(link)
            self._needs[node] = (needs or 0) | self._bits.get((node, ""), 0)

    def _add(self, decision: list[tuple[int, str]]) -> None:
        first = len(self._rivals)
        every = ((1 << len(decision)) - 1) << first
        for offset, key in enumerate(decision):
            bit = 1 << first + offset
            self._bits[key] = bit
            self._rivals.append(every ^ bit)

    def _needs_of(self, link: Link) -> int:
        return self._needs[link.source] | self._bits.get((link.source, link.source_port), 0)

    def exclude(self, first: Link, second: Link) -> bool:
        """Tell whether at most one of the two links brings a value in any run."""
        needs, others = self._needs_of(first), self._needs_of(second)
        needs &= ~others
        while needs:
            bit = needs & -needs
            if self._rivals[bit.bit_length() - 1] & others:
                return True
            needs ^= bit
        return False


def _trigger_problems(structure: Structure) -> Iterator[Problem]:
    nodes = structure.document.nodes
    if not nodes:
        yield Problem("graph.empty", "The workflow has no nodes.", "nodes", "Add a node.")
    triggers = [node for node, shape in enumerate(structure.shapes) if shape is not None and shape.trigger]
    for node in triggers:
        if nodes[node].policies.each is not None:
            yield Problem(
                "trigger.each",
                sentence("{id} is a trigger and cannot run once per element.", id=repr(nodes[node].id)),
                at_node(nodes[node].id, "policies.each"),
                "Set `each` on the node after it.",
            )
    if not triggers:
        return
    for node in structure.graph.roots:
        spec, shape = nodes[node], structure.shapes[node]
        if shape is None or shape.final:
            continue
        if node not in triggers and not _awaits_input(structure, node):
            yield warning(
                "graph.not_triggered",
                sentence(
                    "No trigger leads to {id}: it starts in every run, whichever trigger fired.",
                    id=repr(spec.id),
                ),
                at_node(spec.id),
                "Lead an edge from a trigger to it if it should wait.",
            )


def _final_problems(structure: Structure) -> Iterator[Problem]:
    """Yield what is wrong with the branch that runs at the end."""
    graph, nodes = structure.graph, structure.document.nodes
    for node in structure.finals[1:]:
        yield Problem(
            "finally.twice",
            sentence(
                "{id} is a second branch that runs at the end; a workflow has one.", id=repr(nodes[node].id)
            ),
            at_node(nodes[node].id),
            sentence("Lead its edges from {id} instead.", id=repr(nodes[structure.finals[0]].id)),
        )
    for node in structure.finals:
        if nodes[node].policies.each is not None:
            yield Problem(
                "finally.each",
                sentence(
                    "{id} runs once, at the end, and cannot run once per element.", id=repr(nodes[node].id)
                ),
                at_node(nodes[node].id, "policies.each"),
                "Set `each` on the node after it.",
            )
    branch = graph.reachable(structure.finals)
    for link in graph.links:
        if link.target in branch and link.source not in branch:
            edge = structure.document.edges[link.edge]
            yield Problem(
                "finally.mixed",
                sentence(
                    "The edge leads into the branch that runs at the end, which {source} is no part of.",
                    source=repr(edge.source),
                ),
                at_edge(link.edge, edge),
                sentence(
                    "Remove it, and name the value in an expression: {{{{ {source} | default(none) }}}}.",
                    source=edge.source,
                ),
            )


def _awaits_input(structure: Structure, node: int) -> bool:
    ports = structure.ports[node]
    return ports is None or any(port.required for port in ports.inputs.values())


def ports_of(spec: NodeSpec, shape: NodeShape) -> NodePorts:
    """Return the ports of a node; the error port is added when the policy opens it. With `each` they give lists."""
    outputs = {port.name: port for port in shape.output_ports(spec.parameters)}
    if spec.policies.on_error == "port" and not shape.trigger:
        outputs.setdefault(ERROR_PORT, Port(ERROR_PORT, "object"))
    inputs = {port.name: port for port in shape.input_ports(spec.parameters)}
    if spec.policies.each is not None:
        outputs = {name: listed(port) for name, port in outputs.items()}
        for name in list(inputs)[:1]:
            # What arrives there is the element; the edge only says when.
            inputs[name] = replace(inputs[name], type="any")
    return NodePorts(inputs, outputs)
