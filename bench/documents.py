"""The workflows that are measured. A step is `data.set` with a constant unless said otherwise."""

from typing import Any

from bench.plugin import WaitASecond

Document = dict[str, Any]


def chain(steps: int) -> Document:
    """Return `steps` pure nodes one after the other, the trigger being the first."""
    nodes: list[Document] = [{"id": "start", "type": "trigger.manual"}]
    nodes += [
        {"id": f"step_{number}", "type": "data.set", "parameters": {"fields": {"number": number}}}
        for number in range(2, steps + 1)
    ]
    edges = [
        {"source": before["id"], "target": after["id"]}
        for before, after in zip(nodes, nodes[1:], strict=False)
    ]
    return {"format": 1, "nodes": nodes, "edges": edges}


def fan(branches: int) -> Document:
    """Return `branches` parallel nodes that each wait a second, and a merge of them all."""
    waits = [{"id": f"wait_{number}", "type": WaitASecond.type} for number in range(branches)]
    nodes = [{"id": "start", "type": "trigger.manual"}, *waits, {"id": "join", "type": "flow.merge"}]
    edges = [{"source": "start", "target": wait["id"]} for wait in waits]
    edges += [{"source": wait["id"], "target": "join"} for wait in waits]
    return {"format": 1, "nodes": nodes, "edges": edges}


def loop(iterations: int) -> Document:
    """Return a loop over a list of that length, with two pure nodes in it."""
    nodes: list[Document] = [
        {"id": "start", "type": "trigger.manual"},
        {"id": "each", "type": "flow.loop", "parameters": {"items": f"{{{{ range({iterations}) }}}}"}},
        {"id": "first", "type": "data.set", "parameters": {"fields": {"number": 1}}},
        {"id": "second", "type": "data.set", "parameters": {"fields": {"number": 2}}},
    ]
    edges = [
        {"source": "start", "target": "each"},
        {"source": "each", "source_port": "body", "target": "first"},
        {"source": "first", "target": "second"},
        {"source": "second", "target": "each", "target_port": "again"},
    ]
    return {"format": 1, "nodes": nodes, "edges": edges}


def webhook() -> Document:
    """Return four nodes: an open webhook whose caller waits, two pure ones, the response."""
    nodes: list[Document] = [
        {"id": "hook", "type": "trigger.webhook", "parameters": {"signature": False, "response": "respond"}},
        {"id": "step_2", "type": "data.set", "parameters": {"fields": {"number": 2}}},
        {"id": "step_3", "type": "data.set", "parameters": {"fields": {"number": 3}}},
        {"id": "respond", "type": "flow.respond"},
    ]
    edges = [
        {"source": before["id"], "target": after["id"]}
        for before, after in zip(nodes, nodes[1:], strict=False)
    ]
    return {"format": 1, "nodes": nodes, "edges": edges}


def interrupted_chain(steps: int) -> Document:
    """Return a chain whose middle step waits a second."""
    made = chain(steps)
    middle = made["nodes"][steps // 2]
    before = middle["id"]
    middle |= {"id": "wait", "type": WaitASecond.type, "parameters": {}}
    for edge in made["edges"]:
        for side in ("source", "target"):
            edge[side] = "wait" if edge[side] == before else edge[side]
    return made
