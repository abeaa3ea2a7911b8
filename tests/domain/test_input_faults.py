"""What is wrong with a run's input, in our words: each keyword of JSON Schema, numbers by their exact value."""

import json
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from structforge.domain.errors import Sentence
from structforge.domain.validation.inputs import input_problems, validator_of, wrong_inputs
from structforge.domain.validation.schema_faults import schema_sentence

CATALOGUE = json.loads(
    (Path(__file__).parents[2] / "structforge" / "ui" / "messages" / "problems.zh.json").read_text("utf-8")
)
TOLD = CATALOGUE["sentences"].keys() | CATALOGUE["faults"].keys()

CASES: list[tuple[dict[str, Any], Any, str, str]] = [
    ({"type": "string"}, 5, "input.x", "A text is needed."),
    ({"type": "integer"}, 5.5, "input.x", "A whole number is needed."),
    ({"type": "integer"}, True, "input.x", "A whole number is needed."),
    ({"type": "number"}, "5", "input.x", "A number is needed."),
    ({"type": "boolean"}, 1, "input.x", "True or false is needed."),
    ({"type": "array"}, {}, "input.x", "A list is needed."),
    ({"type": "object"}, [], "input.x", "An object is needed."),
    ({"type": "null"}, 0, "input.x", "Only null fits here."),
    ({"type": ["string", "null"]}, 0, "input.x", "A value of one of these types is needed: `string`, `null`."),
    ({"enum": ["a", 1, None]}, True, "input.x", "It must be one of `a`, `1`, `null`."),
    ({"const": {"a": 1}}, 0, "input.x", 'It must be one of `{"a":1}`.'),
    ({"minimum": 0.0}, -1, "input.x", "It must be at least 0."),
    ({"maximum": 0.1}, Decimal("0.10000000000000000001"), "input.x", "It must be at most 0.1."),
    ({"exclusiveMinimum": 2}, 2.0, "input.x", "It must be greater than 2."),
    ({"exclusiveMaximum": 2}, Decimal(2), "input.x", "It must be less than 2."),
    ({"multipleOf": 3}, 4, "input.x", "It must be a multiple of 3."),
    ({"minLength": 2}, "a", "input.x", "The text needs 2 or more characters."),
    ({"maxLength": 2}, "abc", "input.x", "The text may have 2 characters at most."),
    ({"pattern": "^a"}, "b", "input.x", "The text does not have the form `^a`."),
    ({"format": "date"}, "tomorrow", "input.x", "A date such as 2024-05-31 is needed."),
    ({"format": "date-time"}, "2024-01-01", "input.x", "A date and time such as 2024-05-31T09:00 is needed."),
    ({"minItems": 1}, [], "input.x", "It needs 1 or more items."),
    ({"maxItems": 1}, [1, 2], "input.x", "It may have 1 items at most."),
    ({"uniqueItems": True}, [1, 1], "input.x", "The items must differ from each other."),
    ({"contains": {"type": "string"}}, [1], "input.x", "The list does not hold the items it must hold."),
    ({"prefixItems": [{}], "items": False}, [1, 2], "input.x", "There is more than may be here."),
    ({"items": {"type": "string"}}, ["a", 1], "input.x[1]", "A text is needed."),
    ({"required": ["city"]}, {}, "input.x.city", "A value is needed."),
    (
        {"properties": {"city": {}}, "additionalProperties": False}, {"ctiy": 1},
        "input.x.ctiy", "There is no such field (Did you mean city?).",
    ),
    (
        {"patternProperties": {"^a": {}}, "additionalProperties": False}, {"ab": 1, "b": 1},
        "input.x.b", "There is no such field.",
    ),
    ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "input.x.b", "With `a` this is needed too."),
    ({"minProperties": 1}, {}, "input.x", "The object needs 1 or more fields."),
    ({"maxProperties": 0}, {"a": 1}, "input.x", "The object may have 0 fields at most."),
    ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, 2, "input.x", "It must be at least 3."),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 2, "input.x", "The value has none of the forms that fit here."),
    ({"oneOf": [{}, {}]}, 2, "input.x", "The value has none of the forms that fit here."),
    ({"not": {}}, 2, "input.x", "The value has a form that must not be here."),
    ({"unevaluatedProperties": False}, {"a": 1}, "input.x", "There is more than may be here."),
]  # fmt: skip


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(("field", "value", "where", "text"), CASES)
def test_each_keyword_has_a_sentence(
    field: dict[str, Any], value: Any, where: str, text: str, named: bool
) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"x": field}}
    if named:
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    (problem,) = wrong_inputs(validator_of(schema), {"x": value})
    assert (problem.code, problem.where, problem.message) == ("input.invalid", where, text)


VALUES = {"type": "integer", "format": "date"}


@pytest.mark.parametrize("keyword", sorted(Draft202012Validator.VALIDATORS))
def test_no_keyword_tells_the_library_s_words(keyword: str) -> None:
    error = ValidationError(
        "'x' is a Python thing", validator=keyword, validator_value=VALUES.get(keyword, 3)
    )
    said = schema_sentence(error)
    assert isinstance(said, Sentence) and "Python" not in said and said.pattern in TOLD


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"type": "integer"}, 3.0),
        ({"type": "integer"}, Decimal("3")),
        ({"multipleOf": 0.1}, 0.3),
        ({"enum": [0.1]}, Decimal("0.1")),
        ({"maximum": 0.1}, Decimal("0.1")),
        ({"type": "number"}, Decimal("1e400")),
        ({"const": 1}, 1.0),
        ({"format": "date-time"}, "2024-03-01 10:00"),
    ],
)
def test_numbers_and_dates_are_taken_by_value(field: dict[str, Any], value: Any) -> None:
    schema = {"type": "object", "properties": {"x": field}}
    assert wrong_inputs(validator_of(schema), {"x": value}) == []


FOREIGN = re.compile(
    r"is not of type|required property|'[A-Za-z]|None|True\b|False\b|does not match|regex|unexpected"
)


def _random(seed: random.Random, depth: int = 0) -> Any:
    kinds = [None, True, False, 0, -3, 2.5, "", "a", "integer", "string", [], {}]
    if depth > 3 or seed.random() < 0.5:
        return seed.choice(kinds)
    if seed.random() < 0.4:
        return [_random(seed, depth + 1) for _ in range(seed.randrange(4))]
    names = [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "minimum",
        "pattern",
        "a",
        "$ref",
        "additionalProperties",
    ]
    return {seed.choice(names): _random(seed, depth + 1) for _ in range(seed.randrange(5))}


@pytest.mark.parametrize("seed", range(20))
def test_random_schemas_and_inputs_are_told_in_our_words(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(100):
        schema = {"type": "object", "properties": {"a": _random(source)}}
        problems = input_problems(schema) or wrong_inputs(validator_of(schema), {"a": _random(source)})
        for problem in problems:
            said = str(problem.message)
            assert not FOREIGN.search(re.sub(r"`[^`]*`", "", said)), said
