"""Workflow documents of the rows, in a few words. A document's first node is its trigger, `start`."""

from itertools import pairwise
from typing import Any

Document = dict[str, Any]
NodeSpec = dict[str, Any]


def node(node_id: str, kind: str, /, **parameters: Any) -> NodeSpec:
    """Return a node; `policies` among the parameters are its policies."""
    policies = parameters.pop("policies", {})
    return {"id": node_id, "type": kind, "parameters": parameters, "policies": policies}


def chain(*nodes: NodeSpec) -> Document:
    """Return the nodes one after the other, behind a trigger."""
    every = [{"id": "start", "type": "trigger.manual"}, *nodes]
    edges = [{"source": before["id"], "target": after["id"]} for before, after in pairwise(every)]
    return {"format": 1, "nodes": every, "edges": edges}


def post(node_id: str, url: str) -> NodeSpec:
    """Return a request with an effect at the row's receiver; one that does not answer is asked again."""
    retry = {"max_attempts": 20, "backoff_s": 0.2, "multiplier": 1.5}
    return node(
        node_id,
        "http.request",
        method="POST",
        url=f"{url}/{node_id}",
        body_type="json",
        body={"run": "{{ run.id }}"},
        policies={"retry": retry},
    )
