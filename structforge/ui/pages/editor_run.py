"""Running the draft in place: all of it, up to a node, or one node; pins, and what is remembered of each node.

Invariant: holds ids, a snapshot and short rows; values are fetched by the browser when somebody looks at them, and what
changes while a run goes on reaches it by the run's own feed.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.errors import InvalidError, StructForgeError
from structforge.services.draft_runs import DraftRunRequest
from structforge.ui.draft_facts import channel_of, fact_rows
from structforge.ui.field_names import with_field_names
from structforge.ui.live import TOPIC_CHARACTERS
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.pages.editor_input import InputState
from structforge.ui.run_feed import RUN_FEED
from structforge.ui.run_rows import snapshot_of
from structforge.ui.services import Visitor, services
from structforge.ui.session import goes_on, parse_id, say, tell, tell_problem, visitor_of


class FactsState(rx.State):
    """What is remembered of the draft's nodes: a snapshot at first, then only what changed."""

    channel: str = ""
    snapshot: dict[str, Any] = {}
    patch: list[Any] = []
    values_href: str = ""
    """Followed by a node's id and `/values`: where the browser reads what came out of it."""
    _rows: dict[str, dict[str, Any]] = {}
    _seq: int = 0

    def _close(self) -> None:
        self.channel, self.snapshot, self.patch, self.values_href = "", {}, [], ""
        self._rows, self._seq = {}, 0

    @rx.event
    async def read_again(self) -> None:
        """Send everything: a change was missed."""
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is not None and workflow_id is not None:
            await self._look(visitor, workflow_id, whole=True)

    @rx.event
    async def look(self) -> None:
        """Send what changed: somebody changed the draft, or a run has ended."""
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is not None and workflow_id is not None:
            await self._look(visitor, workflow_id)

    async def _look(self, visitor: Visitor, workflow_id: UUID, *, whole: bool = False) -> None:
        try:
            rows = fact_rows(await services().api.draft_memory.read(visitor.principal, workflow_id))
        except StructForgeError:
            return  # The page says so itself when the draft cannot be read.
        channel = channel_of(workflow_id)
        if whole or channel != self.channel:
            self.channel, self._rows, self._seq = channel, rows, self._seq + 1
            self.values_href = f"/api/v1/workflows/{workflow_id}/draft/nodes/"
            self.snapshot = {"channel": channel, "seq": self._seq, "rows": list(rows.items())}
            return
        known = self._rows
        gone = {name: dict.fromkeys(row, "") for name, row in known.items() if name not in rows}
        changed = [[name, row] for name, row in rows.items() if known.get(name) != row] + list(gone.items())
        if changed:
            self._rows, self._seq = rows, self._seq + 1
            self.patch = [channel[-TOPIC_CHARACTERS:], self._seq, self._seq, changed]


class DraftRunState(rx.State):
    """The run that the canvas shows."""

    run_id_shown: str = ""
    run_snapshot: dict[str, Any] = {}
    run_active: bool = False
    show_values: bool = False
    """The dock below the canvas is open. Never by a selection: nothing may move while a node is dragged."""
    _shut: bool = False
    """The visitor closed the dock: a run leaves it so."""

    @rx.event
    def toggle_values(self) -> None:
        """Open or close the dock."""
        self.show_values = not self.show_values
        self._shut = not self.show_values

    def _close(self) -> None:
        self.run_id_shown, self.run_snapshot, self.run_active = "", {}, False

    @rx.event
    async def run(self) -> None:
        """Run a copy of the draft, and follow it on the canvas."""
        await self._start(DraftRunRequest())

    @rx.event
    async def run_until(self, node: str) -> None:
        """Run a node and all it needs anew."""
        await self._start(DraftRunRequest(str(node)))

    @rx.event
    async def run_stale(self, node: str) -> None:
        """Run a node, and of what it needs what is stale or missing."""
        await self._start(DraftRunRequest(str(node), "fresh"))

    @rx.event
    async def run_only(self, node: str) -> None:
        """Run one node on the results that are there."""
        await self._start(DraftRunRequest(str(node), "any"))

    @rx.event
    async def ask_input(self) -> None:
        """Ask for the input of a run, whether or not the draft declares any."""
        await self._start(DraftRunRequest(), ask=True)

    @rx.event
    async def run_with_input(self) -> None:
        """Start the run that waits for its input."""
        asked = await self.get_state(InputState)
        request = await asked._filled() if asked.asking else None
        if request is not None:
            await self._start(request)

    async def _start(self, request: DraftRunRequest, *, ask: bool = False) -> None:
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is None or workflow_id is None:
            return
        asked = await self.get_state(InputState)
        try:
            if request.input is None:
                completed = await asked._complete(visitor, workflow_id, request, ask=ask)
                if completed is None:
                    return
                request = completed
            started = await services().api.draft_runs.start(visitor.principal, workflow_id, request)
            asked._close()
            self.show_values = not self._shut
            await self._follow(visitor, started.run_id)
        except InvalidError as error:
            if not asked._refuse(error):
                await self._tell_fields(visitor, workflow_id, error)
        except StructForgeError as error:
            await tell_problem(self, error)

    async def _tell_fields(self, visitor: Visitor, workflow_id: UUID, error: InvalidError) -> None:
        """Say what is wrong with a parameter by the name it has on the form."""
        try:
            draft = (await services().api.workflows.get(visitor.principal, workflow_id)).draft
        except StructForgeError:
            await tell_problem(self, error)
            return
        await tell(self, with_field_names(error.problem.as_json(), draft, services().registry), "error")

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
    async def pin(self, node: str) -> None:
        """Pin the last result of a node, or take its pin away."""
        facts = await self.get_state(FactsState)
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is None or workflow_id is None:
            return
        memory, name = services().api.draft_memory, str(node)
        pinned = bool(facts._rows.get(name, {}).get("pinned"))
        try:
            if pinned:
                await memory.unpin(visitor.principal, workflow_id, name)
            else:
                await memory.pin(visitor.principal, workflow_id, name)
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        await say(self, "debug.unpinned_told" if pinned else "debug.pinned_told", node=name)
        await facts._look(visitor, workflow_id)

    @rx.event
    async def look_at_run(self) -> None:
        """Read the run on the canvas again: a patch was missed, or it has ended."""
        visitor, run_id = await visitor_of(self), parse_id(self.run_id_shown)
        if visitor is None or run_id is None:
            return
        await self._read(visitor, run_id)
        await self._look_at_facts(visitor)

    async def _look_at_facts(self, visitor: Visitor) -> None:
        workflow_id = parse_id((await self.get_state(DraftState)).topic)
        if workflow_id is not None:
            await (await self.get_state(FactsState))._look(visitor, workflow_id)

    async def _follow(self, visitor: Visitor, run_id: UUID) -> None:
        if not await self._read(visitor, run_id):
            return
        await RUN_FEED.watch(self.router.session.session_id, run_id, goes_on(self))
        await self._read(visitor, run_id)
        if not self.run_active:
            # It was over before anybody looked: no patch will say so.
            await self._look_at_facts(visitor)

    async def _read(self, visitor: Visitor, run_id: UUID) -> bool:
        try:
            view = await services().view_run(visitor, run_id)
        except StructForgeError:
            return False
        self.run_id_shown = str(run_id)
        self.run_snapshot = snapshot_of(view["run"], view["steps"], view["seq"])
        self.run_active = not view["run"]["finished_at"]
        return True
