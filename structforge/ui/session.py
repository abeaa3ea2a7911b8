"""Who is looking: the session behind a websocket, the guard of pages and handlers, messages to the visitor.

Invariant: identity comes from the cookies the websocket was opened with, never from an event's arguments.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.access import Permission
from structforge.domain.errors import StructForgeError
from structforge.ui import routes
from structforge.ui.locale import LocaleState, message
from structforge.ui.services import Visitor, services


async def visitor_of(state: rx.State) -> Visitor | None:
    """Return the signed-in visitor of this state's websocket, checked now; a page that lost its own is told."""
    visitor = await services().visitor(state.router.headers.cookie)
    if visitor is None:
        session = await state.get_state(SessionState)
        if session.signed_in:
            session._lose()
    return visitor


def goes_on(state: rx.State) -> Callable[[], Awaitable[bool]]:
    """Return what tells later whether the session of this state's websocket goes on."""
    cookies = state.router.headers.cookie

    async def check() -> bool:
        return await services().visitor(cookies) is not None

    return check


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
    organization_id: str = ""
    organization_name: str = ""
    organizations: list[dict[str, Any]] = []
    """The memberships as the menu's choices."""
    may_found: bool = False
    may_see_members: bool = False
    lost: int = 0
    """A new number each time there was no session; the page then asks for it to go on, or leads to the sign-in."""
    toast: dict[str, Any] = {}

    @rx.event
    async def enter(self) -> None:
        """Open a page: fill the shell, or let the page find its session again."""
        self.signed_in = False
        visitor = await visitor_of(self)
        if visitor is None:
            self._lose()
            return
        me = await services().api.identity.me(visitor.principal)
        here = str(visitor.principal.organization_id)
        self.signed_in = True
        self.name = visitor.name
        self.email = visitor.email
        self.organization_id = here
        self.organization_name = visitor.organization_name
        self.organizations = [
            {
                "name": each["id"],
                "text": each["name"],
                "icon": "building",
                "chosen": each["id"] == here,
                "post": routes.API_SWITCH,
                "fields": {"organization_id": each["id"]},
            }
            for each in me["organizations"]
        ]
        self.may_found = visitor.principal.may(Permission.ORGANIZATION_EDIT)
        self.may_see_members = visitor.principal.may(Permission.MEMBER_READ)

    @rx.event
    async def stumble(self) -> None:
        """Tell that a handler failed; the cause is in the log of the web process."""
        await say(self, "error.handler", kind="error")

    def _lose(self) -> None:
        self.lost = time.time_ns() // 1000

    def _tell(
        self, text: str | dict[str, Any], kind: str = "info", act: dict[str, str] | None = None
    ) -> None:
        """Show a toast: from a var, as the page's policy forbids the script a server toast evaluates."""
        self.toast = {"id": time.time_ns() // 1000, "kind": kind, "text": text} | (
            {"act": act} if act else {}
        )


async def tell(
    state: rx.State, text: str | dict[str, Any], kind: str = "info", act: dict[str, str] | None = None
) -> None:
    """Show a message or a problem as JSON; `act` (`name`, `value`, `text`) gives it a button."""
    session = await state.get_state(SessionState)
    session._tell(text, kind, act)


async def tell_problem(state: rx.State, error: StructForgeError) -> None:
    """Show why something was refused."""
    await tell(state, error.problem.as_json(), "error")


async def say(state: rx.State, key: str, kind: str = "info", **values: Any) -> None:
    """Show a message of the catalogue to the visitor of `state`."""
    locale = await state.get_state(LocaleState)
    await tell(state, message(locale.locale, key, **values), kind)
