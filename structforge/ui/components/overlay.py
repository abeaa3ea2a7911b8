"""Python side of overlay.jsx: a modal dialog and a menu. Knows no StructForge words."""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

from typing import Any

import reflex as rx

from structforge.ui.components import glyphs, keyboard
from structforge.ui.components.modules import jsx_module

_MODULE = jsx_module("overlay.jsx")

# overlay.jsx imports it by its place in the bundle.
NEEDS = (glyphs.MODULE, keyboard.MODULE)


def _name_spec(name: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (name,)


class Dialog(rx.Component):
    """A modal dialog: the browser keeps the focus inside and closes it at Escape."""

    library = _MODULE
    tag = "Dialog"
    open: rx.Var[bool]
    label: rx.Var[str]
    close_text: rx.Var[str]
    wide: rx.Var[bool]
    on_close: rx.EventHandler[rx.event.no_args_event_spec]


class Menu(rx.Component):
    """A button with a menu; `items` are `{"name", "text", "icon"}`, with `href` for a link or `post` (a path) and
    `fields` for a form. `choices` come first, one of them `chosen`. With a `title` the button shows it. An item that
    is `hidden`, or has `when` (a list) without the menu's `state`, is not there.
    """

    library = _MODULE
    tag = "Menu"
    lib_dependencies: list[str] = ["lucide-react@^1.26.0"]
    label: rx.Var[str]
    title: rx.Var[str]
    detail: rx.Var[str]
    icon: rx.Var[str]
    items: rx.Var[list[dict[str, Any]]]
    choices: rx.Var[list[dict[str, Any]]]
    state: rx.Var[str]
    on_choose: rx.EventHandler[_name_spec]


dialog = Dialog.create
menu = Menu.create
