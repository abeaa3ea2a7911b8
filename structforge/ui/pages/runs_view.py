"""How the list of runs looks."""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.services.bulk import ACTS_ON, BulkAction
from structforge.ui import routes
from structforge.ui.components.entry import moment_line, search_line
from structforge.ui.components.live import duration, status_mark, when
from structforge.ui.components.overlay import dialog, menu
from structforge.ui.components.page import pulse, ticker
from structforge.ui.components.told import told
from structforge.ui.locale import label_of, language_tag, t
from structforge.ui.pages.runs import ALLOWED_BY, BulkState, RunsState
from structforge.ui.run_feed import RunListPatchState
from structforge.ui.run_filters import MAX_WORDS, PERIODS, STATUS_GROUPS, TRIGGERS
from structforge.ui.run_rows import RunItem
from structforge.ui.shell import empty, notice, page_head, shell, skeleton

PULSE_MS = 1_000
# Beside the pulse: time passes, and with it what "the last hour" means.
REFRESH_MS = 20_000

ICONS = {"stop": "square", "pause": "pause", "resume": "play", "retry": "rotate-ccw", "delete": "trash-2"}


def _statuses() -> rx.Component:
    return rx.el.div(
        *(
            rx.el.button(
                t(f"runs.group.{name}"),
                type="button",
                aria_pressed=rx.cond(RunsState.only["status"] == name, "true", "false"),
                on_click=RunsState.narrow("status", name),
            )
            for name in STATUS_GROUPS
        ),
        class_name="segmented",
        role="group",
        aria_label=t("runs.filter"),
    )


def _choice(field: str, label: rx.Var[str], *options: rx.Component) -> rx.Component:
    return rx.el.select(
        *options,
        value=RunsState.only[field],
        on_change=lambda value: RunsState.narrow(field, value),
        class_name="input filter-choice",
        aria_label=label,
    )


def _filters() -> rx.Component:
    return rx.el.div(
        _statuses(),
        search_line(
            value=RunsState.only["words"],
            label=t("runs.search"),
            max_length=MAX_WORDS,
            on_search=lambda text: RunsState.narrow("words", text),
        ),
        _choice(
            "workflow",
            t("runs.workflow"),
            rx.el.option(t("runs.every_workflow"), value=""),
            rx.foreach(RunsState.workflows, lambda pair: rx.el.option(pair[1], value=pair[0])),
        ),
        _choice(
            "trigger",
            t("runs.trigger"),
            rx.el.option(t("runs.every_trigger"), value=""),
            *(rx.el.option(t(f"trigger.{name}"), value=name) for name in TRIGGERS),
        ),
        _choice(
            "period",
            t("runs.period"),
            *(rx.el.option(t(f"runs.period.{name}"), value=name) for name in PERIODS),
        ),
        rx.cond(
            RunsState.only["period"] == "own",
            rx.el.div(
                moment_line(
                    value=RunsState.only["since"],
                    label=t("runs.since"),
                    on_set=lambda at: RunsState.narrow("since", at),
                ),
                rx.el.span("–", aria_hidden="true"),
                moment_line(
                    value=RunsState.only["until"],
                    label=t("runs.until"),
                    on_set=lambda at: RunsState.narrow("until", at),
                ),
                class_name="row tight",
            ),
        ),
        rx.cond(
            RunsState.narrowed,
            rx.el.button(
                rx.icon("x", size=14),
                t("runs.clear"),
                type="button",
                class_name="btn ghost",
                on_click=RunsState.show_all,
            ),
        ),
        class_name="filters",
        role="search",
    )


def _bulk_bar() -> rx.Component:
    count = BulkState.selected.length()
    return rx.cond(
        (count > 0) | BulkState.whole,
        rx.el.div(
            rx.el.strong(rx.cond(BulkState.whole, t("bulk.whole"), t("bulk.selected", count=count))),
            rx.cond(
                ~BulkState.whole & RunsState.has_more,
                rx.el.button(
                    t("bulk.select_whole"),
                    type="button",
                    class_name="linkish",
                    on_click=BulkState.select_whole,
                ),
            ),
            rx.cond(
                BulkState.busy,
                rx.el.span(t("bulk.busy", count=BulkState.done), class_name="muted", role="status"),
                rx.el.div(
                    *(
                        rx.cond(
                            BulkState.allowed[action.value],
                            rx.el.button(
                                rx.icon(ICONS[action.value], size=14),
                                t(f"bulk.{action.value}"),
                                type="button",
                                class_name="btn danger" if action.value in ("stop", "delete") else "btn",
                                on_click=BulkState.ask(action.value),
                            ),
                        )
                        for action in ALLOWED_BY
                    ),
                    rx.cond(
                        (count == 2) & ~BulkState.whole,
                        rx.el.button(
                            rx.icon("git-compare", size=14),
                            t("run.compare"),
                            type="button",
                            class_name="btn",
                            on_click=BulkState.compare,
                        ),
                    ),
                    class_name="row tight",
                ),
            ),
            rx.el.button(
                t("bulk.clear"), type="button", class_name="btn ghost push", on_click=BulkState.clear
            ),
            class_name="bulk-bar",
            role="toolbar",
            aria_label=t("bulk.label"),
        ),
    )


def _confirm() -> rx.Component:
    return dialog(
        rx.el.p(
            rx.cond(
                BulkState.matched > 0,
                t("bulk.matched", count=BulkState.matched),
                t("bulk.none_matched"),
            )
        ),
        rx.el.p(label_of("bulk.hint", BulkState.asking), class_name="muted"),
        rx.el.div(
            rx.el.button(t("app.cancel"), type="button", class_name="btn", on_click=BulkState.leave),
            rx.el.button(
                label_of("bulk.go", BulkState.asking),
                type="button",
                class_name="btn primary",
                disabled=(BulkState.matched == 0) | BulkState.busy,
                on_click=BulkState.go,
            ),
            class_name="row end",
        ),
        open=(BulkState.asking != "") & ~BulkState.busy,
        label=label_of("bulk.go", BulkState.asking),
        close_text=t("app.close"),
        on_close=BulkState.leave,
    )


def _menu(row: rx.Var[RunItem]) -> rx.Component:
    page = routes.RUNS + "/" + row["id"].to(str)
    over = sorted(ACTS_ON[BulkAction.REPLAY])

    def item(name: str, text: str, icon: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "text": t(text), "icon": icon} | more

    def act(action: BulkAction, **more: Any) -> dict[str, Any]:
        denied = ~BulkState.allowed[action.value]
        when = sorted(ACTS_ON[action])
        return item(action.value, f"bulk.{action}", ICONS[action.value], when=when, hidden=denied, **more)

    may_start = BulkState.allowed[BulkAction.RETRY.value]
    replay = item(
        "replay", "run.replay", "repeat", href=page + f"?{routes.OPEN}=replay", when=over, hidden=~may_start
    )
    compare = item(
        "compare", "compare.choose", "git-compare", href=page + f"?{routes.OPEN}=compare", when=over
    )
    return menu(
        label=t("runs.actions") + ": " + row["workflow"].to(str),
        state=row["status"],
        items=rx.Var.create(
            [
                item("open", "runs.open", "activity", href=page),
                act(BulkAction.PAUSE),
                act(BulkAction.RESUME),
                act(BulkAction.STOP, danger=True),
                act(BulkAction.RETRY),
                replay,
                compare,
                act(BulkAction.DELETE, danger=True),
            ]
        ),
        on_choose=lambda name: BulkState.act_on(row["id"].to(str), name),
    )


def _row(row: rx.Var[RunItem]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.el.input(
                type="checkbox",
                checked=BulkState.selected.contains(row["id"]) | BulkState.whole,
                on_change=BulkState.toggle(row["id"]),
                aria_label=t("bulk.select") + " " + row["workflow"].to(str),
            ),
            class_name="check",
        ),
        rx.el.td(
            rx.el.a(row["workflow"], href=routes.RUNS + "/" + row["id"].to(str), class_name="strong"),
            rx.el.div(
                rx.cond(row["version"].to(int) > 0, t("run.version") + f" {row['version']}", t("run.draft")),
                rx.cond(row["origin"] != "", " · " + label_of("origin", row["origin"]), ""),
                " · ",
                rx.el.span(row["id"].to(str)[-8:], class_name="mono"),
                class_name="muted small",
            ),
        ),
        rx.el.td(
            status_mark(status=row["status"], label=label_of("status", row["status"])),
            rx.cond(row["note"] != "", rx.el.div(told(row["note"]), class_name="muted small clip")),
        ),
        rx.el.td(when(at=row["created_at"], locale=language_tag())),
        rx.el.td(duration(start=row["started_at"], end=row["finished_at"])),
        rx.el.td(label_of("trigger", row["trigger"]), class_name="muted"),
        rx.el.td(_menu(row), class_name="menu-cell"),
        data_run=row["id"],
    )


def _table() -> rx.Component:
    headings = ("runs.workflow", "runs.status", "runs.started", "runs.duration", "runs.trigger")
    every = rx.el.input(
        type="checkbox",
        checked=(BulkState.selected.length() > 0) | BulkState.whole,
        on_change=BulkState.toggle_page(),
        aria_label=t("bulk.select_page"),
    )
    return rx.el.div(
        rx.el.div(
            rx.el.table(
                rx.el.thead(
                    rx.el.tr(
                        rx.el.th(every, scope="col", class_name="check"),
                        *(rx.el.th(t(key), scope="col") for key in headings),
                        rx.el.th(rx.el.span(t("runs.actions"), class_name="visually-hidden"), scope="col"),
                    )
                ),
                rx.el.tbody(rx.foreach(RunsState.rows, _row)),
                class_name="data runs",
            ),
            class_name="table-wrap",
        ),
        rx.el.div(
            rx.el.span(t("runs.page", page=RunsState.page)),
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
    show_all = rx.el.button(t("runs.clear"), type="button", class_name="btn", on_click=RunsState.show_all)
    nothing = rx.cond(
        RunsState.narrowed,
        empty("list-filter", t("runs.empty_filtered"), t("runs.empty_filtered_hint"), show_all),
        empty("activity", t("runs.empty"), t("runs.empty_hint")),
    )
    return rx.cond(
        RunsState.loaded,
        rx.cond((RunsState.rows.length() > 0) | (RunsState.page > 1), _table(), nothing),
        skeleton(),
    )


def runs_page() -> rx.Component:
    """The page."""
    return shell(
        ticker(every_ms=REFRESH_MS, on_tick=RunsState.refresh),
        pulse(value=RunListPatchState.changed, every_ms=PULSE_MS, on_pulse=RunsState.refresh),
        page_head(t("runs.title"), t("runs.lead")),
        _filters(),
        rx.cond(
            RunsState.problem,
            notice(
                t("runs.error"),
                rx.el.p(told(RunsState.problem)),
                rx.el.button(t("app.retry"), type="button", class_name="btn", on_click=RunsState.refresh),
            ),
        ),
        _bulk_bar(),
        _confirm(),
        rx.el.section(_content(), class_name="card", aria_label=t("runs.title")),
    )
