"""Problems of a document: places, severities and suggestions in one form."""

from collections.abc import Iterable

from structforge.domain.errors import Problem
from structforge.domain.workflow import Edge

SEVERITY = "severity"
WARNING = "warning"


def warning(code: str, message: str, where: str = "", hint: str = "") -> Problem:
    """Make a problem that hinders nobody: `details.severity` says so."""
    return Problem(code, message, where, hint, {SEVERITY: WARNING})


def is_warning(problem: Problem) -> bool:
    """Tell whether the document can be published and run in spite of the problem."""
    return problem.details.get(SEVERITY) == WARNING


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that are no warnings."""
    return [problem for problem in problems if not is_warning(problem)]


def at_node(node_id: str, *parts: str) -> str:
    """Return a place in a node: `nodes.fetch.parameters.url`."""
    return ".".join(["nodes", node_id, *parts])


def at_edge(number: int, edge: Edge) -> str:
    """Return the place of an edge: `edges[3] a.out -> b.in`."""
    return f"edges[{number}] {edge}"
