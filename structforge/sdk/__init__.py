"""What a node author imports: `Node`, ports, parameters, the context and a test bench.

Invariant: nothing here knows how runs are stored or queued; it imports `domain` only.
"""

from structforge.domain.errors import Problem
from structforge.domain.ports import Port, PortType
from structforge.domain.run import Effect, Execution
from structforge.sdk.context import (
    TABLE_MEDIA_TYPE,
    ArtifactRef,
    NodeContext,
    NodeError,
    QueryResult,
    WriteResult,
)
from structforge.sdk.node import Example, Inputs, Node, Ports, Result
from structforge.sdk.parameters import Parameters, Widget, parameter
from structforge.sdk.registry import NodeRegistry

__all__ = [
    "TABLE_MEDIA_TYPE",
    "ArtifactRef",
    "Effect",
    "Example",
    "Execution",
    "Inputs",
    "Node",
    "NodeContext",
    "NodeError",
    "NodeRegistry",
    "Parameters",
    "Port",
    "PortType",
    "Ports",
    "Problem",
    "QueryResult",
    "Result",
    "Widget",
    "WriteResult",
    "parameter",
]
