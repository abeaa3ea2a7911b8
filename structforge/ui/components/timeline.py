"""Python side of timeline.jsx: live rows on a time axis. Knows no StructForge words.

Invariant: rows are those of live.jsx; one with `more` has so many parts that are not among them, and `on_group`
asks for a page of them; `inner` rows show only as parts of what repeats them.
"""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

import reflex as rx

from structforge.ui.components import live
from structforge.ui.components.modules import jsx_module

# timeline.jsx imports it by its place in the bundle.
NEEDS = (live.MODULE,)


def _row_spec(row: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (row,)


def _group_spec(
    row: rx.Var[str], first: rx.Var[int], count: rx.Var[int]
) -> tuple[rx.Var[str], rx.Var[int], rx.Var[int]]:
    return (row, first, count)


class Timeline(rx.Component):
    """All rows of a channel as a tree beside their bars; zoomed and moved by wheel, pointer and keys."""

    library = jsx_module("timeline.jsx")
    tag = "Timeline"
    channel: rx.Var[str]
    labels: rx.Var[dict[str, str]]
    texts: rx.Var[dict[str, str]]
    selected: rx.Var[str]
    on_select: rx.EventHandler[_row_spec]
    on_group: rx.EventHandler[_group_spec]


timeline = Timeline.create
