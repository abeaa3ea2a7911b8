"""The panel of the editor's selected node, and the hints where none is selected.

Invariant: a view of `PanelState`, without logic of its own.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.nodes.file_read import ReadFile
from structforge.ui.components.form import name_line, schema_form, text_line
from structforge.ui.components.keyboard import aside, tab_list
from structforge.ui.components.prose import prose
from structforge.ui.expression_help import LANGUAGE
from structforge.ui.locale import labels, t
from structforge.ui.node_texts import node_text, parameter_titles
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.pages.editor_expressions import ExpressionState
from structforge.ui.pages.editor_offers import OffersState
from structforge.ui.pages.editor_panel import TABS, PanelState
from structforge.ui.pages.editor_settings import SettingsState
from structforge.ui.pages.editor_settings_view import settings_view
from structforge.ui.pages.editor_tools import FILES, tool
from structforge.ui.pages.editor_versions import VersionsState
from structforge.ui.pages.editor_versions_view import versions_view
from structforge.ui.policy_form import policy_schema
from structforge.ui.shell import notice


def _tab(name: str) -> rx.Component:
    return rx.el.button(
        t(f"editor.tab.{name}"),
        type="button",
        role="tab",
        aria_selected=rx.cond(PanelState.tab == name, "true", "false"),
        on_click=PanelState.choose_tab(name),
    )


READS_FILES = ReadFile.type


def _form(part: str, schema: Any, values: Any, problems: Any, **more: Any) -> rx.Component:
    return schema_form(
        subject=f"{part}:" + PanelState.panel["id"].to(str),
        schema=schema,
        values=values,
        problems=problems,
        texts=labels("form"),
        focus=PanelState.field,
        titles=parameter_titles(),
        scope=ExpressionState.scope,
        help=rx.Var.create(LANGUAGE),
        help_texts=labels("fn"),
        preview=ExpressionState.preview,
        offers=OffersState.offers,
        refused=DraftState.conflict,
        on_set=PanelState.set_field,
        on_unset=PanelState.unset_field,
        on_preview=ExpressionState.evaluate,
        **more,
    )


def parameters_form() -> rx.Component:
    """Return the form of the selected node's parameters."""
    panel = PanelState.panel
    return rx.cond(
        panel["missing"],
        notice(t("editor.missing_type"), rx.el.p(t("editor.missing_hint")), rx.el.pre(panel["raw"])),
        _form(
            "parameters",
            panel["schema"],
            panel["values"],
            panel["problems"],
            files=FILES,
            look=rx.cond(panel["type"] == READS_FILES, FILES + "/preview", ""),
            look_texts=labels("look"),
        ),
    )


def panel_title() -> rx.Var[str]:
    """Return what the selected node is called."""
    panel = PanelState.panel
    own = node_text(panel["type"], "title", panel["type_title"])
    return rx.cond(panel["title"], panel["title"], own).to(str)


def panel_view(rename: Any) -> rx.Component:
    """Return the panel of the selected node; `rename` takes its id and the new one."""
    panel = PanelState.panel
    policies = rx.fragment(
        rx.el.div(
            rx.el.label(
                rx.el.input(
                    type="checkbox",
                    checked=panel["disabled"].to(bool),
                    on_change=PanelState.toggle_disabled,
                ),
                t("policy.disabled"),
                class_name="row tight",
            ),
            rx.el.p(t("policy.disabled_help"), class_name="help"),
            class_name="field policy-off",
        ),
        _form(
            "policies",
            policy_schema(),
            panel["policies"],
            panel["policy_problems"],
            names=labels("policy_word"),
        ),
    )
    return rx.el.aside(
        rx.el.div(
            text_line(
                value=panel_title(),
                label=t("editor.node_title"),
                max_length=200,
                on_set=PanelState.set_title,
                class_name="ed-name",
            ),
            tool("power", "editor.toggle_disabled", PanelState.toggle_disabled),
            tool("trash-2", "editor.remove", PanelState.remove_selected),
            class_name="ed-panel-head",
        ),
        rx.el.div(
            rx.el.strong(node_text(panel["type"], "title", panel["type_title"])),
            " · ",
            name_line(
                value=panel["id"].to(str),
                label=t("editor.node_id"),
                fault=PanelState.id_fault,
                on_set=rename,
            ),
            rx.cond(panel["disabled"], " · " + t("editor.disabled"), ""),
            class_name="small muted ed-panel-sub",
        ),
        tab_list(*(_tab(name) for name in TABS), class_name="tabs"),
        rx.el.div(
            rx.match(
                PanelState.tab,
                (
                    "policies",
                    policies,
                ),
                (
                    "docs",
                    rx.el.div(
                        prose(text=node_text(panel["type"], "summary", panel["summary"])),
                        prose(text=panel["docs"].to(str), name="doc:" + panel["type"].to(str)),
                        class_name="prose",
                    ),
                ),
                parameters_form(),
            ),
            class_name="ed-panel-body",
            role="tabpanel",
            tab_index=-1,
            custom_attrs={"data-item": panel["id"].to(str)},
        ),
        class_name="ed-panel",
        data_region="panel",
        aria_label=t("editor.properties"),
    )


KEYS = (
    ("Alt ← ↑ → ↓", "go"),
    ("Enter", "open"),
    ("F2", "name"),
    ("Esc", "back"),
    ("← ↑ → ↓", "move"),
    ("N", "add"),
    ("C", "connect"),
    ("Delete", "delete"),
    ("X", "disable"),
    ("Ctrl Z", "undo"),
    ("Ctrl Y", "redo"),
    ("Ctrl C · X · V", "copy"),
    ("Ctrl D", "duplicate"),
    ("Ctrl A", "all"),
    ("Shift", "select"),
    ("Ctrl G", "frame"),
    ("F", "fit"),
    ("Ctrl S", "save"),
    ("Ctrl Space", "complete"),
    ("Ctrl Enter", "run"),
    ("F8", "problem"),
    ("F6", "part"),
    ("Ctrl K", "commands"),
)


def keys_list() -> rx.Component:
    """Return what each key does."""
    found: rx.Component = rx.el.dl(
        *(rx.el.div(rx.el.dt(rx.el.kbd(keys)), rx.el.dd(t(f"editor.key.{name}"))) for keys, name in KEYS),
        class_name="keys",
    )
    return found


def nothing_selected() -> rx.Component:
    """Return what stands there when no node, or several, are selected."""
    return rx.el.aside(
        rx.match(
            rx.cond(
                SettingsState.show_settings, "settings", rx.cond(VersionsState.show_versions, "versions", "")
            ),
            (
                "settings",
                aside(settings_view(), label=t("editor.settings"), on_leave=SettingsState.hide),
            ),
            (
                "versions",
                aside(versions_view(), label=t("editor.versions"), on_leave=VersionsState.hide_versions),
            ),
            rx.el.div(
                rx.el.h2(t("editor.properties")),
                rx.el.p(t("editor.select_hint"), class_name="muted"),
                rx.el.h3(t("editor.keys")),
                keys_list(),
                class_name="stack ed-hint",
            ),
        ),
        class_name="ed-panel",
        data_region="panel",
        tab_index=0,
        aria_label=t("editor.properties"),
    )
