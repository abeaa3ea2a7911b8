"""Python side of json_text.jsx: an editor for JSON. Knows no StructForge words."""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

import reflex as rx

from structforge.ui.components.form import CODE_MIRROR
from structforge.ui.components.modules import jsx_module


def _text_spec(text: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (text,)


class JsonText(rx.Component):
    """JSON as text, checked while it is typed; fires `on_set` when it is left."""

    library = jsx_module("json_text.jsx")
    tag = "JsonText"
    lib_dependencies: list[str] = CODE_MIRROR
    value: rx.Var[str]
    label: rx.Var[str]
    texts: rx.Var[dict[str, str]]
    """`notJson` comes before what is wrong."""
    read_only: rx.Var[bool]
    on_set: rx.EventHandler[_text_spec]


json_text = JsonText.create
