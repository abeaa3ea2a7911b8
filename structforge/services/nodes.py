"""The node types of this installation with their documentation, for the palette and the API.

Invariant: what is shown comes from the registered class alone, so documentation cannot lag behind the code.
"""

from collections.abc import Mapping
from typing import Any

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.errors import NotFoundError, Problem, sentence
from structforge.domain.ports import Port
from structforge.sdk import Node, NodeRegistry


class NodeTypeService:
    """Describes and finds node types."""

    def __init__(self, registry: NodeRegistry) -> None:
        self._registry = registry
        self._described: dict[str, dict[str, Any]] = {}

    def list(self, principal: Principal, *, search: str = "", category: str = "") -> list[dict[str, Any]]:
        """Return node types by category and title; every word of `search` must occur somewhere in one."""
        authorize(principal, Permission.WORKFLOW_READ)
        words = search.lower().split()
        found = []
        for node in self._registry:
            text = " ".join([node.type, node.title, node.category, node.summary(), *node.keywords]).lower()
            if (not category or node.category == category) and all(word in text for word in words):
                found.append(_summary(node))
        return found

    def describe(self, principal: Principal, type_id: str) -> dict[str, Any]:
        """Return a node type with ports, parameters, documentation and examples. Raises: NotFoundError."""
        authorize(principal, Permission.WORKFLOW_READ)
        node = self._registry.get(type_id)
        if node is None:
            raise NotFoundError(
                Problem(
                    "node.unknown_type",
                    sentence("Node type {type_id} is not installed.", type_id=repr(type_id[:100])),
                    "type",
                )
            )
        if type_id not in self._described:
            self._described[type_id] = _description(node)
        return self._described[type_id]


def _summary(node: Node[Any]) -> dict[str, Any]:
    return {
        "type": node.type,
        "version": node.version,
        "title": node.title,
        "category": node.category,
        "icon": node.icon,
        "keywords": list(node.keywords),
        "summary": node.summary(),
        "trigger": node.trigger,
    }


def _description(node: Node[Any]) -> dict[str, Any]:
    return _summary(node) | {
        "effect": node.effect.value,
        "execution": node.execution.value,
        "inputs": [_port(port) for port in node.inputs],
        "outputs": [_port(port) for port in node.outputs],
        "parameters": node.Parameters.model_json_schema(),
        "documentation": node.documentation(),
        "examples": [
            {
                "title": example.title,
                "parameters": _plain(example.parameters),
                "inputs": _plain(example.inputs),
                "output": example.output,
            }
            for example in node.examples
        ],
    }


def _port(port: Port) -> dict[str, Any]:
    return {
        "name": port.name,
        "type": port.type,
        "title": port.title,
        "description": port.description,
        "required": port.required,
        "many": port.many,
    }


def _plain(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else dict(value)
