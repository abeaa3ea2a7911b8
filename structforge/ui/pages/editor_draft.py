"""The draft that is open in the editor: which one, at which revision, and the edits that are made of it.

Invariant: the document itself stays in the database; what is kept here undoes edits and names the draft.
"""

# mypy: disable-error-code="no-any-return, attr-defined"

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.edits import Edit, edits_json, parse_edits
from structforge.domain.errors import ConflictError, InvalidError, NotFoundError, Problem, StructForgeError
from structforge.domain.values import readable_json
from structforge.domain.workflow import WorkflowDocument
from structforge.ui.graph_view import draft_patch
from structforge.ui.live import Feed, Message, Patch
from structforge.ui.services import Visitor, services
from structforge.ui.session import parse_id, tell_problem, visitor_of

UNDO_STEPS = 100

Edits = Sequence[Edit] | Callable[[WorkflowDocument], Sequence[Edit]]
Body = list[dict[str, Any]] | Callable[[WorkflowDocument], list[dict[str, Any]]]
"""Edits as JSON, or as a function of the draft as it is when they are made."""


class DraftOpsState(rx.State):
    """Holds nothing but the last operations, so that one costs a few hundred bytes; written by `ui.live` only."""

    ops: list[Any] = []


def _fold(topic: str, messages: list[Message]) -> Patch:
    return draft_patch(topic, messages, services().registry)


DRAFT_FEED = Feed("draft", DraftOpsState, "ops", _fold, coalesce_s=0.01)


def as_text(value: Any) -> str:
    """Return a value of a parameter as people read it."""
    return value if isinstance(value, str) else readable_json(value)


def _written(edit: dict[str, Any]) -> Any:
    """Return the value that an edit of one field gives it."""
    return next((edit[key] for key in ("value", "text", "title") if key in edit), None)


class DraftState(rx.State):
    """The open draft and the way back from the visitor's own edits of it."""

    topic: str = ""
    """The workflow's id once the visitor may see it, else empty."""
    revision: int = 0
    can_undo: bool = False
    can_redo: bool = False
    gone: bool = False
    """The workflow was deleted while it was open here."""
    done: list[str] = []
    """Keys of the actions that were taken last: the browser sends those without an answer again."""
    conflict: dict[str, Any] = {}
    """A value that somebody else changed while it was edited here: `{"node", "part", "name", "edit", …}`."""
    aside: list[dict[str, Any]] = []
    """More of them, to be chosen later."""
    _undo: list[list[dict[str, Any]]] = []
    _redo: list[list[dict[str, Any]]] = []

    async def _here(self) -> tuple[Visitor | None, UUID | None]:
        # After a restart of the server an edit may come before the page has been opened again.
        return await visitor_of(self), parse_id(self.topic) or parse_id(self.workflow_id)

    def _close(self) -> None:
        self.topic, self.revision, self.gone, self.done, self.conflict = "", 0, False, [], {}
        self.aside = []
        self._undo, self._redo, self.can_undo, self.can_redo = [], [], False, False

    def _confirm(self, key: str) -> None:
        """Tell the browser that an action need not be sent again; while the workflow is gone it waits there."""
        if key and not self.gone:
            self.done = [*self.done[-3:], str(key)[:64]]

    async def _refuse(self, error: StructForgeError) -> None:
        """Show why an action was refused; a workflow that is gone stays in view, with a way to bring it back."""
        if isinstance(error, NotFoundError) and self.topic:
            self.gone = True
        else:
            await tell_problem(self, error)

    async def _edit(self, visitor: Visitor, workflow_id: UUID, body: Body, key: str = "") -> None:
        """Make edits, and keep what undoes them. Raises: StructForgeError."""
        if not body:
            return

        def parsed(document: WorkflowDocument) -> list[Edit]:
            return parse_edits(body(document) if callable(body) else body)

        edits = parsed if callable(body) else parse_edits(body)
        for problem in (await self._apply(visitor, workflow_id, edits, key))[:1]:
            if problem.code == "edit.conflict":
                self._show_conflict(problem)
            else:
                await tell_problem(self, InvalidError(problem))

    async def _apply(self, visitor: Visitor, workflow_id: UUID, edits: Edits, key: str = "") -> list[Problem]:
        """Make edits, keep what undoes them, and return why some were refused. Raises: StructForgeError."""
        edited = await services().drafts.edit(visitor.principal, workflow_id, edits, key=str(key)[:64])
        if edited.applied.made:
            self._undo = [*self._undo[-UNDO_STEPS:], edits_json(edited.applied.inverse)]
            self._redo = []
        self.can_undo, self.can_redo = bool(self._undo), bool(self._redo)
        self.revision = edited.revision
        return edited.applied.refused

    async def _rename(self, visitor: Visitor, workflow_id: UUID, node: str, to: str) -> Problem | None:
        """Give a node another id; return why not, if so. Raises: InvalidError for what is no name; StructForgeError."""
        edits = parse_edits([{"kind": "rename_node", "id": node, "to": to}])
        return next(iter(await self._apply(visitor, workflow_id, edits)), None)

    async def _make(self, edit: dict[str, Any], key: str = "") -> None:
        """Make one edit of a field, told and confirmed to the browser."""
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None:
            return
        try:
            await self._edit(visitor, workflow_id, [edit], key)
        except StructForgeError as error:
            await self._refuse(error)
        self._confirm(key)

    def _show_conflict(self, problem: Problem) -> None:
        """Show both values; what is shown already, or was put aside, waits its turn."""
        found = problem.details
        edit = found["edit"]
        mine = edit["note"].get("text", "") if edit["kind"] == "put_note" else _written(edit)
        shown = {
            "node": found["id"], "part": found["part"], "name": found["name"],
            "subject": f"{found['part']}:{found['id']}", "edit": edit,
            "mine_text": "" if edit.get("unset") else as_text(mine),
            "theirs_text": "" if found["unset"] else as_text(found["theirs"]),
        }  # fmt: skip
        place = ("subject", "name")
        waiting = [each for each in (self.get_value("conflict"), *self.get_value("aside")) if each]
        self.aside = [each for each in waiting if any(each[key] != shown[key] for key in place)]
        self.conflict = shown

    @rx.event
    async def settle_conflict(self, mine: bool) -> None:
        """Put the own value in the place of the other one, or leave the other one."""
        found, self.conflict = self.get_value("conflict"), {}
        if mine is True and found:
            await self._make(found["edit"])

    @rx.event
    def put_conflict_aside(self) -> None:
        """Choose later: the own value is kept until then."""
        found = self.get_value("conflict")
        if found:
            self.aside, self.conflict = [*self.get_value("aside"), found], {}

    @rx.event
    def look_at_conflict(self) -> None:
        """Show a choice that was put aside."""
        if self.aside and not self.conflict:
            self.conflict, self.aside = self.get_value("aside")[0], self.get_value("aside")[1:]

    @rx.event
    async def bring_back(self) -> None:
        """Bring back the workflow that was deleted while it was open."""
        visitor, workflow_id = await self._here()
        if visitor is None or workflow_id is None:
            return
        try:
            detail = await services().api.workflows.undelete(visitor.principal, workflow_id)
            self.gone = False
            await services().drafts.announce(workflow_id, detail.summary.draft_revision)
        except ConflictError:
            self.gone = False  # Somebody else brought it back.
        except StructForgeError as error:
            await tell_problem(self, error)

    async def _step_back(self, visitor: Visitor, workflow_id: UUID, *, undo: bool, key: str) -> None:
        # The value itself: a proxy of it is no JSON.
        source = self.get_value("_undo" if undo else "_redo")
        if not source:
            return
        body = source[-1]
        edited = await services().drafts.edit(visitor.principal, workflow_id, parse_edits(body), key=key)
        inverse = edits_json(edited.applied.inverse)
        if undo:
            self._undo, self._redo = self._undo[:-1], [*self._redo, inverse]
        else:
            self._undo, self._redo = [*self._undo, inverse], self._redo[:-1]
        self.can_undo, self.can_redo, self.revision = bool(self._undo), bool(self._redo), edited.revision
