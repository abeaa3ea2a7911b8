"""Python side of resizer.jsx: the edge by which a box is made higher or lower. Knows no StructForge words.

Invariant: it is a child of the box, whose last child takes the height (`--height`).
"""

import reflex as rx

from structforge.ui.components.modules import jsx_module


class Resizer(rx.Component):
    """The upper edge of a box; the browser remembers the height under `name`."""

    library = jsx_module("resizer.jsx")
    tag = "Resizer"
    name: rx.Var[str]
    label: rx.Var[str]


resizer = Resizer.create
