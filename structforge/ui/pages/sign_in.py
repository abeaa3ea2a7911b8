"""The sign-in page: a form the browser itself posts, because cookies come with an HTTP answer only.

Invariant: where it leads after signing in is a path of this app, whatever the address bar says.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

import reflex as rx

from structforge.ui import routes
from structforge.ui.components.page import native_form
from structforge.ui.locale import t
from structforge.ui.session import visitor_of
from structforge.ui.shell import brand_mark, bridge, language_picker, theme_button

ERRORS = {
    "auth.wrong_credentials": "credentials",
    "auth.too_many_attempts": "throttled",
    "auth.session_ended": "expired",
    "password_changed": "password_changed",
}
"""Problem code or reason in the address to the message that tells it."""


class SignInState(rx.State):
    """What the form shows again after a refused attempt."""

    error: str = ""
    email: str = ""
    next_path: str = routes.HOME

    @rx.event
    async def enter(self):  # type: ignore[no-untyped-def]
        """Open the page; who is signed in already goes on."""
        query = self.router.url.query_parameters
        self.next_path = routes.local_path(query.get("next", routes.HOME))
        self.email = query.get("email", "")[:254]
        error = query.get("error", "")
        self.error = ERRORS.get(error, "other") if error else ""
        if not error and await visitor_of(self) is not None:
            return rx.redirect(self.next_path)
        return None


def _error() -> rx.Component:
    text = rx.match(
        SignInState.error,
        *((name, t(f"sign_in.error.{name}")) for name in ERRORS.values()),
        t("sign_in.error.other"),
    )
    return rx.cond(
        SignInState.error != "",
        rx.el.p(
            rx.icon("circle-alert", size=15),
            rx.el.span(text),
            class_name=rx.cond(SignInState.error == "password_changed", "good", "error"),
            id="sign-in-error",
            role="alert",
        ),
    )


def _form() -> rx.Component:
    invalid = rx.cond(SignInState.error == "credentials", "true", "false")
    described = rx.cond(SignInState.error != "", "sign-in-error", "")
    return native_form(
        rx.el.input(type="hidden", name="next", value=SignInState.next_path, read_only=True),
        rx.el.div(
            rx.el.label(t("sign_in.email"), html_for="email"),
            rx.el.input(
                id="email",
                name="email",
                type="email",
                required=True,
                auto_complete="username",
                class_name="input",
                default_value=SignInState.email,
                key=SignInState.email,
                auto_focus=True,
                max_length=254,
                aria_invalid=invalid,
                aria_describedby=described,
            ),
            class_name="field",
        ),
        rx.el.div(
            rx.el.label(t("sign_in.password"), html_for="password"),
            rx.el.input(
                id="password",
                name="password",
                type="password",
                required=True,
                auto_complete="current-password",
                class_name="input",
                max_length=1024,
                aria_invalid=invalid,
                aria_describedby=described,
            ),
            _error(),
            class_name="field",
        ),
        rx.el.button(t("sign_in.submit"), type="submit", class_name="btn primary wide"),
        action=routes.API_SIGN_IN,
        method="post",
    )


def _picture() -> rx.Component:
    """A drawn workflow, in the colours of the statuses."""
    boxes = (
        (30, 120, "#f0b83c"),
        (210, 50, "#35c9a5"),
        (210, 190, "#62b3f5"),
        (390, 120, "#b69cff"),
        (390, 250, "#35c9a5"),
    )
    edges = (
        "M150 142C180 142 180 72 210 72",
        "M150 142C180 142 180 212 210 212",
        "M330 72C360 72 360 142 390 142",
        "M330 212C360 212 360 142 390 142",
        "M330 212C360 212 360 272 390 272",
    )
    return rx.el.svg(
        *(rx.el.path(d=d, stroke="#5566a8", stroke_width="2.5", fill="none") for d in edges),
        *(
            rx.el.g(
                rx.el.rect(
                    x=str(x), y=str(y), width="120", height="44", rx="11", fill="#1f2747", stroke="#3a4580"
                ),
                rx.el.circle(cx=str(x + 22), cy=str(y + 22), r="8", fill=color),
                rx.el.rect(x=str(x + 40), y=str(y + 14), width="58", height="6", rx="3", fill="#8d99d6"),
                rx.el.rect(x=str(x + 40), y=str(y + 25), width="36", height="5", rx="2.5", fill="#525f9e"),
            )
            for x, y, color in boxes
        ),
        view_box="0 20 540 300",
        custom_attrs={"aria-hidden": "true"},
    )


def sign_in_page() -> rx.Component:
    """The page."""
    return rx.fragment(
        bridge(refresh=False),
        rx.el.main(
            rx.el.section(
                rx.el.div(
                    rx.el.div(
                        rx.el.span(brand_mark(), t("app.name"), class_name="brand", style={"padding": "0"}),
                        rx.el.div(language_picker(), theme_button(), class_name="signin-corner"),
                        class_name="row spread",
                    ),
                    rx.el.div(rx.el.h1(t("sign_in.title")), rx.el.p(t("sign_in.lead"), class_name="muted")),
                    _form(),
                    class_name="signin-box",
                ),
                class_name="signin-form",
            ),
            rx.el.section(
                rx.el.div(_picture(), rx.el.p(t("app.tagline"), class_name="art-line"), class_name="stack"),
                class_name="signin-art",
            ),
            class_name="signin",
        ),
    )
