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


def table() -> Document:
    """Return the workflow: read two files, filter, compute, aggregate by city and month, join, sort, write."""
    nodes: list[Document] = [
        {"id": "start", "type": "trigger.manual"},
        {"id": "orders", "type": "file.read", "parameters": {"file": "orders.csv"}},
        {"id": "cities", "type": "file.read", "parameters": {"file": "cities.csv"}},
        {
            "id": "large",
            "type": "table.filter",
            "parameters": {"conditions": [{"column": "qty", "operator": "greater", "value": 10}]},
        },
        {
            "id": "amounts",
            "type": "table.transform",
            "parameters": {"compute": [{"column": "amount", "expression": "qty * price"}]},
        },
        {
            "id": "months",
            "type": "table.aggregate",
            "parameters": {
                "group_by": [{"column": "city"}, {"column": "day", "part": "year_month", "name": "month"}],
                "measures": [
                    {"function": "sum", "column": "amount", "name": "total"},
                    {"function": "mean", "column": "rate", "name": "rate"},
                    {"function": "count", "name": "orders"},
                    {"function": "min", "column": "note", "name": "first_note"},
                ],
            },
        },
        {"id": "countries", "type": "table.join", "parameters": {"how": "left", "left_on": ["city"]}},
        {
            "id": "ranked",
            "type": "table.sort",
            "parameters": {"by": [{"column": "total", "descending": True}]},
        },
        {"id": "written", "type": "file.write", "parameters": {"name": "months.csv"}},
    ]
    edges: list[Document] = [
        {"source": "start", "target": "orders"},
        {"source": "start", "target": "cities"},
        {"source": "orders", "target": "large"},
        {"source": "large", "target": "amounts"},
        {"source": "amounts", "target": "months"},
        {"source": "months", "target": "countries", "target_port": "left"},
        {"source": "cities", "target": "countries", "target_port": "right"},
        {"source": "countries", "target": "ranked"},
        {"source": "ranked", "target": "written"},
    ]
    return {"format": 1, "nodes": nodes, "edges": edges}
