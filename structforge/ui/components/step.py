"""Python side of step.jsx and node_live.jsx: what a node took and gave. Knows no StructForge words.

Invariant: `channel` and `facts` are channels of live rows (live.jsx) by node id; a row of `facts` has `stale`,
`because` and `pinned` beside what a row of a run has. The browser fetches the values itself: `href` followed by a
node's id and `/values` answers a `step` of value.jsx.
"""

import reflex as rx

from structforge.ui.components.modules import jsx_module

# step.jsx imports these by their place in the bundle.
NEEDS = tuple(jsx_module(f"{name}.jsx") for name in ("data_table", "live", "node_live", "value"))


class StepValues(rx.Component):
    """The values of one node, old ones greyed until there are new ones."""

    library = jsx_module("step.jsx")
    tag = "StepValues"
    node: rx.Var[str]
    href: rx.Var[str]
    log_href: rx.Var[str]
    """Followed by the node's id: the log of the step that runs now."""
    channel: rx.Var[str]
    facts: rx.Var[str]
    texts: rx.Var[dict[str, str]]
    reference: rx.Var[dict[str, str]]


class KnownMarks(rx.Component):
    """Status, duration, staleness and pin of one node."""

    library = jsx_module("node_live.jsx")
    tag = "KnownMarks"
    id: rx.Var[str]
    channel: rx.Var[str]
    facts: rx.Var[str]
    labels: rx.Var[dict[str, str]]
    texts: rx.Var[dict[str, str]]


step_values = StepValues.create
known_marks = KnownMarks.create
