"""The workflow's inputs: whether they are a JSON Schema (Draft 2020-12) for an object, closed in itself."""

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

from structforge.domain.errors import Problem, sentence
from structforge.domain.values import JsonValue, path_of

_META = Draft202012Validator(Draft202012Validator.META_SCHEMA)
_DATA_KEYWORDS = frozenset({"const", "default", "enum", "examples"})
"""Keywords whose values are data: what looks like a keyword in there is none."""


def input_problems(schema: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with the schema of the run's input."""
    if not schema:
        return []
    try:
        problems = [
            Problem(
                "inputs.invalid_schema",
                sentence("The inputs are not a JSON Schema: {message}.", message=error.message[:300]),
                _place(error.absolute_path),
                "Follow JSON Schema, Draft 2020-12.",
            )
            for error in sorted(
                _META.iter_errors(schema), key=lambda error: list(map(str, error.absolute_path))
            )
        ]
        problems += _unusable_keywords(schema, "inputs")
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


def validator_of(schema: dict[str, Any]) -> Draft202012Validator | None:
    """Return what checks inputs; none for an empty schema, which takes anything."""
    return Draft202012Validator(schema) if schema else None


def wrong_inputs(validator: Draft202012Validator | None, value: JsonValue) -> list[Problem]:
    """Return one problem for each way an input breaks its schema; 50 at most."""
    if validator is None:
        return []
    faults = sorted(validator.iter_errors(value), key=lambda fault: list(map(str, fault.absolute_path)))
    return [
        Problem(
            "input.invalid",
            sentence("{message}.", message=fault.message[:300]),
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
    except (re.error, RecursionError, OverflowError) as error:
        yield Problem(
            "inputs.invalid_pattern",
            sentence(
                "The pattern {pattern} is not a regular expression: {error}.",
                pattern=repr(pattern[:80]),
                error=error,
            ),
            place,
            "Correct it, or remove it.",
        )
