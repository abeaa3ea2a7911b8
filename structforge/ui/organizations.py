"""The organization one works in: the menu that switches it, and the dialog that makes another.

Invariant: switching is a form the browser itself posts, because the new session comes as cookies; the page begins
anew in the other organization, so nothing of the first one stays on it.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.domain.errors import StructForgeError
from structforge.ui import routes
from structforge.ui.components.overlay import dialog, menu
from structforge.ui.components.page import native_post
from structforge.ui.components.told import told
from structforge.ui.library import entered
from structforge.ui.locale import t
from structforge.ui.services import services
from structforge.ui.session import SessionState, visitor_of

MAX_ENTRY_CHARACTERS = 1_000
"""More than a name takes, so that what is too long is told, not cut."""


class OrganizationState(rx.State):
    """The dialog that makes an organization."""

    asking: bool = False
    problem: dict[str, Any] = {}
    made: dict[str, str] = {}
    """The fields of the form that leads to the new one."""

    @rx.event
    async def choose(self, name: str) -> None:
        """Do what was chosen in the menu."""
        if name == "new":
            self.asking, self.problem, self.made = True, {}, {}

    @rx.event
    async def close(self) -> None:
        """Make none."""
        self.asking, self.problem = False, {}

    @rx.event
    async def found(self, fields: dict[str, Any]) -> None:
        """Make an organization and go there."""
        visitor = await visitor_of(self)
        if visitor is None:
            return
        name = entered(fields.get("name") if isinstance(fields, dict) else None, MAX_ENTRY_CHARACTERS)
        try:
            made = await services().api.identity.found_organization(visitor.principal, name)
        except StructForgeError as error:
            self.problem = error.problem.as_json()
            return
        self.asking, self.made = False, {"organization_id": made["id"]}


def organization_menu() -> rx.Component:
    """Show where one is; switch to another organization, see its members, make one."""
    members, new = _item("members", "users", href=routes.MEMBERS), _item("new", "plus")
    # Who may found organizations may see members too.
    items = rx.cond(
        SessionState.may_found,
        rx.Var.create([members, new]),
        rx.cond(SessionState.may_see_members, rx.Var.create([members]), rx.Var.create([])),
    )
    return menu(
        label=t("organization.menu"),
        title=SessionState.organization_name,
        icon="building",
        choices=SessionState.organizations,
        items=items.to(list[dict[str, Any]]),
        on_choose=OrganizationState.choose,
    )


def organization_dialog() -> rx.Component:
    """Ask for the name of a new organization."""
    wrong = OrganizationState.problem.length() > 0
    line = rx.el.div(
        rx.el.label(t("organization.name"), html_for="organization-name"),
        rx.el.input(
            id="organization-name",
            name="name",
            class_name="input",
            auto_complete="off",
            aria_invalid=rx.cond(wrong, "true", "false"),
            aria_describedby=rx.cond(wrong, "organization-name-problem", "organization-name-hint"),
        ),
        rx.cond(
            wrong,
            rx.el.p(
                rx.icon("circle-alert", size=15),
                rx.el.span(told(OrganizationState.problem)),
                class_name="error",
                id="organization-name-problem",
                role="alert",
            ),
        ),
        rx.el.p(t("organization.name_hint"), class_name="help", id="organization-name-hint"),
        class_name="field",
    )
    form = rx.el.form(
        line,
        rx.el.div(
            rx.el.button(
                t("app.cancel"), type="button", class_name="btn ghost", on_click=OrganizationState.close
            ),
            rx.el.button(t("organization.create"), type="submit", class_name="btn primary"),
            class_name="row end",
        ),
        on_submit=OrganizationState.found,
        class_name="stack",
        no_validate=True,
    )
    return rx.fragment(
        native_post(url=routes.API_SWITCH, fields=OrganizationState.made),
        dialog(
            form,
            open=OrganizationState.asking,
            label=t("organization.new"),
            close_text=t("app.close"),
            on_close=OrganizationState.close,
        ),
    )


def _item(name: str, icon: str, **more: str) -> dict[str, Any]:
    return {"name": name, "text": t(f"organization.{name}"), "icon": icon} | more
