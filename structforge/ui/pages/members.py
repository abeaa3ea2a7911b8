"""Who works in the organization: list, add, take out.

Invariant: rows come from the visitor's organization; what a member may give or take is decided by the service. A
password that was made is shown once and is in no state afterwards.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any, TypedDict

import reflex as rx

from structforge.domain.access import Permission, Role
from structforge.domain.errors import StructForgeError
from structforge.domain.events import iso
from structforge.ui.components.live import when
from structforge.ui.components.overlay import dialog
from structforge.ui.components.told import told
from structforge.ui.library import entered
from structforge.ui.locale import label_of, language_tag, t
from structforge.ui.services import services
from structforge.ui.session import parse_id, say, tell_problem, visitor_of
from structforge.ui.shell import notice, page_head, shell, skeleton

MAX_ENTRY_CHARACTERS = 1_000


class MemberItem(TypedDict):
    """One row. `seen_at` is ISO 8601, empty for who never signed in."""

    id: str
    name: str
    email: str
    role: str
    seen_at: str
    self: bool


class MembersState(rx.State):
    """The members, and the dialogs over them."""

    rows: list[MemberItem] = []
    loaded: bool = False
    problem: dict[str, Any] = {}
    may_manage: bool = False
    adding: bool = False
    add_problem: dict[str, Any] = {}
    wrong_field: str = ""
    password: str = ""
    """Of the account just made; gone when the dialog closes."""
    leaving: str = ""
    leaving_name: str = ""

    @rx.event
    async def enter(self) -> None:
        """Open the list."""
        self.adding, self.add_problem, self.wrong_field, self.password, self.leaving = False, {}, "", "", ""
        await self._load()

    @rx.event
    async def ask(self) -> None:
        """Show the dialog that adds somebody."""
        self.adding, self.add_problem, self.wrong_field, self.password = True, {}, "", ""

    @rx.event
    async def close(self) -> None:
        """Show no dialog."""
        self.adding, self.password, self.leaving = False, "", ""

    @rx.event
    async def add(self, fields: dict[str, Any]) -> None:
        """Add a person by address and role; an account is made for who has none."""
        visitor = await visitor_of(self)
        if visitor is None:
            return
        try:
            _, made = await services().api.members.add(
                visitor.principal,
                _field(fields, "email"),
                name=_field(fields, "name"),
                role=_field(fields, "role") or Role.EDITOR.value,
            )
        except StructForgeError as error:
            self.add_problem, self.wrong_field = error.problem.as_json(), error.problem.where
            return
        self.add_problem, self.wrong_field, self.password = {}, "", made or ""
        self.adding = bool(made)
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

    async def _load(self) -> None:
        visitor = await visitor_of(self)
        if visitor is None:
            self.rows = []
            return
        try:
            members = await services().api.members.list(visitor.principal)
        except StructForgeError as error:
            self.problem, self.loaded = error.problem.as_json(), True
            return
        self.problem, self.loaded = {}, True
        self.may_manage = visitor.principal.may(Permission.MEMBER_MANAGE)
        strongest = [role.value for role in Role]
        self.rows = [
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


def _field(fields: object, name: str) -> str:
    return entered(fields.get(name) if isinstance(fields, dict) else None, MAX_ENTRY_CHARACTERS)


def _row(row: rx.Var[MemberItem]) -> rx.Component:
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
                rx.el.button(
                    rx.icon("user-minus", size=16),
                    type="button",
                    class_name="btn ghost icon",
                    aria_label=t("members.remove") + ": " + row["email"].to(str),
                    title=t("members.remove"),
                    on_click=MembersState.ask_remove(row["id"].to(str)),
                ),
            ),
            class_name="menu-cell",
        ),
        key=row["id"].to(str),
    )


def _table() -> rx.Component:
    headings = ("members.person", "members.role", "members.seen")
    return rx.el.div(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    *(rx.el.th(t(key), scope="col") for key in headings),
                    rx.el.th(rx.el.span(t("members.remove"), class_name="visually-hidden"), scope="col"),
                )
            ),
            rx.el.tbody(rx.foreach(MembersState.rows, _row)),
            class_name="data",
        ),
        class_name="table-wrap",
    )


def _line(name: str, type_: str = "text") -> rx.Component:
    wrong = MembersState.wrong_field == name
    return rx.el.div(
        rx.el.label(t(f"members.{name}"), html_for=f"member-{name}"),
        rx.el.input(
            id=f"member-{name}",
            name=name,
            type=type_,
            class_name="input",
            auto_complete="off",
            aria_invalid=rx.cond(wrong, "true", "false"),
            aria_describedby=rx.cond(wrong, f"member-{name}-problem", ""),
        ),
        rx.cond(
            wrong,
            rx.el.p(
                rx.icon("circle-alert", size=15),
                rx.el.span(told(MembersState.add_problem)),
                class_name="error",
                id=f"member-{name}-problem",
                role="alert",
            ),
        ),
        class_name="field",
    )


def _form() -> rx.Component:
    elsewhere = (MembersState.add_problem.length() > 0) & (MembersState.wrong_field != "email")
    return rx.el.form(
        _line("email", "email"),
        _line("name"),
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
        rx.cond(elsewhere, rx.el.p(told(MembersState.add_problem), class_name="error", role="alert")),
        rx.el.div(
            rx.el.button(t("app.cancel"), type="button", class_name="btn ghost", on_click=MembersState.close),
            rx.el.button(t("members.add"), type="submit", class_name="btn primary"),
            class_name="row end",
        ),
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
    close = {"close_text": t("app.close"), "on_close": MembersState.close}
    return rx.fragment(
        dialog(
            rx.cond(MembersState.password != "", _made(), _form()),
            open=MembersState.adding,
            label=t("members.add"),
            **close,
        ),
        dialog(
            rx.el.p(t("members.remove_lead"), class_name="muted"),
            rx.el.p(MembersState.leaving_name, class_name="strong"),
            rx.el.div(
                rx.el.button(
                    t("app.cancel"),
                    type="button",
                    class_name="btn ghost",
                    on_click=MembersState.close,
                    custom_attrs={"data-focus": "true"},
                ),
                rx.el.button(
                    t("members.remove"), type="button", class_name="btn danger", on_click=MembersState.remove
                ),
                class_name="row end",
            ),
            open=MembersState.leaving != "",
            label=t("members.remove"),
            **close,
        ),
    )


def members_page() -> rx.Component:
    """The page."""
    return shell(
        page_head(
            t("members.title"),
            t("members.lead"),
            rx.cond(
                MembersState.may_manage,
                rx.el.button(
                    rx.icon("user-plus", size=15),
                    t("members.add"),
                    type="button",
                    class_name="btn primary",
                    on_click=MembersState.ask,
                ),
            ),
        ),
        rx.cond(MembersState.problem, notice(t("members.error"), rx.el.p(told(MembersState.problem)))),
        rx.cond(
            MembersState.problem.length() == 0,
            rx.el.section(
                rx.cond(MembersState.loaded, _table(), skeleton()),
                class_name="card",
                aria_label=t("members.title"),
            ),
        ),
        _dialogs(),
    )
