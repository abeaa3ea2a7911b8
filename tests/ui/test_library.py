"""What services return, as rows: types of parameters in few signs, previews within their box."""

from typing import Any

import pytest

from structforge.services.templates import Template, TemplateNode
from structforge.ui.library import entered, parameter_items, template_item, type_text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"type": "string"}, "string"),
        ({}, "any"),
        ({"enum": ["a", "b"]}, '"a" | "b"'),
        ({"const": 1}, "1"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer | null"),
        ({"type": "array", "items": {"type": "string"}}, "string[]"),
        ({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "(string | null)[]"),
        ({"type": "array", "items": {"$ref": "#/$defs/Item"}}, "{ name: string, size?: integer }[]"),
        ({"type": "object"}, "object"),
    ],
)
def test_a_type_is_told_in_few_signs(body: dict[str, Any], text: str) -> None:
    item = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
        "required": ["name"],
    }
    assert type_text(body, {"$defs": {"Item": item}}) == text


def test_a_parameter_shows_whether_it_is_needed_and_its_default() -> None:
    schema = {
        "properties": {
            "url": {"type": "string", "title": "Address"},
            "tries": {"type": "integer", "default": 3},
        },
        "required": ["url"],
    }
    assert [(each["title"], each["required"], each["default"]) for each in parameter_items(schema)] == [
        ("Address", True, ""),
        ("tries", False, "3"),
    ]


def test_a_preview_stays_in_its_box() -> None:
    corners = tuple(TemplateNode("n", "data", x, y) for x in (0.0, 1.0) for y in (0.0, 1.0))
    item = template_item(Template("t", "T", "", (), corners, ((0, 3),)))
    assert all(0 <= float(dot["x"]) <= 222 and 0 <= float(dot["y"]) <= 72 for dot in item["dots"])
    assert item["lines"] == ["M14.0 14.0C120.0 14.0 120.0 70.0 226.0 70.0"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain 文字", "plain 文字"),
        ("a\0b", "ab"),
        ("a\ud800b", "ab"),
        ("x" * 50, "x" * 20),
        (None, ""),
        ({"a": 1}, ""),
    ],
)
def test_what_a_browser_sends_becomes_a_text_that_a_database_holds(value: object, text: str) -> None:
    assert entered(value, 20) == text
