"""The editor of one workflow's draft: opening, the canvas, problems, the notebook's cells.

Invariant: the page sends small edits and shows what the service made of them; the document itself stays in the
database. Several people edit one draft: everybody's edits reach every canvas as operations of one sequence.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.errors import InvalidError, NotFoundError, Problem, StructForgeError
from structforge.domain.validation import is_warning
from structforge.domain.workflow import WorkflowDocument
from structforge.services.draft_runs import DraftRunRequest
from structforge.ui.arrange import arranged
from structforge.ui.canvas_edits import additions, edits_of
from structforge.ui.field_names import with_field_names
from structforge.ui.graph_view import cells_of, graph_of, palette_items
from structforge.ui.locale import LocaleState, message
from structforge.ui.pages.editor_draft import DRAFT_FEED, DraftState
from structforge.ui.pages.editor_expressions import ExpressionState
from structforge.ui.pages.editor_input import InputState
from structforge.ui.pages.editor_offers import OffersState
from structforge.ui.pages.editor_panel import PanelState
from structforge.ui.pages.editor_run import DraftRunState, FactsState
from structforge.ui.pages.editor_settings import SettingsState, part_of
from structforge.ui.pages.editor_versions import VersionsState
from structforge.ui.services import Visitor, services
from structforge.ui.session import goes_on, parse_id, say, tell_problem, visitor_of

VIEWS = ("graph", "notebook")


class EditorState(rx.State):
    """What the page shows beside the selected node, the run and the versions."""

    state: str = "loading"
    """`loading`, `shown`, `missing` or `broken`."""
    load_problem: dict[str, Any] = {}
    name: str = ""
    graph: dict[str, Any] = {}
    focus: dict[str, Any] = {}
    marks: dict[str, dict[str, Any]] = {}
    problems: list[dict[str, Any]] = []
    error_count: int = 0
    show_problems: bool = True
    palette: list[dict[str, str]] = []
    view: str = "graph"
    """`graph` or `notebook`: two looks at one document."""
    cells: list[dict[str, str]] = []
    cell_focus: dict[str, str] = {}
    inserting: str = ""
    """The edge on which the next node of the palette is put."""
    show_keys: bool = False
    _room: str = ""
    _problem_at: int = -1
    """Where the last step through the problems led."""

    # ---- opening ---------------------------------------------------------------------------------------------

    @rx.event
    async def enter(self) -> None:
        """Open the workflow in the address."""
        workflow_id, visitor = parse_id(self.workflow_id), await visitor_of(self)
        draft = await self.get_state(DraftState)
        if visitor is None or str(workflow_id) != draft.topic:
            await self._close(draft)
        if visitor is None:
            return
        sid = self.router.session.session_id
        previous = parse_id(self._room)
        if previous is not None and previous != workflow_id:
            await DRAFT_FEED.unwatch(sid, previous)
        if workflow_id is None:
            self.state = "missing"
            return
        if await self._load(draft, visitor, workflow_id):
            self._room = str(workflow_id)
            await DRAFT_FEED.watch(sid, workflow_id, goes_on(self))
            await self._load(draft, visitor, workflow_id)
            await (await self.get_state(FactsState))._look(visitor, workflow_id, whole=True)
            run = await self.get_state(DraftRunState)
            run_id = parse_id(run.run_id_shown)
            if run_id is not None:
                await run._follow(visitor, run_id)

    @rx.event
    async def reload(self) -> None:
        """Read the whole draft again: an operation was missed."""
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is not None and workflow_id is not None:
            await self._load(draft, visitor, workflow_id)

    async def _close(self, draft: DraftState) -> None:
        self.state, self.graph, self.cells, self.inserting, self._problem_at = "loading", {}, [], "", -1
        draft._close()
        (await self.get_state(PanelState))._close()
        (await self.get_state(ExpressionState))._close()
        (await self.get_state(SettingsState))._close()
        (await self.get_state(InputState))._close()
        (await self.get_state(DraftRunState))._close()
        (await self.get_state(FactsState))._close()
        (await self.get_state(VersionsState))._close()

    async def _load(self, draft: DraftState, visitor: Visitor, workflow_id: UUID) -> bool:
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
        except NotFoundError:
            if draft.topic == str(workflow_id):
                draft.gone = True  # What was on the canvas stays in view.
            else:
                self.state, draft.topic = "missing", ""
            return False
        except StructForgeError as error:
            self.state, self.load_problem = "broken", error.problem.as_json()
            return False
        draft.topic, draft.gone, self.name = str(workflow_id), False, detail.summary.labels.name
        self.graph = graph_of(
            detail.draft, services().registry, topic=draft.topic, seq=detail.summary.draft_revision
        )
        self.palette = palette_items(services().registry)
        (await self.get_state(VersionsState)).published = detail.published_version or 0
        await self._show(draft, detail.draft, detail.problems, detail.summary.draft_revision)
        self.state = "shown"
        return True

    async def _show(
        self, draft: DraftState, document: WorkflowDocument, problems: Sequence[Problem], revision: int
    ) -> None:
        """Show problems and the selected node of the draft as it is now."""
        rows = [_problem_row(problem, document) for problem in problems]
        marks: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row["node"] and row["level"] == "error":
                mark = marks.setdefault(row["node"], {"faults": 0, "said": []})
                mark["faults"] += 1
                mark["said"].append({name: row[name] for name in ("message", "sentences") if name in row})
        # Assigned only when changed: an assignment is sent to the browser.
        if rows != self.problems:
            self.problems = rows
        if marks != self.marks:
            self.marks = marks
        cells = cells_of(document, services().registry) if self.view == "notebook" else []
        if cells != self.cells:
            self.cells = cells
        self.error_count = sum(row["level"] == "error" for row in rows)
        draft.revision = revision
        (await self.get_state(PanelState))._show(document, rows)
        (await self.get_state(SettingsState))._show(document, rows)

    async def _look_again(self, draft: DraftState, visitor: Visitor, workflow_id: UUID) -> None:
        """Look at the draft after somebody changed it: its problems, the selected node."""
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
        except StructForgeError:
            return
        self.name = detail.summary.labels.name
        await self._show(draft, detail.draft, detail.problems, detail.summary.draft_revision)
        await (await self.get_state(FactsState))._look(visitor, workflow_id)
        selected = (await self.get_state(PanelState)).selected
        if selected:
            await (await self.get_state(ExpressionState))._look(visitor, workflow_id, selected)

    # ---- what the visitor does on the canvas -------------------------------------------------------------------

    @rx.event
    async def act(self, kind: str, value: Any, key: str = "") -> None:
        """Take an action of the canvas; one with a key is confirmed, and made once however often it comes."""
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is None or workflow_id is None:
            return
        await self._act(draft, visitor, workflow_id, str(kind), value, str(key))
        draft._confirm(key)

    async def _act(
        self, draft: DraftState, visitor: Visitor, workflow_id: UUID, kind: str, value: Any, key: str
    ) -> None:
        if kind == "select":
            await self._select(draft, visitor, workflow_id, value)
        elif kind == "changed":
            await self._look_again(draft, visitor, workflow_id)
        elif kind == "open":
            (await self.get_state(PanelState)).tab = "parameters"
        elif kind == "insert" and isinstance(value, dict):
            self.inserting = str(value.get("edge", ""))
        elif kind == "leave":
            self.inserting = ""
        elif kind == "problem":
            await self._next_problem(-1 if value == -1 else 1)
        elif kind == "save":
            await say(self, "editor.saved")
        elif kind == "run":
            await (await self.get_state(DraftRunState)).run()
        elif kind in ("undo", "redo"):
            try:
                await draft._step_back(visitor, workflow_id, undo=kind == "undo", key=key)
            except StructForgeError as error:
                await draft._refuse(error)
        else:
            await self._change(draft, visitor, workflow_id, kind, value, key)

    async def _change(
        self, draft: DraftState, visitor: Visitor, workflow_id: UUID, kind: str, value: Any, key: str = ""
    ) -> None:
        chosen: list[str] = []

        def added(document: WorkflowDocument) -> list[dict[str, Any]]:
            edits, chosen[:] = additions(kind, value, document, services().registry)
            return edits

        try:
            if kind in ("add", "paste"):
                await draft._edit(visitor, workflow_id, added, key)
                self.focus = {"ids": chosen, "enter": True}
            else:
                await draft._edit(visitor, workflow_id, lambda document: edits_of(kind, value, document), key)
        except StructForgeError as error:
            await draft._refuse(error)

    async def _select(self, draft: DraftState, visitor: Visitor, workflow_id: UUID, value: Any) -> None:
        panel = await self.get_state(PanelState)
        before = panel.selected
        panel._choose(value)
        if not panel.selected:
            return
        # The versions or the settings stand where the node's properties come. A canvas that is drawn anew says again
        # what was selected on it: nobody has chosen anything then.
        if panel.selected != before:
            (await self.get_state(VersionsState)).show_versions = False
            (await self.get_state(SettingsState)).show_settings = False
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
        except StructForgeError as error:
            await draft._refuse(error)
            return
        panel._show(detail.draft, self.problems)
        await (await self.get_state(OffersState))._look(visitor, panel.panel.get("schema", {}))
        await (await self.get_state(ExpressionState))._look(visitor, workflow_id, panel.selected)

    @rx.event
    async def add(self, kind: str) -> None:
        """Add a node of a type, after the selected one where that fits."""
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is not None and workflow_id is not None:
            selected = (await self.get_state(PanelState)).selected
            place = {"edge": self.inserting} if self.inserting else {"after": selected}
            self.inserting = ""
            await self._change(draft, visitor, workflow_id, "add", {"kind": kind, **place})

    @rx.event
    def toggle_keys(self) -> None:
        """Open or close the list of keys."""
        self.show_keys = not self.show_keys

    @rx.event
    def stop_inserting(self) -> None:
        """Leave the edge as it is."""
        self.inserting = ""

    @rx.event
    async def rename(self, name: str, seen: str = "", key: str = "") -> None:
        """Rename the workflow."""
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is None or workflow_id is None:
            return
        draft._confirm(key)
        try:
            detail = await services().api.workflows.update_labels(
                visitor.principal, workflow_id, {"name": str(name)}
            )
            self.name = detail.summary.labels.name
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    async def rename_node(self, node: str, name: str) -> None:
        """Give a node another id; what refers to it follows."""
        draft, panel = await self.get_state(DraftState), await self.get_state(PanelState)
        visitor, workflow_id = await draft._here()
        if visitor is None or workflow_id is None:
            return
        locale = (await self.get_state(LocaleState)).locale
        wanted = re.sub(r"[\s-]+", "_", str(name).strip().lower())
        try:
            refused = await draft._rename(visitor, workflow_id, str(node), wanted)
        except InvalidError:
            panel.id_fault = {"text": message(locale, "editor.bad_id")}
            return
        except StructForgeError as error:
            await draft._refuse(error)
            return
        panel.id_fault = refused.as_json() if refused else None
        if refused is None and panel.selected == node:
            panel.selected = wanted
            await self._look_again(draft, visitor, workflow_id)

    @rx.event
    async def arrange(self) -> None:
        """Lay the graph out anew."""
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is None or workflow_id is None:
            return
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
            places = {name: at.model_dump() for name, at in arranged(detail.draft).items()}
            await draft._edit(visitor, workflow_id, [{"kind": "move", "positions": places}])
        except StructForgeError as error:
            await tell_problem(self, error)

    # ---- problems and the notebook -----------------------------------------------------------------------------

    @rx.event
    async def jump(self, node: str, where: str) -> None:
        """Bring a node into view and select it; show the field that a problem is about."""
        await self._jump(str(node), str(where))

    async def _jump(self, node: str, where: str) -> None:
        if not node:
            await (await self.get_state(SettingsState))._open(self.problems, where)
            return
        in_field = (await self.get_state(PanelState))._go_to(node, where)
        self.focus = {"ids": [node], "enter": not in_field}

    async def _next_problem(self, step: int) -> None:
        rows = [row for row in self.problems if row["node"] or row["field"]]
        if not rows:
            await say(self, "editor.no_problems")
            return
        self.show_problems = True
        self._problem_at = (self._problem_at + step) % len(rows)
        await self._jump(rows[self._problem_at]["node"], rows[self._problem_at]["where"])

    @rx.event
    def go_to(self, node: str) -> None:
        """Bring a node into view and select it."""
        self.focus = {"ids": [str(node)]}

    @rx.event
    def select_nothing(self) -> None:
        """Show the run as a whole again."""
        self.focus = {"ids": []}

    @rx.event
    async def toggle_settings(self) -> None:
        """Open or close the settings of the workflow."""
        settings = await self.get_state(SettingsState)
        if settings.show_settings:
            settings.show_settings = False
        else:
            await settings._open(self.problems)

    @rx.event
    def toggle_problems(self) -> None:
        """Open or close the list of problems."""
        self.show_problems = not self.show_problems

    @rx.event
    async def choose_view(self, name: str) -> None:
        """Show the graph or the notebook."""
        await self._choose_view(name)

    async def _choose_view(self, name: str) -> None:
        if name not in VIEWS:
            return
        self.view = name
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is not None and workflow_id is not None:
            await self._look_again(draft, visitor, workflow_id)

    @rx.event
    async def open_cell(self, node: str) -> None:
        """Select the node of a cell, so that it can be changed there; an empty name closes the open one."""
        await self._open_cell(str(node))

    async def _open_cell(self, node: str) -> None:
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is not None and workflow_id is not None:
            chosen = [node] if node else []
            self.focus = {"ids": chosen}
            await self._select(draft, visitor, workflow_id, chosen)

    @rx.event
    async def act_on_cell(self, kind: str, node: str) -> None:
        """Take a key of the notebook."""
        run = await self.get_state(DraftRunState)
        if kind == "open":
            await self._open_cell(str(node))
        elif kind == "run":
            await run._start(DraftRunRequest(str(node), "any"))
        elif kind == "until":
            await run._start(DraftRunRequest(str(node)))

    @rx.event
    async def show_cell(self, node: str) -> None:
        """Go from a node of the graph to its cell."""
        await self._choose_view("notebook")
        self.cell_focus = {"id": str(node)}

    @rx.event
    async def show_node(self, node: str) -> None:
        """Go from a cell to its node in the graph."""
        await self._choose_view("graph")
        self.focus = {"ids": [str(node)]}


def _problem_row(problem: Problem, document: WorkflowDocument) -> dict[str, Any]:
    where = problem.where
    node = where.split(".")[1] if where.startswith("nodes.") and "." in where else ""
    node = node.split("[")[0]
    known = any(spec.id == node for spec in document.nodes)
    return {
        **with_field_names(problem.as_json(), document, services().registry),
        "where": where,
        "node": node if known else "",
        "field": part_of(where),
        "level": "warning" if is_warning(problem) else "error",
    }
