"""The selected node of the editor: its parameters, policies and what is wrong with them.

Invariant: a field commits by itself, as one edit of the draft; what the panel shows is read from the draft after it.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from collections.abc import Mapping
from typing import Any

import reflex as rx

from structforge.domain.model_json import model_json
from structforge.domain.values import readable_json
from structforge.domain.workflow import NodeSpec, WorkflowDocument
from structforge.ui.exact import exactly
from structforge.ui.field_edits import field_edit
from structforge.ui.graph_view import NOTE_PREFIX
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.services import services

TABS = ("parameters", "policies", "docs")


class PanelState(rx.State):
    """The selected node as its panel shows it."""

    selected: str = ""
    selected_count: int = 0
    panel: dict[str, Any] = {}
    tab: str = "parameters"
    field: dict[str, str] = {}
    """`{"subject", "path"}`: the field that was jumped to."""
    id_fault: dict[str, Any] | None = None
    """Why the last id was not taken."""
    """Why the node could not be renamed."""

    def _close(self) -> None:
        self.selected, self.selected_count, self.panel, self.tab = "", 0, {}, "parameters"
        self.field, self.id_fault = {}, None

    def _choose(self, value: Any) -> None:
        """Take the ids that are selected on the canvas."""
        ids = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
        nodes = [each for each in ids if not each.startswith(NOTE_PREFIX)]
        self.selected_count, self.id_fault = len(ids), None
        self.selected = nodes[0] if len(nodes) == 1 else ""
        if not self.selected:
            self.panel = {}

    def _go_to(self, node: str, where: str) -> bool:
        """Show the field of a problem's place as soon as its node is selected; tell whether there is one."""
        start = f"nodes.{node}."
        part, _, path = where.removeprefix(start).partition(".") if where.startswith(start) else ("", "", "")
        if part in ("parameters", "policies"):
            self.tab = part
            self.field = {"subject": f"{part}:{node}", "path": path.partition(": characters ")[0]}
            return True
        return False

    def _show(self, document: WorkflowDocument, problems: list[dict[str, Any]]) -> None:
        spec = next((node for node in document.nodes if node.id == self.selected), None)
        panel = {} if spec is None else _panel(spec, problems)
        # Assigned only when changed: an assignment is sent to the browser.
        if panel != self.panel:
            self.panel = panel

    @rx.event
    async def set_field(self, subject: str, name: str, value: Any, seen: Any, key: str = "") -> None:
        """Give a parameter or a policy of a node a value; `seen` is what it had where it was edited."""
        await self._set(field_edit(subject, name, value, seen=seen), key)

    @rx.event
    async def unset_field(self, subject: str, name: str, seen: Any, key: str = "") -> None:
        """Let the default of a parameter or a policy hold again."""
        await self._set(field_edit(subject, name, None, unset=True, seen=seen), key)

    @rx.event
    async def set_title(self, title: str, seen: str, key: str = "") -> None:
        """Name the selected node; `seen` is the name that was there where it was written."""
        own, kind = self.panel.get("title", ""), self.panel.get("type_title", "")
        # A node without a title shows that of its type.
        before = own if seen == (own or kind) else "" if seen == kind else str(seen)
        edit = {
            "kind": "set_title",
            "id": self.selected,
            "title": str(title)[:200],
            "seen": {"value": before},
        }
        await self._set(edit, key)

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
    def choose_tab(self, name: str) -> None:
        """Show another side of the selected node."""
        if name in TABS:
            self.tab = name

    async def _set(self, edit: dict[str, Any], key: str = "") -> None:
        if edit.get("id"):
            await (await self.get_state(DraftState))._make(edit, key)


def _panel(spec: NodeSpec, problems: list[dict[str, Any]]) -> dict[str, Any]:
    node = services().registry.get(spec.type)
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
        "values": exactly(spec.parameters),
        "raw": "" if node else readable_json(spec.parameters),
        "policies": model_json(spec.policies, exclude_defaults=True),
        "problems": at_fields(f"nodes.{spec.id}.parameters.", problems),
        "policy_problems": at_fields(f"nodes.{spec.id}.policies.", problems),
        "docs": node.documentation().removeprefix(node.summary()).strip() if node else "",
    }


def _at_its_field(row: Mapping[str, Any]) -> Any:
    """Return what is said beside the field itself: without its name, and without where to read more."""
    inner = row.get("sentences", {}).get("message", {}).get("values", {}).get("message")
    if row.get("code") == "parameter.invalid" and inner:
        return {**inner, "text": f"{inner['text']}."} if isinstance(inner, dict) else f"{inner}."
    return {name: row[name] for name in ("message", "hint", "sentences") if name in row}


def at_fields(start: str, problems: list[dict[str, Any]]) -> dict[str, Any]:
    """Return by field what is wrong there: the sentences, and the characters they are about."""
    fields: dict[str, Any] = {}
    for row in problems:
        if not row["where"].startswith(start):
            continue
        path, _, place = row["where"].removeprefix(start).partition(": characters ")
        fault = fields.setdefault(path, {"said": [], "spans": []})
        fault["said"].append(_at_its_field(row))
        begin, _, end = place.partition("-")
        if begin.isdigit() and end.isdigit():
            fault["spans"].append({"start": int(begin), "end": int(end)})
    return fields
