"""The notebook view of the draft: its nodes as cells in reading order.

Invariant: a view of `EditorState.cells`, without logic of its own; what a cell gave is live.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

import reflex as rx

from structforge.ui.components.glyphs import glyph
from structforge.ui.components.live import live_duration, live_status, live_text
from structforge.ui.locale import labels, t
from structforge.ui.pages.editor import EditorState
from structforge.ui.pages.editor_panel import PanelState
from structforge.ui.pages.editor_run import DraftRunState


def _cell(cell: rx.Var[dict[str, str]]) -> rx.Component:
    return rx.el.article(
        rx.el.header(
            rx.el.span(glyph(name=cell["icon"], size=17), class_name="cv-icon"),
            rx.el.div(
                rx.el.strong(cell["title"]),
                rx.el.span(cell["kind"], " · ", rx.el.code(cell["id"]), class_name="small muted"),
                class_name="cv-titles",
            ),
            live_status(channel=DraftRunState.run_id_shown, row=cell["id"], labels=labels("status")),
            live_duration(channel=DraftRunState.run_id_shown, row=cell["id"]),
            rx.el.button(
                t("editor.cell_open"),
                type="button",
                class_name="btn small-btn",
                on_click=EditorState.open_cell(cell["id"]),
            ),
        ),
        rx.cond(cell["text"] != "", rx.el.pre(cell["text"], class_name="value", tab_index=0)),
        live_text(channel=DraftRunState.run_id_shown, row=cell["id"], field="preview"),
        class_name=rx.cond(
            PanelState.selected == cell["id"],
            "card cell selected tone-" + cell["tone"].to(str),
            "card cell tone-" + cell["tone"].to(str),
        ),
        aria_label=cell["title"],
    )


def notebook() -> rx.Component:
    """Return the cells."""
    return rx.el.div(
        rx.cond(
            EditorState.cells.length() > 0,
            rx.foreach(EditorState.cells, _cell),
            rx.el.p(t("editor.no_cells"), class_name="empty"),
        ),
        class_name="notebook",
        tab_index=0,
    )
