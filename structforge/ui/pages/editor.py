"""The editor of one workflow's draft: palette, canvas, properties, problems; runs of the draft in place.

Invariant: the page sends small edits and shows what the service made of them; the document itself stays in the
database. Several people edit one draft: everybody's edits reach every canvas as operations of one sequence.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.edits import Edit, edits_json, parse_edits
from structforge.domain.errors import InvalidError, NotFoundError, Problem, StructForgeError
from structforge.domain.ids import readable_id
from structforge.domain.policies import Policies
from structforge.domain.validation import is_warning
from structforge.domain.workflow import NodeSpec, WorkflowDocument
from structforge.services.runs import StartRequest
from structforge.ui.arrange import arranged
from structforge.ui.canvas_edits import additions, edits_of
from structforge.ui.graph_view import NOTE_PREFIX, cells_of, draft_patch, graph_of, palette_items
from structforge.ui.live import Feed, Message, Patch
from structforge.ui.pages.run import RUN_FEED, snapshot_of
from structforge.ui.services import Visitor, services
from structforge.ui.session import parse_id, say, tell_problem, visitor_of

UNDO_STEPS = 100
VIEWS = ("graph", "notebook")
TABS = ("parameters", "policies", "output", "docs")
POLICY_SCHEMA = Policies.model_json_schema()


class DraftOpsState(rx.State):
    """Holds nothing but the last operations, so that one costs a few hundred bytes; written by `ui.live` only."""

    ops: list[Any] = []


def _fold(topic: str, messages: list[Message]) -> Patch:
    return draft_patch(topic, messages, services().registry)


DRAFT_FEED = Feed("draft", DraftOpsState, "ops", _fold, coalesce_s=0.01)


class EditorState(rx.State):
    """What the page shows beside the canvas: flags, the selected node, problems."""

    state: str = "loading"
    """`loading`, `shown`, `missing` or `broken`."""
    load_problem: str = ""
    topic: str = ""
    name: str = ""
    graph: dict[str, Any] = {}
    focus: dict[str, Any] = {}
    marks: dict[str, dict[str, Any]] = {}
    problems: list[dict[str, str]] = []
    error_count: int = 0
    palette: list[dict[str, str]] = []
    selected: str = ""
    selected_count: int = 0
    view: str = "graph"
    """`graph` or `notebook`: two looks at one document."""
    cells: list[dict[str, str]] = []
    inserting: str = ""
    """The edge on which the next node of the palette is put."""
    panel: dict[str, Any] = {}
    tab: str = "parameters"
    revision: int = 0
    published: int = 0
    can_undo: bool = False
    can_redo: bool = False
    run_id_shown: str = ""
    run_snapshot: dict[str, Any] = {}
    run_active: bool = False
    output: dict[str, Any] = {}
    show_problems: bool = True
    show_versions: bool = False
    versions: list[dict[str, Any]] = []
    compared: int = 0
    publish_note: str = ""
    _undo: list[list[dict[str, Any]]] = []
    _redo: list[list[dict[str, Any]]] = []
    _room: str = ""

    # ---- opening ---------------------------------------------------------------------------------------------

    @rx.event
    async def enter(self) -> None:
        """Open the workflow in the address."""
        workflow_id, visitor = parse_id(self.workflow_id), await visitor_of(self)
        if visitor is None:
            self._close()
            return
        if str(workflow_id) != self.topic:
            self._close()
        sid = self.router.session.session_id
        previous = parse_id(self._room)
        if previous is not None and previous != workflow_id:
            await DRAFT_FEED.unwatch(sid, previous)
        if workflow_id is None:
            self.state = "missing"
            return
        if await self._load(visitor, workflow_id):
            self._room = str(workflow_id)
            await DRAFT_FEED.watch(sid, workflow_id)
            await self._load(visitor, workflow_id)
            run_id = parse_id(self.run_id_shown)
            if run_id is not None:
                await self._follow_run(visitor, run_id)

    @rx.event
    async def reload(self) -> None:
        """Read the whole draft again: an operation was missed."""
        visitor, workflow_id = await self._here()
        if visitor is not None and workflow_id is not None:
            await self._load(visitor, workflow_id)

    def _close(self) -> None:
        self.state, self.topic, self.graph, self.panel, self.selected = "loading", "", {}, {}, ""
        self.run_id_shown, self.run_snapshot, self.run_active, self.output = "", {}, False, {}
        self.versions, self.show_versions, self.compared, self.tab = [], False, 0, "parameters"
        self.cells, self.inserting = [], ""
        self._undo, self._redo, self.can_undo, self.can_redo = [], [], False, False

    async def _here(self) -> tuple[Visitor | None, UUID | None]:
        return await visitor_of(self), parse_id(self.topic)

    async def _load(self, visitor: Visitor, workflow_id: UUID) -> bool:
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
        except NotFoundError:
            self.state, self.topic = "missing", ""
            return False
        except StructForgeError as error:
            self.state, self.load_problem = "broken", str(error.problem)
            return False
        self.topic, self.name = str(workflow_id), detail.summary.labels.name
        self.graph = graph_of(
            detail.draft, services().registry, topic=self.topic, seq=detail.summary.draft_revision
        )
        self.palette = palette_items(services().registry)
        self.published = detail.published_version or 0
        self.compared = 0
        self._show(detail.draft, detail.problems, detail.summary.draft_revision)
        self.state = "shown"
        return True

    def _show(self, document: WorkflowDocument, problems: Sequence[Problem], revision: int) -> None:
        """Show problems and the selected node of the draft as it is now."""
        rows = [_problem_row(problem, document) for problem in problems]
        marks: dict[str, dict[str, Any]] = {}
        for row in rows:
            if row["node"] and row["level"] == "error":
                mark = marks.setdefault(row["node"], {"faults": 0, "text": ""})
                mark["faults"] += 1
                mark["text"] = f"{mark['text']}\n{row['message']}".strip()
        # Assigned only when changed: an assignment is sent to the browser.
        if rows != self.problems:
            self.problems = rows
        if marks != self.marks:
            self.marks = marks
        cells = cells_of(document, services().registry) if self.view == "notebook" else []
        if cells != self.cells:
            self.cells = cells
        self.error_count = sum(row["level"] == "error" for row in rows)
        self.revision = revision
        self._show_panel(document)

    def _show_panel(self, document: WorkflowDocument) -> None:
        spec = next((node for node in document.nodes if node.id == self.selected), None)
        panel = {} if spec is None else _panel(spec, self.problems)
        if panel != self.panel:
            self.panel = panel

    # ---- what the visitor does on the canvas -------------------------------------------------------------------

    @rx.event
    async def act(self, kind: str, value: Any) -> None:
        """Take an action of the canvas."""
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None:
            return
        if kind == "select":
            await self._select(visitor, workflow_id, value)
        elif kind == "changed":
            await self._look_again(visitor, workflow_id)
        elif kind == "open":
            self.tab = "parameters"
        elif kind == "insert" and isinstance(value, dict):
            self.inserting = str(value.get("edge", ""))
        elif kind == "save":
            await say(self, "editor.saved")
        elif kind in ("undo", "redo"):
            await self._step_back(visitor, workflow_id, undo=kind == "undo")
        else:
            await self._change(visitor, workflow_id, kind, value)

    async def _change(self, visitor: Visitor, workflow_id: UUID, kind: str, value: Any) -> None:
        try:
            if kind in ("add", "paste"):
                detail = await services().api.workflows.get(visitor.principal, workflow_id)
                edits, chosen = additions(kind, value, detail.draft, services().registry)
                await self._edit(visitor, workflow_id, edits)
                self.focus = {"ids": chosen} if kind == "paste" else self.focus
            else:
                await self._edit(visitor, workflow_id, edits_of(kind, value))
        except StructForgeError as error:
            await tell_problem(self, error)

    async def _edit(
        self, visitor: Visitor, workflow_id: UUID, body: list[dict[str, Any]], *, keep: bool = True
    ) -> None:
        """Make edits; `keep` puts what undoes them on the stack."""
        if not body:
            return
        edits: list[Edit] = parse_edits(body)
        edited = await services().drafts.edit(visitor.principal, workflow_id, edits)
        if keep and edited.applied.made:
            self._undo = [*self._undo[-UNDO_STEPS:], edits_json(edited.applied.inverse)]
            self._redo = []
        self.can_undo, self.can_redo = bool(self._undo), bool(self._redo)
        self.revision = edited.revision
        for problem in edited.applied.refused[:1]:
            await tell_problem(self, InvalidError(problem))

    async def _step_back(self, visitor: Visitor, workflow_id: UUID, *, undo: bool) -> None:
        source = self._undo if undo else self._redo
        if not source:
            return
        body = source[-1]
        edited = await services().drafts.edit(visitor.principal, workflow_id, parse_edits(body))
        inverse = edits_json(edited.applied.inverse)
        if undo:
            self._undo, self._redo = self._undo[:-1], [*self._redo, inverse]
        else:
            self._undo, self._redo = [*self._undo, inverse], self._redo[:-1]
        self.can_undo, self.can_redo, self.revision = bool(self._undo), bool(self._redo), edited.revision

    async def _select(self, visitor: Visitor, workflow_id: UUID, value: Any) -> None:
        ids = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
        nodes = [each for each in ids if not each.startswith(NOTE_PREFIX)]
        self.selected_count = len(ids)
        self.selected = nodes[0] if len(nodes) == 1 else ""
        if not self.selected:
            self.panel = {}
            return
        detail = await services().api.workflows.get(visitor.principal, workflow_id)
        self._show_panel(detail.draft)
        if self.tab == "output":
            await self._load_output(visitor)

    async def _look_again(self, visitor: Visitor, workflow_id: UUID) -> None:
        """Look at the draft after somebody changed it: its problems, the selected node."""
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
        except StructForgeError:
            return
        self.name = detail.summary.labels.name
        self._show(detail.draft, detail.problems, detail.summary.draft_revision)

    # ---- properties --------------------------------------------------------------------------------------------

    @rx.event
    async def add(self, kind: str) -> None:
        """Add a node of a type, after the selected one where that fits."""
        visitor, workflow_id = await self._here()
        if visitor is not None and workflow_id is not None:
            place = {"edge": self.inserting} if self.inserting else {"after": self.selected}
            self.inserting = ""
            await self._change(visitor, workflow_id, "add", {"kind": kind, **place})

    @rx.event
    def stop_inserting(self) -> None:
        """Leave the edge as it is."""
        self.inserting = ""

    @rx.event
    async def set_value(self, name: str, value: Any) -> None:
        """Give a parameter of the selected node a value."""
        await self._set({"kind": "set_parameter", "id": self.selected, "name": str(name), "value": value})

    @rx.event
    async def unset_value(self, name: str) -> None:
        """Take a parameter of the selected node away, so that its default holds."""
        await self._set({"kind": "set_parameter", "id": self.selected, "name": str(name), "unset": True})

    @rx.event
    async def set_policy(self, name: str, value: Any) -> None:
        """Change a policy of the selected node."""
        await self._set({"kind": "set_policy", "id": self.selected, "name": str(name), "value": value})

    @rx.event
    async def unset_policy(self, name: str) -> None:
        """Give a policy of the selected node its default."""
        default = Policies().model_dump(mode="json").get(str(name))
        await self._set({"kind": "set_policy", "id": self.selected, "name": str(name), "value": default})

    @rx.event
    async def set_title(self, title: str) -> None:
        """Name the selected node."""
        await self._set({"kind": "set_title", "id": self.selected, "title": str(title)[:200]})

    @rx.event
    async def toggle_disabled(self) -> None:
        """Turn the selected node off or on."""
        await self._set(
            {"kind": "set_disabled", "id": self.selected, "disabled": not self.panel.get("disabled", False)}
        )

    @rx.event
    async def remove_selected(self) -> None:
        """Take the selected node away."""
        await self._set({"kind": "remove_node", "id": self.selected})

    @rx.event
    async def choose_tab(self, name: str) -> None:
        """Show another side of the selected node."""
        if name in TABS:
            self.tab = name
        visitor = await visitor_of(self)
        if visitor is not None and name == "output":
            await self._load_output(visitor)

    async def _set(self, edit: dict[str, Any]) -> None:
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None or not self.selected:
            return
        try:
            await self._edit(visitor, workflow_id, [edit])
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    async def rename(self, name: str) -> None:
        """Rename the workflow."""
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None:
            return
        try:
            detail = await services().api.workflows.update_labels(
                visitor.principal, workflow_id, {"name": str(name)}
            )
            self.name = detail.summary.labels.name
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    async def arrange(self) -> None:
        """Lay the graph out anew."""
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None:
            return
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
            places = {name: at.model_dump() for name, at in arranged(detail.draft).items()}
            await self._edit(visitor, workflow_id, [{"kind": "move", "positions": places}])
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    async def add_note(self) -> None:
        """Put a sticky note on the canvas."""
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None:
            return
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
            taken = {note.id for note in detail.draft.layout.notes}
            note = {"id": readable_id("note", taken), "x": 0, "y": -160, "text": ""}
            await self._edit(visitor, workflow_id, [{"kind": "put_note", "note": note}])
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    def jump(self, node: str) -> None:
        """Bring a node into view and select it."""
        self.focus = {"ids": [str(node)]}

    @rx.event
    async def choose_view(self, name: str) -> None:
        """Show the graph or the notebook."""
        if name not in VIEWS:
            return
        self.view = name
        visitor, workflow_id = await self._here()
        if visitor is not None and workflow_id is not None:
            await self._look_again(visitor, workflow_id)

    @rx.event
    async def open_cell(self, node: str) -> None:
        """Select the node of a cell."""
        visitor, workflow_id = await self._here()
        if visitor is not None and workflow_id is not None:
            self.focus = {"ids": [str(node)]}
            await self._select(visitor, workflow_id, [str(node)])

    @rx.event
    def toggle_problems(self) -> None:
        """Open or close the list of problems."""
        self.show_problems = not self.show_problems

    # ---- running and publishing --------------------------------------------------------------------------------

    @rx.event
    async def run(self) -> None:
        """Run a copy of the draft, and follow it on the canvas."""
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None:
            return
        request = StartRequest(input={}, mode="async", draft=True, trigger_kind="manual")
        try:
            started = await services().api.runs.start(visitor.principal, workflow_id, request)
            await self._follow_run(visitor, started.run_id)
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    async def stop(self) -> None:
        """Stop the run on the canvas."""
        visitor, run_id = await visitor_of(self), parse_id(self.run_id_shown)
        if visitor is None or run_id is None:
            return
        try:
            await services().api.runs.stop(visitor.principal, run_id)
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    async def look_at_run(self) -> None:
        """Read the run on the canvas again: a patch was missed, or it has ended."""
        visitor, run_id = await visitor_of(self), parse_id(self.run_id_shown)
        if visitor is None or run_id is None:
            return
        await self._read_run(visitor, run_id)
        if self.tab == "output":
            await self._load_output(visitor)

    async def _follow_run(self, visitor: Visitor, run_id: UUID) -> None:
        if not await self._read_run(visitor, run_id):
            return
        await RUN_FEED.watch(self.router.session.session_id, run_id)
        await self._read_run(visitor, run_id)

    async def _read_run(self, visitor: Visitor, run_id: UUID) -> bool:
        try:
            view = await services().view_run(visitor, run_id)
        except StructForgeError:
            return False
        self.run_id_shown = str(run_id)
        self.run_snapshot = snapshot_of(view)
        self.run_active = not view["run"]["finished_at"]
        return True

    async def _load_output(self, visitor: Visitor) -> None:
        run_id = parse_id(self.run_id_shown)
        if run_id is None or not self.selected:
            self.output = {}
            return
        try:
            self.output = await services().step_view(visitor, run_id, self.selected)
        except StructForgeError as error:
            self.output = {"problem": str(error.problem)}

    @rx.event
    def note_publication(self, text: str) -> None:
        """Keep what the visitor writes about the version to be."""
        self.publish_note = str(text)[:2_000]

    @rx.event
    async def publish(self) -> None:
        """Freeze the draft as the next version."""
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None:
            return
        try:
            version = await services().api.workflows.publish(
                visitor.principal, workflow_id, note=self.publish_note
            )
        except InvalidError as error:
            self.show_problems = True
            await tell_problem(self, error)
            return
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self.published, self.publish_note = version.summary.number, ""
        await say(self, "editor.published_as", number=version.summary.number)
        await self._load_versions(visitor, workflow_id)

    @rx.event
    async def toggle_versions(self) -> None:
        """Open or close the list of versions."""
        self.show_versions = not self.show_versions
        visitor, workflow_id = await self._here()
        if self.show_versions and visitor is not None and workflow_id is not None:
            await self._load_versions(visitor, workflow_id)

    @rx.event
    async def restore(self, number: int) -> None:
        """Put a version into the draft."""
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None:
            return
        try:
            detail = await services().api.workflows.restore(
                visitor.principal, workflow_id, int(number), revision=self.revision
            )
            await services().drafts.announce(workflow_id, detail.summary.draft_revision)
            await self._load(visitor, workflow_id)
            await say(self, "editor.restored", number=int(number))
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    async def compare(self, number: int) -> None:
        """Show on the canvas what the draft changes against a version; again to leave that."""
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None:
            return
        try:
            if self.compared == int(number):
                await self._load(visitor, workflow_id)
                return
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
            found = await services().api.workflows.compare(visitor.principal, workflow_id, int(number), None)
            marks = {node.id: "added" for node in found.nodes_added}
            marks |= {change.id: "changed" for change in found.nodes_changed}
            gone = [spec.model_copy() for spec in found.nodes_removed]
            marks |= {spec.id: "removed" for spec in gone}
            shown = detail.draft.model_copy(update={"nodes": (*detail.draft.nodes, *gone)})
            graph = graph_of(
                shown, services().registry, topic=self.topic, seq=detail.summary.draft_revision, marks=marks
            )
            self.graph, self.compared = graph, int(number)
        except StructForgeError as error:
            await tell_problem(self, error)

    async def _load_versions(self, visitor: Visitor, workflow_id: UUID) -> None:
        try:
            rows = await services().api.workflows.versions(visitor.principal, workflow_id)
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self.versions = [
            {"number": row.number, "note": row.note, "at": row.created_at.isoformat()} for row in rows
        ]


def _problem_row(problem: Problem, document: WorkflowDocument) -> dict[str, str]:
    where = problem.where
    node = where.split(".")[1] if where.startswith("nodes.") and "." in where else ""
    node = node.split("[")[0]
    known = any(spec.id == node for spec in document.nodes)
    return {
        "message": problem.message,
        "hint": problem.hint,
        "where": where,
        "node": node if known else "",
        "level": "warning" if is_warning(problem) else "error",
    }


def _panel(spec: NodeSpec, problems: list[dict[str, str]]) -> dict[str, Any]:
    node = services().registry.get(spec.type)
    start = f"nodes.{spec.id}.parameters."
    return {
        "id": spec.id,
        "title": spec.title,
        "type": spec.type,
        "type_title": node.title if node else spec.type,
        "summary": node.summary() if node else "",
        "tone": node.category if node else "code",
        "missing": node is None,
        "disabled": spec.disabled,
        "schema": node.Parameters.model_json_schema() if node else {},
        "values": spec.parameters,
        "raw": "" if node else str(spec.parameters),
        "policies": spec.policies.model_dump(mode="json", exclude_defaults=True),
        "problems": {
            row["where"].removeprefix(start): row["message"]
            for row in problems
            if row["where"].startswith(start)
        },
        "docs": node.documentation() if node else "",
    }
