"""Versions of the workflow in the editor: publish, list, compare on the canvas, restore.

Invariant: a restored version reaches every open canvas, this one too, by the draft's own feed.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.errors import StructForgeError
from structforge.ui.graph_view import graph_of
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.services import Visitor, services
from structforge.ui.session import say, tell_problem


class VersionsState(rx.State):
    """What was published, and which version the canvas is compared with."""

    published: int = 0
    show_versions: bool = False
    versions: list[dict[str, Any]] = []
    compared: int = 0
    comparison: dict[str, Any] = {}
    """The canvas of a comparison; empty when none is shown."""
    publish_note: str = ""

    def _close(self) -> None:
        self.published, self.publish_note, self.show_versions = 0, "", False
        self.versions, self.compared, self.comparison = [], 0, {}

    @rx.event
    def note_publication(self, text: str) -> None:
        """Keep what the visitor writes about the version to be."""
        self.publish_note = str(text)[:2_000]

    @rx.event
    async def publish(self) -> None:
        """Freeze the draft as the next version."""
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is None or workflow_id is None:
            return
        try:
            version = await services().api.workflows.publish(
                visitor.principal, workflow_id, note=self.publish_note
            )
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self.published, self.publish_note = version.summary.number, ""
        await say(self, "editor.published_as", number=version.summary.number)
        await self._load(visitor, workflow_id)

    @rx.event
    async def toggle_versions(self) -> None:
        """Open or close the list of versions."""
        self.show_versions = not self.show_versions
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if self.show_versions and visitor is not None and workflow_id is not None:
            await self._load(visitor, workflow_id)

    @rx.event
    async def restore(self, number: int) -> None:
        """Put a version into the draft."""
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is None or workflow_id is None:
            return
        try:
            detail = await services().api.workflows.restore(
                visitor.principal, workflow_id, int(number), revision=draft.revision
            )
            await services().drafts.announce(workflow_id, detail.summary.draft_revision)
            self.compared, self.comparison = 0, {}
            await say(self, "editor.restored", number=int(number))
        except StructForgeError as error:
            await tell_problem(self, error)

    @rx.event
    async def compare(self, number: int) -> None:
        """Show on the canvas what the draft changes against a version; again to leave that."""
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is None or workflow_id is None:
            return
        if self.compared == int(number):
            self.compared, self.comparison = 0, {}
            return
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
            found = await services().api.workflows.compare(visitor.principal, workflow_id, int(number), None)
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        marks = {node.id: "added" for node in found.nodes_added}
        marks |= {change.id: "changed" for change in found.nodes_changed}
        gone = [spec.model_copy() for spec in found.nodes_removed]
        marks |= {spec.id: "removed" for spec in gone}
        shown = detail.draft.model_copy(update={"nodes": (*detail.draft.nodes, *gone)})
        topic = f"compare:{workflow_id}:{int(number)}"
        self.comparison = graph_of(shown, services().registry, topic=topic, seq=0, marks=marks)
        self.compared = int(number)

    async def _load(self, visitor: Visitor, workflow_id: UUID) -> None:
        try:
            rows = await services().api.workflows.versions(visitor.principal, workflow_id)
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self.versions = [
            {"number": row.number, "note": row.note, "at": row.created_at.isoformat()} for row in rows
        ]
