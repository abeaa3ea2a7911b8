"""What is remembered of a draft's nodes as rows for the canvas and the notebook.

Invariant: a row has every field, so that a patch of it also takes away what holds no more.
"""

from typing import Any

from structforge.domain.events import iso
from structforge.engine.summaries import summaries_of
from structforge.services.draft_memory import DraftNode, Memory
from structforge.ui.run_rows import note_of

PREFIX = "facts:"


def channel_of(workflow_id: object) -> str:
    """Return the name of a draft's channel in live.jsx."""
    return f"{PREFIX}{workflow_id}"


def fact_rows(memory: Memory) -> dict[str, dict[str, Any]]:
    """Return a row for each node of which something is known."""
    titles = {name: spec.title or name for name, spec in memory.anatomy.specs.items()}
    return {name: _row(node, titles) for name, node in memory.nodes.items()}


def _row(node: DraftNode, titles: dict[str, str]) -> dict[str, Any]:
    pinned = node.pinned is not None
    shown = node.pinned if node.pinned is not None else node.outputs
    error = node.error or {}
    return {
        "status": "" if pinned else node.status or "",
        "started_at": "" if node.started_at is None else iso(node.started_at),
        "finished_at": "" if node.finished_at is None else iso(node.finished_at),
        "out": summaries_of(shown or {}),
        "note": "" if pinned else note_of(error),
        "stale": node.stale.cause if node.stale else "",
        "because": titles.get(node.stale.node, node.stale.node) if node.stale else "",
        "pinned": pinned,
    }
