"""Fields of the editor's forms as edits of the draft."""

from typing import Any

import pytest

from structforge.domain.edits import parse_edits
from structforge.ui.field_edits import field_edit

UNSET = {"value": None, "unset": True}
FIELDS = [
    (("parameters:a", "url", "x"), {"seen": UNSET}, ("set_parameter", "x", {"value": None, "unset": True})),
    (("policies:a", "on_error", "port"), {"seen": UNSET}, ("set_policy", "port", {"value": "fail"})),
    (("policies:a", "timeout_s", 1), {"unset": True}, ("set_policy", None, None)),
    (("settings:", "when_full", "reject"), {"seen": UNSET}, ("set_setting", "reject", {"value": "queue"})),
    (("settings:", "when_full", None), {"unset": True}, ("set_setting", "queue", None)),
    (("settings:", "inputs", None), {"unset": True, "seen": "no"}, ("set_inputs", {}, None)),
    (("settings:", "documentation", "new"), {"seen": UNSET}, ("set_documentation", "new", {"value": ""})),
]


@pytest.mark.parametrize(("field", "more", "wanted"), FIELDS)
def test_a_field_is_one_edit_and_what_it_did_not_hold_is_its_default(
    field: tuple[str, str, Any], more: dict[str, Any], wanted: tuple[str, Any, Any]
) -> None:
    edit = field_edit(*field, **more)
    assert (edit["kind"], edit.get("text", edit.get("value")), edit["seen"]) == wanted
    assert parse_edits([edit])
