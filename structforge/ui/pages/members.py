"""Who works in the organization: list, add, take out.

Invariant: rows come from the visitor's organization; what a member may give or take is decided by the service. A
password that was made is shown once and is in no state afterwards.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.domain.access import Permission, Role
from structforge.domain.errors import StructForgeError
from structforge.domain.events import iso
from structforge.ui.components.live import when
from structforge.ui.components.overlay import dialog
from structforge.ui.entries_page import (
    EntriesState,
    ListMessages,
    field_of,
    form_end,
    form_line,
    icon_button,
    listing,
    removal,
)
from structforge.ui.locale import label_of, language_tag, t
from structforge.ui.services import services
from structforge.ui.session import parse_id, say, tell_problem, visitor_of
from structforge.ui.shell import page_head, shell

MAX_ENTRY_CHARACTERS = 1_000


class MembersState(EntriesState, rx.State):
    """The members, and the dialogs over them.

    A row is `{"id", "name", "email", "role", "seen_at", "self"}`; `seen_at` is ISO 8601, empty for who never
    signed in.
    """

    adding: bool = False
    password: str = ""
    """Of the account just made; gone when the dialog closes."""

    @rx.event
    async def enter(self) -> None:
        """Open the list."""
        self._close()
        await self._load()

    @rx.event
    async def ask(self) -> None:
        """Show the dialog that adds somebody."""
        self._close()
        self.adding = True

    @rx.event
    async def close(self) -> None:
        """Show no dialog."""
        self._close()

    @rx.event
    async def add(self, fields: dict[str, Any]) -> None:
        """Add a person by address and role; an account is made for who has none."""
        visitor = await visitor_of(self)
        if visitor is None:
            return
        email, name, role = (
            field_of(fields, each, MAX_ENTRY_CHARACTERS) for each in ("email", "name", "role")
        )
        try:
            _, made = await services().api.members.add(
                visitor.principal, email, name=name, role=role or Role.EDITOR.value
            )
        except StructForgeError as error:
            self._wrong(error.problem.as_json(), error.problem.where)
            return
        self._close()
        self.password, self.adding = made or "", bool(made)
        if not made:
            await say(self, "members.added")
        await self._load()

    @rx.event
    async def ask_remove(self, member: str) -> None:
        """Ask whether to take somebody out."""
        known = {row["id"]: row["name"] or row["email"] for row in self.rows}
        if isinstance(member, str) and member in known:
            self.leaving, self.leaving_name = member, known[member]

    @rx.event
    async def remove(self) -> None:
        """Take out whom was asked about."""
        visitor, user_id = await visitor_of(self), parse_id(self.leaving)
        self.leaving = ""
        if visitor is None or user_id is None:
            return
        try:
            await services().api.members.remove(visitor.principal, user_id)
        except StructForgeError as error:
            await tell_problem(self, error)
        await self._load()

    def _close(self) -> None:
        self._wrong()
        self.adding, self.password, self.leaving = False, "", ""

    async def _load(self) -> None:
        visitor = await visitor_of(self)
        if visitor is None:
            self._fill([])
            return
        try:
            members = await services().api.members.list(visitor.principal)
        except StructForgeError as error:
            self.problem = error.problem.as_json()
            return
        self.may_manage = visitor.principal.may(Permission.MEMBER_MANAGE)
        strongest = [role.value for role in Role]
        self._fill(
            [
                {
                    "id": each["id"],
                    "name": each["name"],
                    "email": each["email"],
                    "role": next((role for role in strongest if role in each["roles"]), ""),
                    "seen_at": "" if each["last_sign_in_at"] is None else iso(each["last_sign_in_at"]),
                    "self": each["id"] == str(visitor.principal.user_id),
                }
                for each in members
            ]
        )


def _row(row: rx.Var[dict[str, Any]]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.el.span(rx.cond(row["name"] != "", row["name"], row["email"]), class_name="strong"),
            rx.cond(row["self"], rx.el.span(t("members.you"), class_name="chip after")),
            rx.el.p(row["email"], class_name="muted small"),
        ),
        rx.el.td(rx.el.span(label_of("role", row["role"]), class_name="chip")),
        rx.el.td(
            rx.cond(
                row["seen_at"] != "",
                when(at=row["seen_at"], locale=language_tag()),
                t("members.never"),
            ),
            class_name="small muted",
        ),
        rx.el.td(
            rx.cond(
                MembersState.may_manage & ~row["self"].to(bool),
                icon_button(
                    "user-minus",
                    "members.remove",
                    row["email"].to(str),
                    MembersState.ask_remove(row["id"].to(str)),
                ),
            ),
            class_name="menu-cell",
        ),
        key=row["id"].to(str),
    )


def _form() -> rx.Component:
    return rx.el.form(
        form_line(MembersState, "email", "members.email", type="email"),
        form_line(MembersState, "name", "members.name"),
        rx.el.div(
            rx.el.label(t("members.role"), html_for="member-role"),
            rx.el.select(
                *(rx.el.option(t(f"role.{role.value}"), value=role.value) for role in Role),
                id="member-role",
                name="role",
                default_value=Role.EDITOR.value,
                class_name="input",
                aria_describedby="member-role-hint",
            ),
            rx.el.p(t("members.role_hint"), class_name="help", id="member-role-hint"),
            class_name="field",
        ),
        form_end(MembersState, "members.add", ("email", "name")),
        on_submit=MembersState.add,
        class_name="stack",
        no_validate=True,
    )


def _made() -> rx.Component:
    return rx.el.div(
        rx.el.p(t("members.password_lead")),
        rx.el.code(MembersState.password, class_name="secret", id="member-password"),
        rx.el.div(
            rx.el.button(
                t("app.close"),
                type="button",
                class_name="btn primary",
                on_click=MembersState.close,
                custom_attrs={"data-focus": "true"},
            ),
            class_name="row end",
        ),
        class_name="stack",
    )


def _dialogs() -> rx.Component:
    return rx.fragment(
        dialog(
            rx.cond(MembersState.password != "", _made(), _form()),
            open=MembersState.adding,
            label=t("members.add"),
            close_text=t("app.close"),
            on_close=MembersState.close,
        ),
        removal(
            MembersState,
            "members.remove",
            "members.remove",
            MembersState.remove,
            rx.el.p(t("members.remove_lead"), class_name="muted"),
        ),
    )


def members_page() -> rx.Component:
    """The page."""
    add = rx.el.button(
        rx.icon("user-plus", size=15),
        t("members.add"),
        type="button",
        class_name="btn primary",
        data_command=t("members.add"),
        on_click=MembersState.ask,
    )
    return shell(
        page_head(t("members.title"), t("members.lead"), rx.cond(MembersState.may_manage, add)),
        listing(
            MembersState,
            ListMessages(
                heading="members.title",
                search="members.search",
                error="members.error",
                none="members.none",
                none_hint="members.none_hint",
            ),
            ("members.person", "members.role", "members.seen", "members.remove"),
            _row,
            icon="users",
        ),
        _dialogs(),
    )
