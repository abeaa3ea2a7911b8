"""Python side of value.jsx: JSON values for people. Knows no StructForge words.

Invariant: `step` is `{"status", "ports": [[name, value, download link or ""]], "logs": [[level, text]], "problem"}`.
"""

from typing import Any

import reflex as rx

from structforge.ui.components.modules import jsx_module


class ValueView(rx.Component):
    """Values by port with search and download, and log lines."""

    library = jsx_module("value.jsx")
    tag = "ValueView"
    step: rx.Var[dict[str, Any]]
    texts: rx.Var[dict[str, str]]


value_view = ValueView.create
