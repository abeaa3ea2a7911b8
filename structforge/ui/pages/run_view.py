"""How the page of a run looks."""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined, arg-type"

from collections.abc import Callable
from typing import Any

import reflex as rx

from structforge.api.entries import REFERENCE
from structforge.domain.run import TERMINAL_RUN_STATUSES, RunStatus, StepStatus
from structforge.ui import routes
from structforge.ui.components.canvas import graph_canvas
from structforge.ui.components.live import (
    duration,
    live_duration,
    live_feed,
    live_status,
    row_watch,
    status_mark,
    when,
)
from structforge.ui.components.prose import prose
from structforge.ui.components.question import question
from structforge.ui.components.timeline import timeline
from structforge.ui.components.told import told
from structforge.ui.components.value import log_view, value_view
from structforge.ui.graph_view import ACCEPTS
from structforge.ui.locale import label_of, labels, language_tag, t
from structforge.ui.node_texts import node_texts
from structforge.ui.pages.run import RunState
from structforge.ui.pages.run_compare import run_choice
from structforge.ui.pages.run_controls import ControlState
from structforge.ui.pages.run_controls_view import actions, confirm_stop, replay_form
from structforge.ui.pages.run_questions import QuestionsState
from structforge.ui.run_feed import RunPatchState
from structforge.ui.run_rows import RunItem, TryItem
from structforge.ui.shell import empty, notice, page_head, part, shell, skeleton

# Where the page reads the run anew: everything that is not just another step.
SETTLED = [*sorted(TERMINAL_RUN_STATUSES), RunStatus.WAITING.value, RunStatus.PAUSED.value]
URGENT = [StepStatus.WAITING.value]


def _head() -> rx.Component:
    workflow = routes.WORKFLOWS + "/" + RunState.workflow_ref
    version = rx.cond(
        RunState.version > 0,
        rx.el.a(
            t("run.version") + f" {RunState.version}",
            href=workflow + f"?{routes.VERSION}=" + RunState.version.to_string(),
            title=t("run.open_version"),
        ),
        t("run.draft"),
    )
    return rx.fragment(
        rx.el.nav(
            rx.el.a(t("runs.title"), href=routes.RUNS),
            rx.el.span("/"),
            rx.el.span(t("run.title")),
            class_name="crumbs",
        ),
        page_head(
            RunState.workflow,
            rx.el.span(
                version,
                " · ",
                rx.el.a(t("run.open_workflow"), href=workflow),
                " · ",
                rx.el.a(t("run.siblings"), href=routes.RUNS + "?workflow=" + RunState.workflow_ref),
            ),
            live_status(channel=RunState.channel, row="", labels=labels("status")),
            actions(),
        ),
    )


def _fact(label: rx.Var[str], *value: Any) -> rx.Component:
    return rx.el.div(rx.el.dt(label), rx.el.dd(*value), class_name="fact")


def _facts() -> rx.Component:
    return rx.el.section(
        rx.el.dl(
            _fact(t("run.started"), when(at=RunState.created_at, locale=language_tag())),
            _fact(t("run.duration"), live_duration(channel=RunState.channel, row="")),
            _fact(t("run.finished"), when(at=RunState.finished_at, locale=language_tag())),
            _fact(t("run.trigger"), label_of("trigger", RunState.trigger)),
            class_name="facts",
        ),
        class_name="card pad",
    )


def _relative(row: rx.Var[RunItem], what: rx.Component | rx.Var[str], *more: rx.Component) -> rx.Component:
    return rx.el.li(
        status_mark(status=row["status"], label=label_of("status", row["status"])),
        rx.el.a(row["workflow"], href=routes.RUNS + "/" + row["id"].to(str)),
        rx.el.span(what, " · ", when(at=row["created_at"], locale=language_tag()), class_name="muted small"),
        *more,
        class_name="relative",
    )


def _call(row: rx.Var[RunItem]) -> rx.Component:
    step = rx.fragment(t("run.call_step"), " ", rx.el.code(row["step"]))
    return _relative(row, rx.cond(row["step"] != "", step, rx.fragment(t("run.on_failure"))))


def _again(row: rx.Var[RunItem]) -> rx.Component:
    return _relative(
        row,
        rx.cond(row["origin"] != "", label_of("origin", row["origin"]), t("run.first")),
        rx.el.a(
            t("run.compare"),
            href=routes.RUNS + "/" + RunState.channel + "/compare/" + row["id"].to(str),
            class_name="small push",
        ),
    )


def _relatives() -> rx.Component:
    def group(
        title: str, rows: rx.Var[list[RunItem]], row: Callable[[rx.Var[RunItem]], rx.Component]
    ) -> rx.Component:
        return rx.cond(
            rows.length() > 0,
            rx.fragment(rx.el.h3(t(title)), rx.el.ul(rx.foreach(rows, row), class_name="relatives")),
        )

    some = (
        (RunState.origin.length() > 0)
        | (RunState.parent.length() > 0)
        | (RunState.calls.length() > 0)
        | (RunState.descendants.length() > 0)
    )
    return rx.cond(
        some,
        rx.el.section(
            group("run.parent", RunState.parent, _call),
            group("run.calls", RunState.calls, _call),
            group("run.origin", RunState.origin, _again),
            group("run.descendants", RunState.descendants, _again),
            class_name="card pad stack tight",
            aria_label=t("run.lineage"),
            id="lineage",
        ),
    )


def _failure() -> rx.Component:
    return rx.cond(
        RunState.problem["message"],
        notice(
            t("run.error"),
            rx.el.p(told(RunState.problem, "message")),
            rx.el.p(told(RunState.problem, "hint"), class_name="muted"),
            rx.el.details(
                rx.el.summary(t("part.details"), class_name="small muted"),
                rx.el.p(
                    RunState.problem["where"], " ", RunState.problem["code"], class_name="mono small muted"
                ),
                class_name="problem-details",
            ),
        ),
    )


def _questions() -> rx.Component:
    return rx.cond(
        QuestionsState.questions.length() > 0,
        rx.el.section(
            rx.el.div(rx.el.h2(t("question.title")), class_name="card-head"),
            rx.el.div(
                rx.foreach(
                    QuestionsState.questions,
                    lambda one: question(
                        question=one,
                        problems=QuestionsState.refused,
                        texts=labels("question"),
                        locale=language_tag(),
                        on_answer=QuestionsState.answer,
                        key=one["key"],
                    ),
                ),
                class_name="card-body stack",
            ),
            class_name="card attention",
            id="questions",
        ),
    )


def _graph() -> rx.Component:
    return rx.el.section(
        graph_canvas(
            graph=RunState.graph,
            ops=rx.Var.create([]),
            channel=RunState.channel,
            labels=labels("status"),
            said=node_texts(),
            texts=labels("canvas"),
            accepts=ACCEPTS,
            read_only=True,
            on_act=RunState.act,
            on_gap=rx.noop(),
        ),
        class_name="card run-graph",
        aria_label=t("run.graph"),
    )


def _timeline() -> rx.Component:
    return rx.el.section(
        rx.el.div(rx.el.h2(t("run.timeline")), class_name="card-head"),
        timeline(
            channel=RunState.channel,
            labels=labels("status"),
            texts=labels("timeline"),
            selected=RunState.selected,
            on_select=RunState.select,
            on_group=RunState.open_group,
        ),
        class_name="card",
        id="timeline",
    )


def _logs() -> rx.Component:
    return rx.el.section(
        rx.el.div(rx.el.h2(t("run.logs")), class_name="card-head"),
        rx.el.div(
            log_view(
                source=routes.API_RUNS + "/" + RunState.channel + "/logs",
                remote=True,
                named=True,
                live=~RunState.over,
                texts=labels("value").to(dict[str, str]).merge(rx.Var.create({"noLogs": t("run.no_logs")})),
                key=RunState.channel,
            ),
            class_name="card-body",
        ),
        class_name="card",
        id="logs",
    )


def _try(row: rx.Var[TryItem]) -> rx.Component:
    return rx.el.li(
        rx.el.strong(row["number"], ". "),
        when(at=row["started_at"], locale=language_tag()),
        " · ",
        duration(start=row["started_at"], end=row["finished_at"]),
        rx.el.div(told(row["note"]), class_name="muted small"),
    )


def _input() -> rx.Component:
    return rx.cond(
        RunState.input != "",
        rx.el.details(
            rx.el.summary(t("run.input")),
            rx.el.pre(RunState.input, class_name="value", tab_index=0),
            class_name="card run-input",
            id="input",
        ),
    )


def _step() -> rx.Component:
    return rx.el.section(
        rx.el.div(
            rx.el.h2(t("run.step"), " ", rx.el.code(RunState.selected)),
            rx.el.div(
                rx.el.button(
                    rx.icon("repeat", size=14),
                    t("run.replay_here"),
                    type="button",
                    class_name="btn small-btn",
                    disabled=~RunState.over | ~ControlState.may["start"],
                    title=rx.cond(RunState.over, t("run.replay_here"), t("run.why_not.replay")),
                    on_click=ControlState.act("replay"),
                ),
                rx.el.button(
                    rx.icon("x", size=15),
                    type="button",
                    class_name="btn ghost icon",
                    aria_label=t("app.close"),
                    on_click=RunState.select(RunState.selected),
                ),
                class_name="row tight",
            ),
            class_name="card-head",
        ),
        row_watch(channel=RunState.channel, row=RunState.selected, on_change=RunState.look_again),
        rx.el.div(
            value_view(step=RunState.output, texts=labels("value"), reference=REFERENCE, live=~RunState.over),
            rx.cond(
                RunState.tries.length() > 0,
                rx.el.div(
                    rx.el.h3(t("run.tries")),
                    rx.el.ul(rx.foreach(RunState.tries, _try)),
                    class_name="tries",
                ),
            ),
            class_name="card-body",
        ),
        class_name="card",
        id="step-output",
    )


def _result() -> rx.Component:
    return rx.cond(
        RunState.result != "",
        rx.el.section(
            rx.el.div(rx.el.h2(t("run.result")), class_name="card-head"),
            rx.cond(
                RunState.result_is_text,
                rx.el.div(prose(text=RunState.result), class_name="card-body prose"),
                rx.el.pre(RunState.result, class_name="value", tab_index=0),
            ),
            class_name="card",
            id="result",
        ),
    )


def run_page() -> rx.Component:
    """The page."""
    shown = rx.el.div(
        _head(),
        rx.el.div(
            rx.el.div(
                part("failure", _failure()),
                part("questions", _questions()),
                part("graph", _graph(), subject=RunState.channel),
                part("timeline", _timeline(), subject=RunState.channel),
                part("result", rx.cond(RunState.selected == "", _result())),
                part("logs", _logs()),
                class_name="stack",
            ),
            rx.el.div(
                part("step", rx.cond(RunState.selected != "", _step()), subject=RunState.selected),
                part("facts", _facts()),
                part("input", _input()),
                part("relatives", _relatives()),
                class_name="stack run-side",
            ),
            class_name="run-columns",
        ),
        confirm_stop(),
        replay_form(),
        run_choice(),
        class_name="run-page",
    )
    back = rx.el.a(t("app.home"), href=routes.RUNS, class_name="btn")
    retry = rx.el.button(t("app.retry"), type="button", class_name="btn", on_click=RunState.enter)
    return shell(
        live_feed(
            channel=RunState.channel,
            snapshot=RunState.snapshot,
            patch=RunPatchState.patch,
            extra=RunState.extra,
            settled=SETTLED,
            urgent=URGENT,
            on_gap=RunState.reload,
            on_settled=RunState.reload,
        ),
        rx.match(
            RunState.state,
            ("shown", shown),
            ("missing", empty("search-x", t("run.missing"), t("run.missing_hint"), back)),
            ("broken", notice(t("run.error_load"), rx.el.p(told(RunState.load_problem)), retry)),
            skeleton(),
        ),
    )
