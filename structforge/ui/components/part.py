"""Python side of part.jsx: a part of a page that breaks alone. Knows no StructForge words."""

from typing import Any

import reflex as rx

from structforge.ui.components.modules import jsx_module


class Part(rx.Component):
    """Its children, or in their place what cannot be shown and a way to draw it again."""

    library = jsx_module("part.jsx")
    tag = "Part"
    name: rx.Var[str]
    texts: rx.Var[dict[str, str]]
    """`title`, `hint`, `again` and `details`."""
    subject: rx.Var[Any]
    """What is shown: another one is tried anew."""


part_of_page = Part.create
