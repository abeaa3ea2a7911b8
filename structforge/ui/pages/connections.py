"""Connections of the organization: list, make, try, delete.

Invariant: a secret is typed, sent once and in no state; what may be done is decided by the service.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any, TypedDict

import reflex as rx

from structforge.domain.access import Permission
from structforge.domain.connections import ConnectionKind
from structforge.domain.errors import ConflictError, StructForgeError
from structforge.domain.events import iso
from structforge.ui.components.live import when
from structforge.ui.components.overlay import dialog
from structforge.ui.components.told import told
from structforge.ui.library import entered
from structforge.ui.locale import language_tag, t
from structforge.ui.services import services
from structforge.ui.session import parse_id, tell_problem, visitor_of
from structforge.ui.shell import empty, notice, page_head, shell, skeleton

MAX_ENTRY_CHARACTERS = 4_096
TLS = ("require", "verify", "prefer", "off")
FIELDS = frozenset(
    {"name", "secret", *(f"settings.{each}" for each in ("host", "port", "database", "user", "tls"))}
)
"""Places of problems that are told next to a field."""


class ConnectionItem(TypedDict):
    """One row. `tested_at` is ISO 8601, empty for one that was not tried."""

    id: str
    name: str
    description: str
    place: str
    tested_at: str
    problem: str


class ConnectionsState(rx.State):
    """The connections, and the dialogs over them."""

    rows: list[ConnectionItem] = []
    loaded: bool = False
    problem: dict[str, Any] = {}
    may_manage: bool = False
    adding: bool = False
    add_problem: dict[str, Any] = {}
    wrong_field: str = ""
    leaving: str = ""
    leaving_name: str = ""
    in_use: dict[str, Any] = {}
    """What the service said when it would not delete."""

    @rx.event
    async def enter(self) -> None:
        """Open the list."""
        self._close()
        await self._load()

    @rx.event
    async def ask(self) -> None:
        """Show the dialog that makes one."""
        self.adding, self.add_problem, self.wrong_field = True, {}, ""

    @rx.event
    async def close(self) -> None:
        """Show no dialog."""
        self._close()

    @rx.event
    async def add(self, fields: dict[str, Any]) -> None:
        """Make a connection to a PostgreSQL database and try it."""
        visitor = await visitor_of(self)
        if visitor is None:
            return
        settings: dict[str, Any] = {
            name: _field(fields, f"settings.{name}") for name in ("host", "database", "user", "tls")
        }
        port = _field(fields, "settings.port")
        settings["port"] = int(port) if port.isascii() and port.isdecimal() and len(port) < 9 else port
        try:
            made = await services().api.connections.create(
                visitor.principal,
                _field(fields, "name"),
                ConnectionKind.POSTGRESQL.value,
                settings,
                secret=_field(fields, "secret") or None,
                description=_field(fields, "description"),
            )
        except StructForgeError as error:
            self.add_problem, self.wrong_field = error.problem.as_json(), error.problem.where
            return
        self._close()
        await self._load()
        await self._try(str(made.id))

    @rx.event
    async def try_one(self, connection: str) -> None:
        """Try a connection and show how it went."""
        await self._try(connection)

    @rx.event
    async def ask_delete(self, connection: str) -> None:
        """Ask whether to delete one."""
        known = {row["id"]: row["name"] for row in self.rows}
        if isinstance(connection, str) and connection in known:
            self.leaving, self.leaving_name, self.in_use = connection, known[connection], {}

    @rx.event
    async def delete(self) -> None:
        """Delete the one that was asked about; one in use is asked about once more."""
        visitor, connection_id = await visitor_of(self), parse_id(self.leaving)
        if visitor is None or connection_id is None:
            return
        try:
            await services().api.connections.delete(visitor.principal, connection_id, force=bool(self.in_use))
        except ConflictError as error:
            self.in_use = error.problem.as_json()
            return
        except StructForgeError as error:
            await tell_problem(self, error)
        self._close()
        await self._load()

    async def _try(self, connection: str) -> None:
        visitor, connection_id = await visitor_of(self), parse_id(connection)
        if visitor is None or connection_id is None:
            return
        try:
            await services().api.connections.test(visitor.principal, connection_id)
        except StructForgeError as error:
            await tell_problem(self, error)
        await self._load()

    def _close(self) -> None:
        self.adding, self.add_problem, self.wrong_field = False, {}, ""
        self.leaving, self.in_use = "", {}

    async def _load(self) -> None:
        visitor = await visitor_of(self)
        if visitor is None:
            self.rows = []
            return
        try:
            found = await services().api.connections.list(visitor.principal)
        except StructForgeError as error:
            self.problem, self.loaded = error.problem.as_json(), True
            return
        self.problem, self.loaded = {}, True
        self.may_manage = visitor.principal.may(Permission.CONNECTION_MANAGE)
        self.rows = [
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


def _field(fields: object, name: str) -> str:
    return entered(fields.get(name) if isinstance(fields, dict) else None, MAX_ENTRY_CHARACTERS)


def _icon_button(icon: str, key: str, row: rx.Var[ConnectionItem], action: Any) -> rx.Component:
    return rx.el.button(
        rx.icon(icon, size=16),
        type="button",
        class_name="btn ghost icon",
        aria_label=t(key) + ": " + row["name"].to(str),
        title=t(key),
        on_click=action(row["id"].to(str)),
    )


def _row(row: rx.Var[ConnectionItem]) -> rx.Component:
    tested = when(at=row["tested_at"], locale=language_tag())
    return rx.el.tr(
        rx.el.td(
            rx.el.span(row["name"], class_name="strong"),
            rx.cond(row["description"] != "", rx.el.p(row["description"], class_name="muted small")),
        ),
        rx.el.td(rx.el.code(row["place"]), class_name="small"),
        rx.el.td(
            rx.cond(
                row["tested_at"] == "",
                rx.el.span(t("connections.untried"), class_name="muted"),
                rx.cond(
                    row["problem"] == "",
                    rx.el.span(t("connections.works"), " · ", tested),
                    rx.el.p(
                        rx.icon("circle-alert", size=15),
                        rx.el.span(row["problem"]),
                        class_name="error",
                        style={"display": "flex", "gap": "6px", "align_items": "flex-start"},
                    ),
                ),
            ),
            class_name="small",
        ),
        rx.el.td(
            rx.cond(
                ConnectionsState.may_manage,
                rx.el.div(
                    _icon_button("plug-zap", "connections.try", row, ConnectionsState.try_one),
                    _icon_button("trash-2", "connections.delete", row, ConnectionsState.ask_delete),
                    class_name="row end",
                    style={"flex_wrap": "nowrap"},
                ),
            ),
            class_name="menu-cell",
        ),
        key=row["id"].to(str),
    )


def _table() -> rx.Component:
    headings = ("connections.name", "connections.place", "connections.state")
    return rx.el.div(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    *(rx.el.th(t(key), scope="col") for key in headings),
                    rx.el.th(rx.el.span(t("connections.actions"), class_name="visually-hidden"), scope="col"),
                )
            ),
            rx.el.tbody(rx.foreach(ConnectionsState.rows, _row)),
            class_name="data",
        ),
        class_name="table-wrap",
    )


def _line(name: str, key: str, *, hint: str = "", **more: Any) -> rx.Component:
    wrong = ConnectionsState.wrong_field == name
    place = f"connection-{name.replace('.', '-')}"
    described = f"{place}-hint" if hint else ""
    return rx.el.div(
        rx.el.label(t(f"connections.{key}"), html_for=place),
        rx.el.input(
            id=place,
            name=name,
            class_name="input",
            auto_complete="off",
            aria_invalid=rx.cond(wrong, "true", "false"),
            aria_describedby=rx.cond(wrong, f"{place}-problem", described),
            **more,
        ),
        rx.el.p(t(hint), class_name="help", id=f"{place}-hint") if hint else rx.fragment(),
        rx.cond(
            wrong,
            rx.el.p(
                rx.icon("circle-alert", size=15),
                rx.el.span(told(ConnectionsState.add_problem)),
                class_name="error",
                id=f"{place}-problem",
                role="alert",
            ),
        ),
        class_name="field",
    )


def _form() -> rx.Component:
    elsewhere = (ConnectionsState.add_problem.length() > 0) & ~rx.Var.create(sorted(FIELDS)).contains(
        ConnectionsState.wrong_field
    )
    return rx.el.form(
        _line("name", "name", hint="connections.name_hint"),
        _line("description", "description"),
        _line("settings.host", "host"),
        _line("settings.port", "port", default_value="5432", input_mode="numeric"),
        _line("settings.database", "database"),
        _line("settings.user", "user"),
        _line("secret", "secret", type="password", hint="connections.secret_hint"),
        rx.el.div(
            rx.el.label(t("connections.tls"), html_for="connection-tls"),
            rx.el.select(
                *(rx.el.option(t(f"connections.tls.{each}"), value=each) for each in TLS),
                id="connection-tls",
                name="settings.tls",
                default_value=TLS[0],
                class_name="input",
            ),
            class_name="field",
        ),
        rx.cond(elsewhere, rx.el.p(told(ConnectionsState.add_problem), class_name="error", role="alert")),
        rx.el.div(
            rx.el.button(
                t("app.cancel"), type="button", class_name="btn ghost", on_click=ConnectionsState.close
            ),
            rx.el.button(t("connections.add"), type="submit", class_name="btn primary"),
            class_name="row end",
        ),
        on_submit=ConnectionsState.add,
        class_name="stack",
        no_validate=True,
    )


def _dialogs() -> rx.Component:
    close = {"close_text": t("app.close"), "on_close": ConnectionsState.close}
    return rx.fragment(
        dialog(_form(), open=ConnectionsState.adding, label=t("connections.add"), **close),
        dialog(
            rx.el.p(ConnectionsState.leaving_name, class_name="strong"),
            rx.cond(
                ConnectionsState.in_use.length() == 0,
                rx.el.p(t("connections.delete_lead"), class_name="muted"),
                rx.el.p(told(ConnectionsState.in_use, "message"), class_name="error", role="alert"),
            ),
            rx.el.div(
                rx.el.button(
                    t("app.cancel"),
                    type="button",
                    class_name="btn ghost",
                    on_click=ConnectionsState.close,
                    custom_attrs={"data-focus": "true"},
                ),
                rx.el.button(
                    rx.cond(
                        ConnectionsState.in_use.length() == 0,
                        t("connections.delete"),
                        t("connections.delete_anyway"),
                    ),
                    type="button",
                    class_name="btn danger",
                    on_click=ConnectionsState.delete,
                ),
                class_name="row end",
            ),
            open=ConnectionsState.leaving != "",
            label=t("connections.delete"),
            **close,
        ),
    )


def connections_page() -> rx.Component:
    """The page."""
    add = rx.el.button(
        rx.icon("plus", size=15),
        t("connections.add"),
        type="button",
        class_name="btn primary",
        on_click=ConnectionsState.ask,
    )
    listed = rx.cond(
        ConnectionsState.rows.length() > 0,
        _table(),
        empty("plug", t("connections.none"), t("connections.none_hint")),
    )
    return shell(
        page_head(t("connections.title"), t("connections.lead"), rx.cond(ConnectionsState.may_manage, add)),
        rx.cond(
            ConnectionsState.problem,
            notice(t("connections.error"), rx.el.p(told(ConnectionsState.problem))),
        ),
        rx.cond(
            ConnectionsState.problem.length() == 0,
            rx.el.section(
                rx.cond(ConnectionsState.loaded, listed, skeleton()),
                class_name="card",
                aria_label=t("connections.title"),
            ),
        ),
        _dialogs(),
    )
