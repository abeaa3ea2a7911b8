"""Workflow documents for tests, as JSON."""

from typing import Any


def greeting(text: str = "Hello") -> dict[str, Any]:
    """A trigger and one pure node that makes `{"text": …}`."""
    return {
        "nodes": [
            {"id": "start", "type": "trigger.manual"},
            {"id": "greet", "type": "data.set", "parameters": {"fields": {"text": text}}},
        ],
        "edges": [{"source": "start", "target": "greet"}],
    }


def cyclic() -> dict[str, Any]:
    """Two nodes that wait for each other."""
    return {
        "nodes": [
            {"id": "start", "type": "trigger.manual"},
            {"id": "a", "type": "data.set", "parameters": {"fields": {"x": 1}}},
            {"id": "b", "type": "data.set", "parameters": {"fields": {"x": 1}}},
        ],
        "edges": [
            {"source": "start", "target": "a"},
            {"source": "a", "target": "b"},
            {"source": "b", "target": "a"},
        ],
    }
