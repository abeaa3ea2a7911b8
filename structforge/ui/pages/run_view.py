"""How the page of a run looks."""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined, arg-type"

from collections.abc import Iterable
from typing import Any

import reflex as rx

from structforge.domain.run import TERMINAL_RUN_STATUSES, RunStatus, StepStatus
from structforge.ui import routes
from structforge.ui.components.actions import live_actions
from structforge.ui.components.canvas import graph_canvas
from structforge.ui.components.entry import json_text
from structforge.ui.components.live import live_duration, live_feed, live_status, status_mark, when
from structforge.ui.components.overlay import dialog
from structforge.ui.components.prose import prose
from structforge.ui.components.question import question
from structforge.ui.components.timeline import timeline
from structforge.ui.components.value import log_view, value_view
from structforge.ui.graph_view import ACCEPTS
from structforge.ui.locale import label_of, labels, language_tag, t
from structforge.ui.pages.run import RunState
from structforge.ui.pages.run_controls import FROM_FAILED, FROM_START, ControlState, ReplayState
from structforge.ui.pages.run_questions import QuestionsState
from structforge.ui.run_feed import RunPatchState
from structforge.ui.run_rows import RunItem
from structforge.ui.shell import empty, notice, page_head, shell, skeleton
from structforge.ui.values import REFERENCE

_OVER = sorted(TERMINAL_RUN_STATUSES)
_OPEN = sorted(frozenset(RunStatus) - TERMINAL_RUN_STATUSES)
# Where the page reads the run anew: everything that is not just another step.
SETTLED = [*_OVER, RunStatus.WAITING.value, RunStatus.PAUSED.value]
URGENT = [StepStatus.WAITING.value]


def _action(name: str, icon: str, may: str, *, look: str = "", **rules: Iterable[str]) -> dict[str, Any]:
    return {
        "name": name,
        "text": t(f"run.{name}"),
        "icon": icon,
        "look": look,
        "shown": list(rules.get("shown", ())),
        "when": list(rules["when"]),
        "why": t(f"run.why_not.{name}"),
        "denied": rx.cond(ControlState.may[may], "", t("run.denied")),
    }


def _actions() -> rx.Component:
    resting = [RunStatus.PAUSING.value, RunStatus.PAUSED.value]
    going = [RunStatus.QUEUED.value, RunStatus.RUNNING.value, RunStatus.WAITING.value]
    return live_actions(
        channel=RunState.channel,
        label=t("run.controls"),
        actions=rx.Var.create(
            [
                _action(
                    "pause",
                    "pause",
                    "control",
                    shown=[*going, RunStatus.CANCELLING.value],
                    when=going,
                ),
                _action("resume", "play", "control", shown=resting, when=resting),
                _action(
                    "stop",
                    "square",
                    "stop",
                    look="danger",
                    shown=_OPEN,
                    when=[status for status in _OPEN if status != RunStatus.CANCELLING],
                ),
                _action(
                    "retry",
                    "rotate-ccw",
                    "start",
                    when=[RunStatus.FAILED.value, RunStatus.CANCELLED.value],
                ),
                _action("replay", "repeat", "start", when=_OVER),
            ]
        ),
        on_act=ControlState.act,
    )


def _head() -> rx.Component:
    version = rx.cond(RunState.version > 0, t("run.version") + f" {RunState.version}", t("run.draft"))
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
                rx.el.a(t("run.open_workflow"), href=routes.WORKFLOWS + "/" + RunState.workflow_ref),
                " · ",
                rx.el.a(t("run.siblings"), href=routes.RUNS + "?workflow=" + RunState.workflow_ref),
            ),
            live_status(channel=RunState.channel, row="", labels=labels("status")),
            _actions(),
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


def _relative(row: rx.Var[RunItem]) -> rx.Component:
    return rx.el.li(
        status_mark(status=row["status"], label=label_of("status", row["status"])),
        rx.el.a(row["workflow"], href=routes.RUNS + "/" + row["id"].to(str)),
        rx.el.span(
            rx.cond(row["origin"] != "", label_of("origin", row["origin"]), t("run.sub_run")),
            " · ",
            when(at=row["created_at"], locale=language_tag()),
            class_name="muted small",
        ),
        rx.el.a(
            t("run.compare"),
            href=routes.RUNS + "/" + RunState.channel + "/compare/" + row["id"].to(str),
            class_name="small push",
        ),
        class_name="relative",
    )


def _relatives() -> rx.Component:
    def group(title: str, rows: rx.Var[list[RunItem]]) -> rx.Component:
        return rx.cond(
            rows.length() > 0,
            rx.fragment(rx.el.h3(t(title)), rx.el.ul(rx.foreach(rows, _relative), class_name="relatives")),
        )

    some = (
        (RunState.origin.length() > 0) | (RunState.parent.length() > 0) | (RunState.descendants.length() > 0)
    )
    return rx.cond(
        some,
        rx.el.section(
            group("run.origin", RunState.origin),
            group("run.parent", RunState.parent),
            group("run.descendants", RunState.descendants),
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
            rx.el.p(RunState.problem["message"]),
            rx.el.p(RunState.problem["hint"], class_name="muted"),
            rx.el.p(RunState.problem["where"], " ", RunState.problem["code"], class_name="mono small muted"),
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
        rx.el.div(
            value_view(step=RunState.output, texts=labels("value"), reference=REFERENCE),
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


def _confirm_stop() -> rx.Component:
    return dialog(
        rx.el.p(t("run.stop_hint")),
        rx.el.div(
            rx.el.button(t("run.go_on"), type="button", class_name="btn", on_click=ControlState.leave_stop),
            rx.el.button(t("run.stop"), type="button", class_name="btn danger", on_click=ControlState.stop),
            class_name="row end",
        ),
        open=ControlState.asking_stop,
        label=t("run.stop_ask"),
        close_text=t("app.close"),
        on_close=ControlState.leave_stop,
    )


def _select(name: str, label: str, value: rx.Var[str], *options: rx.Component) -> rx.Component:
    return rx.el.div(
        rx.el.label(t(label), html_for=f"replay-{name}"),
        rx.el.select(
            *options,
            value=value,
            on_change=lambda chosen: ReplayState.choose(name, chosen),
            class_name="input",
            id=f"replay-{name}",
        ),
        class_name="field",
    )


def _replay() -> rx.Component:
    return dialog(
        rx.el.p(t("replay.lead"), class_name="muted"),
        rx.el.div(
            _select(
                "begin",
                "replay.begin",
                ReplayState.begin,
                rx.el.option(t("replay.from_failed"), value=FROM_FAILED),
                rx.el.option(t("replay.from_start"), value=FROM_START),
                rx.foreach(
                    ReplayState.nodes,
                    lambda pair: rx.el.option(pair[1] + " (" + pair[0] + ")", value=pair[0]),
                ),
            ),
            _select(
                "version",
                "replay.version",
                ReplayState.version,
                rx.el.option(t("replay.same_version"), value="same"),
                rx.el.option(t("replay.draft"), value="draft"),
                rx.foreach(
                    ReplayState.versions,
                    lambda pair: rx.el.option(
                        t("run.version") + " " + pair[0] + " " + pair[1], value=pair[0]
                    ),
                ),
            ),
            class_name="pair",
        ),
        rx.el.label(
            rx.el.input(
                type="checkbox",
                checked=ReplayState.edit_input,
                on_change=lambda on: ReplayState.choose("edit_input", on),
            ),
            t("replay.edit_input"),
            class_name="check-line",
        ),
        rx.cond(
            ReplayState.edit_input,
            json_text(
                value=ReplayState.input_text,
                label=t("replay.input"),
                texts=labels("form"),
                rows=10,
                on_set=lambda text: ReplayState.choose("input", text),
            ),
        ),
        rx.foreach(ReplayState.problems, lambda text: rx.el.p(text, class_name="error-line", role="alert")),
        rx.cond(
            ReplayState.reused >= 0,
            rx.el.p(
                rx.el.strong(
                    t("replay.foreseen", again=ReplayState.again.length(), reused=ReplayState.reused)
                ),
                " ",
                rx.el.span(ReplayState.again.join(", "), class_name="mono small muted"),
                role="status",
            ),
        ),
        rx.el.div(
            rx.el.button(t("app.cancel"), type="button", class_name="btn", on_click=ReplayState.close),
            rx.el.button(
                t("replay.go"),
                type="button",
                class_name="btn primary",
                disabled=ReplayState.problems.length() > 0,
                on_click=ReplayState.go,
            ),
            class_name="row end",
        ),
        open=ReplayState.open,
        label=t("replay.title"),
        close_text=t("app.close"),
        wide=True,
        on_close=ReplayState.close,
    )


def run_page() -> rx.Component:
    """The page."""
    shown = rx.el.div(
        _head(),
        rx.el.div(
            rx.el.div(
                _failure(),
                _questions(),
                _graph(),
                _timeline(),
                rx.cond(RunState.selected == "", _result()),
                _logs(),
                class_name="stack",
            ),
            rx.el.div(
                rx.cond(RunState.selected != "", _step()),
                _facts(),
                _relatives(),
                class_name="stack run-side",
            ),
            class_name=rx.cond(RunState.selected != "", "run-columns wide-side", "run-columns"),
        ),
        _confirm_stop(),
        _replay(),
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
            ("broken", notice(t("run.error_load"), rx.el.p(RunState.load_problem), retry)),
            skeleton(),
        ),
    )
