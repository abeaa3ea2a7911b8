"""Python side of keyboard.jsx: the way through a page without a mouse. Knows no StructForge words."""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

import reflex as rx

from structforge.ui.components.modules import jsx_module

MODULE = jsx_module("keyboard.jsx")


class Regions(rx.Component):
    """F6 walks through what has `data-region`; the focus follows to a page that a link opened. One a page."""

    library = MODULE
    tag = "Regions"


class Aside(rx.Component):
    """What opens beside the work: takes the focus, leaves at Escape, gives the focus back."""

    library = MODULE
    tag = "Aside"
    label: rx.Var[str]
    on_leave: rx.EventHandler[rx.event.no_args_event_spec]


class SkipLink(rx.Component):
    """Puts the focus on the element with the id `to`."""

    library = MODULE
    tag = "SkipLink"
    to: rx.Var[str]


class TabList(rx.Component):
    """A row of tabs: left, right, first and last choose too."""

    library = MODULE
    tag = "TabList"


skip_link = SkipLink.create
tab_list = TabList.create
regions = Regions.create
aside = Aside.create
