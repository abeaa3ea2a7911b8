"""Help with the expressions of the selected node: what can be named there, and what a text gives now.

Invariant: a text is evaluated for the node that is selected on the server, never for one the browser names.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from dataclasses import asdict
from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.errors import Problem, StructForgeError
from structforge.ui.expression_help import names_of
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.pages.editor_panel import PanelState
from structforge.ui.services import Visitor, services

MAX_TEXT_CHARACTERS = 100_000


class ExpressionState(rx.State):
    """What the expression fields of the panel show."""

    scope: dict[str, Any] = {}
    preview: dict[str, Any] = {}
    """Of the field that was asked for last: `{"path", "asked", ...services.expression_values.Preview}`."""

    def _close(self) -> None:
        self.scope, self.preview = {}, {}

    @rx.event
    async def look_around(self) -> None:
        """Read again what the selected node can name: a run has ended."""
        node = (await self.get_state(PanelState)).selected
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is not None and workflow_id is not None and node:
            await self._look(visitor, workflow_id, node)

    async def _look(self, visitor: Visitor, workflow_id: UUID, node: str) -> None:
        try:
            around = await services().expressions.surroundings(visitor.principal, workflow_id, node)
        except StructForgeError:
            self.scope = {}
            return
        scope = names_of(around, services().registry)
        # Assigned only when changed: an assignment is sent to the browser.
        if scope != self.scope:
            self.scope = scope

    @rx.event
    async def evaluate(self, path: str, text: str) -> None:
        """Show what the text of a field gives with the last known values."""
        node = (await self.get_state(PanelState)).selected
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is None or workflow_id is None or not node:
            return
        asked = str(text)[:MAX_TEXT_CHARACTERS]
        try:
            found = await services().expressions.preview(
                visitor.principal, workflow_id, node, asked, str(path)[:500]
            )
        except StructForgeError:
            self.preview = {}
            return
        shown = {key: value for key, value in asdict(found).items() if value}
        shown |= Problem("", found.message, hint=found.hint).as_json() if found.message else {}
        self.preview = {"path": str(path)[:500], "asked": asked[:2_000], **shown}
