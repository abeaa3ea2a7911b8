"""Python side of outbox.jsx: actions that wait for their confirmation. Knows no StructForge words.

Invariant: other modules hand an action to `post`; it is sent until its key stands in `done`, so the server makes
an action of one key once.
"""

from typing import Any

import reflex as rx

from structforge.ui.components.modules import jsx_module

MODULE = jsx_module("outbox.jsx")


class Outbox(rx.Component):
    """Shows how many actions wait while the connection is gone."""

    library = MODULE
    tag = "Outbox"
    done: rx.Var[list[str]]
    """Keys that were confirmed."""
    offline: rx.Var[Any]
    texts: rx.Var[dict[str, str]]


outbox = Outbox.create
