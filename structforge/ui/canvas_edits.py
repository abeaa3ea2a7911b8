"""What the visitor does on the canvas, as edits of the document.

Invariant: values come from the browser; what is built here is judged by `domain.edits.parse_edits` before it counts.
"""

from decimal import Decimal
from typing import Any

from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.ids import readable_id
from structforge.domain.renaming import with_names
from structforge.domain.values import decode_json
from structforge.domain.workflow import DOCUMENT_FORMAT, WorkflowDocument
from structforge.sdk import Node, NodeRegistry
from structforge.ui.graph_view import NOTE_PREFIX, places_of, read_edge

PASTE_OFFSET = 40
MAX_PASTE_BYTES = 1_000_000
NOTE_FIELDS = ("x", "y", "width", "height", "text", "color", "frame")


def edits_of(kind: str, value: Any, draft: WorkflowDocument) -> list[dict[str, Any]]:
    """Translate an action of the canvas; `parse_edits` judges the values."""
    if kind == "link":
        return [{"kind": "add_edge", "edge": read_edge(value)}]
    if isinstance(value, list):
        if kind == "cut":
            return [{"kind": "remove_edge", "edge": _edge_of_id(str(each))} for each in value]
        if kind == "remove":
            return [_removal(str(each)) for each in value]
        return []
    if not isinstance(value, dict):
        return []
    if kind == "move":
        return _moves(value, draft)
    if kind == "note":
        return _changed_note(str(value.get("id", "")), value, draft)
    if kind == "add_note":
        taken = {note.id for note in draft.layout.notes}
        shape = {key: value[key] for key in NOTE_FIELDS if key in value}
        name = readable_id("frame" if value.get("frame") else "note", taken)
        return [{"kind": "put_note", "note": {**shape, "id": name}}]
    if kind == "disable" and isinstance(value.get("ids"), list):
        off = bool(value.get("disabled"))
        return [{"kind": "set_disabled", "id": str(each), "disabled": off} for each in value["ids"]]
    return []


def _removal(name: str) -> dict[str, Any]:
    if name.startswith(NOTE_PREFIX):
        return {"kind": "remove_note", "id": name.removeprefix(NOTE_PREFIX)}
    return {"kind": "remove_node", "id": name}


def _moves(value: dict[str, Any], draft: WorkflowDocument) -> list[dict[str, Any]]:
    """Place nodes, and notes, which carry their place with them."""
    places = {name: at for name, at in value.items() if not name.startswith(NOTE_PREFIX)}
    edits: list[dict[str, Any]] = [{"kind": "move", "positions": places}] if places else []
    for name, at in value.items():
        if name.startswith(NOTE_PREFIX) and isinstance(at, dict):
            edits += _changed_note(name, {key: at[key] for key in ("x", "y") if key in at}, draft)
    return edits


def _changed_note(name: str, fields: dict[str, Any], draft: WorkflowDocument) -> list[dict[str, Any]]:
    name = name.removeprefix(NOTE_PREFIX)
    note = next((each for each in draft.layout.notes if each.id == name), None)
    changed = {key: fields[key] for key in NOTE_FIELDS if key in fields}
    seen = {"seen": {"value": fields["seen"]}} if "seen" in fields else {}
    if note is None and not seen:
        return []
    # A text that was written on a note which is gone is not: it is shown, to be kept or not.
    lay = {key: each for key, each in _object(fields.get("gone")).items() if key in NOTE_FIELDS}
    known = {**lay, "id": name} if note is None else note.model_dump(mode="json")
    return [{"kind": "put_note", "note": {**known, **changed}, **seen}]


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
        return _pasted(value, draft, taken)
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


def _pasted(
    value: dict[str, Any], draft: WorkflowDocument, taken: set[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    if value.get("whole") is False:
        raise InvalidError(
            Problem(
                "paste.too_large",
                "What you pasted is too large for the clipboard's way in.",
                hint="Import it as a file on the page of workflows.",
            )
        )
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
    if body.get("format", DOCUMENT_FORMAT) != DOCUMENT_FORMAT:
        raise InvalidError(
            Problem(
                "paste.other_format",
                sentence(
                    "What you pasted has format {format}; this installation reads {document_format}.",
                    format=str(body["format"])[:20],
                    document_format=DOCUMENT_FORMAT,
                ),
                hint="Open it in the installation it comes from, or update this one.",
            )
        )
    layout = _object(body.get("layout"))
    places = _object(layout.get("positions"))
    names: dict[str, str] = {}
    for each in nodes:
        old = str(each.get("id", "node"))
        names[old] = readable_id(old, taken)
        taken.add(names[old])
    edits: list[dict[str, Any]] = []
    for each in nodes:
        old = str(each.get("id", "node"))
        at = places.get(old, {"x": each.get("x", 0), "y": each.get("y", 0)})
        spec = {key: with_names(part, names) for key, part in each.items() if key not in ("x", "y")}
        edits.append({"kind": "add_node", "node": spec | {"id": names[old]}, "position": _beside(at)})
    for edge in body.get("edges") or []:
        ours = read_edge(edge) if isinstance(edge, dict) and "sourcePort" in edge else dict(edge)
        if ours.get("source") in names and ours.get("target") in names:
            ours |= {"source": names[ours["source"]], "target": names[ours["target"]]}
            edits.append({"kind": "add_edge", "edge": ours})
    chosen = list(names.values())
    noted = {note.id for note in draft.layout.notes}
    for note in layout.get("notes") or []:
        if isinstance(note, dict):
            name = readable_id(str(note.get("id", "note")), noted)
            noted.add(name)
            edits.append({"kind": "put_note", "note": {**note, "id": name, **_beside(note)}})
            chosen.append(f"{NOTE_PREFIX}{name}")
    return edits, chosen


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _beside(at: Any) -> dict[str, float]:
    """Return a place a little aside, so that a copy does not hide what it was made of."""
    place = _object(at)
    numbers = {key: place.get(key, 0) for key in ("x", "y")}
    return {
        key: float(each) + PASTE_OFFSET if isinstance(each, int | float | Decimal) else PASTE_OFFSET
        for key, each in numbers.items()
    }
