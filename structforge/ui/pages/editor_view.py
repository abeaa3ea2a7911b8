"""The view of the editor: bar, palette, canvas, panel, versions, problems.

Invariant: a view of `EditorState`, without logic of its own.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.domain.run import TERMINAL_RUN_STATUSES
from structforge.ui import routes
from structforge.ui.components.canvas import graph_canvas, palette
from structforge.ui.components.form import schema_form, text_line
from structforge.ui.components.glyphs import glyph
from structforge.ui.components.live import live_duration, live_feed, live_status, live_text
from structforge.ui.components.prose import prose
from structforge.ui.components.value import value_view
from structforge.ui.graph_view import ACCEPTS
from structforge.ui.locale import labels, t
from structforge.ui.pages.editor import POLICY_SCHEMA, TABS, VIEWS, DraftOpsState, EditorState
from structforge.ui.pages.run import RunPatchState
from structforge.ui.shell import bare_shell, empty, notice, skeleton


def _texts() -> rx.Var[dict[str, Any]]:
    return labels("canvas")


def _top_bar() -> rx.Component:
    return rx.el.header(
        rx.el.a(
            rx.icon("arrow-left", size=17),
            href=routes.WORKFLOWS,
            class_name="btn ghost icon",
            aria_label=t("nav.workflows"),
        ),
        text_line(
            value=EditorState.name,
            label=t("editor.name"),
            max_length=200,
            on_set=EditorState.rename,
            class_name="ed-name",
        ),
        rx.el.span(
            t("editor.revision"),
            " ",
            EditorState.revision,
            rx.cond(EditorState.published > 0, t("editor.published") + f" {EditorState.published}", ""),
            class_name="muted small ed-saved",
        ),
        _view_choice(),
        rx.el.div(
            _tool("undo-2", "editor.undo", EditorState.act("undo", None), disabled=~EditorState.can_undo),
            _tool("redo-2", "editor.redo", EditorState.act("redo", None), disabled=~EditorState.can_redo),
            _tool("layout-dashboard", "editor.arrange", EditorState.arrange),
            _tool("sticky-note", "editor.add_note", EditorState.add_note),
            _tool("history", "editor.versions", EditorState.toggle_versions),
            class_name="ed-tools",
        ),
        rx.cond(
            EditorState.run_id_shown != "",
            rx.el.a(
                live_status(channel=EditorState.run_id_shown, row="", labels=labels("status")),
                href=routes.RUNS + "/" + EditorState.run_id_shown,
                aria_label=t("run.title"),
            ),
        ),
        rx.cond(
            EditorState.run_active,
            rx.el.button(
                rx.icon("square", size=14),
                t("run.stop"),
                type="button",
                class_name="btn danger",
                on_click=EditorState.stop,
            ),
            rx.el.button(
                rx.icon("play", size=15),
                t("editor.run"),
                type="button",
                class_name="btn",
                on_click=EditorState.run,
            ),
        ),
        rx.el.button(
            t("editor.publish"), type="button", class_name="btn primary", on_click=EditorState.publish
        ),
        class_name="ed-bar",
    )


def _tool(icon: str, key: str, handler: Any, **more: Any) -> rx.Component:
    return rx.el.button(
        rx.icon(icon, size=16),
        type="button",
        class_name="btn ghost icon",
        aria_label=t(key),
        title=t(key),
        on_click=handler,
        **more,
    )


def _tab(name: str) -> rx.Component:
    return rx.el.button(
        t(f"editor.tab.{name}"),
        type="button",
        role="tab",
        aria_selected=rx.cond(EditorState.tab == name, "true", "false"),
        on_click=EditorState.choose_tab(name),
    )


def _form(schema: Any, values: Any, problems: Any, on_set: Any, on_unset: Any, kind: str) -> rx.Component:
    return schema_form(
        subject=kind + EditorState.panel["id"].to(str),
        schema=schema,
        values=values,
        problems=problems,
        texts=labels("form"),
        on_set=on_set,
        on_unset=on_unset,
    )


def _panel_view() -> rx.Component:
    panel = EditorState.panel
    policies = _form(
        POLICY_SCHEMA, panel["policies"], {}, EditorState.set_policy, EditorState.unset_policy, "policies:"
    )
    parameters = _form(
        panel["schema"],
        panel["values"],
        panel["problems"],
        EditorState.set_value,
        EditorState.unset_value,
        "",
    )
    return rx.el.aside(
        rx.el.div(
            text_line(
                value=rx.cond(panel["title"], panel["title"], panel["type_title"]).to(str),
                label=t("editor.node_title"),
                max_length=200,
                on_set=EditorState.set_title,
                class_name="ed-name",
            ),
            _tool("power", "editor.toggle_disabled", EditorState.toggle_disabled),
            _tool("trash-2", "editor.remove", EditorState.remove_selected),
            class_name="ed-panel-head",
        ),
        rx.el.p(
            rx.el.strong(panel["type_title"]),
            " · ",
            rx.el.code(panel["id"]),
            rx.cond(panel["disabled"], " · " + t("editor.disabled"), ""),
            class_name="small muted ed-panel-sub",
        ),
        rx.el.div(*(_tab(name) for name in TABS), role="tablist", class_name="tabs"),
        rx.el.div(
            rx.match(
                EditorState.tab,
                (
                    "policies",
                    policies,
                ),
                ("output", value_view(step=EditorState.output, texts=labels("value"))),
                ("docs", rx.el.div(prose(text=panel["docs"].to(str)), class_name="prose")),
                rx.cond(
                    panel["missing"],
                    notice(
                        t("editor.missing_type"), rx.el.p(t("editor.missing_hint")), rx.el.pre(panel["raw"])
                    ),
                    parameters,
                ),
            ),
            class_name="ed-panel-body",
            role="tabpanel",
        ),
        class_name="ed-panel",
        aria_label=t("editor.properties"),
    )


def _nothing_selected() -> rx.Component:
    return rx.el.aside(
        rx.cond(
            EditorState.show_versions,
            _versions_view(),
            rx.el.div(
                rx.el.h2(t("editor.properties")),
                rx.el.p(t("editor.select_hint"), class_name="muted"),
                rx.el.h3(t("editor.keys")),
                rx.el.dl(
                    *(
                        rx.el.div(rx.el.dt(rx.el.kbd(keys)), rx.el.dd(t(f"editor.key.{name}")))
                        for keys, name in (
                            ("Ctrl Z", "undo"),
                            ("Ctrl Shift Z", "redo"),
                            ("Ctrl C · Ctrl V", "copy"),
                            ("Delete", "delete"),
                            ("← ↑ → ↓", "move"),
                            ("Shift", "select"),
                            ("Ctrl K", "commands"),
                        )
                    ),
                    class_name="keys",
                ),
                class_name="stack ed-hint",
            ),
        ),
        class_name="ed-panel",
        aria_label=t("editor.properties"),
    )


def _version_row(row: rx.Var[dict[str, Any]]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(t("run.version"), " ", row["number"]),
            rx.el.p(row["note"], class_name="muted small"),
        ),
        rx.el.div(
            rx.el.button(
                rx.cond(
                    EditorState.compared == row["number"].to(int),
                    t("editor.compare_off"),
                    t("editor.compare"),
                ),
                type="button",
                class_name="btn small-btn",
                on_click=EditorState.compare(row["number"].to(int)),
            ),
            rx.el.button(
                t("editor.restore"),
                type="button",
                class_name="btn small-btn",
                on_click=EditorState.restore(row["number"].to(int)),
            ),
            class_name="row",
        ),
    )


def _versions_view() -> rx.Component:
    return rx.el.div(
        rx.el.h2(t("editor.versions")),
        rx.el.div(
            rx.el.label(t("editor.publish_note"), html_for="publish-note"),
            rx.el.textarea(
                id="publish-note",
                class_name="input",
                default_value=EditorState.publish_note,
                on_blur=EditorState.note_publication,
                max_length=2_000,
            ),
            class_name="field",
        ),
        rx.cond(
            EditorState.versions.length() > 0,
            rx.el.ol(rx.foreach(EditorState.versions, _version_row), class_name="versions"),
            rx.el.p(t("editor.no_versions"), class_name="muted"),
        ),
        rx.cond(EditorState.compared > 0, rx.el.p(t("editor.diff_legend"), class_name="small muted")),
        class_name="stack ed-hint",
    )


def _problem_view(row: rx.Var[dict[str, str]]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.icon("circle-alert", size=14),
            rx.el.span(row["message"]),
            rx.el.span(row["hint"], class_name="muted"),
            type="button",
            on_click=EditorState.jump(row["node"]),
            disabled=row["node"] == "",
        ),
        class_name=rx.cond(row["level"] == "error", "problem error", "problem warning"),
    )


def _problems_view() -> rx.Component:
    count = EditorState.problems.length()
    return rx.el.section(
        rx.el.button(
            rx.cond(
                EditorState.error_count > 0,
                rx.icon("circle-alert", size=15),
                rx.icon("circle-check", size=15),
            ),
            t("editor.problems"),
            " ",
            rx.el.span(count, class_name="num"),
            type="button",
            class_name="ed-problems-head",
            aria_expanded=rx.cond(EditorState.show_problems, "true", "false"),
            on_click=EditorState.toggle_problems,
        ),
        rx.cond(
            EditorState.show_problems & (count > 0),
            rx.el.ul(rx.foreach(EditorState.problems, _problem_view)),
        ),
        class_name="ed-problems",
        aria_label=t("editor.problems"),
    )


def _cell(cell: rx.Var[dict[str, str]]) -> rx.Component:
    return rx.el.article(
        rx.el.header(
            rx.el.span(glyph(name=cell["icon"], size=17), class_name="cv-icon"),
            rx.el.div(
                rx.el.strong(cell["title"]),
                rx.el.span(cell["kind"], " · ", rx.el.code(cell["id"]), class_name="small muted"),
                class_name="cv-titles",
            ),
            live_status(channel=EditorState.run_id_shown, row=cell["id"], labels=labels("status")),
            live_duration(channel=EditorState.run_id_shown, row=cell["id"]),
            rx.el.button(
                t("editor.cell_open"),
                type="button",
                class_name="btn small-btn",
                on_click=EditorState.open_cell(cell["id"]),
            ),
        ),
        rx.cond(cell["text"] != "", rx.el.pre(cell["text"], class_name="value")),
        live_text(channel=EditorState.run_id_shown, row=cell["id"], field="preview"),
        class_name=rx.cond(
            EditorState.selected == cell["id"],
            "card cell selected tone-" + cell["tone"].to(str),
            "card cell tone-" + cell["tone"].to(str),
        ),
        aria_label=cell["title"],
    )


def _notebook() -> rx.Component:
    return rx.el.div(
        rx.cond(
            EditorState.cells.length() > 0,
            rx.foreach(EditorState.cells, _cell),
            rx.el.p(t("editor.no_cells"), class_name="empty"),
        ),
        class_name="notebook",
        tab_index=0,
    )


def _view_choice() -> rx.Component:
    return rx.el.div(
        *(
            rx.el.button(
                t(f"editor.{name}"),
                type="button",
                aria_pressed=rx.cond(EditorState.view == name, "true", "false"),
                on_click=EditorState.choose_view(name),
            )
            for name in VIEWS
        ),
        class_name="segmented",
        role="group",
        aria_label=t("editor.view"),
    )


def _canvas() -> rx.Component:
    return graph_canvas(
        graph=EditorState.graph,
        ops=DraftOpsState.ops,
        channel=EditorState.run_id_shown,
        labels=labels("status"),
        texts=_texts(),
        accepts=ACCEPTS,
        marks=EditorState.marks,
        focus=EditorState.focus,
        on_act=EditorState.act,
        on_gap=EditorState.reload,
    )


def editor_page() -> rx.Component:
    """The page."""
    shown = rx.el.div(
        _top_bar(),
        rx.el.div(
            rx.el.aside(
                rx.cond(
                    EditorState.inserting != "",
                    rx.el.div(
                        rx.el.span(t("editor.inserting")),
                        rx.el.button(
                            "×",
                            type="button",
                            class_name="btn ghost icon",
                            aria_label=t("app.close"),
                            on_click=EditorState.stop_inserting,
                        ),
                        class_name="ed-inserting",
                        role="status",
                    ),
                ),
                palette(
                    items=EditorState.palette,
                    groups=labels("category"),
                    texts=labels("palette"),
                    on_choose=EditorState.add,
                ),
                class_name="ed-palette",
                aria_label=t("editor.palette"),
            ),
            rx.el.div(
                rx.el.div(
                    rx.el.div(
                        _canvas(),
                        class_name=rx.cond(EditorState.view == "notebook", "ed-look covered", "ed-look"),
                    ),
                    rx.cond(EditorState.view == "notebook", _notebook()),
                    class_name="ed-look",
                ),
                _problems_view(),
                class_name="ed-middle",
            ),
            rx.cond(EditorState.panel["id"], _panel_view(), _nothing_selected()),
            class_name="ed-body",
        ),
        class_name="ed",
    )
    back = rx.el.a(t("editor.back"), href=routes.WORKFLOWS, class_name="btn")
    retry = rx.el.button(t("app.retry"), type="button", class_name="btn", on_click=EditorState.enter)
    return bare_shell(
        live_feed(
            channel=EditorState.run_id_shown,
            snapshot=EditorState.run_snapshot,
            patch=RunPatchState.patch,
            settled=sorted(TERMINAL_RUN_STATUSES),
            on_gap=EditorState.look_at_run,
            on_settled=EditorState.look_at_run,
        ),
        rx.match(
            EditorState.state,
            ("shown", shown),
            ("missing", empty("search-x", t("editor.missing"), t("editor.missing_workflow_hint"), back)),
            ("broken", notice(t("editor.broken"), rx.el.p(EditorState.load_problem), retry)),
            skeleton(),
        ),
    )
