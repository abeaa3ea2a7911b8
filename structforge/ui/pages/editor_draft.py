"""The draft that is open in the editor: which one, at which revision, and the edits that are made of it.

Invariant: the document itself stays in the database; what is kept here undoes edits and names the draft.
"""

# mypy: disable-error-code="no-any-return, attr-defined"

from collections.abc import Callable
from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.edits import Edit, edits_json, parse_edits
from structforge.domain.errors import InvalidError
from structforge.domain.workflow import WorkflowDocument
from structforge.ui.graph_view import draft_patch
from structforge.ui.live import Feed, Message, Patch
from structforge.ui.services import Visitor, services
from structforge.ui.session import parse_id, tell_problem, visitor_of

UNDO_STEPS = 100

Body = list[dict[str, Any]] | Callable[[WorkflowDocument], list[dict[str, Any]]]
"""Edits as JSON, or as a function of the draft as it is when they are made."""


class DraftOpsState(rx.State):
    """Holds nothing but the last operations, so that one costs a few hundred bytes; written by `ui.live` only."""

    ops: list[Any] = []


def _fold(topic: str, messages: list[Message]) -> Patch:
    return draft_patch(topic, messages, services().registry)


DRAFT_FEED = Feed("draft", DraftOpsState, "ops", _fold, coalesce_s=0.01)


class DraftState(rx.State):
    """The open draft and the way back from the visitor's own edits of it."""

    topic: str = ""
    """The workflow's id once the visitor may see it, else empty."""
    revision: int = 0
    can_undo: bool = False
    can_redo: bool = False
    _undo: list[list[dict[str, Any]]] = []
    _redo: list[list[dict[str, Any]]] = []

    async def _here(self) -> tuple[Visitor | None, UUID | None]:
        return await visitor_of(self), parse_id(self.topic)

    def _close(self) -> None:
        self.topic, self.revision = "", 0
        self._undo, self._redo, self.can_undo, self.can_redo = [], [], False, False

    async def _edit(self, visitor: Visitor, workflow_id: UUID, body: Body) -> None:
        """Make edits, and keep what undoes them. Raises: StructForgeError."""
        if not body:
            return

        def parsed(document: WorkflowDocument) -> list[Edit]:
            return parse_edits(body(document) if callable(body) else body)

        edits = parsed if callable(body) else parse_edits(body)
        edited = await services().drafts.edit(visitor.principal, workflow_id, edits)
        if edited.applied.made:
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
