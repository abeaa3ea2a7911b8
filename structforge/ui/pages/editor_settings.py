"""The workflow itself in the editor's panel: settings, documentation, declared inputs.

Invariant: as in a node's panel, a field commits by itself as one edit of the draft.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.domain.errors import StructForgeError
from structforge.domain.values import encode_json
from structforge.domain.workflow import WorkflowDocument
from structforge.ui.exact import exactly
from structforge.ui.field_edits import WORKFLOW, field_edit
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.pages.editor_offers import OffersState
from structforge.ui.pages.editor_panel import at_fields
from structforge.ui.pages.editor_versions import VersionsState
from structforge.ui.services import services
from structforge.ui.workflow_form import workflow_schema_in, workflow_values


class SettingsState(rx.State):
    """The form of the workflow, kept up to date while it is open."""

    show_settings: bool = False
    values: dict[str, Any] = {}
    problems: dict[str, Any] = {}
    field: dict[str, str] = {}
    """`{"subject", "path"}`: the field that was jumped to."""

    def _close(self) -> None:
        self.show_settings, self.values, self.problems, self.field = False, {}, {}, {}

    def _show(self, document: WorkflowDocument, problems: list[dict[str, Any]]) -> None:
        if not self.show_settings:
            return
        values, found = exactly(workflow_values(document)), settings_problems(problems)
        # Assigned only when changed: an assignment is sent to the browser. The order of declared inputs counts.
        if encode_json(values) != encode_json(self.get_value("values")):
            self.values = values
        if found != self.problems:
            self.problems = found

    async def _open(self, problems: list[dict[str, Any]], where: str = "") -> None:
        draft = await self.get_state(DraftState)
        visitor, workflow_id = await draft._here()
        if visitor is None or workflow_id is None:
            return
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
        except StructForgeError as error:
            await draft._refuse(error)
            return
        self.show_settings = True
        (await self.get_state(VersionsState)).show_versions = False
        self._show(detail.draft, problems)
        await (await self.get_state(OffersState))._look(visitor, workflow_schema_in("en"))
        if where:
            self.field = {"subject": WORKFLOW, "path": where.removeprefix("settings.")}

    @rx.event
    def hide(self) -> None:
        """Leave the settings."""
        self.show_settings = False

    @rx.event
    async def set_field(self, subject: str, name: str, value: Any, seen: Any, key: str = "") -> None:
        """Change a part of the workflow; `seen` is what it was where it was edited."""
        await (await self.get_state(DraftState))._make(field_edit(WORKFLOW, name, value, seen=seen), key)

    @rx.event
    async def unset_field(self, subject: str, name: str, seen: Any, key: str = "") -> None:
        """Let the default of a part of the workflow hold again."""
        edit = field_edit(WORKFLOW, name, None, unset=True, seen=seen)
        await (await self.get_state(DraftState))._make(edit, key)


def part_of(where: str) -> str:
    """Return the field of the form that a problem's place is about, empty when it is about none."""
    if where.startswith("settings."):
        return where.removeprefix("settings.").split(".")[0]
    return where.replace("[", ".").split(".")[0] if where.startswith(("inputs", "documentation")) else ""


def settings_problems(problems: list[dict[str, Any]]) -> dict[str, Any]:
    """Return by field of the form what is wrong there; of the inputs, by the place in their schema."""
    inputs = [row for row in problems if part_of(row["where"]) == "inputs"]
    others = [
        {**row, "where": name} for row in problems if (name := part_of(row["where"])) not in ("", "inputs")
    ]
    return at_fields("", [*others, *inputs])
