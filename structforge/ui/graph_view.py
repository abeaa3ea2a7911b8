"""Documents and edits as the canvas shows them.

Invariant: a node whose type is not installed is shown too, with the ports its edges use, so that nothing is lost.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from structforge.domain.model_json import model_json
from structforge.domain.ports import PORT_TYPES, Port, connects
from structforge.domain.validation.structure import ports_of
from structforge.domain.values import encode_json
from structforge.domain.workflow import Edge, LayoutNote, NodeSpec, Position, WorkflowDocument
from structforge.sdk import NodeRegistry
from structforge.sdk.shapes import RegisteredShape
from structforge.ui.arrange import reading_order
from structforge.ui.exact import exactly
from structforge.ui.live import Message, Patch, missing

NOTE_PREFIX = "note:"
CELL_CHARACTERS = 400

ACCEPTS: dict[str, Any] = {
    "any": "any",
    "into": {
        target: [
            source
            for source in PORT_TYPES
            if source != target and (connects(source, target) or (source, target) == ("object", "table"))
        ]
        for target in PORT_TYPES
        if target != "any"
    },
}
"""`domain.ports.connects` as data for the canvas. An object may be led to a table too: the parameter *Rows* of the node
says which list in it is meant, and until then the draft has a problem that tells so."""


def graph_of(
    document: WorkflowDocument,
    registry: NodeRegistry,
    *,
    topic: str,
    seq: int,
    marks: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the whole canvas. `marks` gives nodes a word (`added`, `changed`, …)."""
    used = _used_ports(document.edges)
    places = places_of(document)
    nodes = []
    for spec in document.nodes:
        item = node_item(spec, registry, places[spec.id], used.get(spec.id))
        if marks and spec.id in marks:
            item["mark"] = marks[spec.id]
        nodes.append(item)
    nodes += [note_item(note) for note in document.layout.notes]
    return {"doc": topic, "seq": seq, "nodes": nodes, "edges": [edge_item(edge) for edge in document.edges]}


def places_of(document: WorkflowDocument) -> dict[str, Position]:
    """Return where each node is drawn, those without a place of their own included."""
    return {
        spec.id: document.layout.positions.get(spec.id, _default_place(number))
        for number, spec in enumerate(document.nodes)
    }


def node_item(
    spec: NodeSpec,
    registry: NodeRegistry,
    at: Position,
    used: tuple[set[str], set[str]] | None = None,
) -> dict[str, Any]:
    """Return one node; `used` are the names of the ports its edges end and begin at."""
    node = registry.get(spec.type)
    if node is None:
        inputs, outputs = used or ({"in"}, {"out"})
        ports_in = [Port(name) for name in sorted(inputs or {"in"})]
        ports_out = [Port(name) for name in sorted(outputs or {"out"})]
    else:
        ports = ports_of(spec, RegisteredShape(node))
        ports_in, ports_out = list(ports.inputs.values()), list(ports.outputs.values())
    return {
        "id": spec.id,
        "x": at.x,
        "y": at.y,
        "title": spec.title or (node.title if node else spec.type),
        "named": bool(spec.title),
        "kind": spec.type,
        "kindTitle": node.title if node else "",
        "tone": node.category if node else "code",
        "icon": node.icon if node else "box",
        "inputs": [_port(port) for port in ports_in],
        "outputs": [_port(port) for port in ports_out],
        "off": spec.disabled,
        "missing": node is None,
        # What copying the node puts on the clipboard.
        "payload": exactly(model_json(spec, exclude_defaults=True)),
    }


def note_item(note: LayoutNote) -> dict[str, Any]:
    """Return a sticky note or a frame."""
    return {
        "id": f"{NOTE_PREFIX}{note.id}",
        "note": True,
        "x": note.x,
        "y": note.y,
        "width": note.width,
        "height": note.height,
        "text": note.text,
        "color": note.color,
        "frame": note.frame,
    }


def edge_item(edge: Edge) -> dict[str, str]:
    """Return an edge."""
    return {
        "source": edge.source,
        "sourcePort": edge.source_port,
        "target": edge.target,
        "targetPort": edge.target_port,
    }


def read_edge(body: Any) -> dict[str, Any]:
    """Return the canvas's edge as the JSON of a document's edge; the caller validates it."""
    if not isinstance(body, Mapping):
        return {}
    names = {"source": "source", "sourcePort": "source_port", "target": "target", "targetPort": "target_port"}
    return {ours: body.get(theirs) for theirs, ours in names.items()}


def draft_patch(topic: str, messages: list[Message], registry: NodeRegistry) -> Patch:
    """Fold messages about a draft into operations of the canvas."""
    items: list[list[Any]] = []
    for message in messages:
        if message is None or not message["edits"]:
            return missing(topic)
        specs = {name: NodeSpec.model_validate(body) for name, body in message["nodes"].items()}
        for edit in message["edits"]:
            items += _items(edit, specs, registry)
    first, last = messages[0], messages[-1]
    if first is None or last is None:
        return missing(topic)
    return [topic, first["revision"], last["revision"], items]


def cells_of(document: WorkflowDocument, registry: NodeRegistry) -> list[dict[str, str]]:
    """List the nodes as cells of a notebook, in reading order."""
    specs = {spec.id: spec for spec in document.nodes}
    cells = []
    for name in reading_order(document):
        spec = specs[name]
        node = registry.get(spec.type)
        cells.append(
            {
                "id": name,
                "title": spec.title or (node.title if node else spec.type),
                "named": "yes" if spec.title else "",
                "type": spec.type,
                "kind": node.title if node else spec.type,
                "tone": node.category if node else "code",
                "icon": node.icon if node else "box",
                "text": "\n".join(f"{key}: {_short(value)}" for key, value in spec.parameters.items()),
            }
        )
    return cells


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else encode_json(value).decode()
    return text if len(text) <= CELL_CHARACTERS else f"{text[:CELL_CHARACTERS]} …"


def palette_items(registry: NodeRegistry) -> list[dict[str, str]]:
    """List what can be put on the canvas."""
    return [
        {
            "kind": node.type,
            "title": node.title,
            "summary": node.summary(),
            "icon": node.icon,
            "tone": node.category,
            "text": " ".join([node.type, node.title, node.category, node.summary(), *node.keywords]).lower(),
        }
        for node in registry
    ]


def _items(edit: Mapping[str, Any], specs: Mapping[str, NodeSpec], registry: NodeRegistry) -> list[list[Any]]:
    kind = edit["kind"]
    if kind == "add_node":
        spec = specs.get(edit["node"]["id"])
        at = Position.model_validate(edit.get("position", {}))
        return [] if spec is None else [["put", node_item(spec, registry, at)]]
    if kind in ("set_title", "set_disabled", "set_parameter", "set_policy"):
        spec = specs.get(edit["id"])
        return [] if spec is None else [["data", node_item(spec, registry, Position())]]
    if kind == "rename_node":
        # Nodes whose expressions name it have other texts now.
        changed = [
            ["data", node_item(spec, registry, Position())]
            for spec in specs.values()
            if registry.get(spec.type)
        ]
        return [["rename", {"from": edit["id"], "to": edit["to"]}], *changed]
    if kind == "remove_node":
        return [["drop", edit["id"]]]
    if kind == "move":
        return [
            [
                "move",
                {name: {"x": at.get("x", 0), "y": at.get("y", 0)} for name, at in edit["positions"].items()},
            ]
        ]
    if kind == "add_edge":
        return [["link", edge_item(Edge.model_validate(edit["edge"]))]]
    if kind == "remove_edge":
        return [["unlink", edge_item(Edge.model_validate(edit["edge"]))]]
    if kind == "put_note":
        return [["put", note_item(LayoutNote.model_validate(edit["note"]))]]
    if kind == "remove_note":
        return [["drop", f"{NOTE_PREFIX}{edit['id']}"]]
    return []


def _used_ports(edges: Iterable[Edge]) -> dict[str, tuple[set[str], set[str]]]:
    used: dict[str, tuple[set[str], set[str]]] = {}
    for edge in edges:
        used.setdefault(edge.target, (set(), set()))[0].add(edge.target_port)
        used.setdefault(edge.source, (set(), set()))[1].add(edge.source_port)
    return used


def _default_place(number: int) -> Position:
    return Position(x=(number % 6) * 280, y=(number // 6) * 150)


def _port(port: Port) -> dict[str, str]:
    return {"name": port.name, "type": port.type, "title": port.title}
