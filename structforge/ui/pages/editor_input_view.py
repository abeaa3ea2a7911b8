"""The dialog that asks for the input of a run.

Invariant: a view of `InputState`, without logic of its own.
"""

import reflex as rx

from structforge.ui.components.form import schema_form
from structforge.ui.components.overlay import dialog
from structforge.ui.components.told import told
from structforge.ui.locale import labels, t
from structforge.ui.pages.editor_input import InputState
from structforge.ui.pages.editor_run import DraftRunState
from structforge.ui.pages.editor_tools import FILES


def input_dialog() -> rx.Component:
    """Return the dialog."""
    form = schema_form(
        subject=InputState.subject,
        schema=InputState.form,
        values=InputState.values,
        problems=InputState.problems,
        texts=labels("form"),
        focus=InputState.field,
        files=FILES,
        on_set=InputState.set_field,
        on_unset=InputState.unset_field,
    )
    shown: rx.Component = dialog(
        rx.el.p(t("editor.input_hint"), class_name="muted small"),
        form,
        rx.cond(InputState.problem, rx.el.p(told(InputState.problem), class_name="error", role="alert")),
        rx.el.div(
            rx.el.button(t("app.cancel"), type="button", class_name="btn", on_click=InputState.leave),
            rx.el.button(
                rx.icon("play", size=15),
                t("editor.run"),
                type="button",
                class_name="btn primary",
                title="Ctrl Enter",
                on_click=DraftRunState.run_with_input,
                custom_attrs={"data-submit": "1"},
            ),
            class_name="row end dialog-foot",
        ),
        open=InputState.asking,
        label=t("editor.input"),
        close_text=t("app.close"),
        on_close=InputState.leave,
    )
    return shown
