"""Python side of overview.jsx: live rows as one list, and how many are in which status. Knows no StructForge words.

Invariant: rows are those of live.jsx; `on_select` names the node of the row that was chosen.
"""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

import reflex as rx

from structforge.ui.components.modules import jsx_module

# overview.jsx imports these by their place in the bundle.
NEEDS = tuple(jsx_module(f"{name}.jsx") for name in ("live", "node_live", "told"))


def _node_spec(node: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (node,)


class Overview(rx.Component):
    """What failed with its reason, then the rest in the order it began."""

    library = jsx_module("overview.jsx")
    tag = "Overview"
    channel: rx.Var[str]
    labels: rx.Var[dict[str, str]]
    texts: rx.Var[dict[str, str]]
    on_select: rx.EventHandler[_node_spec]


class Tally(rx.Component):
    """How many rows are in which status."""

    library = jsx_module("overview.jsx")
    tag = "Tally"
    channel: rx.Var[str]
    labels: rx.Var[dict[str, str]]


overview = Overview.create
tally = Tally.create
