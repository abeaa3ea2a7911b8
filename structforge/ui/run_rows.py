"""Runs and their steps as the rows that pages show.

Invariant: plain data made from what services returned; nothing here reads, checks or changes anything. Instants are
ISO 8601; what does not apply is empty or absent.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict

from structforge.domain.errors import Problem, Sentence
from structforge.domain.events import iso
from structforge.domain.graph import AGAIN_PORT, BODY_PORT
from structforge.domain.workflow import WorkflowDocument
from structforge.services.run_views import NamedRun, RunPicture
from structforge.storage.repositories.runs import AttemptRow
from structforge.storage.tables import StepRow

NOTE_CHARACTERS = 200
VALUE_CHARACTERS = 80

Note = str | dict[str, Any]
"""Why something failed, short: a text, or a sentence as told.jsx takes it."""


class RunItem(TypedDict):
    """One row of the list of runs."""

    id: str
    workflow_id: str
    workflow: str
    version: int
    """0 for a draft."""
    status: str
    trigger: str
    created_at: str
    started_at: str
    finished_at: str
    note: Note
    """Why it failed."""
    origin: str
    """`retry` or `replay`."""
    step: str
    """Among relatives: the step that made the call between the two runs."""


class StepItem(TypedDict, total=False):
    """One step of a run as live.jsx keeps it."""

    key: str
    title: str
    node_id: str
    """Where the key does not tell it."""
    status: str
    started_at: str
    finished_at: str
    attempt: int
    note: Note
    tries: list[list[Any]]
    """Attempts before the last one: `[number, began, ended, why it failed]`."""
    out: dict[str, list[Any]]
    """`[items, beginning]` of what each port gave."""
    inner: bool
    """A node inside a loop: its row shows the latest iteration."""
    times: int
    """How often an inner node was done."""
    repeats: bool
    """A loop that has begun an iteration."""
    more: int
    """Iterations or elements that are not among the rows."""


class TryItem(TypedDict):
    """One attempt that was not the last."""

    number: int
    started_at: str
    finished_at: str
    note: Note


def note_of(error: Mapping[str, Any] | None) -> Note:
    """Return the beginning of what a stored problem says; of a sentence whole, with short values."""
    found = Problem.from_json({"code": "", "message": ""} | dict(error or {}))
    if not isinstance(found.message, Sentence):
        return found.message[:NOTE_CHARACTERS]
    short = found.message.shortened(VALUE_CHARACTERS)
    return {"text": str(short)[:NOTE_CHARACTERS]} | short.as_json()


def run_item(named: NamedRun, step: str = "") -> RunItem:
    """Return a run as a row; `step` made the call that it is shown for."""
    run = named.run
    return {
        "id": str(run.id),
        "workflow_id": str(run.workflow_id),
        "workflow": named.workflow,
        "version": named.version or 0,
        "status": run.status,
        "trigger": run.trigger_kind,
        "created_at": _at(run.accepted_at),
        "started_at": _at(run.started_at or run.accepted_at),
        "finished_at": _at(run.finished_at),
        "note": note_of(run.error),
        "origin": run.origin_kind or "",
        "step": step,
    }


def step_items(picture: RunPicture) -> list[StepItem]:
    """List the nodes of the graph with what their steps show, then the steps inside loops and lists."""
    titles = titles_of(picture.document)
    inside = inner_nodes(picture.document)
    steps = by_step(picture.attempts, titles)
    latest: dict[str, StepItem] = {}
    times: Counter[str] = Counter()
    for key, step in steps.items():
        if "/" in key:
            latest[step.get("node_id", key)] = step
            done = step.get("started_at") and step.get("finished_at") and "#" not in key.split("/")[-1]
            times[step.get("node_id", key)] += bool(done)
    loops = {key[: key.rindex("[")].split("/")[-1] for key in steps if "[" in key}
    items: list[StepItem] = []
    for node_id, title in titles.items():
        item = steps.pop(node_id, None) or StepItem(key=node_id, title=title, status="pending")
        if node_id in inside:
            item["inner"] = True
            if node_id in latest:
                last = latest[node_id]
                item["status"], item["times"] = last["status"], times[node_id]
                item["started_at"] = last.get("started_at", "")
                item["finished_at"] = last.get("finished_at", "")
        if node_id in loops:
            item["repeats"] = True
        if node_id in picture.groups:
            item["more"] = picture.groups[node_id]
        if node_id in picture.given:
            item["out"] = picture.given[node_id]
        items.append(item)
    return items + list(steps.values())


def by_step(attempts: Iterable[AttemptRow], titles: Mapping[str, str]) -> dict[str, StepItem]:
    """Fold attempts, in their order, into steps."""
    steps: dict[str, StepItem] = {}
    for row in sorted(attempts, key=lambda row: row.attempt):
        item: StepItem = {
            "key": row.step_key,
            "title": titles.get(row.node_id, row.node_id),
            "status": row.status,
        }
        if row.node_id != row.step_key:
            item["node_id"] = row.node_id
        if row.started_at is not None:
            item["started_at"] = iso(row.started_at)
        if row.finished_at is not None:
            item["finished_at"] = iso(row.finished_at)
        if row.message:
            item["note"] = note_of({"message": row.message, "sentences": {"message": row.sentence}})
        if row.attempt > 1:
            item["attempt"] = row.attempt
        before = steps.get(row.step_key)
        if before is not None:
            number = before.get("attempt", 1)
            tried = [
                number,
                before.get("started_at", ""),
                before.get("finished_at", ""),
                before.get("note", ""),
            ]
            item["tries"] = [*before.get("tries", []), tried]
        steps[row.step_key] = item
    # In the order they began, as the attempts came.
    return {row.step_key: steps[row.step_key] for row in attempts}


def try_items(rows: Iterable[StepRow]) -> list[TryItem]:
    """Return the attempts before the last one."""
    return [
        {
            "number": row.attempt,
            "started_at": _at(row.started_at),
            "finished_at": _at(row.finished_at),
            "note": note_of(row.error),
        }
        for row in rows
    ]


def titles_of(document: WorkflowDocument) -> dict[str, str]:
    """Return the title of each node."""
    return {node.id: node.title or node.id for node in document.nodes}


def inner_nodes(document: WorkflowDocument) -> set[str]:
    """Return the nodes that loops repeat."""
    ahead = [edge.target for edge in document.edges if edge.source_port == BODY_PORT]
    after: dict[str, list[str]] = {}
    for edge in document.edges:
        # What leads back ends the region; the only other way out of it is the loop's own port.
        if edge.target_port != AGAIN_PORT:
            after.setdefault(edge.source, []).append(edge.target)
    found: set[str] = set()
    while ahead:
        node = ahead.pop()
        if node not in found:
            found.add(node)
            ahead += after.get(node, ())
    return found


def snapshot_of(run: RunItem, steps: Iterable[StepItem], seq: int) -> dict[str, Any]:
    """Return what live.jsx takes in: the run as row "", then its steps."""
    head = {"status": run["status"], "started_at": run["started_at"], "finished_at": run["finished_at"]}
    rows: list[list[Any]] = [["", {name: value for name, value in head.items() if value}]]
    for step in steps:
        rows.append([step["key"], {name: value for name, value in step.items() if name != "key" and value}])
    return {"channel": run["id"], "seq": seq, "rows": rows}


def _at(moment: datetime | None) -> str:
    return "" if moment is None else iso(moment)
