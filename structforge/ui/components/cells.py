"""Python side of cells.jsx: a column of cells with the keys of a notebook. Knows no StructForge words.

Invariant: a child with `data-cell` and `tabIndex` is a cell; `on_act(kind, cell)` has the kinds `open`, `run`, `until`.
"""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type, override"

import reflex as rx

from structforge.ui.components.modules import jsx_module


def _act_spec(kind: rx.Var[str], cell: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return (kind, cell)


class CellList(rx.Component):
    """The column."""

    library = jsx_module("cells.jsx")
    tag = "CellList"
    label: rx.Var[str]
    focus: rx.Var[dict[str, str]]
    """`{"id"}`: bring this cell into view and focus it."""
    on_act: rx.EventHandler[_act_spec]


cell_list = CellList.create
