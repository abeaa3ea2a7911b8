"""What the fields of the editor's forms offer to choose from: the organization's workflows and connections.

Invariant: lists come from services as the visitor; somebody who may not see one is offered nothing and writes a name.
"""

from typing import Any

import reflex as rx

from structforge.domain.errors import StructForgeError
from structforge.storage.repositories.paging import MAX_PAGE_SIZE
from structforge.ui.services import Visitor, services


async def _workflows(visitor: Visitor) -> list[dict[str, str]]:
    page = await services().lists.page(visitor.principal, by_name=True, limit=MAX_PAGE_SIZE)
    return [{"value": str(listed.id), "text": listed.labels.name} for listed in page.items]


async def _connections(visitor: Visitor) -> list[dict[str, str]]:
    found = await services().api.connections.list(visitor.principal)
    return [{"value": each.name, "text": each.name} for each in found]


LISTS = {"workflow": _workflows, "connection": _connections}
"""The widget of a field to what it offers."""


class OffersState(rx.State):
    """What was read last, by widget."""

    offers: dict[str, list[dict[str, str]]] = {}

    async def _look(self, visitor: Visitor, schema: dict[str, Any]) -> None:
        """Read the lists that the fields of a form need."""
        needed = {field.get("x-widget") for field in schema.get("properties", {}).values()}
        for widget in LISTS.keys() & needed:
            try:
                found = await LISTS[widget](visitor)
            except StructForgeError:
                continue
            if self.offers.get(widget) != found:
                self.offers = {**self.offers, widget: found}
