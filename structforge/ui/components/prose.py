"""Python side of prose.jsx: Markdown as elements, never as HTML. Knows no StructForge words."""

import reflex as rx

from structforge.ui.components.modules import jsx_module


class Prose(rx.Component):
    """Plain Markdown."""

    library = jsx_module("prose.jsx")
    tag = "Prose"
    text: rx.Var[str]


prose = Prose.create
