"""Versions of the workflow in the editor: list, compare on the canvas, restore.

Invariant: a restored version reaches every open canvas, this one too, by the draft's own feed.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

import re
from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.diff import difference
from structforge.domain.errors import StructForgeError
from structforge.domain.validation import parse_document
from structforge.ui import routes
from structforge.ui.comparison_view import change_rows, compared_graph
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.services import Visitor, services
from structforge.ui.session import say, tell_problem

MAX_CHANGES = 500
PAGE_VERSIONS = 30
VERSION_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class VersionsState(rx.State):
    """What was published, and which version the canvas is compared with."""

    published: int = 0
    show_versions: bool = False
    versions: list[dict[str, Any]] = []
    versions_loaded: bool = False
    more_versions: bool = False
    """There are older ones than those listed."""
    versions_problem: dict[str, Any] = {}
    compared: int = 0
    """The older side of the comparison that is shown, 0 when none is."""
    compared_to: int = 0
    """The newer side, 0 for the draft."""
    comparison: dict[str, Any] = {}
    """The canvas of a comparison; empty when none is shown."""
    changes: list[dict[str, str]] = []
    comparison_focus: dict[str, Any] = {}
    can_take_back: bool = False
    """A restored version can be exchanged for the draft from before."""
    _before: dict[str, Any] = {}

    def _close(self) -> None:
        self.published, self.show_versions = 0, False
        self.versions, self.can_take_back, self._before = [], False, {}
        self.versions_loaded, self.more_versions, self.versions_problem = False, False, {}
        self._end_comparison()

    def _end_comparison(self) -> None:
        self.compared, self.compared_to, self.comparison, self.changes = 0, 0, {}, []

    @rx.event
    async def enter(self) -> None:
        """Compare the version in the address with the draft, as links from runs ask."""
        number = str(self.router.url.query_parameters.get(routes.VERSION, ""))
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is None or workflow_id is None or not VERSION_NUMBER.fullmatch(number):
            return
        self.show_versions = True
        await self._load(visitor, workflow_id)
        await self._compare(int(number), 0)

    @rx.event
    async def toggle_versions(self) -> None:
        """Open or close the list of versions."""
        self.show_versions, self.more_versions = not self.show_versions, False
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if self.show_versions and visitor is not None and workflow_id is not None:
            await self._load(visitor, workflow_id)

    @rx.event
    def hide_versions(self) -> None:
        """Close the list of versions; closing twice is closing."""
        self.show_versions = False

    @rx.event
    async def older(self) -> None:
        """List the versions before those."""
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is not None and workflow_id is not None and self.versions:
            await self._load(visitor, workflow_id, before=int(self.versions[-1]["number"]))

    @rx.event
    async def restore(self, number: int) -> None:
        """Put a version into the draft."""
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is None or workflow_id is None:
            return
        try:
            before = await services().api.workflows.get(visitor.principal, workflow_id)
            detail = await services().api.workflows.restore(
                visitor.principal, workflow_id, int(number), revision=draft.revision
            )
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self._before, self.can_take_back = before.draft.as_json(), True
        self._end_comparison()
        await services().drafts.announce(workflow_id, detail.summary.draft_revision)
        await say(self, "editor.restored", number=int(number))

    @rx.event
    async def take_back(self) -> None:
        """Put the draft from before the last restoring in place again."""
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is None or workflow_id is None or not self._before:
            return
        try:
            detail = await services().api.workflows.update_draft(
                visitor.principal, workflow_id, parse_document(self._before), revision=draft.revision
            )
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self._before, self.can_take_back = {}, False
        await services().drafts.announce(workflow_id, detail.summary.draft_revision)

    @rx.event
    async def compare(self, number: int) -> None:
        """Show on the canvas what the draft changes against a version; again to leave that."""
        if self.compared == int(number):
            self._end_comparison()
        else:
            await self._compare(int(number), 0)

    @rx.event
    async def compare_with(self, number: str) -> None:
        """Choose the newer side of the comparison: a version, or 0 for the draft."""
        if self.compared and str(number).isdigit():
            await self._compare(self.compared, int(number))

    @rx.event
    def leave_comparison(self) -> None:
        """Show the draft again."""
        self._end_comparison()

    @rx.event
    def show_change(self, node: str) -> None:
        """Bring the node of a change into view."""
        if node:
            self.comparison_focus = {"ids": [str(node)]}

    async def _compare(self, old: int, new: int) -> None:
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is None or workflow_id is None:
            return
        workflows = services().api.workflows
        try:
            before = (await workflows.version(visitor.principal, workflow_id, old)).document
            if new:
                after = (await workflows.version(visitor.principal, workflow_id, new)).document
            else:
                after = (await workflows.get(visitor.principal, workflow_id)).draft
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        found = difference(before, after)
        registry = services().registry
        titles = {spec.id: spec.title or spec.id for spec in (*before.nodes, *after.nodes)}
        topic = f"compare:{workflow_id}:{old}:{new}"
        self.comparison = compared_graph(before, after, found, registry, topic)
        self.changes = change_rows(found, titles)[:MAX_CHANGES]
        self.compared, self.compared_to = old, new

    async def _load(self, visitor: Visitor, workflow_id: UUID, before: int | None = None) -> None:
        try:
            rows = await services().api.workflows.versions(
                visitor.principal, workflow_id, before=before, limit=PAGE_VERSIONS + 1
            )
        except StructForgeError as error:
            self.versions_problem = error.problem.as_json()
            return
        found = [{"number": row.number, "note": row.note, "at": row.created_at.isoformat()} for row in rows]
        self.more_versions = len(found) > PAGE_VERSIONS
        known = self.versions if before else []
        self.versions = [*known, *found[:PAGE_VERSIONS]]
        self.versions_problem, self.versions_loaded = {}, True
