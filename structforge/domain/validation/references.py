"""What nodes name: in expressions, whether it is there and can be seen; and which connections, for who knows those."""

from collections.abc import Collection, Iterator, Mapping

from structforge.domain.errors import Problem, sentence
from structforge.domain.expressions import Reference, compile_value
from structforge.domain.expressions.problems import suggestion
from structforge.domain.graph import Graph
from structforge.domain.validation.findings import at_node
from structforge.domain.validation.parameters import MARK
from structforge.domain.validation.shapes import NodeShape
from structforge.domain.workflow import NodeSpec, WorkflowDocument

RUN_NAMES = ("inputs", "run", "workflow")
"""What every expression can name beside nodes."""
ELEMENT_NAMES = ("item", "index")
"""What the expressions of a node with `each`, or inside a loop, can name too."""
HINT = "See the page on expressions in the documentation."
RESERVED_IDS = frozenset({*RUN_NAMES, *ELEMENT_NAMES}) | {
    "and", "else", "false", "if", "in", "is", "none", "not", "null", "or", "true",
}  # fmt: skip
"""Node ids that an expression could not name."""


def connections_in(document: WorkflowDocument, shapes: Mapping[str, NodeShape]) -> list[tuple[str, str]]:
    """List where a document names connections, and which; an organization knows whether they are there."""
    return [
        (at_node(spec.id, "parameters", name), value)
        for spec in document.nodes
        if spec.type in shapes
        for name in shapes[spec.type].connection_parameters
        if isinstance(value := spec.parameters.get(name), str) and value
    ]


def reference_problems(
    graph: Graph,
    node: int,
    spec: NodeSpec,
    shape: NodeShape | None,
    final: Collection[int] = frozenset(),
) -> Iterator[Problem]:
    """Yield what is wrong with the expressions in a node's parameters and in its `each` policy.

    `final` are the nodes of the `finally` branch: they run after all others and see each of them.
    """
    literal = shape.literal_parameters if shape else frozenset()
    parameters = {name: value for name, value in spec.parameters.items() if name not in literal}
    inside_loop = bool(graph.enclosing[node])
    each = spec.policies.each
    if shape is not None:  # Without its type nobody knows which parameters hold expressions.
        names = RUN_NAMES + (ELEMENT_NAMES if each or inside_loop else ())
        yield from _problems(graph, node, spec, parameters, "parameters", names, final)
    if each is not None:
        if MARK not in each.items:
            yield Problem(
                "each.not_an_expression",
                sentence(
                    "The list to run {id} on must be an expression, not {items}.",
                    id=repr(spec.id),
                    items=repr(each.items[:80]),
                ),
                at_node(spec.id, "policies.each.items"),
                "Name a list, as in {{ fetch_orders.rows }}.",
            )
        # The list is computed outside: there is no element yet.
        names = RUN_NAMES + (ELEMENT_NAMES if inside_loop else ())
        yield from _problems(graph, node, spec, each.items, "policies.each.items", names, final)


def _problems(
    graph: Graph,
    node: int,
    spec: NodeSpec,
    value: object,
    root: str,
    names: tuple[str, ...],
    final: Collection[int],
) -> Iterator[Problem]:
    compiled = compile_value(value, root)  # type: ignore[arg-type]
    for error in compiled.problems:
        problem = error.problem
        yield Problem(
            problem.code,
            problem.message,
            at_node(spec.id, problem.where),
            problem.hint or HINT,
            problem.details,
        )
    seen: set[tuple[str, str]] = set()
    for reference in compiled.references:
        if reference.name in names or (reference.name, reference.parameter_path) in seen:
            continue
        seen.add((reference.name, reference.parameter_path))
        wrong = _wrong(graph, node, reference, names, final)
        if wrong:
            code, message, hint = wrong
            start, end = reference.position
            yield Problem(
                code,
                message,
                f"{at_node(spec.id, reference.parameter_path)}: characters {start}-{end}",
                hint,
                {"start": start, "end": end, "parameter_path": reference.parameter_path},
            )


def _wrong(
    graph: Graph, node: int, reference: Reference, names: tuple[str, ...], final: Collection[int]
) -> tuple[str, str, str] | None:
    name = reference.name
    if name in ELEMENT_NAMES:
        return (
            "reference.no_element",
            sentence("There is no {name} here: this node does not run once per element.", name=name),
            "Set its `each` policy to a list, or put it into a loop.",
        )
    if name not in graph:
        return (
            "reference.unknown",
            sentence("There is no node {name}.", name=repr(name)),
            suggestion(name, [*graph.ids, *names], "names"),
        )
    target = graph.index(name)
    if target == node:
        return (
            "reference.itself",
            sentence("{name} refers to its own result.", name=repr(name)),
            "Use what feeds it.",
        )
    if node in final and target not in final and not graph.enclosing[target]:
        return None
    if not graph.is_upstream(target, node):
        return (
            "reference.not_upstream",
            sentence(
                "{name} does not run before {ids}, so its result may not be there.",
                name=repr(name),
                ids=repr(graph.ids[node]),
            ),
            sentence(
                "Draw a path of edges from {name} to {ids}.", name=repr(name), ids=repr(graph.ids[node])
            ),
        )
    return None
