"""The versions of the workflow beside the canvas.

Invariant: a view of `VersionsState`, without logic of its own.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.ui.components.live import when
from structforge.ui.components.told import told
from structforge.ui.locale import label_of, language_tag, t
from structforge.ui.pages.editor_tools import tool
from structforge.ui.pages.editor_versions import VersionsState
from structforge.ui.shell import notice, skeleton


def _version_row(row: rx.Var[dict[str, Any]]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(t("run.version"), " ", row["number"], id="version-" + row["number"].to_string()),
            " ",
            when(at=row["at"].to(str), locale=language_tag()),
            rx.el.p(row["note"], class_name="muted small"),
        ),
        rx.el.div(
            rx.el.button(
                rx.cond(
                    VersionsState.compared == row["number"].to(int),
                    t("editor.compare_off"),
                    t("editor.compare"),
                ),
                type="button",
                class_name="btn small-btn",
                aria_describedby="version-" + row["number"].to_string(),
                on_click=VersionsState.compare(row["number"].to(int)),
            ),
            rx.el.button(
                t("editor.restore"),
                type="button",
                class_name="btn small-btn",
                aria_describedby="version-" + row["number"].to_string(),
                on_click=VersionsState.restore(row["number"].to(int)),
            ),
            class_name="row",
        ),
    )


def versions_view() -> rx.Component:
    """Return the list of versions with the note of the next one."""
    return rx.el.div(
        rx.el.div(
            rx.el.h2(t("editor.versions")),
            tool("x", "app.close", VersionsState.toggle_versions),
            class_name="ed-panel-head ed-settings-head",
        ),
        rx.cond(
            VersionsState.versions_problem.length() > 0,
            notice(t("editor.versions_error"), rx.el.p(told(VersionsState.versions_problem))),
        ),
        rx.cond(
            VersionsState.versions.length() > 0,
            rx.el.ol(rx.foreach(VersionsState.versions, _version_row), class_name="versions"),
            rx.cond(
                VersionsState.versions_loaded,
                rx.el.p(t("editor.no_versions"), class_name="muted"),
                skeleton(3),
            ),
        ),
        rx.cond(
            VersionsState.more_versions,
            rx.el.button(
                t("app.more"), type="button", class_name="btn small-btn", on_click=VersionsState.older
            ),
        ),
        rx.cond(
            VersionsState.can_take_back,
            rx.el.button(
                t("editor.take_back"),
                type="button",
                class_name="btn small-btn",
                on_click=VersionsState.take_back,
            ),
        ),
        class_name="stack ed-hint",
    )


def _change(row: rx.Var[dict[str, str]]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.strong(row["title"]),
            rx.el.span(label_of("diff", row["kind"]), class_name="diff-kind kind-" + row["kind"].to(str)),
            rx.cond(row["path"] != "", rx.el.code(row["path"])),
            type="button",
            on_click=VersionsState.show_change(row["node"]),
        ),
        rx.cond(
            (row["old"] != "") | (row["new"] != ""),
            rx.el.div(rx.el.del_(row["old"]), rx.el.ins(row["new"]), class_name="diff-values"),
        ),
    )


def comparison_view() -> rx.Component:
    """Return the list of what differs, with the choice of the newer side."""
    other = rx.el.select(
        rx.el.option(t("editor.draft"), value="0"),
        rx.foreach(
            VersionsState.versions,
            lambda row: rx.el.option(t("run.version"), " ", row["number"], value=row["number"].to_string()),
        ),
        class_name="input",
        value=VersionsState.compared_to.to_string(),
        on_change=VersionsState.compare_with,
        aria_label=t("editor.compare_with"),
    )
    shown: rx.Component = rx.el.section(
        rx.el.div(
            rx.el.h2(t("run.version"), " ", VersionsState.compared, " → "),
            other,
            rx.el.button(
                t("editor.compare_off"),
                type="button",
                class_name="btn small-btn",
                on_click=VersionsState.leave_comparison,
            ),
            class_name="row",
        ),
        rx.el.p(t("editor.diff_legend"), class_name="small muted"),
        rx.cond(
            VersionsState.changes.length() > 0,
            rx.el.ul(rx.foreach(VersionsState.changes, _change), class_name="diff"),
            rx.el.p(t("editor.no_changes"), class_name="empty"),
        ),
        class_name="ed-changes",
        aria_label=t("editor.changes"),
    )
    return shown
