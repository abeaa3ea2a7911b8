"""What an expression field offers while it is written: names with the fields of their last values, functions, tests.

Invariant: bounded (`MAX_FIELDS` in all), whatever the values are; a value's own text is cut before it leaves.
"""

from decimal import Decimal
from typing import Any

import orjson

from structforge.domain.expressions.catalogue import NOTES
from structforge.domain.expressions.checks import TESTS
from structforge.domain.expressions.functions import METHODS
from structforge.domain.values import encode_json
from structforge.nodes.row_expressions import FUNCTIONS as ROW_FUNCTIONS
from structforge.sdk import NodeRegistry
from structforge.services.expression_values import Surroundings

MAX_FIELDS = 1_500
MAX_FIELDS_OF_ONE = 60
MAX_DEPTH = 5
SAMPLE_CHARACTERS = 60
MAX_COLUMNS = 200

Entry = dict[str, Any]
"""`{"label", "kind", "sample", "size", "fields": [Entry], "item": Entry}`; what does not apply is absent."""

LANGUAGE: dict[str, Any] = {
    "functions": [
        {"label": name, "signature": note.signature, "example": note.example,
         "result": orjson.dumps(note.result).decode()}
        for name, note in sorted(NOTES.items())
    ],
    "tests": sorted(TESTS),
    "methods": sorted({name for methods in METHODS.values() for name in methods}),
    "rowFunctions": list(ROW_FUNCTIONS),
}  # fmt: skip
"""What every field can use; it does not depend on the node."""


def names_of(around: Surroundings, registry: NodeRegistry) -> dict[str, Any]:
    """Return what can be named: `{"names": [Entry], "columns": [name]}`."""
    left = _Budget(MAX_FIELDS)
    names = []
    for spec in around.nodes:
        node = registry.get(spec.type)
        entry = _entry(spec.id, around.values, left)
        entry["title"] = spec.title or (node.title if node else spec.type)
        ports = node.output_ports(spec.parameters) if node else ()
        if "kind" not in entry and ports:
            entry["kind"] = ports[0].type
        names.append(entry)
    own = ["inputs", "run", "workflow"]
    if around.has_element:
        own = ["item", "index", *own]
    names += [_entry(name, around.values, left) for name in own]
    return {"names": names, "columns": _columns(around)}


class _Budget:
    def __init__(self, left: int) -> None:
        self.left = left


def _entry(name: str, values: Any, left: _Budget) -> Entry:
    entry: Entry = {"label": name}
    if name in values:
        entry |= _shape(values[name], left, MAX_DEPTH)
    return entry


def _shape(value: Any, left: _Budget, depth: int) -> Entry:
    left.left -= 1
    if value is None:
        return {"kind": "null"}
    if isinstance(value, bool):
        return {"kind": "boolean", "sample": str(value).lower()}
    if isinstance(value, int | float | Decimal):
        return {"kind": "number", "sample": encode_json(value).decode()[:SAMPLE_CHARACTERS]}
    if isinstance(value, str):
        return {"kind": "text", "sample": value[:SAMPLE_CHARACTERS]}
    if isinstance(value, list):
        found: Entry = {"kind": "array", "size": len(value)}
        if value and depth and left.left > 0:
            found["item"] = _shape(value[0], left, depth - 1)
        return found
    found = {"kind": "object", "size": len(value)}
    fields = []
    for key in list(value)[:MAX_FIELDS_OF_ONE]:
        if not depth or left.left <= 0:
            break
        fields.append({"label": key, **_shape(value[key], left, depth - 1)})
    if fields:
        found["fields"] = fields
    return found


def _columns(around: Surroundings) -> list[str]:
    """Return the columns of the tables that come in, in order and each once."""
    columns: dict[str, None] = {}
    for name in around.incoming.values():
        value = around.values.get(name)
        rows = value if isinstance(value, list) else []
        for row in rows[:50]:
            if isinstance(row, dict):
                columns.update(dict.fromkeys(row))
    return list(columns)[:MAX_COLUMNS]
