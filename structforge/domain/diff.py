"""What differs in meaning between two documents: nodes by parameter path, edges, settings, inputs, text.

Invariant: the difference is empty exactly when both documents have the same content hash, so moving a node on
the canvas is none. A node whose id changed is one removed and one added: expressions name nodes by id.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from structforge.domain.model_json import model_json
from structforge.domain.values import JsonValue, canonical_json, path_of
from structforge.domain.workflow import Edge, NodeSpec, WorkflowDocument

ABSENT: Any = object()
"""Stands in a `Change` for a side that has no such value (`null` is a value)."""


@dataclass(frozen=True, slots=True)
class Change:
    """A value that differs."""

    path: str
    """`parameters.headers["X-Key"]`, `policies.retry.max_attempts`; empty for the whole."""
    old: Any
    new: Any

    def as_json(self) -> dict[str, Any]:
        """Return the change as JSON; a side that has no such value is left out."""
        body: dict[str, Any] = {"path": self.path}
        if self.old is not ABSENT:
            body["old"] = self.old
        if self.new is not ABSENT:
            body["new"] = self.new
        return body


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A node that both documents have, with what differs in it."""

    id: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs; falsy when nothing does."""

    nodes_added: tuple[NodeSpec, ...] = ()
    nodes_removed: tuple[NodeSpec, ...] = ()
    nodes_changed: tuple[NodeChange, ...] = ()
    nodes_reordered: bool = False
    """The nodes that both have stand in another order, which decides ties."""
    edges_added: tuple[Edge, ...] = ()
    edges_removed: tuple[Edge, ...] = ()
    edges_reordered: bool = False
    """The edges that both have stand in another order, which decides the order of merged values."""
    settings: tuple[Change, ...] = ()
    inputs: tuple[Change, ...] = ()
    documentation: Change | None = None

    def __bool__(self) -> bool:
        return self != Difference()

    def as_json(self) -> dict[str, Any]:
        """Return the difference as JSON, every part present."""
        return {
            "nodes": {
                "added": [_node_json(spec) for spec in self.nodes_added],
                "removed": [_node_json(spec) for spec in self.nodes_removed],
                "changed": [
                    {"id": node.id, "changes": [change.as_json() for change in node.changes]}
                    for node in self.nodes_changed
                ],
                "reordered": self.nodes_reordered,
            },
            "edges": {
                "added": [edge.model_dump(mode="json") for edge in self.edges_added],
                "removed": [edge.model_dump(mode="json") for edge in self.edges_removed],
                "reordered": self.edges_reordered,
            },
            "settings": [change.as_json() for change in self.settings],
            "inputs": [change.as_json() for change in self.inputs],
            "documentation": self.documentation.as_json() if self.documentation else None,
        }


def difference(old: WorkflowDocument, new: WorkflowDocument) -> Difference:
    """Compare two valid documents by meaning, each part in document order (removed ones in the old order)."""
    old, new = old.without_pins(), new.without_pins()
    before = {spec.id: spec for spec in old.nodes}
    after = {spec.id: spec for spec in new.nodes}
    changed = []
    for node_id, spec in after.items():
        if node_id in before:
            changes = tuple(_changes(_content(before[node_id]), _content(spec), ""))
            if changes:
                changed.append(NodeChange(node_id, changes))
    edges_before, edges_after = Counter(old.edges), Counter(new.edges)
    kept = edges_before & edges_after
    return Difference(
        nodes_added=tuple(spec for node_id, spec in after.items() if node_id not in before),
        nodes_removed=tuple(spec for node_id, spec in before.items() if node_id not in after),
        nodes_changed=tuple(changed),
        nodes_reordered=[node_id for node_id in before if node_id in after]
        != [node_id for node_id in after if node_id in before],
        edges_added=tuple((edges_after - edges_before).elements()),
        edges_removed=tuple((edges_before - edges_after).elements()),
        edges_reordered=_kept(old.edges, kept) != _kept(new.edges, kept),
        settings=tuple(
            _changes(old.settings.model_dump(mode="json"), new.settings.model_dump(mode="json"), "")
        ),
        inputs=tuple(_changes(old.inputs, new.inputs, "")),
        documentation=Change("", old.documentation, new.documentation)
        if old.documentation != new.documentation
        else None,
    )


def changes(old: JsonValue, new: JsonValue) -> Iterator[Change]:
    """Compare two JSON values by path; lists of different length are shown whole."""
    return _changes(old, new, "")


def _kept(edges: tuple[Edge, ...], kept: Counter[Edge]) -> list[Edge]:
    left = kept.copy()
    found = []
    for edge in edges:
        if left[edge] > 0:
            left[edge] -= 1
            found.append(edge)
    return found


def _content(spec: NodeSpec) -> dict[str, Any]:
    return model_json(spec, exclude={"id"})


def _node_json(spec: NodeSpec) -> dict[str, Any]:
    return model_json(spec, exclude_defaults=True)


def _changes(old: JsonValue, new: JsonValue, path: str) -> Iterator[Change]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            below = path_of(path, key) if path else path_of("", key).removeprefix(".")
            if key not in new:
                yield Change(below, old[key], ABSENT)
            elif key not in old:
                yield Change(below, ABSENT, new[key])
            else:
                yield from _changes(old[key], new[key], below)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from _changes(left, right, path_of(path, index))
    # Not `==`: true equals 1 for Python, and 1.0 means the same as 1 in the content hash.
    elif canonical_json(old) != canonical_json(new):
        yield Change(path, old, new)
