"""Differences in meaning."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structforge.domain.diff import Difference, difference
from structforge.domain.workflow import WorkflowDocument

EMPTY: dict[str, Any] = Difference().as_json()


def document(**parts: Any) -> WorkflowDocument:
    return WorkflowDocument.model_validate(parts)


def node(node_id: str = "a", **parts: Any) -> dict[str, Any]:
    return {"id": node_id, "type": "t"} | parts


def edge(source: str, target: str) -> dict[str, str]:
    return {"source": source, "source_port": "out", "target": target, "target_port": "in"}


def changed(*changes: dict[str, Any], node_id: str = "a") -> dict[str, Any]:
    return {"nodes": EMPTY["nodes"] | {"changed": [{"id": node_id, "changes": [*changes]}]}}


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "nothing": ({"nodes": [node()]}, {"nodes": [node()]}, {}),
    "a default written out": ({"nodes": [node()]}, {"nodes": [node(disabled=False, policies={})]}, {}),
    "moved": (
        {"nodes": [node()]},
        {"nodes": [node()], "layout": {"positions": {"a": {"x": 5, "y": 6}}, "notes": [{"id": "n"}]}},
        {},
    ),
    "added": (
        {"nodes": [node("a")]},
        {"nodes": [node("b"), node("a")]},
        {"nodes": EMPTY["nodes"] | {"added": [node("b")]}},
    ),
    "renamed": (
        {"nodes": [node("a")]},
        {"nodes": [node("b")]},
        {"nodes": EMPTY["nodes"] | {"added": [node("b")], "removed": [node("a")]}},
    ),
    "reordered": (
        {"nodes": [node("a"), node("b"), node("c")]},
        {"nodes": [node("b"), node("a")]},
        {"nodes": EMPTY["nodes"] | {"removed": [node("c")], "reordered": True}},
    ),
    "a parameter": (
        {"nodes": [node(parameters={"url": "x", "n": 1, "gone": None})]},
        {"nodes": [node(parameters={"n": 1.0, "url": "y", "new": [1]})]},
        changed(
            {"path": "parameters.url", "old": "x", "new": "y"},
            {"path": "parameters.gone", "old": None},
            {"path": "parameters.new", "new": [1]},
        ),
    ),
    "deep inside": (
        {"nodes": [node(parameters={"h": {"X-Key": [{"v": True}, 2]}})]},
        {"nodes": [node(parameters={"h": {"X-Key": [{"v": 1}, 2]}})]},
        changed({"path": 'parameters.h["X-Key"][0].v', "old": True, "new": 1}),
    ),
    "a list of another length": (
        {"nodes": [node(parameters={"c": [1, 2]})]},
        {"nodes": [node(parameters={"c": [1]})]},
        changed({"path": "parameters.c", "old": [1, 2], "new": [1]}),
    ),
    "type, title, policy": (
        {"nodes": [node()]},
        {"nodes": [node(type="u", title="T", policies={"retry": {"max_attempts": 3}}, disabled=True)]},
        changed(
            {"path": "type", "old": "t", "new": "u"},
            {"path": "title", "old": "", "new": "T"},
            {"path": "policies.retry.max_attempts", "old": 1, "new": 3},
            {"path": "disabled", "old": False, "new": True},
        ),
    ),
    "edges": (
        {"edges": [edge("a", "b"), edge("b", "c")]},
        {"edges": [edge("a", "c"), edge("a", "b"), edge("a", "b")]},
        {"edges": EMPTY["edges"] | {"added": [edge("a", "c"), edge("a", "b")], "removed": [edge("b", "c")]}},
    ),
    "edges reordered": (
        {"edges": [edge("a", "b"), edge("b", "c")]},
        {"edges": [edge("b", "c"), edge("a", "b")]},
        {"edges": EMPTY["edges"] | {"reordered": True}},
    ),
    "the rest": (
        {"documentation": "old", "inputs": {"type": "object"}},
        {"documentation": "new", "settings": {"max_parallel": 1}, "inputs": {"type": "object", "title": "T"}},
        {
            "settings": [{"path": "max_parallel", "old": None, "new": 1}],
            "inputs": [{"path": "title", "new": "T"}],
            "documentation": {"path": "", "old": "old", "new": "new"},
        },
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), CASES.values(), ids=CASES.keys())
def test_differences(old: dict[str, Any], new: dict[str, Any], expected: dict[str, Any]) -> None:
    found = difference(document(**old), document(**new))
    assert found.as_json() == EMPTY | expected
    assert bool(found) == bool(expected)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, 0.5, "", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b-c"]), inner, max_size=2)
    ),
    max_leaves=6,
)
_names = st.sampled_from("abc")
_documents = st.builds(
    lambda names, parameters, edges, inputs: document(
        nodes=[node(name, parameters=parameters) for name in names], edges=edges, inputs=inputs
    ),
    st.lists(_names, unique=True, max_size=3),
    st.dictionaries(st.sampled_from(["a", "b-c"]), _json, max_size=2),
    st.lists(st.builds(edge, _names, _names), max_size=3),
    st.dictionaries(_names, _json, max_size=2),
)


@given(_documents, _documents)
def test_no_difference_is_the_same_hash(old: WorkflowDocument, new: WorkflowDocument) -> None:
    assert bool(difference(old, new)) == (old.content_hash() != new.content_hash())
    assert not difference(old, old)
