"""The workflow's inputs: whether they are a JSON Schema (Draft 2020-12) for an object, closed in itself, and what a
run's input is by them.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator, FormatChecker

from structforge.domain import moments
from structforge.domain.errors import Problem, sentence
from structforge.domain.moments import MomentError
from structforge.domain.validation.findings import warning
from structforge.domain.validation.schema_faults import ExactValidator, schema_sentence
from structforge.domain.values import JsonValue, path_of

_META = ExactValidator(Draft202012Validator.META_SCHEMA)
_DATA_KEYWORDS = frozenset({"const", "default", "enum", "examples"})
"""Keywords whose values are data: what looks like a keyword in there is none."""
FORMATS = FormatChecker(("date",))
"""What a text with a `format` is held to; other formats are notes for people."""
_LIMITS = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))


@FORMATS.checks("date-time", MomentError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or isinstance(moments.read(value), datetime)


def input_problems(schema: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with the schema of the run's input."""
    if not schema:
        return []
    try:
        problems = [
            Problem(
                "inputs.invalid_schema",
                sentence("The inputs are not a JSON Schema: {message}.", message=schema_sentence(error)),
                _place(error.absolute_path),
                "Follow JSON Schema, Draft 2020-12.",
            )
            for error in sorted(
                _META.iter_errors(schema), key=lambda error: list(map(str, error.absolute_path))
            )
        ]
        problems += _unusable_keywords(schema, "inputs")
        problems += _broken_references(schema)
    except RecursionError:
        return [
            Problem(
                "inputs.too_deep", "The schema of the inputs is nested too deeply.", "inputs", "Flatten it."
            )
        ]
    if schema.get("type", "object") != "object":
        problems.append(
            Problem(
                "inputs.not_an_object",
                "The input of a run is an object, so its schema must have the type object.",
                "inputs.type",
                'Put the value into a property: {"type": "object", "properties": {...}}.',
            )
        )
    return problems


def field_warnings(schema: dict[str, Any]) -> Iterator[Problem]:
    """Yield what no input can meet in a schema that has no problems: crossed limits, no choice, an unfit default."""
    fields = schema.get("properties", {})
    for name, field in fields.items():
        if not isinstance(field, dict):
            continue
        place = path_of("inputs.properties", name)
        for low, high in _LIMITS:
            if low in field and high in field and field[low] > field[high]:
                yield warning(
                    "inputs.crossed_limits",
                    sentence(
                        "Nothing is at least {low} and at most {high}.", low=field[low], high=field[high]
                    ),
                    path_of(place, high),
                    "Correct one of the limits.",
                )
        if field.get("enum") == []:
            yield warning(
                "inputs.no_choices",
                sentence("{name} has no choices.", name=f"`{name}`"),
                path_of(place, "enum"),
                "Name some.",
            )
        elif "default" in field:
            fault = _fault_of(schema, name, field["default"])
            if fault:
                yield warning(
                    "inputs.unfit_default",
                    sentence("The default of {name} does not fit: {fault}.", name=f"`{name}`", fault=fault),
                    path_of(place, "default"),
                    "Correct the default or the field.",
                )


def _fault_of(schema: dict[str, Any], name: str, value: JsonValue) -> str:
    try:
        for fault in ExactValidator(schema, format_checker=FORMATS).iter_errors({name: value}):
            if fault.absolute_path and fault.absolute_path[0] == name:
                return schema_sentence(fault)
    except RecursionError:
        pass  # A field that is defined by itself: the run says so.
    return ""


def with_defaults(schema: Mapping[str, Any], value: JsonValue) -> JsonValue:
    """Return an input with the defaults of the declared fields that it leaves out."""
    if not isinstance(value, dict):
        return value
    left_out = {
        name: field["default"]
        for name, field in schema.get("properties", {}).items()
        if name not in value and isinstance(field, dict) and "default" in field
    }
    return {**value, **left_out} if left_out else value


def validator_of(schema: dict[str, Any]) -> Draft202012Validator | None:
    """Return what checks inputs; none for an empty schema, which takes anything."""
    return ExactValidator(schema, format_checker=FORMATS) if schema else None


def wrong_inputs(validator: Draft202012Validator | None, value: JsonValue) -> list[Problem]:
    """Return one problem for each way an input breaks its schema; 50 at most."""
    if validator is None:
        return []
    faults = sorted(validator.iter_errors(value), key=lambda fault: list(map(str, fault.absolute_path)))
    return [
        Problem(
            "input.invalid",
            sentence("{message}.", message=schema_sentence(fault)),
            "input" + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in fault.absolute_path),
            "The workflow's inputs say what it takes.",
        )
        for fault in faults[:50]
    ]


def _place(path: Any) -> str:
    place = "inputs"
    for part in path:
        place = path_of(place, part)
    return place


def _broken_references(schema: dict[str, Any]) -> Iterator[Problem]:
    """Yield references into the schema that lead nowhere."""
    for place, target in _references(schema, "inputs"):
        if not _leads_somewhere(schema, target):
            yield Problem(
                "inputs.unknown_reference",
                sentence("The schema refers to {target}, and there is nothing.", target=f"`{target[:200]}`"),
                place,
                "Put the definition into $defs and refer to it with #/$defs/name.",
            )


def _leads_somewhere(schema: Any, pointer: str) -> bool:
    for step in pointer.removeprefix("#").split("/")[1:]:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(schema, dict) and key in schema:
            schema = schema[key]
        elif isinstance(schema, list) and key.isdecimal() and int(key) < len(schema):
            schema = schema[int(key)]
        else:
            return False
    return isinstance(schema, dict | bool)


def _references(schema: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _references(item, path_of(place, index))
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key in ("$ref", "$dynamicRef") and isinstance(value, str):
            if value == "#" or value.startswith("#/"):
                yield path_of(place, key), value
        elif key not in _DATA_KEYWORDS:
            yield from _references(value, path_of(place, key))


def _unusable_keywords(schema: Any, place: str) -> Iterator[Problem]:
    """Yield references to other documents (nothing is fetched) and patterns that do not compile."""
    if isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from _unusable_keywords(item, path_of(place, index))
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        below = path_of(place, key)
        if key in ("$ref", "$dynamicRef") and isinstance(value, str) and not value.startswith("#"):
            yield Problem(
                "inputs.remote_reference",
                sentence("The schema refers to another document: {value}.", value=value[:200]),
                below,
                "Copy the definition into $defs and refer to it with #/$defs/name.",
            )
        elif key == "pattern" and isinstance(value, str):
            yield from _pattern_problems(value, below)
        elif key not in _DATA_KEYWORDS:
            if key == "patternProperties" and isinstance(value, dict):
                for pattern in value:
                    yield from _pattern_problems(pattern, below)
            yield from _unusable_keywords(value, below)


def _pattern_problems(pattern: str, place: str) -> Iterator[Problem]:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        yield Problem(
            "inputs.invalid_pattern",
            sentence("The pattern {pattern} is not a regular expression.", pattern=f"`{pattern[:80]}`"),
            place,
            "Correct it, or remove it.",
        )
