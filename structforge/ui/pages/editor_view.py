"""The view of the editor: bar, palette, canvas, problems, around the views of panel, versions and notebook.

Invariant: a view of the editor's states, without logic of its own.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors  # type: ignore[import-untyped]

from structforge.domain.run import TERMINAL_RUN_STATUSES
from structforge.ui import routes
from structforge.ui.components.canvas import graph_canvas, palette
from structforge.ui.components.form import text_line
from structforge.ui.components.keyboard import aside
from structforge.ui.components.live import live_feed, live_status
from structforge.ui.components.outbox import outbox
from structforge.ui.components.overlay import dialog
from structforge.ui.components.told import told
from structforge.ui.graph_view import ACCEPTS
from structforge.ui.locale import labels, t
from structforge.ui.node_texts import node_texts
from structforge.ui.pages.editor import VIEWS, EditorState
from structforge.ui.pages.editor_dock_view import dock
from structforge.ui.pages.editor_draft import DraftOpsState, DraftState
from structforge.ui.pages.editor_expressions import ExpressionState
from structforge.ui.pages.editor_input_view import input_dialog
from structforge.ui.pages.editor_notebook_view import notebook
from structforge.ui.pages.editor_panel import PanelState
from structforge.ui.pages.editor_panel_view import keys_list, nothing_selected, panel_view
from structforge.ui.pages.editor_publish import PublishState, publish_dialog
from structforge.ui.pages.editor_run import DraftRunState, FactsState
from structforge.ui.pages.editor_settings import SettingsState
from structforge.ui.pages.editor_tools import tool
from structforge.ui.pages.editor_versions import VersionsState
from structforge.ui.pages.editor_versions_view import comparison_view
from structforge.ui.run_feed import RunPatchState
from structforge.ui.shell import bare_shell, empty, notice, part, skeleton


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
            DraftState.revision,
            rx.cond(VersionsState.published > 0, t("editor.published") + f" {VersionsState.published}", ""),
            class_name="muted small ed-saved",
        ),
        _view_choice(),
        rx.el.div(
            tool("undo-2", "editor.undo", EditorState.act("undo", None, ""), disabled=~DraftState.can_undo),
            tool("redo-2", "editor.redo", EditorState.act("redo", None, ""), disabled=~DraftState.can_redo),
            tool("layout-dashboard", "editor.arrange", EditorState.arrange),
            tool("sticky-note", "editor.add_note", EditorState.act("add_note", {"x": 0, "y": -160}, "")),
            tool("settings-2", "editor.settings", EditorState.toggle_settings),
            tool("history", "editor.versions", [SettingsState.hide, VersionsState.toggle_versions]),
            tool("keyboard", "editor.keys", EditorState.toggle_keys),
            class_name="ed-tools",
        ),
        rx.cond(
            DraftRunState.run_id_shown != "",
            rx.el.a(
                live_status(channel=DraftRunState.run_id_shown, row="", labels=labels("status")),
                href=routes.RUNS + "/" + DraftRunState.run_id_shown,
                aria_label=t("run.title"),
            ),
        ),
        rx.cond(
            DraftRunState.run_active,
            rx.el.button(
                rx.icon("square", size=14),
                t("run.stop"),
                type="button",
                class_name="btn danger",
                data_command=t("run.stop"),
                on_click=DraftRunState.stop,
            ),
            rx.fragment(
                tool("braces", "editor.run_with_input", DraftRunState.ask_input),
                rx.el.button(
                    rx.icon("play", size=15),
                    t("editor.run"),
                    type="button",
                    class_name="btn",
                    data_command=t("editor.run"),
                    on_click=DraftRunState.run,
                ),
            ),
        ),
        rx.el.button(
            t("editor.publish"),
            type="button",
            class_name="btn primary",
            data_command=t("editor.publish"),
            on_click=PublishState.ask,
        ),
        class_name="ed-bar",
        data_region="bar",
    )


def _problem_view(row: rx.Var[dict[str, Any]]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.icon("circle-alert", size=14),
            rx.el.span(told(row, "message"), " ", rx.el.span(told(row, "hint"), class_name="muted")),
            type="button",
            on_click=EditorState.jump(row["node"], row["where"]),
            disabled=(row["node"] == "") & (row["field"] == ""),
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
        data_region="problems",
        aria_label=t("editor.problems"),
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
        channel=DraftRunState.run_id_shown,
        facts=FactsState.channel,
        labels=labels("status"),
        said=node_texts(),
        texts=_texts(),
        accepts=ACCEPTS,
        marks=EditorState.marks,
        focus=EditorState.focus,
        panel=".ed-panel-body",
        adder=".ed-palette",
        on_act=EditorState.act,
        on_gap=EditorState.reload,
    )


def _comparison() -> rx.Component:
    return rx.el.div(
        graph_canvas(
            graph=VersionsState.comparison,
            labels=labels("status"),
            said=node_texts(),
            texts=_texts(),
            accepts=ACCEPTS,
            focus=VersionsState.comparison_focus,
            read_only=True,
        ),
        aside(
            comparison_view(),
            label=t("editor.changes"),
            on_leave=VersionsState.leave_comparison,
            class_name="ed-beside",
        ),
        class_name="ed-look ed-compared",
    )


def _gone() -> rx.Component:
    return rx.cond(
        DraftState.gone,
        rx.el.div(
            rx.el.p(rx.el.strong(t("editor.gone")), " ", t("editor.gone_hint")),
            rx.el.button(
                t("editor.bring_back"),
                type="button",
                class_name="btn primary small-btn",
                on_click=DraftState.bring_back,
            ),
            rx.el.a(t("editor.back"), href=routes.WORKFLOWS, class_name="btn small-btn"),
            class_name="ed-gone",
            role="alert",
        ),
    )


def _aside() -> rx.Component:
    """Tell of values that were typed and are not in the draft, with the way to them."""
    count = DraftState.aside.length()
    return rx.cond(
        count > 0,
        rx.el.div(
            rx.el.p(rx.el.strong(t("conflict.aside")), " ", count),
            rx.el.button(
                t("conflict.look"),
                type="button",
                class_name="btn primary small-btn",
                on_click=DraftState.look_at_conflict,
            ),
            class_name="ed-gone",
            role="status",
        ),
    )


def _conflict() -> rx.Component:
    found = DraftState.conflict

    def side(title: str, text: Any, choice: str, mine: bool) -> rx.Component:
        shown: rx.Component = rx.el.div(
            rx.el.h3(t(title)),
            rx.el.pre(text, class_name="value"),
            rx.el.button(
                t(choice), type="button", class_name="btn", on_click=DraftState.settle_conflict(mine)
            ),
            class_name="stack",
        )
        return shown

    return dialog(
        rx.el.p(
            t("conflict.hint"),
            " ",
            rx.el.code(rx.cond(found["node"], found["node"].to(str) + " · ", ""), found["name"]),
        ),
        rx.el.div(
            side("conflict.mine", found["mine_text"], "conflict.keep_mine", True),
            side("conflict.theirs", found["theirs_text"], "conflict.keep_theirs", False),
            class_name="ed-conflict",
        ),
        open=rx.cond(found["subject"], True, False),
        label=t("conflict.title"),
        close_text=t("conflict.later"),
        wide=True,
        on_close=DraftState.put_conflict_aside,
    )


def editor_page() -> rx.Component:
    """The page."""
    # A cell of the notebook has its form inside.
    beside = (EditorState.view == "graph") | VersionsState.show_versions | SettingsState.show_settings
    shown = rx.el.div(
        rx.el.div(part("bar", _top_bar()), _gone(), _aside()),
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
                part(
                    "palette",
                    palette(
                        items=EditorState.palette,
                        said=node_texts(),
                        groups=labels("category"),
                        texts=labels("palette"),
                        on_choose=EditorState.add,
                    ),
                ),
                class_name="ed-palette",
                data_region="palette",
                aria_label=t("editor.palette"),
            ),
            rx.el.div(
                rx.el.div(
                    rx.el.div(
                        part("canvas", _canvas(), subject=EditorState.graph["seq"]),
                        class_name=rx.cond(EditorState.view == "notebook", "ed-look covered", "ed-look"),
                    ),
                    rx.cond(EditorState.view == "notebook", part("notebook", notebook())),
                    rx.cond(
                        VersionsState.compared > 0,
                        part("comparison", _comparison(), subject=VersionsState.compared),
                    ),
                    class_name="ed-look",
                ),
                rx.cond(EditorState.view == "graph", dock()),
                part("problems", _problems_view(), subject=DraftState.revision),
                class_name="ed-middle",
            ),
            rx.cond(
                beside,
                rx.cond(
                    PanelState.panel["id"] & ~VersionsState.show_versions & ~SettingsState.show_settings,
                    part("panel", panel_view(EditorState.rename_node), subject=PanelState.panel["id"]),
                    part("panel", nothing_selected()),
                ),
            ),
            class_name=rx.cond(beside, "ed-body", "ed-body as-notebook"),
        ),
        class_name="ed",
    )
    keys = dialog(
        keys_list(),
        open=EditorState.show_keys,
        label=t("editor.keys"),
        close_text=t("app.close"),
        on_close=EditorState.toggle_keys,
    )
    back = rx.el.a(t("editor.back"), href=routes.WORKFLOWS, class_name="btn")
    retry = rx.el.button(t("app.retry"), type="button", class_name="btn", on_click=EditorState.enter)
    return bare_shell(
        outbox(done=DraftState.done, offline=has_connection_errors, texts=labels("outbox")),
        live_feed(
            channel=FactsState.channel,
            snapshot=FactsState.snapshot,
            patch=FactsState.patch,
            on_gap=FactsState.read_again,
        ),
        live_feed(
            channel=DraftRunState.run_id_shown,
            snapshot=DraftRunState.run_snapshot,
            patch=RunPatchState.patch,
            settled=sorted(TERMINAL_RUN_STATUSES),
            on_gap=DraftRunState.look_at_run,
            on_settled=[DraftRunState.look_at_run, ExpressionState.look_around],
        ),
        rx.match(
            EditorState.state,
            (
                "shown",
                rx.fragment(
                    shown,
                    keys,
                    part("input", input_dialog()),
                    part("publish", publish_dialog()),
                    part("conflict", _conflict()),
                ),
            ),
            ("missing", empty("search-x", t("editor.missing"), t("editor.missing_workflow_hint"), back)),
            ("broken", notice(t("editor.broken"), rx.el.p(told(EditorState.load_problem)), retry)),
            skeleton(),
        ),
    )
