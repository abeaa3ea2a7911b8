"""A form for the input of a run, made of what the workflow declares.

Invariant: what the form gives is checked where the run is started; here it is only laid out.
"""

from typing import Any

from structforge.domain.errors import Problem
from structforge.domain.values import JsonValue

WHOLE = "input"
"""The one field of a form that takes the input as JSON."""
_COMPLEX = frozenset(
    {"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "patternProperties", "dependentSchemas"}
)
_KEPT = ("title", "description", "default")
_UNFIT_EMPTY = frozenset({"format", "enum", "pattern", "minLength"})
"""With one of these an empty text is hardly meant: the field was left empty."""


def in_fields(schema: dict[str, Any]) -> bool:
    """Tell whether the input can be asked for field by field; else it is asked for as JSON."""
    return bool(_properties(schema)) and _COMPLEX.isdisjoint(schema)


def form_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the form; a field that has no widget is asked for as JSON."""
    if in_fields(schema):
        fields = {name: _field(field) for name, field in schema["properties"].items()}
        return {"type": "object", "properties": fields, "required": schema.get("required", [])}
    return {"type": "object", "properties": {WHOLE: {"type": "object", "title": "JSON", "x-widget": "json"}}}


def first_values(schema: dict[str, Any], last: JsonValue) -> dict[str, Any]:
    """Return what the form begins with: the last input, and otherwise what the schema says."""
    known = last if isinstance(last, dict) else {}
    if not in_fields(schema):
        return {WHOLE: known} if known else {}
    values: dict[str, Any] = {}
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        if name in known:
            values[name] = known[name]
        elif "default" in field:
            values[name] = field["default"]
        elif field.get("type") == "boolean" and name in required:
            values[name] = False
    return values


def input_of(schema: dict[str, Any], values: dict[str, Any]) -> JsonValue:
    """Return the input that the values of the form mean: what was left empty is not there."""
    if not in_fields(schema):
        whole: JsonValue = values.get(WHOLE, {})
        return whole
    return {name: value for name, value in values.items() if not _left_empty(schema, name, value)}


def missing_fields(schema: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """List the fields that are needed and empty."""
    if not in_fields(schema):
        return []
    return [
        name
        for name in schema.get("required", [])
        if name in schema["properties"] and values.get(name, "") == ""
    ]


def faults_of(
    schema: dict[str, Any], problems: tuple[Problem, ...]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return by field what is wrong with an input, and what is wrong with it as a whole."""
    fields: dict[str, Any] = {}
    general: list[dict[str, Any]] = []
    for problem in problems:
        path = problem.where.removeprefix("input").removeprefix(".")
        if not in_fields(schema):
            path = WHOLE
        if path:
            fields.setdefault(path, {"said": [], "spans": []})["said"].append(problem.as_json())
        else:
            general.append(problem.as_json())
    return fields, general


def _left_empty(schema: dict[str, Any], name: str, value: Any) -> bool:
    field = schema["properties"].get(name, {})
    return value == "" and (not _UNFIT_EMPTY.isdisjoint(field) or field.get("x-widget") in ("file", "json"))


def _field(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field's widget."""
    if _is_complex(field) or isinstance(field.get("type"), list):
        return {**{key: field[key] for key in _KEPT if key in field}, "x-widget": "json"}
    return field


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    found = schema.get("properties")
    if isinstance(found, dict) and all(isinstance(field, dict) for field in found.values()):
        return found
    return {}


def _is_complex(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_is_complex, schema))
    if not isinstance(schema, dict):
        return False
    if not _COMPLEX.isdisjoint(schema):
        return True
    return any(_is_complex(field) for field in _properties(schema).values()) or _is_complex(
        schema.get("items")
    )
