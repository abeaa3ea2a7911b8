"""Whether a result of the draft still is what its node would give, and if not, which change made it so.

Invariant: three facts stay apart: the last result, how it ended, and whether it is stale. Pure. A result is stale when
the node is defined otherwise now, when something it read gave another value since, or when that is stale itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from structforge.domain.model_json import model_json
from structforge.domain.parts import Anatomy
from structforge.domain.values import JsonValue, content_hash

Cause = Literal["definition", "input", "source"]


@dataclass(frozen=True, slots=True)
class KnownResult:
    """What is remembered of a node's last result."""

    definition_hash: str
    """Of the node as it was then; empty where it has a pinned value only."""
    outputs_hash: str
    """Of what the node gives now: its pinned value, else its last result."""
    read: Mapping[str, str]
    """Node to the hash of its outputs, of everything it read."""
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Staleness:
    """Why a result is stale."""

    cause: Cause
    """`definition`: the node was changed; `input`: `node` gave something else since; `source`: `node` is stale."""
    node: str


def definition_hash(anatomy: Anatomy, node_id: str) -> str:
    """Return the hash of all that decides what a node makes of its inputs; of a loop, with what runs inside."""
    parts: list[JsonValue] = []
    for name in anatomy.whole(node_id):
        spec = anatomy.specs[name]
        edges = sorted(
            f"{edge.source}.{edge.source_port}>{edge.target_port}"
            for edge in anatomy.document.edges
            if edge.target == name
        )
        body = model_json(spec, exclude={"title"})
        parts.append([body, *edges])
    return content_hash(parts)


def stale_results(anatomy: Anatomy, known: Mapping[str, KnownResult]) -> dict[str, Staleness]:
    """Return why results are stale, by node; a node whose result is fresh, pinned or missing is absent."""
    found: dict[str, Staleness] = {}
    for index in anatomy.graph.topological_order():
        name = anatomy.graph.ids[index]
        result = known.get(name)
        if result is None or result.pinned or not result.definition_hash:
            continue
        if result.definition_hash != definition_hash(anatomy, name):
            found[name] = Staleness("definition", name)
            continue
        for source in anatomy.sources(name) if not anatomy.in_loop(name) else anatomy.reads(name):
            before, now = result.read.get(source), known.get(source)
            if before is not None and now is not None and now.outputs_hash != before:
                found[name] = Staleness("input", source)
                break
            if source in found and not (now is not None and now.pinned):
                found[name] = Staleness("source", source)
                break
    return found
