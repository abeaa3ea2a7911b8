"""All checks of a document in one pass, cheap enough to run on each edit."""

from collections.abc import Mapping

from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.expressions.problems import suggestion
from structforge.domain.graph import Graph
from structforge.domain.validation.findings import at_node, errors_of, warning
from structforge.domain.validation.inputs import field_warnings, input_problems
from structforge.domain.validation.parameters import parameter_problems
from structforge.domain.validation.references import reference_problems
from structforge.domain.validation.shapes import NodeShape
from structforge.domain.validation.structure import NodePorts, Structure, ports_of, structure_problems
from structforge.domain.workflow import NodeSpec, WorkflowDocument


def validate(document: WorkflowDocument, shapes: Mapping[str, NodeShape]) -> list[Problem]:
    """Return everything that is wrong with a document, warnings included.

    `shapes` are the installed node types by id. Order: the nodes in document order, then what lies between,
    then the inputs.
    """
    problems: list[Problem] = []
    found = [shapes.get(spec.type) for spec in document.nodes]
    loops = {spec.id for spec, shape in zip(document.nodes, found, strict=True) if shape and shape.loop}
    graph = Graph.of(document, loops)
    final = graph.reachable(node for node, shape in enumerate(found) if shape is not None and shape.final)
    ports: list[NodePorts | None] = []
    for node, (spec, shape) in enumerate(zip(document.nodes, found, strict=True)):
        if shape is None:
            problems.append(_unknown_type(spec, shapes))
            ports.append(None)
        else:
            wrong = parameter_problems(spec, shape)
            problems += _version_problems(spec, shape)
            problems += wrong
            ports.append(None if wrong and not shape.fixed_ports else ports_of(spec, shape))
        problems += reference_problems(graph, node, spec, shape, final)
    problems += structure_problems(Structure(document, graph, found, ports))
    wrong_inputs = input_problems(document.inputs)
    return [*problems, *(wrong_inputs or field_warnings(document.inputs))]


def require_valid(document: WorkflowDocument, shapes: Mapping[str, NodeShape]) -> None:
    """Let a document pass that has warnings at most. Raises: InvalidError with every error."""
    errors = errors_of(validate(document, shapes))
    if errors:
        raise InvalidError(*errors)


def _unknown_type(spec: NodeSpec, shapes: Mapping[str, NodeShape]) -> Problem:
    return Problem(
        "node.unknown_type",
        sentence("Node type {type} is not installed.", type=repr(spec.type)),
        at_node(spec.id, "type"),
        sentence(
            "{advice} Or install the plugin that brings it.",
            advice=suggestion(spec.type, sorted(shapes), "node types"),
        ),
        {"type": spec.type},
    )


def _version_problems(spec: NodeSpec, shape: NodeShape) -> list[Problem]:
    where = at_node(spec.id, "type_version")
    if spec.type_version > shape.version:
        return [
            Problem(
                "node.newer_version",
                sentence(
                    "{id} needs version {type_version} of {type}; it is {version}.",
                    id=repr(spec.id),
                    type_version=spec.type_version,
                    type=spec.type,
                    version=shape.version,
                ),
                where,
                "Update StructForge or the plugin that brings the node type.",
            )
        ]
    if spec.type_version < shape.version:
        return [
            warning(
                "node.older_version",
                sentence(
                    "{id} was made for version {type_version}; {version} is installed.",
                    id=repr(spec.id),
                    type_version=spec.type_version,
                    version=shape.version,
                ),
                where,
                sentence("Check the node, then set its type_version to {version}.", version=shape.version),
            )
        ]
    return []
