"""A field of a form of the editor as an edit of the draft: a parameter or policy of a node, a part of the workflow.

Invariant: what the browser sends is read with care and not checked; the edit is, when it is parsed and applied.
"""

from typing import Any

from structforge.domain.policies import Policies
from structforge.domain.workflow import WorkflowSettings

WORKFLOW = "settings:"
"""The subject of the form of the whole workflow; of a node it is `parameters:<id>` or `policies:<id>`."""
DEFAULTS: dict[str, dict[str, Any]] = {
    "policies": Policies().model_dump(mode="json"),
    "settings": {**WorkflowSettings().model_dump(mode="json"), "documentation": "", "inputs": {}},
}
"""What a field that the form does not hold means; a parameter without a value has none."""


def field_edit(
    subject: object, name: object, value: Any, *, unset: bool = False, seen: Any = None
) -> dict[str, Any]:
    """Return the edit that gives a field a value, or lets its default hold; `seen` is what the browser saw."""
    (part, _, node), name = str(subject).partition(":"), str(name)
    defaults = DEFAULTS.get(part)
    saw: dict[str, Any] | None = None
    if isinstance(seen, dict):
        saw = {"value": seen.get("value"), "unset": bool(seen.get("unset"))}
        if defaults is not None and saw["unset"]:
            saw = {"value": defaults.get(name)}
    if defaults is None:
        given = {"unset": True} if unset else {"value": value}
        return {"kind": "set_parameter", "id": node, "name": name, "seen": saw, **given}
    if unset:
        value = defaults.get(name)
    if part == "policies":
        return {"kind": "set_policy", "id": node, "name": name, "value": value, "seen": saw}
    if name == "documentation":
        return {"kind": "set_documentation", "text": value, "seen": saw}
    if name == "inputs":
        return {"kind": "set_inputs", "value": value, "seen": saw}
    return {"kind": "set_setting", "name": name, "value": value, "seen": saw}
