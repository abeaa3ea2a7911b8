"""Parts of a draft that run alone: which nodes are executed, which are given, and the document of both.

Invariant: what is executed has everything it reads in the part. A loop is executed whole or not at all. Given nodes
come first and have no edges into them, so each is there before anything that reads it begins. Pure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from structforge.domain.errors import Problem
from structforge.domain.expressions import compile_value
from structforge.domain.graph import Graph
from structforge.domain.policies import Policies
from structforge.domain.validation import errors_of, validate
from structforge.domain.validation.shapes import NodeShape
from structforge.domain.workflow import NodeSpec, WorkflowDocument

STAND_IN = "data.set"
"""What a given node is in the part when it is not finished itself: any type with no required parameter would do."""

_ELSEWHERE = frozenset({"reference.not_upstream", "reference.unknown", "graph.empty"})
"""Problems that a part has only because the rest of the document is missing."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some nodes of a document, in its order."""

    executed: tuple[str, ...]
    given: tuple[str, ...]
    cut: bool
    """It is less than the whole document."""


class Anatomy:
    """A document with what its nodes read."""

    def __init__(self, document: WorkflowDocument, shapes: Mapping[str, NodeShape]) -> None:
        self.document = document
        self.shapes = shapes
        self.specs = {spec.id: spec for spec in document.nodes}
        loops = {spec.id for spec in document.nodes if _is_loop(shapes.get(spec.type))}
        self.graph = Graph.of(document, loops)

    def default_port(self, node_id: str) -> str:
        """Return the port expressions see under a node's name; empty where the parameters decide."""
        shape = self.shapes.get(self.specs[node_id].type)
        ports = shape.output_ports({}) if shape is not None and shape.fixed_ports else ()
        return ports[0].name if ports else ""

    def outermost(self, node_id: str) -> str:
        """Return the loop around a node that stands in none, or the node itself."""
        chain = self.graph.enclosing[self.graph.index(node_id)]
        return self.graph.ids[chain[0]] if chain else node_id

    def in_loop(self, node_id: str) -> bool:
        """Tell whether a node runs once for each iteration of a loop."""
        return bool(self.graph.enclosing[self.graph.index(node_id)])

    def whole(self, node_id: str) -> list[str]:
        """Return a node, and all that runs inside it when it is a loop."""
        index = self.graph.index(node_id)
        inside = [name for at, name in enumerate(self.graph.ids) if index in self.graph.enclosing[at]]
        return [node_id, *inside]

    def sources(self, node_id: str) -> list[str]:
        """Return what a top-level node reads by edges and expressions, its loop's inside included: top-level nodes."""
        found: dict[str, None] = {}
        for name in self.whole(node_id):
            for source in self.reads(name):
                top = self.outermost(source)
                if top != node_id:
                    found[top] = None
        return list(found)

    def reads(self, node_id: str) -> list[str]:
        """Return the nodes whose results this one reads, by edges and by expressions."""
        found = {
            self.graph.ids[link.source]: None
            for link in self.graph.incoming[self.graph.index(node_id)]
            if not self.graph.leads_back(link)
        }
        spec = self.specs[node_id]
        texts = [*spec.parameters.values(), *([spec.policies.each.items] if spec.policies.each else [])]
        for reference in compile_value(texts).references:
            if reference.name in self.specs and reference.name != node_id:
                found[reference.name] = None
        return list(found)


def select(anatomy: Anatomy, until: str | None, given: Collection[str], pinned: Collection[str]) -> Part:
    """Choose what runs: everything, or `until` and what it needs.

    `given` are top-level nodes whose results are there already; `pinned` ones are given in any case. Of a part each
    node is executed that is needed and not given; nothing before a given node is.
    """
    order = [spec.id for spec in anatomy.document.nodes]
    if until is None:
        kept = tuple(name for name in order if name in pinned)
        return Part(tuple(name for name in order if name not in pinned), kept, bool(kept))
    taken = {name for name in (*given, *pinned) if name in anatomy.specs}
    executed: set[str] = set()
    used: set[str] = set()
    open_nodes = [anatomy.outermost(until)]
    while open_nodes:
        name = open_nodes.pop()
        if name in executed:
            continue
        executed.add(name)
        for source in anatomy.sources(name):
            if source in taken:
                used.add(source)
            else:
                open_nodes.append(source)
    members = {inner for name in executed for inner in anatomy.whole(name)}
    return Part(
        tuple(name for name in order if name in members),
        tuple(name for name in order if name in used and name not in members),
        len(members) < len(order),
    )


def document_of(
    anatomy: Anatomy, part: Part, until: str | None, unfinished: Collection[str]
) -> WorkflowDocument:
    """Return the document of a part. Given nodes among `unfinished` stand there without their parameters.

    Of the whole document the edges into pinned nodes are kept: a branch that is not taken stays dead.
    """
    executed, kept = set(part.executed), {*part.executed, *part.given}
    specs = anatomy.specs
    nodes = [_stand_in(specs[name]) if name in unfinished else specs[name] for name in part.given]
    nodes += [specs[name] for name in part.executed]
    edges = [
        edge
        for edge in anatomy.document.edges
        if edge.source in kept and edge.target in (kept if until is None else executed)
    ]
    layout = anatomy.document.layout
    positions = {name: at for name, at in layout.positions.items() if name in kept}
    return anatomy.document.model_copy(
        update={
            "nodes": tuple(nodes),
            "edges": tuple(edges),
            "layout": layout.model_copy(update={"positions": positions}),
        }
    )


def problems_of(anatomy: Anatomy, part: Part, until: str | None) -> list[Problem]:
    """Return what keeps a part from running: the errors of what is executed, whatever the rest looks like."""
    whole = errors_of(validate(anatomy.document, anatomy.shapes))
    unfinished = unfinished_nodes(anatomy, part)
    inside = errors_of(validate(document_of(anatomy, part, until, unfinished), anatomy.shapes))
    executed = set(part.executed)
    found = [problem for problem in whole if node_of(problem) in executed]
    for problem in inside:
        node = node_of(problem)
        blocks = node in executed or not node
        if blocks and problem.code not in _ELSEWHERE and problem not in found:
            found.append(problem)
    return found


def unfinished_nodes(anatomy: Anatomy, part: Part) -> frozenset[str]:
    """Return the given nodes that could not run themselves."""
    faulty = {node_of(problem) for problem in errors_of(validate(anatomy.document, anatomy.shapes))}
    return frozenset(name for name in part.given if name in faulty)


def node_of(problem: Problem) -> str:
    """Return the node a problem lies in, or an empty text."""
    if not problem.where.startswith("nodes."):
        return ""
    return problem.where[len("nodes.") :].partition(".")[0].partition(":")[0].partition("[")[0]


def _stand_in(spec: NodeSpec) -> NodeSpec:
    return spec.model_copy(
        update={
            "type": STAND_IN,
            "type_version": 1,
            "title": spec.title or spec.id,
            "parameters": {},
            "policies": Policies(),
        }
    )


def _is_loop(shape: NodeShape | None) -> bool:
    return shape is not None and shape.loop
