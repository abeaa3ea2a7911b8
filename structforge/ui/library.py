"""Workflows, templates and node types as the rows that pages show.

Invariant: plain data made from what services returned; nothing here reads, checks or changes anything.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict

from structforge.domain.events import iso
from structforge.services.templates import Template
from structforge.services.workflow_lists import ListedWorkflow
from structforge.storage.tables import RunRow

PREVIEW_WIDTH, PREVIEW_HEIGHT, PREVIEW_MARGIN = 240, 84, 14
EXAMPLE_CHARACTERS = 20_000


class WorkflowItem(TypedDict):
    """One row of the list of workflows. Instants are ISO 8601, empty when there is none."""

    id: str
    name: str
    description: str
    folder: str
    tags: list[str]
    version: int
    """0 when it was never published."""
    changed: bool
    updated_at: str
    run_id: str
    run_status: str
    run_at: str


class PlaceItem(TypedDict):
    """A folder or tag with how many workflows it has."""

    name: str
    count: int


class TemplateItem(TypedDict):
    """A template with its preview: dots for nodes and paths for edges, in a box of 240 by 84."""

    id: str
    name: str
    description: str
    steps: int
    dots: list[dict[str, str]]
    lines: list[str]


class NodeItem(TypedDict):
    """A node type in a list."""

    type: str
    title: str
    summary: str
    category: str
    icon: str


class PortItem(TypedDict):
    """A port of a node type."""

    name: str
    type: str
    description: str
    optional: bool
    many: bool


class ParameterItem(TypedDict):
    """A parameter of a node type."""

    name: str
    title: str
    type: str
    default: str
    required: bool
    description: str


class ExampleItem(TypedDict):
    """A worked example, its parts as indented JSON; empty where there is none."""

    title: str
    parameters: str
    inputs: str
    output: str


def entered(value: object, max_characters: int) -> str:
    """Return what a browser sent as a text that a database can hold, cut to its length; else an empty one."""
    if not isinstance(value, str):
        return ""
    return value[:max_characters].replace("\0", "").encode("utf-8", "ignore").decode()


def workflow_item(listed: ListedWorkflow, run: RunRow | None) -> WorkflowItem:
    """Return a row with the newest run of the workflow."""
    return {
        "id": str(listed.id),
        "name": listed.labels.name,
        "description": listed.labels.description,
        "folder": listed.labels.folder,
        "tags": list(listed.labels.tags),
        "version": listed.published_version or 0,
        "changed": listed.changed,
        "updated_at": _at(listed.updated_at),
        "run_id": "" if run is None else str(run.id),
        "run_status": "" if run is None else run.status,
        "run_at": "" if run is None else _at(run.accepted_at),
    }


def place_items(places: Iterable[tuple[str, int]]) -> list[PlaceItem]:
    """Return folders or tags."""
    return [{"name": name, "count": count} for name, count in places]


def template_item(template: Template) -> TemplateItem:
    """Return a template with its picture."""
    places = [
        (
            PREVIEW_MARGIN + node.x * (PREVIEW_WIDTH - 2 * PREVIEW_MARGIN),
            PREVIEW_MARGIN + node.y * (PREVIEW_HEIGHT - 2 * PREVIEW_MARGIN),
        )
        for node in template.nodes
    ]
    dots = [
        {"x": f"{x - 9:.1f}", "y": f"{y - 6:.1f}", "look": f"dot tone-{node.category}", "title": node.title}
        for (x, y), node in zip(places, template.nodes, strict=True)
    ]
    lines = []
    for source, target in template.edges:
        (x1, y1), (x2, y2) = places[source], places[target]
        bend = (x1 + x2) / 2
        lines.append(f"M{x1:.1f} {y1:.1f}C{bend:.1f} {y1:.1f} {bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}")
    return {
        "id": template.id,
        "name": template.name,
        "description": template.description,
        "steps": len(template.nodes),
        "dots": dots,
        "lines": lines,
    }


def node_item(described: dict[str, Any]) -> NodeItem:
    """Return a node type in a list."""
    return {
        "type": described["type"],
        "title": described["title"],
        "summary": described["summary"],
        "category": described["category"],
        "icon": described["icon"],
    }


def port_items(ports: Iterable[dict[str, Any]], *, inputs: bool) -> list[PortItem]:
    """Return the ports of one side."""
    return [
        {
            "name": port["name"],
            "type": port["type"],
            "description": port["description"],
            "optional": inputs and not port["required"],
            "many": port["many"],
        }
        for port in ports
    ]


def parameter_items(schema: dict[str, Any]) -> list[ParameterItem]:
    """Return the parameters in a JSON Schema."""
    required = set(schema.get("required", ()))
    return [
        {
            "name": name,
            "title": body.get("title", name),
            "type": type_text(body, schema),
            "default": "" if "default" not in body else json.dumps(body["default"], ensure_ascii=False),
            "required": name in required,
            "description": body.get("description", ""),
        }
        for name, body in schema.get("properties", {}).items()
    ]


def example_items(examples: Iterable[dict[str, Any]]) -> list[ExampleItem]:
    """Return worked examples."""
    return [
        {
            "title": example["title"],
            "parameters": _json(example["parameters"]),
            "inputs": _json(example["inputs"]),
            "output": _json(example["output"]),
        }
        for example in examples
    ]


def type_text(body: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return the type of a parameter in few signs: `string`, `"a" | "b"`, `{column: string, …}[]`."""
    if "$ref" in body:
        return type_text(schema["$defs"][body["$ref"].rpartition("/")[2]], schema)
    if "const" in body:
        return json.dumps(body["const"])
    if "enum" in body:
        return " | ".join(json.dumps(value) for value in body["enum"])
    if "anyOf" in body:
        return " | ".join(type_text(option, schema) for option in body["anyOf"])
    kind = str(body.get("type", "any"))
    if kind == "array":
        inner = type_text(body.get("items", {}), schema)
        return f"({inner})[]" if " | " in inner and not inner.startswith("{") else f"{inner}[]"
    if kind == "object" and "properties" in body:
        needed = set(body.get("required", ()))
        fields = (
            f"{name}{'' if name in needed else '?'}: {type_text(field, schema)}"
            for name, field in body["properties"].items()
        )
        return "{ " + ", ".join(fields) + " }"
    return kind


def _json(value: Any) -> str:
    if value is None or value == {}:
        return ""
    return json.dumps(value, indent=2, ensure_ascii=False)[:EXAMPLE_CHARACTERS]


def _at(moment: datetime) -> str:
    return iso(moment)
