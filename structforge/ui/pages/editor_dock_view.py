"""What went into the selected node and what came out, below the canvas, with the ways to run it; else the whole run.

Invariant: a view of the editor's states, without logic of its own; the values are fetched by the browser.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.api.entries import REFERENCE
from structforge.ui import routes
from structforge.ui.components.live import live_duration
from structforge.ui.components.overview import overview, tally
from structforge.ui.components.resizer import resizer
from structforge.ui.components.step import known_marks, step_values
from structforge.ui.locale import labels, t
from structforge.ui.pages.editor import EditorState
from structforge.ui.pages.editor_panel import PanelState
from structforge.ui.pages.editor_panel_view import panel_title
from structforge.ui.pages.editor_run import DraftRunState, FactsState
from structforge.ui.shell import part


def node_values(node: Any) -> rx.Component:
    """Return what a node took and gave."""
    return step_values(
        node=node,
        href=FactsState.values_href,
        log_href=rx.cond(
            DraftRunState.run_id_shown != "", "/api/v1/runs/" + DraftRunState.run_id_shown + "/logs?step=", ""
        ),
        channel=DraftRunState.run_id_shown,
        facts=FactsState.channel,
        texts=labels("value"),
        reference=REFERENCE,
    )


def node_marks(node: Any) -> rx.Component:
    """Return status, duration, staleness and pin of a node."""
    return known_marks(
        id=node,
        channel=DraftRunState.run_id_shown,
        facts=FactsState.channel,
        labels=labels("status"),
        texts=labels("canvas"),
    )


def run_buttons(node: Any) -> rx.Component:
    """Return the ways to run a node, and to pin what it gave."""
    return rx.el.span(
        _button("play", "debug.run_node", "debug.run_node_hint", DraftRunState.run_only(node)),
        _button("fast-forward", "debug.run_until", "debug.run_until_hint", DraftRunState.run_until(node)),
        _button("refresh-cw", "debug.run_stale", "debug.run_stale_hint", DraftRunState.run_stale(node)),
        _button("pin", "debug.pin", "debug.pin_hint", DraftRunState.pin(node)),
        class_name="run-buttons",
    )


def _button(icon: str, key: str, hint: str, handler: Any) -> rx.Component:
    return rx.el.button(
        rx.icon(icon, size=14),
        rx.el.span(t(key)),
        type="button",
        class_name="btn small-btn",
        title=t(hint),
        on_click=handler,
    )


def _run_tools() -> rx.Component:
    """Return how the run stands as a whole, and the way to its page."""
    run = DraftRunState.run_id_shown
    shown: rx.Component = rx.fragment(
        tally(channel=_whole(), labels=labels("status")),
        rx.cond(
            run != "",
            rx.el.span(
                rx.el.span(live_duration(channel=run), class_name="muted small"),
                rx.el.a(
                    rx.icon("square-arrow-out-up-right", size=14),
                    rx.el.span(t("debug.open_run")),
                    href=routes.RUNS + "/" + run,
                    class_name="btn small-btn",
                ),
                class_name="run-buttons",
            ),
        ),
    )
    return shown


def _whole() -> rx.Var[str]:
    """Return the channel of the run, or without one that of what is remembered."""
    run = DraftRunState.run_id_shown
    return rx.cond(run != "", run, FactsState.channel)


def dock() -> rx.Component:
    """Return the dock. It is there whatever is selected, so that a selection moves nothing."""
    node, opened = PanelState.selected, DraftRunState.show_values
    title = rx.cond(
        node != "",
        panel_title(),
        rx.cond(DraftRunState.run_id_shown != "", t("debug.run"), t("debug.last_results")),
    )
    return rx.el.section(
        rx.cond(opened, resizer(name="editor-dock", label=t("debug.resize"))),
        rx.el.div(
            rx.el.button(
                rx.cond(opened, rx.icon("chevron-down", size=15), rx.icon("chevron-up", size=15)),
                rx.el.strong(title),
                type="button",
                class_name="dock-title",
                aria_expanded=rx.cond(opened, "true", "false"),
                on_click=DraftRunState.toggle_values,
            ),
            rx.cond(
                node != "",
                rx.fragment(
                    node_marks(node),
                    run_buttons(node),
                    rx.el.button(
                        rx.icon("notebook-text", size=15),
                        type="button",
                        class_name="btn ghost icon small-btn",
                        aria_label=t("debug.to_cell"),
                        title=t("debug.to_cell"),
                        on_click=EditorState.show_cell(node),
                    ),
                    rx.el.button(
                        rx.icon("list", size=15),
                        type="button",
                        class_name="btn ghost icon small-btn",
                        aria_label=t("debug.to_run"),
                        title=t("debug.to_run"),
                        on_click=EditorState.select_nothing,
                    ),
                ),
                _run_tools(),
            ),
            class_name="dock-head",
        ),
        rx.cond(
            opened,
            rx.el.div(
                rx.cond(
                    node != "",
                    part("dock", node_values(node), subject=node),
                    part(
                        "dock",
                        overview(
                            channel=_whole(),
                            labels=labels("status"),
                            texts=labels("overview"),
                            on_select=EditorState.go_to,
                        ),
                        subject=_whole(),
                    ),
                ),
                class_name="dock-body",
            ),
        ),
        class_name="ed-dock",
        data_region="dock",
        aria_label=t("debug.values"),
    )
