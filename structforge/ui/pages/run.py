"""One run, followed live: the state of its page.

Invariant: the room of the run is entered before the snapshot is read, so nothing falls between them.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any
from uuid import UUID

import reflex as rx

from structforge.api.entries import problem_fields
from structforge.domain.errors import NotFoundError, StructForgeError
from structforge.storage.repositories.runs import Group
from structforge.ui.exact import exactly
from structforge.ui.library import entered
from structforge.ui.pages.run_questions import QuestionsState
from structforge.ui.run_feed import RUN_FEED
from structforge.ui.run_rows import RunItem, TryItem, by_step, run_item, snapshot_of
from structforge.ui.services import RunView, Visitor, services
from structforge.ui.session import goes_on, parse_id, tell_problem, visitor_of

MAX_PART_ROWS = 100
MAX_KEY = 500


class RunState(rx.State):
    """The run being looked at."""

    channel: str = ""
    snapshot: dict[str, Any] = {}
    extra: list[Any] = []
    """Iterations beyond the snapshot, as live.jsx takes them."""
    workflow: str = ""
    version: int = 0
    trigger: str = ""
    created_at: str = ""
    finished_at: str = ""
    result: str = ""
    result_is_text: bool = False
    problem: dict[str, Any] = {}
    over: bool = False
    graph: dict[str, Any] = {}
    workflow_ref: str = ""
    selected: str = ""
    output: dict[str, Any] = {}
    tries: list[TryItem] = []
    """Attempts of the selected step before its last."""
    input: str = ""
    origin: list[RunItem] = []
    """The run it retries or replays, if there is one."""
    parent: list[RunItem] = []
    """The run that called it, if there is one."""
    calls: list[RunItem] = []
    """Runs that its steps called, or its failure started."""
    descendants: list[RunItem] = []
    state: str = "loading"
    """`loading`, `shown`, `missing` or `broken`."""
    load_problem: dict[str, Any] = {}
    _room: str = ""

    @rx.event
    async def enter(self) -> None:
        """Open the page of the run in the address."""
        run_id = parse_id(self.run_id)
        visitor = await visitor_of(self)
        if visitor is None:
            self.channel, self.snapshot = "", {}
            return
        if str(run_id) != self.channel:
            self.state, self.snapshot, self.extra, self.result, self.problem = "loading", {}, [], "", {}
            self.graph, self.selected, self.output, self.tries, self.input = {}, "", {}, [], ""
            self.origin, self.parent, self.calls, self.descendants = [], [], [], []
        await self._follow(visitor, run_id)

    @rx.event
    async def reload(self) -> None:
        """Read a new snapshot: a patch was missed, the run has ended, or something waits for a person."""
        visitor, run_id = await visitor_of(self), parse_id(self.channel)
        if visitor is not None and run_id is not None and await self._read(visitor, run_id):
            await self._load_output()

    @rx.event
    async def select(self, step: str) -> None:
        """Show what went into a step and came out of it."""
        step = entered(step, MAX_KEY)
        self.selected = "" if step == self.selected else step
        await self._load_output()

    @rx.event
    async def look_again(self) -> None:
        """Read what the selected step gave: its status has changed."""
        await self._load_output()

    @rx.event
    async def act(self, kind: str, value: Any) -> None:
        """Take an action of the canvas: selecting a node shows its step."""
        if kind == "select" and isinstance(value, list) and len(value) == 1:
            self.selected = entered(value[0], MAX_KEY)
            await self._load_output()

    @rx.event
    async def open_group(self, key: str, first: int, count: int) -> None:
        """Read a page of iterations that the snapshot left out."""
        visitor, run_id = await visitor_of(self), parse_id(self.channel)
        numbers = (first, count)
        if (
            visitor is None
            or run_id is None
            or not all(isinstance(number, int | float) for number in numbers)
        ):
            return
        begin, size = max(int(first), 0), min(max(int(count), 1), MAX_PART_ROWS)
        try:
            group = Group(entered(key, MAX_KEY), min(begin, 10**9), size)
            attempts = await services().views.iterations(visitor.principal, run_id, group)
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        titles = {item["id"]: item.get("title", item["id"]) for item in self.graph.get("nodes", ())}
        rows = [
            [found["key"], {name: value for name, value in found.items() if name != "key"}]
            for found in by_step(attempts, titles).values()
        ]
        self.extra = [self.channel, rows]

    async def _load_output(self) -> None:
        visitor, run_id = await visitor_of(self), parse_id(self.channel)
        if visitor is None or run_id is None or not self.selected:
            self.output, self.tries = {}, []
            return
        try:
            view = await services().step_view(visitor, run_id, self.selected)
        except StructForgeError as error:
            view = problem_fields(error.problem.as_json())
        self.tries = view.pop("tries", [])
        self.output = exactly(view)

    async def _follow(self, visitor: Visitor, run_id: UUID | None) -> None:
        sid = self.router.session.session_id
        previous = parse_id(self._room)
        if previous is not None and previous != run_id:
            await RUN_FEED.unwatch(sid, previous)
        if run_id is None:
            self.state, self.channel, self._room = "missing", "", ""
            return
        # Authorise before the room: the room shows every patch.
        if await self._read(visitor, run_id):
            self._room = str(run_id)
            await RUN_FEED.watch(sid, run_id, goes_on(self))
            await self._read(visitor, run_id)

    async def _read(self, visitor: Visitor, run_id: UUID) -> bool:
        try:
            view = await services().view_run(visitor, run_id)
            relatives = await services().views.relatives(visitor.principal, run_id)
        except NotFoundError:
            self.state, self.channel = "missing", ""
            return False
        except StructForgeError as error:
            self.state, self.load_problem = "broken", error.problem.as_json()
            return False
        self._show(view)
        parent = relatives.parent
        for name, items in (
            ("origin", [run_item(relatives.origin)] if relatives.origin else []),
            ("parent", [run_item(parent, relatives.parent_step)] if parent else []),
            ("calls", [run_item(one, one.run.parent_step_key or "") for one in relatives.calls]),
            ("descendants", [run_item(one) for one in relatives.descendants]),
        ):
            if getattr(self, name) != items:
                setattr(self, name, items)
        await (await self.get_state(QuestionsState))._read(visitor, run_id)
        return True

    def _show(self, view: RunView) -> None:
        run, problem = view["run"], view["problem"]
        snapshot = snapshot_of(run, view["steps"], view["seq"])
        if snapshot != self.snapshot:
            self.snapshot = snapshot
        self.channel = run["id"]
        self.workflow, self.version, self.trigger = run["workflow"], run["version"], run["trigger"]
        self.created_at, self.finished_at = run["created_at"], run["finished_at"]
        self.over = bool(run["finished_at"])
        self.workflow_ref = run["workflow_id"]
        if self.graph != view["graph"]:
            self.graph = view["graph"]
        if self.input != view["input"]:
            self.input = view["input"]
        self.result, self.result_is_text = view["result"], view["result_is_text"]
        self.problem = {"message": "", "where": "", "code": ""} | problem if problem else {}
        self.state = "shown"
