"""Python side of glyphs.jsx: icons by a name known at run time. Knows no StructForge words."""

import reflex as rx

from structforge.ui.components.modules import jsx_module

MODULE = jsx_module("glyphs.jsx")


class Glyph(rx.Component):
    """One icon of the fixed set; an unknown name shows a box."""

    library = MODULE
    tag = "Glyph"
    lib_dependencies: list[str] = ["lucide-react@^1.26.0"]
    name: rx.Var[str]
    size: rx.Var[int]


glyph = Glyph.create
