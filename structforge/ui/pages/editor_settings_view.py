"""The workflow's own settings beside the canvas.

Invariant: a view of `SettingsState`, without logic of its own.
"""

import reflex as rx

from structforge.ui.components.form import schema_form
from structforge.ui.field_edits import WORKFLOW
from structforge.ui.locale import labels, t
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.pages.editor_offers import OffersState
from structforge.ui.pages.editor_settings import SettingsState
from structforge.ui.pages.editor_tools import tool
from structforge.ui.workflow_form import workflow_schema


def settings_view() -> rx.Component:
    """Return the form of the workflow."""
    form = schema_form(
        subject=rx.Var.create(WORKFLOW),
        schema=workflow_schema(),
        values=SettingsState.values,
        problems=SettingsState.problems,
        texts=labels("form"),
        names=labels("setting_word"),
        offers=OffersState.offers,
        focus=SettingsState.field,
        refused=DraftState.conflict,
        on_set=SettingsState.set_field,
        on_unset=SettingsState.unset_field,
    )
    shown: rx.Component = rx.fragment(
        rx.el.div(
            rx.el.h2(t("editor.settings")),
            tool("x", "app.close", SettingsState.hide),
            class_name="ed-panel-head ed-settings-head",
        ),
        rx.el.div(form, class_name="ed-panel-body"),
    )
    return shown
