"""Python side of actions.jsx: buttons that follow a live status. Knows no StructForge words.

Invariant: an action is `{"name", "text", "icon", "look", "shown", "when", "why", "denied"}`: shown in the statuses
`shown` (none: in all), usable in those of `when`; `why` tells why not in others, `denied` why not at all.
"""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

from typing import Any

import reflex as rx

from structforge.ui.components import glyphs, live
from structforge.ui.components.modules import jsx_module

# actions.jsx imports these by their place in the bundle.
NEEDS = (glyphs.MODULE, live.MODULE)


def _name_spec(name: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (name,)


class LiveActions(rx.Component):
    """A row of buttons."""

    library = jsx_module("actions.jsx")
    tag = "LiveActions"
    lib_dependencies: list[str] = ["lucide-react@^1.26.0"]
    channel: rx.Var[str]
    actions: rx.Var[list[dict[str, Any]]]
    label: rx.Var[str]
    on_act: rx.EventHandler[_name_spec]


live_actions = LiveActions.create
