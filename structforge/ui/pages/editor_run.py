"""The run on the editor's canvas: started from the draft, followed live, looked into node by node.

Invariant: holds ids and the snapshot only; what changes afterwards reaches the browser by the run's own feed.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.errors import StructForgeError
from structforge.services.runs import StartRequest
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.pages.editor_panel import PanelState
from structforge.ui.run_feed import RUN_FEED
from structforge.ui.run_rows import snapshot_of
from structforge.ui.services import Visitor, services
from structforge.ui.session import parse_id, tell_problem, visitor_of


class DraftRunState(rx.State):
    """The run that the canvas shows."""

    run_id_shown: str = ""
    run_snapshot: dict[str, Any] = {}
    run_active: bool = False
    output: dict[str, Any] = {}

    def _close(self) -> None:
        self.run_id_shown, self.run_snapshot, self.run_active, self.output = "", {}, False, {}

    @rx.event
    async def run(self) -> None:
        """Run a copy of the draft, and follow it on the canvas."""
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is None or workflow_id is None:
            return
        request = StartRequest(input={}, mode="async", draft=True, trigger_kind="manual")
        try:
            started = await services().api.runs.start(visitor.principal, workflow_id, request)
            await self._follow(visitor, started.run_id)
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    async def stop(self) -> None:
        """Stop the run on the canvas."""
        visitor, run_id = await visitor_of(self), parse_id(self.run_id_shown)
        if visitor is None or run_id is None:
            return
        try:
            await services().api.runs.stop(visitor.principal, run_id)
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    async def look_at_run(self) -> None:
        """Read the run on the canvas again: a patch was missed, or it has ended."""
        visitor, run_id = await visitor_of(self), parse_id(self.run_id_shown)
        if visitor is None or run_id is None:
            return
        await self._read(visitor, run_id)
        await self._load_output(visitor)

    @rx.event
    async def look_at_output(self) -> None:
        """Read what the selected node gave, when the panel shows that."""
        visitor = await visitor_of(self)
        if visitor is not None:
            await self._load_output(visitor)

    async def _follow(self, visitor: Visitor, run_id: UUID) -> None:
        if not await self._read(visitor, run_id):
            return
        await RUN_FEED.watch(self.router.session.session_id, run_id)
        await self._read(visitor, run_id)

    async def _read(self, visitor: Visitor, run_id: UUID) -> bool:
        try:
            view = await services().view_run(visitor, run_id)
        except StructForgeError:
            return False
        self.run_id_shown = str(run_id)
        self.run_snapshot = snapshot_of(view["run"], view["steps"], view["seq"])
        self.run_active = not view["run"]["finished_at"]
        return True

    async def _load_output(self, visitor: Visitor) -> None:
        panel = await self.get_state(PanelState)
        if panel.tab != "output":
            return
        run_id = parse_id(self.run_id_shown)
        if run_id is None or not panel.selected:
            self.output = {}
            return
        try:
            self.output = await services().step_view(visitor, run_id, panel.selected)
        except StructForgeError as error:
            self.output = {"problem": str(error.problem)}
