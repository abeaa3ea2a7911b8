"""One run, followed live: its status, its steps on a time axis, its result or why it failed.

Invariant: the room of the run is entered before the snapshot is read, so nothing falls between them.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.errors import NotFoundError, StructForgeError
from structforge.domain.run import TERMINAL_RUN_STATUSES
from structforge.ui import routes
from structforge.ui.components.canvas import graph_canvas
from structforge.ui.components.live import live_duration, live_feed, live_status, live_table, when
from structforge.ui.components.prose import prose
from structforge.ui.components.value import value_view
from structforge.ui.graph_view import ACCEPTS
from structforge.ui.live import Feed, patch_of
from structforge.ui.locale import label_of, labels, language_tag, t
from structforge.ui.services import RunItem, RunView, Visitor, services
from structforge.ui.session import parse_id, say, tell_problem, visitor_of
from structforge.ui.shell import empty, notice, page_head, shell, skeleton
from structforge.ui.values import REFERENCE


class RunPatchState(rx.State):
    """Holds nothing but the last patch, so that one costs a hundred bytes; written by `ui.live` only."""

    patch: list[Any] = []


RUN_FEED = Feed("run", RunPatchState, "patch", patch_of, coalesce_s=0.04)


class RunState(rx.State):
    """The run being looked at."""

    channel: str = ""
    snapshot: dict[str, Any] = {}
    workflow: str = ""
    version: int = 0
    trigger: str = ""
    created_at: str = ""
    finished_at: str = ""
    result: str = ""
    result_is_text: bool = False
    problem: dict[str, str] = {}
    over: bool = False
    graph: dict[str, Any] = {}
    workflow_ref: str = ""
    selected: str = ""
    output: dict[str, Any] = {}
    state: str = "loading"
    """`loading`, `shown`, `missing` or `broken`."""
    load_problem: str = ""
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
            self.state, self.snapshot, self.result, self.problem = "loading", {}, "", {}
            self.graph, self.selected, self.output = {}, "", {}
        await self._follow(visitor, run_id)

    @rx.event
    async def reload(self) -> None:
        """Read a new snapshot: a patch was missed, or the run has ended."""
        visitor, run_id = await visitor_of(self), parse_id(self.channel)
        if visitor is not None and run_id is not None and await self._read(visitor, run_id):
            await self._load_output()

    @rx.event
    async def select(self, step: str) -> None:
        """Show what came out of a step."""
        self.selected = "" if str(step) == self.selected else str(step)
        await self._load_output()

    @rx.event
    async def act(self, kind: str, value: Any) -> None:
        """Take an action of the canvas: selecting a node shows its step."""
        if kind == "select" and isinstance(value, list) and len(value) == 1:
            self.selected = str(value[0])
            await self._load_output()

    async def _load_output(self) -> None:
        visitor, run_id = await visitor_of(self), parse_id(self.channel)
        if visitor is None or run_id is None or not self.selected:
            self.output = {}
            return
        try:
            self.output = await services().step_view(visitor, run_id, self.selected)
        except StructForgeError as error:
            self.output = {"problem": str(error.problem)}

    @rx.event
    async def stop(self) -> None:
        """Ask for the end of the run."""
        visitor, run_id = await visitor_of(self), parse_id(self.channel)
        if visitor is None or run_id is None:
            return
        try:
            await services().api.runs.stop(visitor.principal, run_id)
        except StructForgeError as error:
            await tell_problem(self, error)
        else:
            await say(self, "run.stopping")

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
            await RUN_FEED.watch(sid, run_id)
            await self._read(visitor, run_id)

    async def _read(self, visitor: Visitor, run_id: UUID) -> bool:
        try:
            view = await services().view_run(visitor, run_id)
        except NotFoundError:
            self.state, self.channel = "missing", ""
            return False
        except StructForgeError as error:
            self.state, self.load_problem = "broken", str(error.problem)
            return False
        self._show(view)
        return True

    def _show(self, view: RunView) -> None:
        run, problem = view["run"], view["problem"]
        snapshot = snapshot_of(view)
        if snapshot != self.snapshot:
            self.snapshot = snapshot
        self.channel = run["id"]
        self.workflow, self.version, self.trigger = run["workflow"], run["version"], run["trigger"]
        self.created_at, self.finished_at = run["created_at"], run["finished_at"]
        self.over = bool(run["finished_at"])
        self.workflow_ref = run["workflow_id"]
        if self.graph != view["graph"]:
            self.graph = view["graph"]
        self.result, self.result_is_text = view["result"], view["result_is_text"]
        self.problem = (
            {name: str(problem.get(name, "")) for name in ("code", "message", "where", "hint")}
            if problem
            else {}
        )
        self.state = "shown"


def snapshot_of(view: RunView) -> dict[str, Any]:
    """Return what live.jsx takes in: the run as row "", then its steps."""
    run: RunItem = view["run"]
    head = {"status": run["status"], "started_at": run["started_at"], "finished_at": run["finished_at"]}
    rows: list[list[Any]] = [["", {name: value for name, value in head.items() if value}]]
    for step in view["steps"]:
        rows.append([step["key"], {name: value for name, value in step.items() if name != "key" and value}])
    return {"channel": run["id"], "seq": view["seq"], "rows": rows}


def _fact(label: rx.Var[str], *value: Any) -> rx.Component:
    return rx.el.div(rx.el.dt(label), rx.el.dd(*value), class_name="fact")


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
            ),
            live_status(channel=RunState.channel, row="", labels=labels("status")),
            rx.cond(
                ~RunState.over,
                rx.el.button(
                    rx.icon("square", size=14),
                    t("run.stop"),
                    type="button",
                    class_name="btn danger",
                    on_click=RunState.stop,
                ),
            ),
        ),
    )


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


def _steps() -> rx.Component:
    return rx.el.section(
        rx.el.div(rx.el.h2(t("run.steps")), class_name="card-head"),
        live_table(
            channel=RunState.channel,
            labels=labels("status"),
            headings=[t("run.step"), t("runs.status"), t("run.duration"), t("run.timeline"), t("run.note")],
            empty_text=t("run.no_steps"),
            selected=RunState.selected,
            on_select=RunState.select,
        ),
        class_name="card",
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


def _output() -> rx.Component:
    return rx.cond(
        RunState.selected != "",
        rx.el.section(
            rx.el.div(
                rx.el.h2(t("run.output_of"), " ", rx.el.code(RunState.selected)), class_name="card-head"
            ),
            rx.el.div(
                value_view(step=RunState.output, texts=labels("value"), reference=REFERENCE),
                class_name="card-body",
            ),
            class_name="card",
            id="step-output",
        ),
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
        _head(), rx.el.div(_facts(), _failure(), _graph(), _steps(), _output(), _result(), class_name="stack")
    )
    back = rx.el.a(t("app.home"), href=routes.RUNS, class_name="btn")
    retry = rx.el.button(t("app.retry"), type="button", class_name="btn", on_click=RunState.enter)
    return shell(
        live_feed(
            channel=RunState.channel,
            snapshot=RunState.snapshot,
            patch=RunPatchState.patch,
            settled=sorted(TERMINAL_RUN_STATUSES),
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
