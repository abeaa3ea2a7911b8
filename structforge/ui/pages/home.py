"""The address without a path, and the one that does not exist.

Invariant: neither shows anything of an organization.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.ui import routes
from structforge.ui.locale import t
from structforge.ui.session import SessionState, visitor_of
from structforge.ui.shell import bridge


class HomeState(rx.State):
    """Holds nothing; leads on."""

    @rx.event
    async def enter(self) -> Any:
        """Lead to the workflows, or let the page find its session again."""
        if await visitor_of(self) is None:
            session = await self.get_state(SessionState)
            session._lose()
            return None
        return rx.redirect(routes.WORKFLOWS, replace=True)


def home_page() -> rx.Component:
    """The page while it leads on."""
    return rx.fragment(bridge(refresh=True), rx.el.main(rx.el.p(t("app.loading"), class_name="empty")))


def not_found_page() -> rx.Component:
    """The page of an unknown address."""
    return rx.fragment(
        bridge(refresh=False),
        rx.el.main(
            rx.icon("map-pin-off", size=30),
            rx.el.h1(t("app.not_found")),
            rx.el.p(t("app.not_found_hint")),
            rx.el.a(t("app.home"), href=routes.WORKFLOWS, class_name="btn primary"),
            class_name="broken",
        ),
    )
