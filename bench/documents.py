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
