"""The form of a run's input: which schemas are asked field by field, what it begins with, where faults show."""

from typing import Any

import pytest

from structforge.domain.errors import Problem
from structforge.ui.input_form import (
    WHOLE,
    faults_of,
    first_values,
    form_schema,
    in_fields,
    input_of,
    missing_fields,
)

PLAIN: dict[str, Any] = {
    "type": "object",
    "required": ["city", "sure"],
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer", "default": 2},
        "sure": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}


@pytest.mark.parametrize(
    ("schema", "plain"),
    [
        (PLAIN, True),
        ({}, False),
        ({"type": "object"}, False),
        ({"properties": {"a": True}}, False),
        ({"properties": {"a": {"$ref": "#/$defs/a"}}}, True),
        ({"properties": {"a": {"type": "string"}}, "if": {}}, False),
        # A field may be called like a keyword.
        ({"properties": {"not": {"type": "string"}}}, True),
    ],
)
def test_a_plain_schema_is_asked_field_by_field_and_another_as_json(
    schema: dict[str, Any], plain: bool
) -> None:
    assert in_fields(schema) is plain
    names = set(form_schema(schema)["properties"])
    assert names == (set(schema["properties"]) if plain else {WHOLE})


def test_a_field_without_a_widget_is_asked_for_as_json() -> None:
    several = {"title": "Many", "type": "array", "items": {"anyOf": []}, "default": [1]}
    form = form_schema(
        {"properties": {"a": several, "b": {"type": ["string", "null"]}, "c": {"type": "string"}}}
    )
    assert form["properties"] == {
        "a": {"title": "Many", "default": [1], "x-widget": "json"},
        "b": {"x-widget": "json"},
        "c": {"type": "string"},
    }


def test_what_was_left_empty_is_not_sent_unless_an_empty_text_may_be_meant() -> None:
    fields: dict[str, Any] = {
        "note": {},
        "day": {"format": "date"},
        "one": {"enum": ["a"]},
        "file": {"x-widget": "file"},
    }
    schema = {"properties": fields, "required": ["note"]}
    empty = dict.fromkeys(fields, "")
    assert input_of(schema, empty) == {"note": ""} and missing_fields(schema, empty) == ["note"]


def test_it_begins_with_the_last_input_and_with_what_the_schema_says() -> None:
    assert first_values(PLAIN, {"city": "Oslo", "gone": 1}) == {"city": "Oslo", "days": 2, "sure": False}
    assert first_values(PLAIN, None) == {"days": 2, "sure": False}
    assert first_values({}, {"a": 1}) == {WHOLE: {"a": 1}}
    assert input_of({}, {WHOLE: {"a": 1}}) == {"a": 1} and input_of({}, {}) == {}
    assert missing_fields(PLAIN, {"sure": False}) == ["city"]


def test_a_fault_shows_at_its_field() -> None:
    problems = (
        Problem("input.invalid", "Too short.", "input.city"),
        Problem("input.invalid", "No text.", "input.tags[1]"),
        Problem("input.invalid", "Too many.", "input"),
    )
    fields, general = faults_of(PLAIN, problems)
    assert {name: [said["message"] for said in fault["said"]] for name, fault in fields.items()} == {
        "city": ["Too short."],
        "tags[1]": ["No text."],
    }
    assert [said["message"] for said in general] == ["Too many."]
    fields, general = faults_of({}, problems)
    said = [each["message"] for each in fields[WHOLE]["said"]]
    assert said == ["Too short.", "No text.", "Too many."] and general == []
