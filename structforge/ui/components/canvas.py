"""Python side of canvas.jsx: a graph on React Flow. Knows no StructForge words.

Invariant: `graph` is `{"doc", "seq", "nodes", "edges"}` and comes once a document; `ops` is
`[end of doc, first seq, last seq, items]`; an item is `["put", node]`, `["data", node]` (its place stays),
`["drop", id]`, `["move", {id: {x, y}}]`, `["link", edge]` or `["unlink", edge]`. What the visitor does arrives as
`on_act(kind, value, key)`, the key of `outbox.jsx` or empty.
"""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type, override"

from typing import Any

import reflex as rx

from structforge.ui.components import glyphs, keyboard, live, outbox, step
from structforge.ui.components.modules import jsx_module

# canvas.jsx imports these by their place in the bundle.
NEEDS = (glyphs.MODULE, keyboard.MODULE, live.MODULE, outbox.MODULE, *step.NEEDS)


def _act_spec(
    kind: rx.Var[str], value: rx.Var[Any], key: rx.Var[str]
) -> tuple[rx.Var[str], rx.Var[Any], rx.Var[str]]:
    return (kind, value, key)


def _kind_spec(kind: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (kind,)


class GraphCanvas(rx.NoSSRComponent):
    """The canvas."""

    library = jsx_module("canvas.jsx")
    tag = "GraphCanvas"
    lib_dependencies: list[str] = ["@xyflow/react@12.12.1", "lucide-react@^1.26.0"]
    graph: rx.Var[dict[str, Any]]
    ops: rx.Var[list[Any]]
    channel: rx.Var[str]
    """Live rows of this channel, by node id, show on the nodes."""
    facts: rx.Var[str]
    """Rows of this channel are what is remembered of nodes, see step.py."""
    labels: rx.Var[dict[str, str]]
    texts: rx.Var[dict[str, Any]]
    said: rx.Var[dict[str, dict[str, str]]]
    """Kind to the `title` to show in place of its own."""
    accepts: rx.Var[dict[str, Any]]
    """`{"any": name, "into": {port type: [types it takes besides its own]}}`."""
    marks: rx.Var[dict[str, Any]]
    """Node id to `{"faults": count, "said": [why]}`."""
    focus: rx.Var[dict[str, Any]]
    """`{"ids": [...], "enter": false}`: select these and bring them into view, with `enter` the keyboard too."""
    panel: rx.Var[str]
    """CSS selector of what shows the selected node, its id in `data-item`: Enter leads there, Escape back."""
    adder: rx.Var[str]
    """CSS selector of what more nodes come from, with a search: N leads there, Escape back."""
    read_only: rx.Var[bool]
    on_act: rx.EventHandler[_act_spec]
    on_gap: rx.EventHandler[rx.event.no_args_event_spec]

    def add_imports(self) -> dict[str, str]:
        """Add React Flow's own style sheet."""
        return {"": "@xyflow/react/dist/style.css"}


class Palette(rx.Component):
    """What can be put on a canvas: `{"kind", "title", "summary", "icon", "tone", "text"}`, grouped by tone.

    `text` is what the search looks into, in lower case.
    """

    library = jsx_module("palette.jsx")
    tag = "Palette"
    items: rx.Var[list[dict[str, str]]]
    said: rx.Var[dict[str, dict[str, str]]]
    """Kind to the `title` and `summary` to show in place of its own."""
    groups: rx.Var[dict[str, str]]
    texts: rx.Var[dict[str, str]]
    on_choose: rx.EventHandler[_kind_spec]


graph_canvas = GraphCanvas.create
palette = Palette.create
