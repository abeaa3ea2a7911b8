"""The list of runs: newest first, by status, page by page, kept fresh while it is looked at.

Invariant: rows come from the visitor's organization (the backend's call); the filter is a known name.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.domain.errors import StructForgeError
from structforge.domain.run import TERMINAL_RUN_STATUSES, RunStatus
from structforge.ui import routes
from structforge.ui.components.live import duration, status_mark, when
from structforge.ui.components.page import ticker
from structforge.ui.locale import label_of, language_tag, t
from structforge.ui.services import RunItem, services
from structforge.ui.session import visitor_of
from structforge.ui.shell import empty, notice, page_head, shell, skeleton

PAGE_ROWS = 25
REFRESH_MS = 3_000

FILTERS: dict[str, tuple[str, ...]] = {
    "all": (),
    "active": tuple(sorted(status for status in RunStatus if status not in TERMINAL_RUN_STATUSES)),
    "succeeded": (RunStatus.SUCCEEDED,),
    "failed": (RunStatus.FAILED,),
    "cancelled": (RunStatus.CANCELLED,),
}


class RunsState(rx.State):
    """One page of rows."""

    rows: list[RunItem] = []
    filter: str = "all"
    has_more: bool = False
    page: int = 1
    loaded: bool = False
    problem: str = ""
    _before: list[str] = []
    """The cursors of the pages up to this one; none for the first."""
    _next: str = ""

    @rx.event
    async def enter(self) -> None:
        """Open the list at its first page."""
        self._before = []
        await self._load()

    @rx.event
    async def refresh(self) -> None:
        """Read the page again."""
        await self._load()

    @rx.event
    async def choose(self, name: str) -> None:
        """Show the runs of one group of statuses."""
        if name in FILTERS:
            self.filter = name
            self._before = []
            await self._load()

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

    async def _load(self) -> None:
        visitor = await visitor_of(self)
        if visitor is None:
            self.rows = []
            return
        try:
            rows, self._next = await services().list_runs(
                visitor,
                statuses=FILTERS[self.filter],
                cursor=self._before[-1] if self._before else "",
                limit=PAGE_ROWS,
            )
        except StructForgeError as error:
            self.problem = str(error.problem)
            self.loaded = True
            return
        # Assigned only when changed: an assignment is sent to the browser.
        changes: dict[str, Any] = {
            "rows": rows,
            "has_more": bool(self._next),
            "page": len(self._before) + 1,
            "loaded": True,
            "problem": "",
        }
        for name, value in changes.items():
            if getattr(self, name) != value:
                setattr(self, name, value)


def _filters() -> rx.Component:
    texts = {"all": t("runs.all"), "active": t("runs.active")}
    return rx.el.div(
        *(
            rx.el.button(
                texts.get(name, t(f"status.{name}") if name not in texts else ""),
                type="button",
                aria_pressed=rx.cond(RunsState.filter == name, "true", "false"),
                on_click=RunsState.choose(name),
            )
            for name in FILTERS
        ),
        class_name="segmented",
        role="group",
        aria_label=t("runs.filter"),
    )


def _row(row: rx.Var[RunItem]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.el.a(row["workflow"], href=routes.RUNS + "/" + row["id"].to(str), class_name="strong"),
            rx.el.div(
                rx.cond(row["version"].to(int) > 0, t("run.version") + f" {row['version']}", t("run.draft")),
                class_name="muted small",
            ),
        ),
        rx.el.td(status_mark(status=row["status"], label=label_of("status", row["status"]))),
        rx.el.td(when(at=row["created_at"], locale=language_tag())),
        rx.el.td(duration(start=row["started_at"], end=row["finished_at"])),
        rx.el.td(label_of("trigger", row["trigger"]), class_name="muted"),
    )


def _table() -> rx.Component:
    headings = ("runs.workflow", "runs.status", "runs.started", "runs.duration", "runs.trigger")
    return rx.el.div(
        rx.el.div(
            rx.el.table(
                rx.el.thead(rx.el.tr(*(rx.el.th(t(key), scope="col") for key in headings))),
                rx.el.tbody(rx.foreach(RunsState.rows, _row)),
                class_name="data",
            ),
            class_name="table-wrap",
        ),
        rx.el.div(
            rx.el.span(t("runs.page"), " ", RunsState.page),
            rx.el.div(
                rx.el.button(
                    t("app.previous"),
                    type="button",
                    class_name="btn",
                    disabled=RunsState.page <= 1,
                    on_click=RunsState.newer,
                ),
                rx.el.button(
                    t("app.next"),
                    type="button",
                    class_name="btn",
                    disabled=~RunsState.has_more,
                    on_click=RunsState.older,
                ),
                class_name="row",
            ),
            class_name="pager",
        ),
    )


def _content() -> rx.Component:
    nothing = rx.cond(
        RunsState.filter == "all",
        empty("activity", t("runs.empty"), t("runs.empty_hint")),
        empty("list-filter", t("runs.empty_filtered"), t("runs.empty_filtered_hint")),
    )
    return rx.cond(
        RunsState.loaded,
        rx.cond(
            (RunsState.rows.length() > 0) | (RunsState.page > 1),
            _table(),
            nothing,
        ),
        skeleton(),
    )


def runs_page() -> rx.Component:
    """The page."""
    return shell(
        ticker(every_ms=REFRESH_MS, on_tick=RunsState.refresh),
        page_head(t("runs.title"), t("runs.lead"), _filters()),
        rx.cond(
            RunsState.problem != "",
            notice(
                t("runs.error"),
                rx.el.p(RunsState.problem),
                rx.el.button(t("app.retry"), type="button", class_name="btn", on_click=RunsState.refresh),
            ),
        ),
        rx.el.section(_content(), class_name="card", aria_label=t("runs.title")),
    )
