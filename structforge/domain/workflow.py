"""The workflow document: nodes, edges, settings, inputs, documentation; layout apart from meaning.

Invariant: two documents that mean the same have the same `content_hash`; moving a node changes none.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from structforge.domain.limits import MAX_RUNS, WhenFull
from structforge.domain.model_json import model_json
from structforge.domain.policies import Policies
from structforge.domain.values import content_hash

NodeId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
PortName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,47}$")]

DOCUMENT_FORMAT = 1
MAX_NODES = 5_000
MAX_EDGES = 20_000

PIN = "recognised"
"""The parameter in which a version says what its files looked like when it was published."""
AT_PUBLICATION = "at_publication"
"""Marks a pin that publication made: it is no part of what the author wrote."""


class NodeSpec(BaseModel):
    """One node as the document states it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: NodeId
    type: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    type_version: Annotated[int, Field(ge=1)] = 1
    title: Annotated[str, StringConstraints(max_length=200)] = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    policies: Policies = Policies()
    disabled: bool = False

    def is_pinned(self) -> bool:
        """Tell whether publication pinned something into the parameters."""
        pin = self.parameters.get(PIN)
        return isinstance(pin, dict) and pin.get(AT_PUBLICATION) is True

    def pinned(self, block: dict[str, Any]) -> "NodeSpec":
        """Return the node with what publication pins."""
        return self.model_copy(
            update={"parameters": {**self.parameters, PIN: {**block, AT_PUBLICATION: True}}}
        )

    def without_pin(self) -> "NodeSpec":
        """Return the node without what publication pinned."""
        if not self.is_pinned():
            return self
        kept = {name: value for name, value in self.parameters.items() if name != PIN}
        return self.model_copy(update={"parameters": kept})


class Edge(BaseModel):
    """A connection from an output port to an input port."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: NodeId
    source_port: PortName = "out"
    target: NodeId
    target_port: PortName = "in"

    def __str__(self) -> str:
        return f"{self.source}.{self.source_port} -> {self.target}.{self.target_port}"


class WorkflowSettings(BaseModel):
    """Settings of the whole workflow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_parallel: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Steps that run at the same time; 1 is serial in document order, none means the worker's limit."""
    timeout_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None
    """Seconds a run may take from its start; none means no limit."""
    max_runs: Annotated[int, Field(ge=1, le=MAX_RUNS)] | None = None
    """Runs of the workflow in hand at once, whatever version they are of; none means no limit. The published version
    decides. A run that waits for a time or an answer does not count."""
    when_full: WhenFull = "queue"
    """A start beyond `max_runs`: `queue` until it is its turn, `reject` it, or `replace` the oldest queued run."""
    error_workflow: Annotated[str, StringConstraints(max_length=200)] = ""
    """Id or name of the workflow that is started when a run of a version fails; empty means none."""


class Position(BaseModel):
    """Where a node is drawn, in canvas units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: float = 0
    y: float = 0


class LayoutNote(BaseModel):
    """A sticky note or group frame on the canvas."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(max_length=48)]
    text: Annotated[str, StringConstraints(max_length=10_000)] = ""
    x: float = 0
    y: float = 0
    width: float = 240
    height: float = 120
    color: Annotated[str, StringConstraints(max_length=32)] = ""
    frame: bool = False
    """It groups what lies on it: dragging it drags that along."""


class Layout(BaseModel):
    """What is drawn but means nothing to the engine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    positions: dict[str, Position] = Field(default_factory=dict)
    notes: tuple[LayoutNote, ...] = ()


class WorkflowDocument(BaseModel):
    """A workflow as written in a file, kept as a draft and frozen as a version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    nodes: Annotated[tuple[NodeSpec, ...], Field(max_length=MAX_NODES)] = ()
    edges: Annotated[tuple[Edge, ...], Field(max_length=MAX_EDGES)] = ()
    settings: WorkflowSettings = WorkflowSettings()
    inputs: dict[str, Any] = Field(default_factory=dict)
    """JSON Schema of the run's input object; empty accepts any object."""
    documentation: str = ""
    """Markdown."""
    layout: Layout = Layout()

    def meaning(self) -> dict[str, Any]:
        """Return the document as JSON without its layout and what publication pinned, every default left out."""
        written = self.without_pins()
        return model_json(written, exclude={"layout"}, exclude_defaults=True) | {"format": self.format}

    def without_pins(self) -> "WorkflowDocument":
        """Return the document as its author wrote it: without what publication pinned into a version."""
        if not any(spec.is_pinned() for spec in self.nodes):
            return self
        return self.model_copy(update={"nodes": tuple(spec.without_pin() for spec in self.nodes)})

    def as_json(self) -> dict[str, Any]:
        """Return the whole document as JSON, defaults left out."""
        return model_json(self, exclude_defaults=True) | {"format": self.format}

    def content_hash(self) -> str:
        """Return the SHA-256 of the canonical JSON of the meaning, as 64 hex digits."""
        return content_hash(self.meaning())

    def node(self, node_id: str) -> NodeSpec:
        """Return the node of that id. Raises: KeyError."""
        for spec in self.nodes:
            if spec.id == node_id:
                return spec
        raise KeyError(node_id)
