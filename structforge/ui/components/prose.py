"""Python side of prose.jsx: Markdown as elements, never as HTML. Knows no StructForge words."""

import reflex as rx


class Prose(rx.Component):
    """Plain Markdown."""

    library = rx.asset("prose.jsx", shared=True).importable_path
    tag = "Prose"
    text: rx.Var[str]


prose = Prose.create
