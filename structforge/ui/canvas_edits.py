"""What the visitor does on the canvas, as edits of the document.

Invariant: values come from the browser; what is built here is judged by `domain.edits.parse_edits` before it counts.
"""

from typing import Any

from structforge.domain.errors import InvalidError, Problem
from structforge.domain.ids import readable_id
from structforge.domain.values import decode_json
from structforge.domain.workflow import WorkflowDocument
from structforge.sdk import Node, NodeRegistry
from structforge.ui.graph_view import NOTE_PREFIX, places_of, read_edge

PASTE_OFFSET = 40
MAX_PASTE_BYTES = 1_000_000


def edits_of(kind: str, value: Any) -> list[dict[str, Any]]:
    """Translate an action of the canvas that needs no look at the draft; `parse_edits` judges the values."""
    if kind == "move" and isinstance(value, dict):
        places = {name: at for name, at in value.items() if not name.startswith(NOTE_PREFIX)}
        return [{"kind": "move", "positions": places}] if places else []
    if kind == "link":
        return [{"kind": "add_edge", "edge": read_edge(value)}]
    if kind == "cut" and isinstance(value, list):
        return [{"kind": "remove_edge", "edge": _edge_of_id(str(each))} for each in value]
    if kind == "remove" and isinstance(value, list):
        return [
            {"kind": "remove_note", "id": str(each).removeprefix(NOTE_PREFIX)}
            if str(each).startswith(NOTE_PREFIX)
            else {"kind": "remove_node", "id": str(each)}
            for each in value
        ]
    return []


def _edge_of_id(text: str) -> dict[str, Any]:
    source, _, target = text.partition(">")
    (source_node, _, source_port), (target_node, _, target_port) = (
        source.partition("."),
        target.partition("."),
    )
    return {
        "source": source_node, "source_port": source_port, "target": target_node, "target_port": target_port,
    }  # fmt: skip


def additions(
    kind: str, value: Any, draft: WorkflowDocument, registry: NodeRegistry
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the edits that add something, and the ids of the new nodes. Raises: InvalidError."""
    if not isinstance(value, dict):
        return [], []
    taken = {node.id for node in draft.nodes}
    if kind == "paste":
        return _pasted(value, taken)
    node = registry.get(str(value.get("kind", "")))
    if node is None:
        return [], []
    name = readable_id(node.title, taken)
    place: dict[str, Any] = {"x": value.get("x"), "y": value.get("y")}
    if value.get("edge"):
        return _inserted(node, name, _edge_of_id(str(value["edge"])), draft)
    before = next((spec for spec in draft.nodes if spec.id == value.get("after")), None)
    edits: list[dict[str, Any]] = []
    if place["x"] is None:
        place = _free_place(draft, before.id if before else None)
    edits.append({"kind": "add_node", "node": {"id": name, "type": node.type}, "position": place})
    if before is not None:
        known = registry.get(before.type)
        outputs = known.output_ports(before.parameters) if known else ()
        inputs = node.input_ports({})
        if outputs and inputs and not node.trigger:
            edge = {
                "source": before.id,
                "source_port": outputs[0].name,
                "target": name,
                "target_port": inputs[0].name,
            }
            edits.append({"kind": "add_edge", "edge": edge})
    return edits, [name]


def _inserted(
    node: Node[Any], name: str, edge: dict[str, Any], draft: WorkflowDocument
) -> tuple[list[dict[str, Any]], list[str]]:
    """Put a node between the two ends of an edge."""
    places = places_of(draft)
    inputs, outputs = node.input_ports({}), node.output_ports({})
    if edge["source"] not in places or edge["target"] not in places or not inputs or not outputs:
        return [], []
    start, end = places[edge["source"]], places[edge["target"]]
    middle = {"x": (start.x + end.x) / 2, "y": (start.y + end.y) / 2 + 70}
    to_it = {**edge, "target": name, "target_port": inputs[0].name}
    from_it = {**edge, "source": name, "source_port": outputs[0].name}
    edits = [
        {"kind": "add_node", "node": {"id": name, "type": node.type}, "position": middle},
        {"kind": "remove_edge", "edge": edge},
        {"kind": "add_edge", "edge": to_it},
        {"kind": "add_edge", "edge": from_it},
    ]
    return edits, [name]


def _free_place(draft: WorkflowDocument, after: str | None) -> dict[str, float]:
    places = places_of(draft)
    if after is not None and after in places:
        x, y = places[after].x + 300, places[after].y
    else:
        x, y = 0.0, max((at.y for at in places.values()), default=-150.0) + 150.0
    while any(abs(at.x - x) < 200 and abs(at.y - y) < 90 for at in places.values()):
        y += 130
    return {"x": x, "y": y}


def _pasted(value: dict[str, Any], taken: set[str]) -> tuple[list[dict[str, Any]], list[str]]:
    body: Any = decode_json(str(value.get("text", "")).encode("utf-8", "replace"), max_bytes=MAX_PASTE_BYTES)
    if isinstance(body, dict) and isinstance(body.get("workflow"), dict):
        body = body["workflow"]
    nodes = body.get("nodes") if isinstance(body, dict) else None
    if not isinstance(nodes, list) or not all(isinstance(each, dict) for each in nodes):
        raise InvalidError(
            Problem(
                "paste.no_nodes",
                "What you pasted holds no nodes.",
                hint="Copy nodes on a canvas, or paste a workflow's JSON.",
            )
        )
    places = (body.get("layout") or {}).get("positions", {}) if isinstance(body, dict) else {}
    names: dict[str, str] = {}
    edits: list[dict[str, Any]] = []
    for each in nodes:
        old = str(each.get("id", "node"))
        names[old] = readable_id(old, taken)
        taken.add(names[old])
        at = places.get(old, {"x": each.get("x", 0), "y": each.get("y", 0)})
        spec = {key: part for key, part in each.items() if key not in ("x", "y")} | {"id": names[old]}
        position = {"x": float(at.get("x", 0)) + PASTE_OFFSET, "y": float(at.get("y", 0)) + PASTE_OFFSET}
        edits.append({"kind": "add_node", "node": spec, "position": position})
    for edge in body.get("edges", []) if isinstance(body, dict) else []:
        ours = read_edge(edge) if isinstance(edge, dict) and "sourcePort" in edge else dict(edge)
        if ours.get("source") in names and ours.get("target") in names:
            ours |= {"source": names[ours["source"]], "target": names[ours["target"]]}
            edits.append({"kind": "add_edge", "edge": ours})
    return edits, list(names.values())
