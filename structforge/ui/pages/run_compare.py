"""Choosing the run that the run on the page is compared with: another one of its workflow, newest first.

Invariant: a view and a page of rows; the comparison itself is a page of its own.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined, arg-type"

from typing import Any

import reflex as rx

from structforge.domain.errors import StructForgeError
from structforge.storage.repositories.runs import RunFilter
from structforge.ui import routes
from structforge.ui.components.live import duration, status_mark, when
from structforge.ui.components.overlay import dialog
from structforge.ui.components.told import told
from structforge.ui.locale import label_of, language_tag, t
from structforge.ui.pages.run import RunState
from structforge.ui.run_rows import RunItem
from structforge.ui.services import services
from structforge.ui.session import parse_id, visitor_of
from structforge.ui.shell import empty, notice, skeleton

PAGE_ROWS = 15


class ChoiceItem(RunItem):
    """A run that can be compared with, and the `href` of the comparison."""

    href: str


class RunChoiceState(rx.State):
    """The other runs of the workflow, and the dialog with them."""

    open: bool = False
    rows: list[ChoiceItem] = []
    has_more: bool = False
    loaded: bool = False
    problem: dict[str, Any] = {}
    _next: str = ""

    @rx.event
    async def ask(self) -> None:
        """Show the runs."""
        self.open, self.rows, self.loaded, self._next = True, [], False, ""
        await self._load()

    @rx.event
    async def more(self) -> None:
        """Show older runs too."""
        if self._next:
            await self._load()

    @rx.event
    def close(self) -> None:
        """Compare with nothing."""
        self.open = False

    async def _load(self) -> None:
        page, visitor = await self.get_state(RunState), await visitor_of(self)
        run_id, workflow_id = parse_id(page.channel), parse_id(page.workflow_ref)
        if visitor is None or run_id is None or workflow_id is None:
            return
        try:
            found, self._next = await services().list_runs(
                visitor, RunFilter(workflow_id=workflow_id), cursor=self._next, limit=PAGE_ROWS
            )
        except StructForgeError as error:
            self.problem = error.problem.as_json()
            return
        here = str(run_id)
        # Ids sort by the time they were made: the earlier one is the first of the two.
        rows: list[ChoiceItem] = [
            {**row, "href": routes.comparison(*sorted((here, row["id"])))}
            for row in found
            if row["id"] != here
        ]
        self.rows, self.has_more = [*self.rows, *rows], self._next != ""
        self.problem, self.loaded = {}, True


def _row(row: rx.Var[ChoiceItem]) -> rx.Component:
    version = rx.cond(row["version"].to(int) > 0, t("run.version") + f" {row['version']}", t("run.draft"))
    return rx.el.li(
        status_mark(status=row["status"], label=label_of("status", row["status"])),
        rx.el.a(when(at=row["created_at"], locale=language_tag()), href=row["href"].to(str)),
        rx.el.span(
            version,
            rx.cond(row["origin"] != "", " · " + label_of("origin", row["origin"]), ""),
            " · ",
            duration(start=row["started_at"], end=row["finished_at"]),
            " · ",
            rx.el.span(row["id"].to(str)[-8:], class_name="mono"),
            class_name="muted small",
        ),
        class_name="relative",
    )


def run_choice() -> rx.Component:
    """Return the dialog."""
    retry = rx.el.button(t("app.retry"), type="button", class_name="btn", on_click=RunChoiceState.ask)
    more = rx.el.button(t("app.more"), type="button", class_name="btn", on_click=RunChoiceState.more)
    listed = rx.cond(
        RunChoiceState.rows.length() > 0,
        rx.fragment(
            rx.el.ul(rx.foreach(RunChoiceState.rows, _row), class_name="relatives"),
            rx.cond(RunChoiceState.has_more, more),
        ),
        empty("git-compare", t("compare.alone"), t("compare.alone_hint")),
    )
    return dialog(
        rx.el.p(t("compare.choose_lead"), class_name="muted"),
        rx.cond(
            RunChoiceState.problem.length() > 0,
            notice(t("runs.error"), rx.el.p(told(RunChoiceState.problem)), retry),
            rx.cond(RunChoiceState.loaded, listed, skeleton(4)),
        ),
        open=RunChoiceState.open,
        label=t("compare.choose"),
        close_text=t("app.close"),
        wide=True,
        on_close=RunChoiceState.close,
    )
