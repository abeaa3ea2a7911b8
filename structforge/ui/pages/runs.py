"""The list of runs: newest first, narrowed by what its address says, page by page, kept fresh while it is looked at.

Invariant: rows come from the visitor's organization (the service's call), and the address is the only place where the
filter is kept, so that a link shows to others what it shows here.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.access import Permission
from structforge.domain.errors import StructForgeError
from structforge.services.bulk import BulkAction, BulkRequest, BulkSummary
from structforge.storage.repositories.paging import Cursor
from structforge.storage.repositories.runs import RunFilter
from structforge.ui import routes
from structforge.ui.run_feed import RUN_LIST_FEED
from structforge.ui.run_filters import ListFilter
from structforge.ui.run_rows import RunItem
from structforge.ui.services import Visitor, services
from structforge.ui.session import goes_on, parse_id, say, tell_problem, visitor_of

PAGE_ROWS = 25
MAX_NAMES = 200
MAX_SELECTED = 500
MAX_ASKED = 20

NOBODY = UUID(int=0)

ALLOWED_BY = {
    BulkAction.STOP: Permission.RUN_STOP,
    BulkAction.PAUSE: Permission.RUN_CONTROL,
    BulkAction.RESUME: Permission.RUN_CONTROL,
    BulkAction.RETRY: Permission.RUN_START,
    BulkAction.DELETE: Permission.RUN_DELETE,
}


class RunsState(rx.State):
    """One page of rows."""

    rows: list[RunItem] = []
    only: dict[str, str] = ListFilter().fields()
    narrowed: bool = False
    workflows: list[list[str]] = []
    """`[id, name]` of what can be chosen."""
    has_more: bool = False
    page: int = 1
    loaded: bool = False
    problem: dict[str, Any] = {}
    _before: list[str] = []
    """The cursors of the pages up to this one; none for the first."""
    _next: str = ""
    _room: str = ""
    _asked: list[str] = []
    """Addresses the browser was sent to and has not come to yet."""

    @rx.event
    async def enter(self) -> None:
        """Open the list that the address names at its first page."""
        chosen = ListFilter.of(self.router.url.query_parameters)
        if chosen.path in self._asked:
            self._asked = self._asked[self._asked.index(chosen.path) + 1 :]
            if self._asked:
                return  # More was chosen meanwhile; its address comes next.
        if chosen.fields() != self.only:
            self.only = chosen.fields()
            (await self.get_state(BulkState))._clear()
        self.narrowed = chosen != ListFilter()
        self._before = []
        visitor = await visitor_of(self)
        if visitor is None:
            self.rows = []
            return
        await self._follow(visitor)
        await self._load()
        self.workflows = await self._names(visitor)

    @rx.event
    async def refresh(self) -> None:
        """Read the page again."""
        await self._load()

    @rx.event
    def narrow(self, name: str, value: Any) -> Any:
        """Change one field of the filter."""
        changed = ListFilter.of(self.only).with_field(str(name), value)
        if changed.fields() == self.only:
            return None
        self.only = changed.fields()
        self._asked = [*self._asked[-MAX_ASKED:], changed.path]
        return [BulkState.clear, rx.redirect(changed.path, replace=True)]

    @rx.event
    def show_all(self) -> Any:
        """Narrow nothing."""
        return rx.redirect(routes.RUNS, replace=True)

    @rx.event
    async def older(self) -> None:
        """Go to the next page."""
        if self._next:
            self._before = [*self._before, self._next]
            await self._load()

    @rx.event
    async def newer(self) -> None:
        """Go to the page before."""
        self._before = self._before[:-1]
        await self._load()

    async def _follow(self, visitor: Visitor) -> None:
        """Hear of new and changed runs; a visitor who changed the organization hears of the new one's only."""
        sid, room = self.router.session.session_id, str(visitor.principal.organization_id)
        previous = parse_id(self._room)
        if previous is not None and self._room != room:
            await RUN_LIST_FEED.unwatch(sid, previous)
        self._room = room
        await RUN_LIST_FEED.watch(sid, visitor.principal.organization_id, goes_on(self))

    async def _names(self, visitor: Visitor) -> list[list[str]]:
        try:
            page = await services().lists.page(visitor.principal, limit=MAX_NAMES)
        except StructForgeError:
            return []
        return sorted(
            ([str(item.id), item.labels.name] for item in page.items), key=lambda pair: pair[1].lower()
        )

    async def _load(self) -> None:
        visitor = await visitor_of(self)
        if visitor is None:
            self.rows = []
            return
        try:
            rows, self._next = await services().list_runs(
                visitor,
                ListFilter.of(self.only).as_run_filter(datetime.now(UTC)),
                cursor=self._before[-1] if self._before else "",
                limit=PAGE_ROWS,
            )
        except StructForgeError as error:
            self.problem = error.problem.as_json()
            self.loaded = True
            return
        # Assigned only when changed: an assignment is sent to the browser.
        changes: dict[str, Any] = {
            "rows": rows,
            "has_more": bool(self._next),
            "page": len(self._before) + 1,
            "loaded": True,
            "problem": {},
        }
        for name, value in changes.items():
            if getattr(self, name) != value:
                setattr(self, name, value)


class BulkState(rx.State):
    """What is selected, and one thing being done with all of it."""

    selected: list[str] = []
    single: str = ""
    """The one run whose own menu asked, whatever is selected."""
    whole: bool = False
    """Everything the filter finds, on all pages."""
    asking: str = ""
    """The action that is to be confirmed."""
    matched: int = 0
    """Runs that the action means something for."""
    busy: bool = False
    done: int = 0
    allowed: dict[str, bool] = {}

    def _clear(self) -> None:
        self.selected, self.whole, self.asking, self.busy, self.done = [], False, "", False, 0
        self.single = ""

    @rx.event
    async def enter(self) -> None:
        """Open the list."""
        visitor = await visitor_of(self)
        may = visitor.principal.permissions if visitor else frozenset()
        self.allowed = {action.value: permission in may for action, permission in ALLOWED_BY.items()}

    @rx.event
    def toggle(self, run: str) -> None:
        """Select a run, or leave it out."""
        run, self.whole = str(run), False
        if run in self.selected:
            self.selected = [one for one in self.selected if one != run]
        elif parse_id(run) is not None and len(self.selected) < MAX_SELECTED:
            self.selected = [*self.selected, run]

    @rx.event
    async def toggle_page(self) -> None:
        """Select what the page shows, or nothing of it."""
        shown = [row["id"] for row in (await self.get_state(RunsState)).rows]
        self.whole = False
        if set(shown) <= set(self.selected):
            self.selected = [run for run in self.selected if run not in shown]
        else:
            self.selected = list(dict.fromkeys([*self.selected, *shown]))[:MAX_SELECTED]

    @rx.event
    def select_whole(self) -> None:
        """Select everything the filter finds."""
        self.whole = True

    @rx.event
    def clear(self) -> None:
        """Select nothing."""
        self._clear()

    @rx.event
    async def ask(self, action: str) -> None:
        """Say how many runs an action would change, and ask whether it shall."""
        self.single = ""
        await self._ask(str(action))

    @rx.event
    async def act_on(self, run: str, action: str) -> Any:
        """Do something with one run; what cannot be undone is asked about first."""
        if parse_id(run) is None or action not in ALLOWED_BY:
            return None
        self.single = str(run)
        if action in (BulkAction.STOP, BulkAction.DELETE):
            await self._ask(action)
            return None
        self.asking = action
        return BulkState.go

    async def _ask(self, action: str) -> None:
        visitor = await visitor_of(self)
        if visitor is None or action not in ALLOWED_BY or not await self._anything():
            return
        request = BulkRequest(BulkAction(action), await self._only(), count_only=True)
        try:
            self.matched = (await services().api.bulk.apply(visitor.principal, request)).matched
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self.asking = action

    @rx.event
    def compare(self) -> Any:
        """Show where the two selected runs differ, the earlier one first."""
        if len(self.selected) != 2:
            return None
        # Ids sort by the time they were made.
        return rx.redirect(routes.comparison(*sorted(self.selected)))

    @rx.event
    def leave(self) -> None:
        """Do nothing."""
        self.asking, self.single = "", ""

    @rx.event
    async def go(self) -> Any:
        """Do what was asked for, batch by batch."""
        visitor, action = await visitor_of(self), self.asking
        if visitor is None or action not in ALLOWED_BY or self.busy or not await self._anything():
            return
        self.busy, self.done = True, 0
        yield
        failed = 0
        request = BulkRequest(BulkAction(action), await self._only())
        try:
            while True:
                summary: BulkSummary = await services().api.bulk.apply(visitor.principal, request)
                self.done += summary.done
                failed += summary.failed
                if summary.next_cursor is None:
                    break
                request = replace(request, job_id=summary.job_id, cursor=Cursor.decode(summary.next_cursor))
                yield
        except StructForgeError as error:
            await tell_problem(self, error)
        done = self.done
        if self.single:
            self.single, self.asking, self.busy = "", "", False
        else:
            self._clear()
        await say(self, "bulk.done_failed" if failed else "bulk.done", count=done, failed=failed)
        await (await self.get_state(RunsState))._load()

    async def _anything(self) -> bool:
        return self.whole or bool(self.selected) or self.single != ""

    async def _only(self) -> RunFilter:
        if self.whole and not self.single:
            return ListFilter.of((await self.get_state(RunsState)).only).as_run_filter(datetime.now(UTC))
        ids = tuple(
            found
            for run in ([self.single] if self.single else self.selected)
            if (found := parse_id(run)) is not None
        )
        # No id at all would narrow nothing.
        return RunFilter(ids=ids or (NOBODY,))
