"""Two documents as one canvas with marks, and as a list of what differs.

Invariant: pure; a node that only the old one has is drawn where it was, so that nothing that differs is out of view.
"""

from typing import Any

from structforge.domain.diff import ABSENT, Change, Difference
from structforge.domain.values import encode_json
from structforge.domain.workflow import Edge, WorkflowDocument
from structforge.sdk import NodeRegistry
from structforge.ui.graph_view import edge_item, graph_of

VALUE_CHARACTERS = 300


def compared_graph(
    old: WorkflowDocument, new: WorkflowDocument, found: Difference, registry: NodeRegistry, topic: str
) -> dict[str, Any]:
    """Return the new document as the canvas takes it, with what was removed, each with its mark."""
    marks = {node.id: "added" for node in found.nodes_added}
    marks |= {change.id: "changed" for change in found.nodes_changed}
    marks |= {spec.id: "removed" for spec in found.nodes_removed}
    places = {spec.id: at for spec in found.nodes_removed if (at := old.layout.positions.get(spec.id))}
    layout = new.layout.model_copy(update={"positions": {**places, **new.layout.positions}})
    shown = new.model_copy(update={"nodes": (*new.nodes, *found.nodes_removed), "layout": layout})
    graph = graph_of(shown, registry, topic=topic, seq=0, marks=marks)
    added, known = set(found.edges_added), {node["id"] for node in graph["nodes"]}
    edges = [_marked(edge, "added" if edge in added else "") for edge in new.edges]
    gone = [edge for edge in found.edges_removed if edge.source in known and edge.target in known]
    graph["edges"] = [*edges, *(_marked(edge, "removed") for edge in gone)]
    return graph


def change_rows(found: Difference, titles: dict[str, str]) -> list[dict[str, str]]:
    """List what differs: `{"node", "title", "kind", "path", "old", "new"}`; `kind` is a word of the catalogue."""
    rows = [_row("added", spec.id, titles) for spec in found.nodes_added]
    rows += [_row("removed", spec.id, titles) for spec in found.nodes_removed]
    for node in found.nodes_changed:
        rows += [_change_row(change, node.id, titles) for change in node.changes]
    rows += [_edge_row("edge_added", edge) for edge in found.edges_added]
    rows += [_edge_row("edge_removed", edge) for edge in found.edges_removed]
    rows += [_change_row(change, "", titles, "settings.") for change in found.settings]
    rows += [_change_row(change, "", titles, "inputs.") for change in found.inputs]
    if found.documentation is not None:
        rows.append(_change_row(found.documentation, "", titles, "documentation"))
    if found.nodes_reordered or found.edges_reordered:
        rows.append(_row("reordered", "", titles))
    return rows


def _row(kind: str, node: str, titles: dict[str, str]) -> dict[str, str]:
    return {"node": node, "title": titles.get(node, node), "kind": kind, "path": "", "old": "", "new": ""}


def _change_row(change: Change, node: str, titles: dict[str, str], start: str = "") -> dict[str, str]:
    path = f"{start}{change.path}".removeprefix("parameters.").rstrip(".")
    return _row("changed", node, titles) | {"path": path, "old": _text(change.old), "new": _text(change.new)}


def _edge_row(kind: str, edge: Edge) -> dict[str, str]:
    return {"node": edge.target, "title": str(edge), "kind": kind, "path": "", "old": "", "new": ""}


def _marked(edge: Edge, mark: str) -> dict[str, str]:
    return edge_item(edge) | ({"mark": mark} if mark else {})


def _text(value: Any) -> str:
    if value is ABSENT:
        return ""
    text = value if isinstance(value, str) else encode_json(value).decode()
    return text if len(text) <= VALUE_CHARACTERS else f"{text[:VALUE_CHARACTERS]} …"
