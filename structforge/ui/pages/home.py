"""The address without a path, and the one that does not exist.

Invariant: neither shows anything of an organization.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.ui import routes
from structforge.ui.locale import t
from structforge.ui.session import visitor_of
from structforge.ui.shell import empty


class HomeState(rx.State):
    """Holds nothing; leads on."""

    @rx.event
    async def enter(self) -> Any:
        """Lead to the workflows, or to the sign-in page."""
        visitor = await visitor_of(self)
        return rx.redirect(routes.sign_in() if visitor is None else routes.WORKFLOWS, replace=True)


def home_page() -> rx.Component:
    """The page while it leads on."""
    return rx.el.main(rx.el.p(t("app.loading"), class_name="empty"))


def not_found_page() -> rx.Component:
    """The page of an unknown address."""
    back = rx.el.a(t("app.home"), href=routes.RUNS, class_name="btn")
    return rx.el.main(empty("map-pin-off", t("app.not_found"), t("app.not_found_hint"), back))
