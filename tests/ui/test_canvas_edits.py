"""What is done on the canvas, as edits: moves of notes, frames, copies that name each other, refused pastes."""

import json
from typing import Any

import pytest

from structforge.domain.edits import apply, parse_edits
from structforge.domain.errors import InvalidError
from structforge.domain.workflow import WorkflowDocument
from structforge.nodes.builtin import register
from structforge.sdk import NodeRegistry
from structforge.ui.canvas_edits import additions, edits_of

REGISTRY = NodeRegistry()
register(REGISTRY)
DRAFT = WorkflowDocument.model_validate(
    {
        "nodes": [
            {"id": "fetch", "type": "data.set", "parameters": {"fields": {"a": 1}}},
            {"id": "use", "type": "data.set", "parameters": {"fields": {"b": "{{ fetch.a }} {{ other.a }}"}}},
        ],
        "edges": [{"source": "fetch", "target": "use"}],
        "layout": {
            "positions": {"fetch": {"x": 0, "y": 0}, "use": {"x": 300, "y": 0}},
            "notes": [{"id": "note", "text": "Why", "x": 5, "y": 5, "color": "blue"}],
        },
    }
)


def made(kind: str, value: Any) -> WorkflowDocument:
    """Return the draft after an action of the canvas."""
    applied = apply(DRAFT, parse_edits(edits_of(kind, value, DRAFT)))
    assert applied.refused == []
    return applied.document


def pasted(value: dict[str, Any]) -> WorkflowDocument:
    """Return the draft after a paste."""
    edits, _ = additions("paste", value, DRAFT, REGISTRY)
    return apply(DRAFT, parse_edits(edits)).document


def test_a_move_places_nodes_and_notes_and_keeps_what_the_notes_say() -> None:
    after = made(
        "move", {"use": {"x": 9, "y": 8}, "note:note": {"x": 7, "y": 6}, "note:gone": {"x": 0, "y": 0}}
    )
    assert after.layout.positions["use"].model_dump() == {"x": 9, "y": 8}
    note = after.layout.notes[0]
    assert (note.x, note.y, note.text, note.color) == (7, 6, "Why", "blue")


def test_a_note_changes_only_in_what_is_named() -> None:
    note = made("note", {"id": "note:note", "width": 500, "evil": 1}).layout.notes[0]
    assert (note.width, note.text, note.x) == (500, "Why", 5)


def test_a_frame_is_a_note_of_its_own() -> None:
    after = made("add_note", {"frame": True, "x": 1, "y": 2, "width": 300, "height": 200})
    assert [(note.id, note.frame) for note in after.layout.notes] == [("note", False), ("frame", True)]
    assert after.content_hash() == DRAFT.content_hash()


def test_several_nodes_are_turned_off_at_once() -> None:
    after = made("disable", {"ids": ["fetch", "use"], "disabled": True})
    assert [node.disabled for node in after.nodes] == [True, True]


def test_copies_name_each_other_and_leave_other_names_alone() -> None:
    body = {"nodes": DRAFT.as_json()["nodes"], "edges": [{"source": "fetch", "target": "use"}]}
    after = pasted({"text": json.dumps(body)})
    copy = after.node("use_2")
    assert copy.parameters == {"fields": {"b": "{{ fetch_2.a }} {{ other.a }}"}}
    assert [(edge.source, edge.target) for edge in after.edges] == [("fetch", "use"), ("fetch_2", "use_2")]


def test_a_whole_workflow_is_pasted_with_its_places_and_notes() -> None:
    after = pasted({"text": json.dumps({"structforge": {"format": 1}, "workflow": DRAFT.as_json()})})
    assert after.layout.positions["use_2"].x == 340
    assert [note.id for note in after.layout.notes] == ["note", "note_2"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"text": "[1, 2"}, "value.syntax"),
        ({"text": "[1, 2]"}, "paste.no_nodes"),
        ({"text": '{"nodes": 7}'}, "paste.no_nodes"),
        ({"text": '{"format": 99, "nodes": []}'}, "paste.other_format"),
        ({"text": "{", "whole": False}, "paste.too_large"),
    ],
)
def test_what_cannot_be_pasted_is_told(value: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        pasted(value)
    assert caught.value.problem.code == code


@pytest.mark.parametrize(
    "value", [None, 7, "x", [], {}, [7], {"id": 3}, {"ids": 4}, {"note:x": 5}, {"a": "b"}]
)
@pytest.mark.parametrize("kind", ["move", "note", "remove", "cut", "link", "disable", "add_note", "nonsense"])
def test_whatever_the_browser_sends_is_an_edit_or_a_refusal(kind: str, value: Any) -> None:
    try:
        edits = parse_edits(edits_of(kind, value, DRAFT))
    except InvalidError:
        return
    assert isinstance(apply(DRAFT, edits).document, WorkflowDocument)
