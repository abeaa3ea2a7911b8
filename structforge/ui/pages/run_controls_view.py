"""How a run is steered on its page: the buttons, the question before a stop, the form of a replay."""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined, arg-type"

from collections.abc import Iterable
from typing import Any

import reflex as rx

from structforge.domain.run import TERMINAL_RUN_STATUSES, RunStatus
from structforge.ui.components.actions import live_actions
from structforge.ui.components.json_text import json_text
from structforge.ui.components.overlay import dialog
from structforge.ui.components.told import told
from structforge.ui.locale import labels, t
from structforge.ui.pages.run import RunState
from structforge.ui.pages.run_controls import FROM_FAILED, FROM_START, ControlState, ReplayState

_OVER = sorted(TERMINAL_RUN_STATUSES)
_OPEN = sorted(frozenset(RunStatus) - TERMINAL_RUN_STATUSES)


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


def actions() -> rx.Component:
    """The buttons, each with why it cannot be used now."""
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
                _action("compare", "git-compare", "read", when=_OVER),
            ]
        ),
        on_act=ControlState.act,
    )


def confirm_stop() -> rx.Component:
    """Ask before a run is stopped."""
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


def replay_form() -> rx.Component:
    """From where, with what version and input; says ahead what would run again."""
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
                on_set=lambda text: ReplayState.choose("input", text),
            ),
        ),
        rx.foreach(
            ReplayState.problems,
            lambda problem: rx.el.p(told(problem), class_name="error-line", role="alert"),
        ),
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
