"""Connections of the organization: list, make, change, try, delete.

Invariant: a secret is typed, sent once and in no state; what may be done is decided by the service.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.domain.access import Permission
from structforge.domain.connections import ConnectionKind
from structforge.domain.errors import ConflictError, StructForgeError
from structforge.domain.events import iso
from structforge.ui.components.live import when
from structforge.ui.components.overlay import dialog
from structforge.ui.components.told import told
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
from structforge.ui.locale import language_tag, t
from structforge.ui.services import services
from structforge.ui.session import parse_id, say, tell, tell_problem, visitor_of
from structforge.ui.shell import page_head, shell

MAX_ENTRY_CHARACTERS = 4_096
NEW = "new"
TLS = ("require", "verify", "prefer", "off")
FIELDS = (
    "name",
    "description",
    "secret",
    *(f"settings.{each}" for each in ("host", "port", "database", "user", "tls")),
)
"""Places of problems that are told next to a field."""
BLANK = {"host": "", "port": "5432", "database": "", "user": "", "tls": TLS[0]}


class ConnectionsState(EntriesState, rx.State):
    """The connections, and the dialogs over them.

    A row is `{"id", "name", "description", "place", "tested_at", "problem"}`; `tested_at` is ISO 8601, empty for one
    that was not tried.
    """

    editing: str = ""
    """The connection that the form changes; `new` while it makes one."""
    values: dict[str, str] = BLANK
    """What the form begins with. Never a secret."""
    has_secret: bool = False
    trying: str = ""
    """The connection that is being tried."""
    users: list[str] = []
    """Published workflows that use the one that is to go."""

    @rx.event
    async def enter(self) -> None:
        """Open the list."""
        self._close()
        await self._load()

    @rx.event
    async def ask(self) -> None:
        """Show the form that makes one."""
        self._close()
        self.values, self.has_secret, self.editing = BLANK, False, NEW

    @rx.event
    async def ask_change(self, connection: str) -> None:
        """Show the form that changes one."""
        visitor, connection_id = await visitor_of(self), parse_id(connection)
        if visitor is None or connection_id is None:
            return
        try:
            found = await services().api.connections.get(visitor.principal, connection_id)
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self._close()
        self.values = {name: str(found.settings.get(name, "")) for name in BLANK} | {
            "name": found.name,
            "description": found.description,
        }
        self.has_secret, self.editing = found.has_secret, str(found.id)

    @rx.event
    async def close(self) -> None:
        """Show no dialog."""
        self._close()

    @rx.event
    async def save(self, fields: dict[str, Any]) -> Any:
        """Make or change a connection to a PostgreSQL database, and try it."""
        visitor = await visitor_of(self)
        if visitor is None or not self.editing:
            return
        settings: dict[str, Any] = {
            name: _field(fields, f"settings.{name}") for name in ("host", "database", "user", "tls")
        }
        port = _field(fields, "settings.port")
        settings["port"] = int(port) if port.isascii() and port.isdecimal() and len(port) < 9 else port
        secret, description = _field(fields, "secret"), _field(fields, "description")
        connections = services().api.connections
        try:
            if self.editing == NEW:
                saved = await connections.create(
                    visitor.principal,
                    _field(fields, "name"),
                    ConnectionKind.POSTGRESQL.value,
                    settings,
                    secret=secret or None,
                    description=description,
                )
            else:
                connection_id = parse_id(self.editing)
                if connection_id is None:
                    return
                # An empty field leaves what is stored; to take it away is said in words.
                forget = _field(fields, "forget") != ""
                saved = await connections.update(
                    visitor.principal,
                    connection_id,
                    settings=settings,
                    secret="" if forget else secret or None,
                    description=description,
                )
        except StructForgeError as error:
            self._wrong(error.problem.as_json(), error.problem.where)
            return
        self._close()
        await self._load()
        yield ConnectionsState.try_one(str(saved.id))

    @rx.event
    async def try_one(self, connection: str) -> Any:
        """Try a connection and say how it went."""
        visitor, connection_id = await visitor_of(self), parse_id(connection)
        if visitor is None or connection_id is None or self.trying:
            return
        self.trying = str(connection_id)
        yield
        try:
            trial = await services().api.connections.test(visitor.principal, connection_id)
            if trial.problem is None:
                await say(self, "connections.answered", server=trial.server)
            else:
                await tell(self, trial.problem.as_json(), "error")
        except StructForgeError as error:
            await tell_problem(self, error)
        self.trying = ""
        await self._load()

    @rx.event
    async def ask_delete(self, connection: str) -> None:
        """Ask whether to delete one, and say what uses it."""
        visitor, connection_id = await visitor_of(self), parse_id(connection)
        known = {row["id"]: row["name"] for row in self.rows}
        if visitor is None or connection_id is None or connection not in known:
            return
        try:
            users = await services().api.connections.used_by(visitor.principal, connection_id)
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self.leaving, self.leaving_name, self.users = connection, known[connection], list(users)

    @rx.event
    async def delete(self) -> None:
        """Delete the one that was asked about; what uses it since then is asked about once more."""
        visitor, connection_id = await visitor_of(self), parse_id(self.leaving)
        if visitor is None or connection_id is None:
            return
        try:
            await services().api.connections.delete(visitor.principal, connection_id, force=self.users != [])
        except ConflictError as error:
            self.users = [str(each) for each in error.problem.details.get("workflows", ())]
            return
        except StructForgeError as error:
            await tell_problem(self, error)
        self._close()
        await self._load()

    def _close(self) -> None:
        self._wrong()
        self.editing, self.leaving, self.users = "", "", []

    async def _load(self) -> None:
        visitor = await visitor_of(self)
        if visitor is None:
            self._fill([])
            return
        try:
            found = await services().api.connections.list(visitor.principal)
        except StructForgeError as error:
            self.problem = error.problem.as_json()
            return
        self.may_manage = visitor.principal.may(Permission.CONNECTION_MANAGE)
        self._fill(
            [
                {
                    "id": str(each.id),
                    "name": each.name,
                    "description": each.description,
                    "place": "{user}@{host}:{port}/{database}".format(**each.settings),
                    "tested_at": "" if each.tested_at is None else iso(each.tested_at),
                    "problem": each.test_problem,
                }
                for each in found
            ]
        )


def _field(fields: object, name: str) -> str:
    return field_of(fields, name, MAX_ENTRY_CHARACTERS)


def _row(row: rx.Var[dict[str, Any]]) -> rx.Component:
    tested = when(at=row["tested_at"], locale=language_tag())
    name, ident = row["name"].to(str), row["id"].to(str)
    trying = ConnectionsState.trying == ident
    return rx.el.tr(
        rx.el.td(
            rx.el.span(row["name"], class_name="strong"),
            rx.cond(row["description"] != "", rx.el.p(row["description"], class_name="muted small")),
        ),
        rx.el.td(rx.el.code(row["place"]), class_name="small"),
        rx.el.td(
            rx.cond(
                trying,
                rx.el.span(t("connections.trying"), class_name="muted", role="status"),
                rx.cond(
                    row["tested_at"] == "",
                    rx.el.span(t("connections.untried"), class_name="muted"),
                    rx.cond(
                        row["problem"] == "",
                        rx.el.span(t("connections.works"), " · ", tested),
                        rx.el.p(
                            rx.icon("circle-alert", size=15),
                            rx.el.span(told(row["problem"])),
                            class_name="error",
                            style={"display": "flex", "gap": "6px", "align_items": "flex-start"},
                        ),
                    ),
                ),
            ),
            class_name="small",
        ),
        rx.el.td(
            rx.cond(
                ConnectionsState.may_manage,
                rx.el.div(
                    icon_button(
                        "plug-zap",
                        "connections.try",
                        name,
                        ConnectionsState.try_one(ident),
                        disabled=ConnectionsState.trying != "",
                    ),
                    icon_button("pencil", "connections.change", name, ConnectionsState.ask_change(ident)),
                    icon_button("trash-2", "connections.delete", name, ConnectionsState.ask_delete(ident)),
                    class_name="row end",
                    style={"flex_wrap": "nowrap"},
                ),
            ),
            class_name="menu-cell",
        ),
        key=row["id"].to(str),
    )


def _line(name: str, key: str, **more: Any) -> rx.Component:
    return form_line(ConnectionsState, name, f"connections.{key}", **more)


def _form() -> rx.Component:
    values, new = ConnectionsState.values, ConnectionsState.editing == NEW
    stored = ~new & ConnectionsState.has_secret
    return rx.el.form(
        rx.cond(
            new,
            _line("name", "name", hint="connections.name_hint"),
            rx.el.p(rx.el.code(values["name"], class_name="strong"), id="connection-fixed-name"),
        ),
        _line("description", "description", default_value=values["description"]),
        rx.el.div(
            _line("settings.host", "host", default_value=values["host"]),
            _line("settings.port", "port", default_value=values["port"], input_mode="numeric"),
            class_name="pair",
        ),
        rx.el.div(
            _line("settings.database", "database", default_value=values["database"]),
            _line("settings.user", "user", default_value=values["user"]),
            class_name="pair",
        ),
        _line(
            "secret",
            "secret",
            type="password",
            hint=rx.cond(stored, t("connections.secret_kept"), t("connections.secret_hint")),
        ),
        rx.cond(
            stored,
            rx.el.label(
                rx.el.input(type="checkbox", name="forget", value="yes"),
                t("connections.forget"),
                class_name="check-line",
            ),
        ),
        rx.el.div(
            rx.el.label(t("connections.tls"), html_for="connection-tls"),
            rx.el.select(
                *(rx.el.option(t(f"connections.tls.{each}"), value=each) for each in TLS),
                id="connection-tls",
                name="settings.tls",
                default_value=values["tls"],
                class_name="input",
            ),
            class_name="field",
        ),
        form_end(ConnectionsState, rx.cond(new, t("connections.add"), t("connections.save")), FIELDS),
        on_submit=ConnectionsState.save,
        class_name="stack",
        no_validate=True,
    )


def _dialogs() -> rx.Component:
    used = rx.el.div(
        rx.el.p(t("connections.used")),
        rx.el.ul(rx.foreach(ConnectionsState.users, rx.el.li)),
        rx.el.p(t("connections.used_hint"), class_name="muted"),
        class_name="error-block",
        role="alert",
    )
    in_use = ConnectionsState.users.length() > 0
    return rx.fragment(
        dialog(
            _form(),
            open=ConnectionsState.editing != "",
            label=rx.cond(ConnectionsState.editing == NEW, t("connections.add"), t("connections.change")),
            close_text=t("app.close"),
            on_close=ConnectionsState.close,
        ),
        removal(
            ConnectionsState,
            "connections.delete",
            rx.cond(in_use, t("connections.delete_anyway"), t("connections.delete")),
            ConnectionsState.delete,
            rx.el.p(t("connections.delete_lead"), class_name="muted"),
            rx.cond(in_use, used),
        ),
    )


def connections_page() -> rx.Component:
    """The page."""
    add = rx.el.button(
        rx.icon("plus", size=15),
        t("connections.add"),
        type="button",
        class_name="btn primary",
        data_command=t("connections.add"),
        on_click=ConnectionsState.ask,
    )
    return shell(
        page_head(t("connections.title"), t("connections.lead"), rx.cond(ConnectionsState.may_manage, add)),
        listing(
            ConnectionsState,
            ListMessages(
                heading="connections.title",
                search="connections.search",
                error="connections.error",
                none="connections.none",
                none_hint="connections.none_hint",
            ),
            ("connections.name", "connections.place", "connections.state", "connections.actions"),
            _row,
            icon="plug",
        ),
        _dialogs(),
    )
