"""The versions of the workflow beside the canvas.

Invariant: a view of `VersionsState`, without logic of its own.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.ui.locale import t
from structforge.ui.pages.editor_versions import VersionsState


def _version_row(row: rx.Var[dict[str, Any]]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.strong(t("run.version"), " ", row["number"]),
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
                on_click=VersionsState.compare(row["number"].to(int)),
            ),
            rx.el.button(
                t("editor.restore"),
                type="button",
                class_name="btn small-btn",
                on_click=VersionsState.restore(row["number"].to(int)),
            ),
            class_name="row",
        ),
    )


def versions_view() -> rx.Component:
    """Return the list of versions with the note of the next one."""
    return rx.el.div(
        rx.el.h2(t("editor.versions")),
        rx.el.div(
            rx.el.label(t("editor.publish_note"), html_for="publish-note"),
            rx.el.textarea(
                id="publish-note",
                class_name="input",
                default_value=VersionsState.publish_note,
                on_blur=VersionsState.note_publication,
                max_length=2_000,
            ),
            class_name="field",
        ),
        rx.cond(
            VersionsState.versions.length() > 0,
            rx.el.ol(rx.foreach(VersionsState.versions, _version_row), class_name="versions"),
            rx.el.p(t("editor.no_versions"), class_name="muted"),
        ),
        rx.cond(VersionsState.compared > 0, rx.el.p(t("editor.diff_legend"), class_name="small muted")),
        class_name="stack ed-hint",
    )
