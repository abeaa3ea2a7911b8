"""Python side of commands.jsx: one line to find and do anything, and the list of keys. Knows no StructForge words.

Invariant: an entry is `{"kind", "id", "title", "detail", "icon", "tone"}` and what it does: `href` (a path of this
app), `post` (a path to post to) or `does` (`theme`, `language`, `keys`); `results` belong to `query`.
"""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

from typing import Any

import reflex as rx

from structforge.ui.components import glyphs
from structforge.ui.components.modules import jsx_module

_MODULE = jsx_module("commands.jsx")

# commands.jsx imports it by its place in the bundle.
NEEDS = (glyphs.MODULE,)


def _text_spec(text: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (text,)


class Commands(rx.Component):
    """The palette (Ctrl/Cmd-K) and the list of keys (`?`)."""

    library = _MODULE
    tag = "Commands"
    lib_dependencies: list[str] = ["lucide-react@^1.26.0"]
    results: rx.Var[list[dict[str, Any]]]
    query: rx.Var[str]
    actions: rx.Var[list[dict[str, Any]]]
    groups: rx.Var[dict[str, str]]
    texts: rx.Var[dict[str, str]]
    keys: rx.Var[list[dict[str, Any]]]
    """Sections: `{"title", "rows": [["Mod K", meaning], …]}`."""
    on_search: rx.EventHandler[_text_spec]
    on_theme: rx.EventHandler[rx.event.no_args_event_spec]
    on_language: rx.EventHandler[rx.event.no_args_event_spec]


class CommandButton(rx.Component):
    """Opens the palette."""

    library = _MODULE
    tag = "CommandButton"
    text: rx.Var[str]


commands = Commands.create
command_button = CommandButton.create
