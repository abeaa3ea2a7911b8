"""Who is looking: the session behind a websocket, the guard of pages and handlers, messages to the visitor.

Invariant: identity comes from the cookies the websocket was opened with, never from an event's arguments.
"""

import time
from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.errors import Problem, StructForgeError
from structforge.ui import routes
from structforge.ui.locale import LocaleState, message
from structforge.ui.services import Visitor, services


async def visitor_of(state: rx.State) -> Visitor | None:
    """Return the signed-in visitor of this state's websocket, checked now."""
    return await services().visitor(state.router.headers.cookie)


def parse_id(text: object) -> UUID | None:
    """Return the id in a path or an event argument, or None when it is none."""
    try:
        return UUID(str(text))
    except ValueError:
        return None


class SessionState(rx.State):
    """What the shell shows of the visitor."""

    signed_in: bool = False
    name: str = ""
    email: str = ""
    organization_name: str = ""
    toast: dict[str, Any] = {}

    @rx.event
    async def enter(self) -> Any:
        """Open a page: fill the shell, or lead to the sign-in page."""
        visitor = await visitor_of(self)
        if visitor is None:
            self.signed_in = False
            return rx.redirect(routes.sign_in(self.router.url.path))
        self.signed_in = True
        self.name = visitor.name
        self.email = visitor.email
        self.organization_name = visitor.organization_name
        return None

    def _tell(self, text: str, kind: str = "info", act: dict[str, str] | None = None) -> None:
        """Show a toast: from a var, as the page's policy forbids the script a server toast evaluates."""
        self.toast = {"id": time.time_ns() // 1000, "kind": kind, "text": text} | (
            {"act": act} if act else {}
        )


async def tell(state: rx.State, text: str, kind: str = "info", act: dict[str, str] | None = None) -> None:
    """Show a message to the visitor of `state`; `act` (`name`, `value`, `text`) gives it a button."""
    session = await state.get_state(SessionState)
    session._tell(text, kind, act)


async def tell_problem(state: rx.State, error: StructForgeError) -> None:
    """Show why something was refused."""
    problem: Problem = error.problem
    await tell(state, f"{problem.message} {problem.hint}".strip(), "error")


async def say(state: rx.State, key: str, **values: Any) -> None:
    """Show a message of the catalogue to the visitor of `state`."""
    locale = await state.get_state(LocaleState)
    await tell(state, message(locale.locale, key, **values))
