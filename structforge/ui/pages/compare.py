"""Two runs side by side: which steps ended differently, and what differs in what they gave.

Invariant: the comparison is the service's; this page holds nothing of the values but what it lists.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any, TypedDict

import reflex as rx

from structforge.domain.errors import NotFoundError, StructForgeError
from structforge.domain.values import readable_json
from structforge.services.comparisons import Comparison
from structforge.ui import routes
from structforge.ui.components.live import duration, status_mark, when
from structforge.ui.components.told import told
from structforge.ui.locale import label_of, language_tag, t
from structforge.ui.run_rows import RunItem, run_item
from structforge.ui.services import services
from structforge.ui.session import parse_id, visitor_of
from structforge.ui.shell import empty, notice, page_head, shell, skeleton

MAX_STEPS = 200
VALUE_CHARACTERS = 600


class ChangeItem(TypedDict):
    """One value that differs, as JSON text; empty on the side that lacks it."""

    path: str
    old: str
    new: str


class DifferenceItem(TypedDict):
    """One step that differs."""

    key: str
    before: str
    """Its status in the first run; empty where it has no such step."""
    after: str
    changes: list[ChangeItem]
    more: bool


class CompareState(rx.State):
    """The two runs and where they differ."""

    runs: list[RunItem] = []
    steps: list[DifferenceItem] = []
    equal_steps: int = 0
    same_version: bool = True
    hidden: int = 0
    """Differing steps beyond those listed."""
    state: str = "loading"
    """`loading`, `shown`, `missing` or `broken`."""
    load_problem: dict[str, Any] = {}

    @rx.event
    async def enter(self) -> None:
        """Compare the runs in the address."""
        first, second = parse_id(self.run_id), parse_id(self.other_run_id)
        visitor = await visitor_of(self)
        self.state, self.steps, self.runs = "loading", [], []
        if visitor is None:
            return
        if first is None or second is None:
            self.state = "missing"
            return
        try:
            found = await services().api.comparisons.compare(visitor.principal, first, second)
            named = [
                (await services().views.picture(visitor.principal, run)).named for run in (first, second)
            ]
        except NotFoundError:
            self.state = "missing"
        except StructForgeError as error:
            self.state, self.load_problem = "broken", error.problem.as_json()
        else:
            self.runs = [run_item(one) for one in named]
            self._show(found)

    def _show(self, found: Comparison) -> None:
        self.steps = [
            {
                "key": step.step_key,
                "before": step.statuses[0] or "",
                "after": step.statuses[1] or "",
                "changes": [_change_item(change.as_json()) for change in step.changes],
                "more": step.more,
            }
            for step in found.steps[:MAX_STEPS]
        ]
        self.equal_steps, self.same_version = found.equal_steps, found.same_version
        self.hidden = max(0, len(found.steps) - MAX_STEPS)
        self.state = "shown"


def _change_item(change: dict[str, Any]) -> ChangeItem:
    return {
        "path": change["path"],
        "old": _text(change["old"]) if "old" in change else "",
        "new": _text(change["new"]) if "new" in change else "",
    }


def _text(value: Any) -> str:
    text = readable_json(value)
    return text if len(text) <= VALUE_CHARACTERS else f"{text[:VALUE_CHARACTERS]} …"


def _run_head(row: rx.Var[RunItem], place: rx.Var[int]) -> rx.Component:
    return rx.el.div(
        rx.el.span(rx.cond(place == 0, t("compare.first"), t("compare.second")), class_name="label"),
        rx.el.div(
            rx.el.a(row["workflow"], href=routes.RUNS + "/" + row["id"].to(str), class_name="strong"),
            status_mark(status=row["status"], label=label_of("status", row["status"])),
            class_name="row",
        ),
        rx.el.div(
            rx.cond(row["version"].to(int) > 0, t("run.version") + f" {row['version']}", t("run.draft")),
            " · ",
            when(at=row["created_at"], locale=language_tag()),
            " · ",
            duration(start=row["started_at"], end=row["finished_at"]),
            class_name="muted small",
        ),
        class_name=rx.cond(place == 0, "card pad compare-old", "card pad compare-new"),
    )


def _side(text: rx.Var[str], look: str) -> rx.Component:
    return rx.cond(
        text != "",
        rx.el.pre(text, class_name=f"diff-value {look}", tab_index=0),
        rx.el.span(t("compare.absent"), class_name="muted small"),
    )


def _change(change: rx.Var[ChangeItem]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(rx.el.code(change["path"])),
        rx.el.td(_side(change["old"], "old")),
        rx.el.td(_side(change["new"], "new")),
    )


def _status(status: rx.Var[str]) -> rx.Component:
    return rx.cond(
        status != "",
        status_mark(status=status, label=label_of("status", status)),
        rx.el.span(t("compare.no_step"), class_name="muted small"),
    )


def _step(step: rx.Var[DifferenceItem]) -> rx.Component:
    return rx.el.details(
        rx.el.summary(
            rx.el.code(step["key"], class_name="strong"),
            _status(step["before"]),
            rx.el.span("→", aria_hidden="true"),
            _status(step["after"]),
            rx.el.span(
                step["changes"].to(list[ChangeItem]).length(),
                " ",
                t("compare.changes"),
                class_name="muted small push",
            ),
        ),
        rx.el.div(
            rx.el.table(
                rx.el.thead(
                    rx.el.tr(
                        rx.el.th(t("compare.place"), scope="col"),
                        rx.el.th(t("compare.first"), scope="col"),
                        rx.el.th(t("compare.second"), scope="col"),
                    )
                ),
                rx.el.tbody(rx.foreach(step["changes"].to(list[ChangeItem]), _change)),
                class_name="data diff",
            ),
            rx.cond(step["more"], rx.el.p(t("compare.more"), class_name="muted small")),
            class_name="table-wrap",
            tab_index=0,
        ),
        class_name="difference",
        open=True,
        data_step=step["key"],
    )


def compare_page() -> rx.Component:
    """The page."""
    same = empty("equal", t("compare.equal"), t("compare.equal_hint"))
    shown = rx.fragment(
        rx.el.nav(
            rx.el.a(t("runs.title"), href=routes.RUNS),
            rx.el.span("/"),
            rx.el.span(t("compare.title")),
            class_name="crumbs",
        ),
        page_head(
            t("compare.title"),
            rx.cond(CompareState.same_version, t("compare.same_version"), t("compare.other_version")),
        ),
        rx.el.div(
            rx.el.div(rx.foreach(CompareState.runs, _run_head), class_name="pair"),
            rx.el.p(
                t("compare.summary", differ=CompareState.steps.length(), equal=CompareState.equal_steps),
                role="status",
            ),
            rx.el.section(
                rx.cond(
                    CompareState.steps.length() > 0,
                    rx.el.div(rx.foreach(CompareState.steps, _step)),
                    same,
                ),
                class_name="card",
                aria_label=t("compare.title"),
            ),
            rx.cond(
                CompareState.hidden > 0,
                rx.el.p(t("compare.hidden", count=CompareState.hidden), class_name="muted"),
            ),
            class_name="stack",
        ),
    )
    back = rx.el.a(t("app.home"), href=routes.RUNS, class_name="btn")
    return shell(
        rx.match(
            CompareState.state,
            ("shown", shown),
            ("missing", empty("search-x", t("run.missing"), t("run.missing_hint"), back)),
            ("broken", notice(t("run.error_load"), rx.el.p(told(CompareState.load_problem)), back)),
            skeleton(),
        )
    )
