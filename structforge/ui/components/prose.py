"""Python side of prose.jsx: Markdown as elements, never as HTML. Knows no StructForge words."""

import reflex as rx

from structforge.ui.components.modules import jsx_module


class Prose(rx.Component):
    """Plain Markdown; `name` is what a catalogue of told.jsx may have the text under."""

    library = jsx_module("prose.jsx")
    tag = "Prose"
    text: rx.Var[str]
    name: rx.Var[str]


prose = Prose.create
