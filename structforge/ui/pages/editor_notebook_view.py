"""The notebook view of the draft: its nodes as cells in reading order, each with its form, values, logs and status.

Invariant: a view of the editor's states, without logic of its own; both views show one document and one selection.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

import reflex as rx

from structforge.ui.components.cells import cell_list
from structforge.ui.components.form import text_line
from structforge.ui.components.glyphs import glyph
from structforge.ui.locale import t
from structforge.ui.node_texts import node_text
from structforge.ui.pages.editor import EditorState
from structforge.ui.pages.editor_dock_view import node_marks, node_values, run_buttons
from structforge.ui.pages.editor_panel import PanelState
from structforge.ui.pages.editor_panel_view import panel_title, parameters_form
from structforge.ui.shell import part


def _title(cell: rx.Var[dict[str, str]]) -> rx.Var[str]:
    return rx.cond(cell["named"], cell["title"], node_text(cell["type"], "title", cell["kind"])).to(str)


def _cell(cell: rx.Var[dict[str, str]]) -> rx.Component:
    open_here = PanelState.selected == cell["id"]
    return rx.el.article(
        rx.el.header(
            rx.el.span(glyph(name=cell["icon"], size=17), class_name="cv-icon"),
            rx.el.div(
                rx.el.strong(_title(cell)),
                rx.el.span(
                    node_text(cell["type"], "title", cell["kind"]),
                    " · ",
                    rx.el.code(cell["id"]),
                    class_name="small muted",
                ),
                class_name="cv-titles",
            ),
            node_marks(cell["id"]),
            run_buttons(cell["id"]),
            rx.el.button(
                rx.icon("workflow", size=15),
                type="button",
                class_name="btn ghost icon small-btn",
                aria_label=t("debug.to_graph"),
                title=t("debug.to_graph"),
                on_click=EditorState.show_node(cell["id"]),
            ),
        ),
        rx.el.div(
            rx.cond(
                open_here,
                rx.el.div(
                    text_line(
                        value=panel_title(),
                        label=t("editor.node_title"),
                        max_length=200,
                        on_set=PanelState.set_title,
                        class_name="cell-title",
                    ),
                    parameters_form(),
                    class_name="cell-form",
                ),
                rx.cond(
                    cell["text"] != "",
                    rx.el.pre(cell["text"], class_name="value", tab_index=0),
                    rx.el.p(t("form.nothing"), class_name="muted small"),
                ),
            ),
            rx.el.button(
                rx.cond(open_here, t("app.close"), t("editor.cell_open")),
                type="button",
                class_name="btn small-btn cell-open",
                aria_expanded=rx.cond(open_here, "true", "false"),
                on_click=rx.cond(open_here, EditorState.open_cell(""), EditorState.open_cell(cell["id"])),
            ),
            class_name="cell-source",
        ),
        rx.el.div(part("values", node_values(cell["id"])), class_name="cell-values"),
        class_name=rx.cond(
            open_here,
            "card cell selected tone-" + cell["tone"].to(str),
            "card cell tone-" + cell["tone"].to(str),
        ),
        tab_index=0,
        aria_label=_title(cell),
        custom_attrs={"data-cell": cell["id"]},
    )


def notebook() -> rx.Component:
    """Return the cells."""
    return cell_list(
        rx.cond(
            EditorState.cells.length() > 0,
            rx.fragment(
                rx.el.p(t("debug.cell_keys"), class_name="muted small cell-keys"),
                rx.foreach(EditorState.cells, _cell),
            ),
            rx.el.p(t("editor.no_cells"), class_name="empty"),
        ),
        label=t("editor.notebook"),
        focus=EditorState.cell_focus,
        on_act=EditorState.act_on_cell,
    )
