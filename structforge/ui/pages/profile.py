"""One's own page: name, password, language and theme.

Invariant: it changes the visitor's own account and nothing else; a new password ends every session, this one too.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any, Literal

import reflex as rx
from reflex.style import color_mode, set_color_mode

from structforge.domain.errors import StructForgeError
from structforge.ui import routes
from structforge.ui.components.told import told
from structforge.ui.library import entered
from structforge.ui.locale import t
from structforge.ui.services import services
from structforge.ui.session import SessionState, say, visitor_of
from structforge.ui.shell import language_picker, page_head, shell

MAX_ENTRY_CHARACTERS = 4_096
THEMES: tuple[tuple[Literal["light", "dark", "system"], str], ...] = (
    ("light", "sun"),
    ("dark", "moon"),
    ("system", "monitor"),
)


class ProfileState(rx.State):
    """What is wrong with what was entered."""

    name_problem: dict[str, Any] = {}
    password_problem: dict[str, Any] = {}
    password_field: str = ""
    """The field that the problem is about."""

    @rx.event
    async def enter(self) -> None:
        """Open the page without the problems of the last time."""
        self.name_problem, self.password_problem, self.password_field = {}, {}, ""

    @rx.event
    async def rename(self, fields: dict[str, Any]) -> None:
        """Set the name that others see."""
        visitor, name = await visitor_of(self), _field(fields, "name")
        if visitor is None:
            return
        try:
            await services().api.identity.rename(visitor.principal, name)
        except StructForgeError as error:
            self.name_problem = error.problem.as_json()
            return
        self.name_problem = {}
        services().forget_name(visitor)
        await (await self.get_state(SessionState)).enter()
        await say(self, "profile.renamed")

    @rx.event
    async def change_password(self, fields: dict[str, Any]) -> Any:
        """Set a new password, and lead to the sign-in page as every session ends."""
        visitor = await visitor_of(self)
        if visitor is None:
            return None
        current, new = _field(fields, "current_password"), _field(fields, "new_password")
        try:
            await services().api.identity.change_password(visitor.principal, current, new)
        except StructForgeError as error:
            self.password_problem, self.password_field = error.problem.as_json(), error.problem.where
            return None
        self.password_problem, self.password_field = {}, ""
        (await self.get_state(SessionState)).signed_in = False
        return rx.redirect(f"{routes.SIGN_IN}?error=password_changed")


def _field(fields: object, name: str) -> str:
    return entered(fields.get(name) if isinstance(fields, dict) else None, MAX_ENTRY_CHARACTERS)


def _problem(identifier: str, problem: Any) -> rx.Component:
    return rx.el.p(
        rx.icon("circle-alert", size=15),
        rx.el.span(told(problem)),
        class_name="error",
        id=identifier,
        role="alert",
    )


def _section(title: str, lead: str, *content: rx.Component) -> rx.Component:
    return rx.el.section(
        rx.el.div(rx.el.h2(t(title)), rx.el.p(t(lead), class_name="muted small"), class_name="part-words"),
        rx.el.div(*content, class_name="part-fields"),
        class_name="card part",
    )


def _name() -> rx.Component:
    wrong = ProfileState.name_problem.length() > 0
    return rx.el.form(
        rx.el.div(
            rx.el.label(t("profile.name"), html_for="profile-name"),
            rx.el.input(
                id="profile-name",
                name="name",
                class_name="input",
                auto_complete="name",
                default_value=SessionState.name,
                key=SessionState.name,
                aria_invalid=rx.cond(wrong, "true", "false"),
                aria_describedby=rx.cond(wrong, "profile-name-problem", ""),
            ),
            rx.cond(wrong, _problem("profile-name-problem", ProfileState.name_problem)),
            class_name="field",
        ),
        rx.el.div(
            rx.el.span(t("sign_in.email"), class_name="label"),
            rx.el.span(SessionState.email),
            class_name="field",
        ),
        rx.el.div(rx.el.button(t("app.save"), type="submit", class_name="btn primary"), class_name="row"),
        on_submit=ProfileState.rename,
        class_name="stack",
    )


def _password_line(name: str, complete: str) -> rx.Component:
    wrong = ProfileState.password_field == name
    return rx.el.div(
        rx.el.label(t(f"profile.{name}"), html_for=name),
        rx.el.input(
            id=name,
            name=name,
            type="password",
            required=True,
            class_name="input",
            auto_complete=complete,
            aria_invalid=rx.cond(wrong, "true", "false"),
            aria_describedby=rx.cond(wrong, f"{name}-problem", ""),
        ),
        rx.cond(wrong, _problem(f"{name}-problem", ProfileState.password_problem)),
        class_name="field",
    )


def _password() -> rx.Component:
    return rx.el.form(
        _password_line("current_password", "current-password"),
        _password_line("new_password", "new-password"),
        rx.el.div(
            rx.el.button(t("profile.change_password"), type="submit", class_name="btn"), class_name="row"
        ),
        on_submit=ProfileState.change_password,
        class_name="stack",
    )


def _appearance() -> rx.Component:
    themes = (
        rx.el.button(
            rx.icon(icon, size=15),
            t(f"profile.theme.{name}"),
            type="button",
            aria_pressed=rx.cond(color_mode == name, "true", "false"),
            on_click=set_color_mode(name),
        )
        for name, icon in THEMES
    )
    return rx.fragment(
        rx.el.div(
            rx.el.span(t("profile.theme"), class_name="label"),
            rx.el.div(*themes, class_name="segmented", role="group", aria_label=t("profile.theme")),
            class_name="field start",
        ),
        rx.el.div(
            rx.el.span(t("app.language"), class_name="label"), language_picker(), class_name="field start"
        ),
    )


def profile_page() -> rx.Component:
    """The page."""
    return shell(
        page_head(t("profile.title"), t("profile.lead")),
        rx.el.div(
            _section("profile.person", "profile.person_lead", _name()),
            _section("profile.password", "profile.password_lead", _password()),
            _section("profile.appearance", "profile.appearance_lead", _appearance()),
            class_name="stack parts",
        ),
    )
