"""Problems of parameters with the names that people read on the form, in the place of paths.

Invariant: a label is a list of words that told.jsx tells one by one, so that titles come in the reader's language.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from structforge.domain.workflow import WorkflowDocument
from structforge.sdk import NodeRegistry

BETWEEN = "›"
_PART = re.compile(r'\.?(?P<name>[A-Za-z_]\w*)|\[(?P<index>\d+)\]|\[(?P<key>"(?:[^"\\]|\\.)*")\]')
_PLACE = re.compile(r"nodes\.(?P<node>[^.\[\]]+)\.parameters(?P<path>[.\[].*)")


def with_field_names(
    problem: Mapping[str, Any], document: WorkflowDocument, registry: NodeRegistry
) -> dict[str, Any]:
    """Return a problem as JSON in which the path that its sentence begins with is the field's label."""
    said = dict(problem)
    where = str(problem.get("where", "")).partition(": characters ")[0]
    sentences = dict(problem.get("sentences", {}))
    message = sentences.get("message", {})
    found = _PLACE.fullmatch(where)
    if found is None or message.get("values", {}).get("name") != found["path"].lstrip("."):
        return said
    kind = next((spec.type for spec in document.nodes if spec.id == found["node"]), "")
    node = registry.get(kind)
    if node is None:
        return said
    label = label_of(node.Parameters.model_json_schema(), found["path"])
    texts = {
        name: value["text"] if isinstance(value, dict) and "text" in value else value
        for name, value in message["values"].items()
    }
    said["message"] = message["pattern"].format_map(texts | {"name": " ".join(label)})
    sentences["message"] = {**message, "values": {**message["values"], "name": label}}
    return said | {"sentences": sentences}


def label_of(schema: Mapping[str, Any], path: str) -> list[str]:
    """Return the titles along a path such as `fields[0].name`: `Fields`, `1`, `›`, `Name`. Rows count from 1."""
    words: list[str] = []
    at: Mapping[str, Any] = schema
    for part in _PART.finditer(path):
        at = _real(at, schema)
        if part["index"] is not None:
            words.append(str(int(part["index"]) + 1))
            at = at.get("items", {})
            continue
        name = part["name"] or json.loads(part["key"])
        field = at.get("properties", {}).get(name)
        words += [BETWEEN] if words else []
        words.append(str(_real(field, schema).get("title", name)) if field is not None else name)
        more = at.get("additionalProperties")
        at = field if field is not None else more if isinstance(more, dict) else {}
    return words


def _real(field: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references, and of alternatives take the one that has fields or items."""
    if "$ref" in field:
        own = {name: value for name, value in field.items() if name != "$ref"}
        return _real({**root["$defs"][field["$ref"].rpartition("/")[2]], **own}, root)
    for option in field.get("anyOf", ()):
        real = _real(option, root)
        if "properties" in real or "items" in real:
            return {**real, **{name: value for name, value in field.items() if name != "anyOf"}}
    return field
