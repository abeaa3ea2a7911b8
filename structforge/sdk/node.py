"""A node type: one class that says what it is, what it takes, what it gives and how it runs.

Invariant: an instance holds nothing of a run; one instance serves all runs of a process.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, TypeVar

from structforge.domain.ports import Port
from structforge.domain.run import Effect, Execution
from structforge.sdk.context import NodeContext
from structforge.sdk.parameters import NoParameters, Parameters, stand_ins

P = TypeVar("P", bound=Parameters)

ParameterModel = type[Parameters]

Inputs = Mapping[str, Any]
"""Input port name to value; a `many` port has a list in edge order; a port without a live edge is absent."""


@dataclass(frozen=True, slots=True)
class Ports:
    """A result that names its ports: `Ports({"true": rows})`. Ports left out are dead for this step."""

    values: Mapping[str, Any]


Result = Any
"""A JSON value for the node's only (or first) output port, or `Ports`."""


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: shown in the documentation and run as a test (when `output` is given)."""

    title: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Any] | None = None
    output: Any = None
    """What `run` returns: the JSON value, or port name to value for a node with several outputs."""
    files: Mapping[str, str] | None = None
    """Text files that stand in the organization's folder, by path."""


class Node(ABC, Generic[P]):
    """Base class of node types.

    `run` is synchronous for `Execution.INLINE` and `Execution.BLOCKING`, a coroutine for `Execution.ASYNC`.
    The class docstring is the Markdown documentation; its first line is the summary in the palette.
    """

    type: ClassVar[str]
    """Dotted id, family first: `table.filter`."""
    version: ClassVar[int] = 1
    """Raised when a change would alter what a stored workflow computes."""
    title: ClassVar[str]
    category: ClassVar[str]
    """Palette group: `trigger`, `data`, `table`, `flow`, `network`, `output`, `ai`, `code`."""
    icon: ClassVar[str] = "box"
    """A Lucide icon name."""
    keywords: ClassVar[tuple[str, ...]] = ()
    """More words the palette search finds it by."""
    inputs: ClassVar[tuple[Port, ...]] = (Port("in"),)
    outputs: ClassVar[tuple[Port, ...]] = (Port("out"),)
    effect: ClassVar[Effect] = Effect.PURE
    execution: ClassVar[Execution] = Execution.INLINE
    by_reference: ClassVar[bool] = False
    """Inputs arrive as artifact references when large: for nodes that pass them on without looking."""
    trigger: ClassVar[bool] = False
    """A trigger starts a run: it has no inputs, and only the fired one is alive."""
    loop: ClassVar[bool] = False
    """It owns the nodes between its output `body` and its input `again`, and goes on at `done`."""
    calls: ClassVar[bool] = False
    """It gives a `Call`: the step waits for another run."""
    receives: ClassVar[bool] = False
    """It waits for a request to an address of its own, which expressions name `run.resume.<node id>`."""
    final: ClassVar[bool] = False
    """A root whose branch runs when the run ends, whatever happened; it gets the run's outcome as its `in`."""
    ends_run: ClassVar[bool] = False
    """Its success ends the run: it gives a `Return`."""
    Parameters: ClassVar[ParameterModel] = NoParameters
    examples: ClassVar[tuple[Example, ...]] = ()

    def input_ports(self, parameters: Mapping[str, Any]) -> tuple[Port, ...]:
        """Return the input ports for these (unresolved) parameters; most types have fixed ones.

        A port that a given parameter stands for takes any value and needs none: an edge there only says when.
        """
        instead = stand_ins(self.Parameters)
        if not instead:
            return self.inputs
        return tuple(_with_stand_in(port, instead.get(port.name), parameters) for port in self.inputs)

    def output_ports(self, parameters: Mapping[str, Any]) -> tuple[Port, ...]:
        """Return the output ports for these (unresolved) parameters; most types have fixed ones."""
        return self.outputs

    def prepared(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the (unresolved) parameters as their expressions are resolved, once for each version.

        Most types take them as they are. One that gives a meaning to signs in its author's text splits it here, as
        afterwards nobody can tell the author's words from data.
        """
        return parameters

    def takes_references(self, parameters: Mapping[str, Any]) -> bool:
        """Tell whether inputs arrive as artifact references when large, for these (unresolved) parameters."""
        return self.by_reference

    def fires_on_first(self, parameters: Mapping[str, Any]) -> bool:
        """Tell whether the step is ready at its first live edge, not when all edges are settled."""
        return False

    @abstractmethod
    def run(self, context: NodeContext, parameters: P, inputs: Inputs) -> Result | Awaitable[Result]:
        """Do the work of one attempt. Raises: NodeError for what the author foresaw."""

    @classmethod
    def summary(cls) -> str:
        """Return the first line of the documentation."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    @classmethod
    def documentation(cls) -> str:
        """Return the Markdown documentation without indentation."""
        first, _, rest = (cls.__doc__ or "").strip().partition("\n")
        lines = rest.splitlines()
        indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        return "\n".join([first, *(line[indent:] for line in lines)]).strip()


def _with_stand_in(port: Port, instead: tuple[str, str] | None, parameters: Mapping[str, Any]) -> Port:
    if instead is None:
        return port
    name, title = instead
    return replace(port, type="any", required=False) if name in parameters else replace(port, instead=title)
