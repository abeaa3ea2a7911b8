"""Workflow documents and node types for tests of the engine, in a few words.

`document(node("a", "test.pass"), node("b", "test.gate"), edges=["a>b"])`; an edge may name ports: `a.error>b.in`.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from structforge.domain.workflow import WorkflowDocument
from structforge.nodes import builtin
from structforge.plugins import load_registry
from structforge.sdk import NodeRegistry

PLUGIN_FOLDER = Path(__file__).parent / "plugin"


HOSTILE_VALUES = (
    "nan", "infinity", "nul", "surrogate", "huge_integer", "deep", "bytes", "cycle", "object", "number_keys",
    "function",
)  # fmt: skip
"""What `test.hostile` can be told to return."""

WILD_ACTS = (
    "unprintable", "unprintable_inside", "evil_dict", "generator", "huge_text", "no_ports", "ports_of_odd_names",
    "ports_of_bytes", "return_nan", "wait_for_nothing", "wait_naive", "wait_hostile_asks", "call_hostile",
    "raise_hostile_details", "raise_odd_problem", "raise_unprintable", "system_exit", "keyboard_interrupt",
    "generator_exit", "stop_iteration", "cancelled", "memory", "recursion", "group", "log_hostile", "log_no_text",
)  # fmt: skip
"""What `test.wild` can be told to do."""


def registry_with_test_nodes() -> NodeRegistry:
    """Load the registry of an installation that has the test plugin."""
    if str(PLUGIN_FOLDER) not in sys.path:
        sys.path.append(str(PLUGIN_FOLDER))
    return load_registry()


def built_in_types() -> NodeRegistry:
    """Return the built-in node types alone, whatever plugins another test has made known."""
    registry = NodeRegistry()
    builtin.register(registry)
    return registry


def node(
    node_id: str, kind: str = "test.pass", /, *, disabled: bool = False, **parameters: Any
) -> dict[str, Any]:
    """Return a node; `policies` among the parameters are the node's policies."""
    policies = parameters.pop("policies", {})
    return {
        "id": node_id,
        "type": kind,
        "parameters": parameters,
        "policies": policies,
        "disabled": disabled,
    }


def edge(text: str) -> dict[str, str]:
    """Read `source.port>target.port`."""
    source, target = text.split(">")
    source_id, _, source_port = source.partition(".")
    target_id, _, target_port = target.partition(".")
    return {
        "source": source_id,
        "source_port": source_port or "out",
        "target": target_id,
        "target_port": target_port or "in",
    }


def document(*nodes: dict[str, Any], edges: Iterable[str] = (), **settings: Any) -> WorkflowDocument:
    """Return a document."""
    return WorkflowDocument.model_validate(
        {"nodes": list(nodes), "edges": [edge(text) for text in edges], "settings": settings}
    )
