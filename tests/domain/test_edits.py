"""Edits of a draft."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structforge.domain.edits import apply, edits_json, parse_edits
from structforge.domain.errors import InvalidError
from structforge.domain.policies import Policies
from structforge.domain.workflow import Position, WorkflowDocument

NAMES = st.sampled_from(["a", "b", "c", "d"])
NODES = NAMES.map(lambda name: {"id": name, "type": "data.set"})
EDGES = st.tuples(NAMES, NAMES).map(lambda pair: {"source": pair[0], "target": pair[1]})
POSITIONS = st.integers(-3, 3).map(lambda n: {"x": float(n), "y": 0.0})
TEXTS = st.sampled_from(["{{ a.x }}", "{{ b.x ~ a['y'] }}", "{{ c", "a {{ d }} b"])
EDITS = st.one_of(
    st.builds(lambda name, to: {"kind": "rename_node", "id": name, "to": to}, NAMES, NAMES),
    st.builds(
        lambda name, text: {"kind": "set_parameter", "id": name, "name": "t", "value": {"deep": [text]}},
        NAMES,
        TEXTS,
    ),
    st.builds(
        lambda name, text: {"kind": "set_policy", "id": name, "name": "each", "value": {"items": text}},
        NAMES,
        TEXTS,
    ),
    st.builds(
        lambda node, position: {"kind": "add_node", "node": node, "position": position}, NODES, POSITIONS
    ),
    st.builds(lambda name: {"kind": "remove_node", "id": name}, NAMES),
    st.builds(
        lambda name, title: {"kind": "set_title", "id": name, "title": title}, NAMES, st.text(max_size=3)
    ),
    st.builds(
        lambda name, flag: {"kind": "set_disabled", "id": name, "disabled": flag}, NAMES, st.booleans()
    ),
    st.builds(
        lambda name, value, unset: {
            "kind": "set_parameter",
            "id": name,
            "name": "p",
            "value": value,
            "unset": unset,
        },
        NAMES,
        st.integers(0, 2),
        st.booleans(),
    ),
    st.builds(
        lambda name, t: {"kind": "set_policy", "id": name, "name": "timeout_s", "value": t},
        NAMES,
        st.sampled_from([None, 1.0, 2.0]),
    ),
    st.builds(lambda edge: {"kind": "add_edge", "edge": edge}, EDGES),
    st.builds(lambda edge: {"kind": "remove_edge", "edge": edge}, EDGES),
    st.builds(lambda name, position: {"kind": "move", "positions": {name: position}}, NAMES, POSITIONS),
    st.builds(
        lambda name, text: {"kind": "put_note", "note": {"id": name, "text": text}},
        NAMES,
        st.text(max_size=2),
    ),
    st.builds(lambda name: {"kind": "remove_note", "id": name}, NAMES),
    st.builds(lambda text: {"kind": "set_documentation", "text": text}, st.text(max_size=3)),
    st.builds(
        lambda runs: {"kind": "set_setting", "name": "max_runs", "value": runs}, st.sampled_from([None, 1, 2])
    ),
    st.builds(lambda name: {"kind": "set_inputs", "value": {name: 1}}, NAMES),
)


def sorted_parts(document: WorkflowDocument) -> dict[str, Any]:
    """Return the document as JSON without the order of its nodes, edges and notes."""
    body = document.model_dump(mode="json")
    body["nodes"].sort(key=lambda node: node["id"])
    body["edges"].sort(key=str)
    body["layout"]["notes"] = sorted(body["layout"]["notes"], key=str)
    return body


@given(st.lists(EDITS, max_size=12), st.lists(EDITS, max_size=12))
def test_the_inverse_gives_the_document_back(setup: list[Any], edits: list[Any]) -> None:
    before = apply(WorkflowDocument(), parse_edits(setup)).document
    applied = apply(before, parse_edits(edits))
    assert sorted_parts(apply(applied.document, applied.inverse).document) == sorted_parts(before)
    # The document is a valid one, and the edits survive the trip through JSON.
    WorkflowDocument.model_validate(applied.document.as_json())
    assert parse_edits(edits_json(applied.made)) == applied.made
    assert apply(before, applied.made).document == applied.document


def test_edits_of_different_things_made_at_once_are_all_kept() -> None:
    start = apply(
        WorkflowDocument(), parse_edits([{"kind": "add_node", "node": {"id": "a", "type": "t"}}])
    ).document
    mine = parse_edits([{"kind": "set_title", "id": "a", "title": "Mine"}])
    theirs = parse_edits([{"kind": "set_parameter", "id": "a", "name": "rows", "value": 5}])
    one, other = apply(apply(start, mine).document, theirs), apply(apply(start, theirs).document, mine)
    assert one.document == other.document
    assert (one.document.nodes[0].title, one.document.nodes[0].parameters) == ("Mine", {"rows": 5})


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ({"kind": "set_title", "id": "gone", "title": "x"}, "edit.node_gone"),
        ({"kind": "add_edge", "edge": {"source": "a", "target": "gone"}}, "edit.node_gone"),
        ({"kind": "add_node", "node": {"id": "a", "type": "t"}}, "edit.id_taken"),
        ({"kind": "set_policy", "id": "a", "name": "timeout_s", "value": -1}, "edit.policy_invalid"),
        ({"kind": "set_policy", "id": "a", "name": "nonsense", "value": 1}, "edit.policy_invalid"),
    ],
)
def test_what_cannot_be_made_is_refused_and_the_rest_is_made(edit: dict[str, Any], code: str) -> None:
    start = apply(
        WorkflowDocument(), parse_edits([{"kind": "add_node", "node": {"id": "a", "type": "t"}}])
    ).document
    applied = apply(start, parse_edits([edit, {"kind": "set_title", "id": "a", "title": "still"}]))
    assert [problem.code for problem in applied.refused] == [code]
    assert applied.document.nodes[0].title == "still"


@pytest.mark.parametrize(
    "body",
    [None, {}, [{"kind": "drop_database"}], [{"kind": "remove_node", "id": "No!"}], [{"kind": "add_node"}]],
)
def test_garbage_is_refused(body: object) -> None:
    with pytest.raises(InvalidError):
        parse_edits(body)


RETRY = Policies().model_dump(mode="json")["retry"]
SEEN_EDITS = [
    ("set_parameter", "url", {"value": "old"}, "new", True),
    ("set_parameter", "url", {"unset": True}, "new", False),
    ("set_policy", "retry", {"value": {**RETRY, "backoff_s": 1}}, {"max_attempts": 2}, True),
    ("set_parameter", "url", {"value": "stale"}, "new", False),
    ("set_parameter", "url", {"value": "stale"}, "old", True),
    ("set_parameter", "other", {"unset": True}, "new", True),
    ("set_parameter", "other", {"value": None}, "new", False),
    ("set_policy", "timeout_s", {"value": None}, 5, True),
    ("set_policy", "timeout_s", {"value": 3}, 5, False),
]


@pytest.mark.parametrize(("kind", "name", "seen", "value", "taken"), SEEN_EDITS)
def test_a_value_that_somebody_else_changed_meanwhile_is_not_overwritten(
    kind: str, name: str, seen: dict[str, Any], value: Any, taken: bool
) -> None:
    start = apply(
        WorkflowDocument(),
        parse_edits([{"kind": "add_node", "node": {"id": "a", "type": "t", "parameters": {"url": "old"}}}]),
    ).document
    edit = {"kind": kind, "id": "a", "name": name, "value": value, "seen": seen}
    applied = apply(start, parse_edits([edit]))
    assert [problem.code for problem in applied.refused] == ([] if taken else ["edit.conflict"])
    if not taken:
        assert applied.document == start
        assert applied.refused[0].details["theirs"] == ("old" if name == "url" else None)
    assert all("seen" not in each for each in edits_json(applied.made))


def note_edit(text: str, seen: str, name: str = "n") -> dict[str, Any]:
    return {"kind": "put_note", "note": {"id": name, "text": text, "x": 5}, "seen": {"value": seen}}


WORDS = [
    ({"kind": "set_title", "id": "a", "title": "New", "seen": {"value": "Old"}}, None),
    ({"kind": "set_title", "id": "a", "title": "New", "seen": {"value": ""}}, "Old"),
    ({"kind": "set_title", "id": "a", "title": "Old", "seen": {"value": "?"}}, None),
    (note_edit("new", "old"), None),
    (note_edit("new", "before"), "old"),
    (note_edit("old", "before"), None),
]


@pytest.mark.parametrize(("edit", "theirs"), WORDS)
def test_titles_and_notes_are_not_written_over_somebody_else_and_can_be_all_the_same(
    edit: dict[str, Any], theirs: str | None
) -> None:
    nodes = [{"id": "a", "type": "t", "title": "Old"}]
    start = WorkflowDocument.model_validate(
        {"nodes": nodes, "layout": {"notes": [{"id": "n", "text": "old"}]}}
    )
    applied = apply(start, parse_edits([edit]))
    assert [problem.details["theirs"] for problem in applied.refused] == ([theirs] if theirs else [])
    for problem in applied.refused:
        again = apply(applied.document, parse_edits([problem.details["edit"]]))
        assert len(again.made) == 1 and not again.refused


def test_a_text_on_a_note_that_is_gone_is_told_and_can_be_kept() -> None:
    applied = apply(WorkflowDocument(), parse_edits([note_edit("new", "old")]))
    assert applied.refused[0].details["unset"] and applied.document == WorkflowDocument()
    kept = apply(applied.document, parse_edits([applied.refused[0].details["edit"]])).document
    assert [(note.text, note.x) for note in kept.layout.notes] == [("new", 5)]


WORKFLOW_EDITS = [
    ({"kind": "set_setting", "name": "max_parallel", "value": 4, "seen": {"value": 2}}, []),
    ({"kind": "set_setting", "name": "max_parallel", "value": 4, "seen": {"value": None}}, ["edit.conflict"]),
    ({"kind": "set_setting", "name": "timeout_s", "value": 9, "seen": {"value": None}}, []),
    ({"kind": "set_setting", "name": "timeout_s", "value": -1}, ["edit.setting_invalid"]),
    ({"kind": "set_setting", "name": "nonsense", "value": 1}, ["edit.setting_invalid"]),
    ({"kind": "set_inputs", "value": {"type": "object"}, "seen": {"value": {}}}, []),
    ({"kind": "set_inputs", "value": {}, "seen": {"value": {"type": "array"}}}, []),
    ({"kind": "set_inputs", "value": {"type": "object"}, "seen": {"value": {"a": 1}}}, ["edit.conflict"]),
    ({"kind": "set_documentation", "text": "new", "seen": {"value": "old"}}, []),
    ({"kind": "set_documentation", "text": "new", "seen": {"value": ""}}, ["edit.conflict"]),
]


@pytest.mark.parametrize(("edit", "codes"), WORKFLOW_EDITS)
def test_a_part_of_the_workflow_changes_alone_and_not_over_somebody_else(
    edit: dict[str, Any], codes: list[str]
) -> None:
    start = apply(
        WorkflowDocument(),
        parse_edits(
            [
                {"kind": "set_setting", "name": "max_parallel", "value": 2},
                {"kind": "set_setting", "name": "when_full", "value": "reject"},
                {"kind": "set_documentation", "text": "old"},
            ]
        ),
    ).document
    applied = apply(start, parse_edits([edit]))
    assert [problem.code for problem in applied.refused] == codes
    assert applied.document.settings.when_full == "reject"
    if codes:
        assert applied.document == start
    else:
        assert apply(applied.document, applied.inverse).document == start
        assert all("seen" not in each for each in edits_json(applied.made))


def test_a_renamed_node_is_followed_by_edges_places_and_expressions() -> None:
    document = WorkflowDocument.model_validate(
        {
            "nodes": [
                {"id": "get", "type": "data.set"},
                {
                    "id": "use",
                    "type": "data.set",
                    "parameters": {
                        "text": "get {{ get.get + other.get }} {{ 'get' ~ get }} get",
                        "code": "{{ get }}",
                        "broken": "{{ get. }}",
                        "rows": [{"get": "{{ get[get.at] | default(1) }}"}],
                    },
                    "policies": {"each": {"items": "{{ get.rows }}"}},
                },
                {"id": "last", "type": "code.python", "parameters": {"code": "{{ get }}"}},
            ],
            "edges": [{"source": "get", "target": "use"}, {"source": "use", "target": "last"}],
            "layout": {"positions": {"get": {"x": 1, "y": 2}}},
        }
    )
    edits = parse_edits([{"kind": "rename_node", "id": "get", "to": "fetched"}])
    applied = apply(document, edits, lambda kind: {"code"} if kind == "code.python" else ())
    made = applied.document
    assert [node.id for node in made.nodes] == ["fetched", "use", "last"]
    assert made.node("use").parameters == {
        "text": "get {{ fetched.get + other.get }} {{ 'get' ~ fetched }} get",
        "code": "{{ fetched }}",
        "broken": "{{ get. }}",
        "rows": [{"get": "{{ fetched[fetched.at] | default(1) }}"}],
    }
    assert made.node("use").policies.each is not None
    assert made.node("use").policies.each.items == "{{ fetched.rows }}"
    assert made.node("last").parameters == {"code": "{{ get }}"}
    assert [str(edge) for edge in made.edges] == ["fetched.out -> use.in", "use.out -> last.in"]
    assert dict(made.layout.positions) == {"fetched": Position(x=1, y=2)}
    assert apply(made, applied.inverse).document == document


@pytest.mark.parametrize(
    ("to", "code"), [("b", "edit.id_taken"), ("inputs", "edit.id_reserved"), ("item", "edit.id_reserved")]
)
def test_a_name_that_is_taken_or_means_something_else_is_refused(to: str, code: str) -> None:
    document = WorkflowDocument.model_validate(
        {"nodes": [{"id": "a", "type": "data.set"}, {"id": "b", "type": "data.set"}]}
    )
    applied = apply(document, parse_edits([{"kind": "rename_node", "id": "a", "to": to}]))
    assert applied.document == document and [problem.code for problem in applied.refused] == [code]
