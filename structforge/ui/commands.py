"""The command palette: finds workflows, runs and node docs, and does what the shell can do; the list of keys.

Invariant: what is found comes from services as the visitor, a bounded number of each kind.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.domain.errors import StructForgeError
from structforge.storage.repositories.runs import RunFilter
from structforge.ui import routes
from structforge.ui.components.commands import command_button, commands
from structforge.ui.library import entered
from structforge.ui.locale import LOCALES, LocaleState, labels, message, t
from structforge.ui.node_texts import said
from structforge.ui.services import Visitor, found_nodes, services
from structforge.ui.session import visitor_of

MAX_CHARACTERS = 200
WORKFLOWS, RUNS, NODES = 7, 5, 6
"""How many of each kind are shown."""
RUN_SEARCH_CHARACTERS = 3
"""Shorter texts do not search the runs: everything would match."""


class CommandsState(rx.State):
    """What was found for the last text."""

    results: list[dict[str, str]] = []
    query: str = ""

    @rx.event
    async def search(self, text: str) -> None:
        """Find what has these words; nothing gives the workflows changed last."""
        visitor = await visitor_of(self)
        if visitor is None:
            self.results = []
            return
        text = entered(text, MAX_CHARACTERS).strip()
        locale = (await self.get_state(LocaleState)).locale
        found = []
        for part in (_workflows, _nodes, _runs):
            try:
                found += await part(visitor, text, locale)
            except StructForgeError:
                # Without the permission there is nothing of this kind to find.
                continue
        self.results = found
        self.query = text


async def _workflows(visitor: Visitor, text: str, locale: str) -> list[dict[str, str]]:
    page = await services().lists.page(visitor.principal, search=text, limit=WORKFLOWS)
    return [
        {
            "kind": "workflows",
            "id": str(listed.id),
            "title": listed.labels.name,
            "detail": listed.labels.folder,
            "icon": "workflow",
            "href": routes.workflow(str(listed.id)),
        }
        for listed in page.items
    ]


async def _nodes(visitor: Visitor, text: str, locale: str) -> list[dict[str, str]]:
    if not text:
        return []
    return [
        {
            "kind": "nodes",
            "id": node["type"],
            "title": said(locale, node["type"], "title", node["title"]),
            "detail": node["type"],
            "icon": node["icon"],
            "tone": node["category"],
            "href": routes.node(node["type"]),
        }
        for node in found_nodes(visitor.principal, text)[:NODES]
    ]


async def _runs(visitor: Visitor, text: str, locale: str) -> list[dict[str, str]]:
    if len(text) < RUN_SEARCH_CHARACTERS:
        return []
    page = await services().views.page(visitor.principal, RunFilter(search=text), limit=RUNS)
    return [
        {
            "kind": "runs",
            "id": str(named.run.id),
            "title": named.workflow,
            "detail": f"{message(locale, f'status.{named.run.status}')} · {str(named.run.id)[:8]}",
            "icon": "activity",
            "href": routes.run(str(named.run.id)),
        }
        for named in page.items
    ]


def _action(name: str, icon: str, **does: str) -> dict[str, Any]:
    return {"kind": "actions", "id": name, "title": t(f"command.{name}"), "icon": icon} | does


def _actions() -> list[dict[str, Any]]:
    return [
        _action("new", "plus", href=routes.open_form("new")),
        _action("template", "sparkles", href=routes.open_form("templates")),
        _action("import", "upload", href=routes.open_form("import")),
        _action("workflows", "workflow", href=routes.WORKFLOWS),
        _action("runs", "activity", href=routes.RUNS),
        _action("nodes", "file-text", href=routes.NODES),
        _action("connections", "plug", href=routes.CONNECTIONS),
        _action("profile", "circle-user", href=routes.PROFILE),
        _action("members", "users", href=routes.MEMBERS),
        _action("theme", "sun-moon", does="theme"),
        _action("language", "globe", does="language"),
        _action("keys", "keyboard", does="keys"),
        _action("sign_out", "log-out", post=routes.API_SIGN_OUT),
    ]


KEYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("anywhere", (("Mod K", "find"), ("?", "help"), ("Tab", "next"), ("F6", "part"), ("Esc", "close"))),
    (
        "editor",
        (
            ("Mod Z", "undo"),
            ("Mod Shift Z", "redo"),
            ("Mod C", "copy"),
            ("Mod V", "paste"),
            ("Mod A", "all"),
            ("Delete", "remove"),
            ("← ↑ ↓ →", "move"),
            ("Alt ← ↑ ↓ →", "go"),
            ("Enter", "open"),
            ("N", "add"),
            ("C", "connect"),
            ("X", "disable"),
            ("F", "fit"),
            ("Mod S", "save"),
            ("Mod Enter", "run"),
            ("F8", "problem"),
        ),
    ),
)
"""Section and its combinations, each with the message that tells what it does."""


def _keys() -> list[dict[str, Any]]:
    return [
        {
            "title": t(f"keys.{section}"),
            "rows": [[combination, t(f"key.{name}")] for combination, name in rows],
        }
        for section, rows in KEYS
    ]


def palette_button() -> rx.Component:
    """Open the palette with the mouse."""
    return command_button(text=t("commands.open"))


def palette() -> rx.Component:
    """The palette and the list of keys; one a page, mounted by the shell."""
    first, second = LOCALES
    return commands(
        results=CommandsState.results,
        query=CommandsState.query,
        actions=rx.Var.create(_actions()),
        groups=labels("found"),
        texts=labels("commands"),
        keys=rx.Var.create(_keys()),
        on_search=CommandsState.search,
        on_theme=rx.toggle_color_mode,
        on_language=LocaleState.choose(rx.cond(LocaleState.locale == first, second, first)),
    )
