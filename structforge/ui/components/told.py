"""Python side of told.jsx: what the program says in its own language, in the reader's. Knows no StructForge words."""

from typing import Any

import reflex as rx

from structforge.ui.components.modules import jsx_module


class Told(rx.Component):
    """A text, a sentence, a problem as JSON, or a list of these; `part` takes one text of a problem.

    `name` is what a catalogue may have a text under.
    """

    library = jsx_module("told.jsx")
    tag = "Told"
    said: rx.Var[Any]
    part: rx.Var[str]
    name: rx.Var[str]


def worded(name: Any, own: Any) -> rx.Component:
    """Show what the reader's catalogue has under a name, else the program's own text."""
    return Told.create(said=own, name=name)


def told(said: Any, part: str = "") -> rx.Component:
    """Show what is said, in the reader's language."""
    return Told.create(said=said, part=part) if part else Told.create(said=said)
