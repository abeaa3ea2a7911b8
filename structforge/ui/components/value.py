"""Python side of value.jsx and logs.jsx: JSON values and log lines for people. Knows no StructForge words.

Invariant: `step` is `{"status", "problem", "hint", "ports", "inputs", "logs", "log_href"}`; what does not apply is
absent. Ports and inputs are lists of entries `{"name", "value", "root", "artifact"}`. An artifact has `href` (which
answers `/rows`, `/value`, `/picture` and `/export` too), `kind` (`table`, `value`, `picture`, `text` or `file`),
`name`, `size_bytes` and `media_type`. Logs are `[[level, text]]`, or `log_href` answers them after a number.
"""

from typing import Any

import reflex as rx

from structforge.ui.components.modules import jsx_module

# value.jsx imports these by their place in the bundle.
NEEDS = tuple(
    jsx_module(f"{name}.jsx")
    for name in ("data_table", "data_tree", "data_chart", "keyboard", "logs", "prose")
)


class ValueView(rx.Component):
    """What went into a step, what came out and its log lines, as tabs."""

    library = jsx_module("value.jsx")
    tag = "ValueView"
    step: rx.Var[dict[str, Any]]
    texts: rx.Var[dict[str, str]]
    reference: rx.Var[dict[str, str]]
    """`{"key", "href"}`: how a file looks inside a value, and what its hash is put behind to read it."""
    live: rx.Var[bool]
    """More log lines may come."""


class Value(rx.Component):
    """One value."""

    library = jsx_module("value.jsx")
    tag = "Value"
    entry: rx.Var[dict[str, Any]]
    texts: rx.Var[dict[str, str]]
    reference: rx.Var[dict[str, str]]


class LogView(rx.Component):
    """Log lines, given as `lines` or read from `source`, with a filter by level."""

    library = jsx_module("logs.jsx")
    tag = "LogView"
    lines: rx.Var[list[Any]]
    source: rx.Var[str]
    remote: rx.Var[bool]
    """`source` filters by `level` and `search` itself."""
    named: rx.Var[bool]
    """Each line shows its step."""
    live: rx.Var[bool]
    texts: rx.Var[dict[str, str]]


value_view = ValueView.create
value_shown = Value.create
log_view = LogView.create
