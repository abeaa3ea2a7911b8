"""Port types: what may travel on an edge, and which output fits which input.

Invariant: `any` connects to all, and a connection that is accepted here never fails for its type's name alone, but for
what the elements of a list are.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

PortType = Literal[
    "any", "table", "object", "array", "text", "number", "integer", "boolean", "file", "artifact"
]
"""JSON-Schema-like names. `table` is an array of flat objects; `file` is an artifact reference with a name."""

PORT_TYPES: tuple[PortType, ...] = get_args(PortType)

_ACCEPTED_FROM: dict[str, frozenset[str]] = {
    "array": frozenset({"array", "table"}),
    "table": frozenset({"array"}),
    "number": frozenset({"number", "integer"}),
    "artifact": frozenset({"artifact", "file"}),
}

ERROR_PORT = "error"
"""The output every node has in addition when its `on_error` policy is `port`."""


@dataclass(frozen=True, slots=True)
class Port:
    """One named, typed place where edges end or begin."""

    name: str
    type: PortType = "any"
    title: str = ""
    description: str = ""
    required: bool = True
    """Inputs only: an edge must end here."""
    many: bool = False
    """Inputs only: several live edges may end here; the node gets a list in edge order."""
    instead: str = ""
    """Inputs only: title of the parameter that can be filled in when no edge ends here."""


def listed(port: Port) -> Port:
    """Return an output as it is when its node runs once for each element of a list: it gives a list."""
    return replace(port, type="table" if port.type == "object" else "array")


def connects(source: PortType, target: PortType) -> bool:
    """Tell whether an edge may lead from an output of type `source` to an input of type `target`."""
    if source == "any" or target == "any" or source == target:
        return True
    # A list is a table when its elements are objects, which only the run knows.
    return source in _ACCEPTED_FROM.get(target, frozenset())
