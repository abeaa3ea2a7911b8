"""Problems as JSON, and every code of the program in docs/errors.md."""

import ast
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_core.core_schema import ErrorType

from structforge.domain.errors import InvalidError, Problem, Sentence, sentence
from structforge.domain.expressions import CODES
from structforge.domain.faults import ANY_FAULT, FORMS, PATTERNS, fault_sentence, names_at

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[a-z][a-z0-9_]*\.[a-z0-9_]+")
MAKER = re.compile(r".*(Problem|Error|Fault|warning|problem)")


def codes_in(tree: ast.AST, tuples: bool) -> Iterator[str]:
    """Codes given to what makes problems; `tuples` also takes the first of three or more values."""
    for node in ast.walk(tree):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            values = node.args if MAKER.fullmatch(name) else []
        elif tuples and isinstance(node, ast.Tuple) and len(node.elts) > 2:
            values = node.elts
        match values:
            case [ast.Constant(value=str(code)), *_] if CODE.fullmatch(code):
                yield code


def used_codes() -> set[str]:
    found = set(CODES)
    for path in (ROOT / "structforge").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found.update(codes_in(tree, tuples="domain" in path.parts))
    return found


def test_every_code_is_documented() -> None:
    documented = re.findall(
        r"^\| `([^`]+)` \|", (ROOT / "docs" / "errors.md").read_text(encoding="utf-8"), re.M
    )
    used = used_codes()
    assert {"graph.cycle", "reference.not_upstream", "node.older_version"} <= used
    assert used - set(documented) == set()
    assert documented == sorted(set(documented))


@pytest.mark.parametrize(
    ("problem", "body", "text"),
    [
        (Problem("a.b", "Bad."), {"code": "a.b", "message": "Bad."}, "Bad."),
        (
            Problem("a.b", "Bad.", "nodes.x", "Mend it.", {"n": 1}),
            {"code": "a.b", "message": "Bad.", "where": "nodes.x", "hint": "Mend it.", "details": {"n": 1}},
            "Bad. (nodes.x) Mend it.",
        ),
    ],
)
def test_a_problem_survives_json(problem: Problem, body: dict[str, object], text: str) -> None:
    assert problem.as_json() == body
    assert Problem.from_json(body) == problem
    assert str(problem) == text


def test_a_sentence_is_its_text_and_keeps_its_pattern_and_values() -> None:
    cause = sentence("There is no file {name}.", name="a{b}.csv")
    said = sentence("Step {number} of {{{{ x }}}} failed: {cause}", number=2, cause=cause)
    assert said == "Step 2 of {{ x }} failed: There is no file a{b}.csv."
    problem = Problem("a.b", said, hint="Plain.")
    body = problem.as_json()
    assert body["sentences"] == {
        "message": {
            "pattern": "Step {number} of {{{{ x }}}} failed: {cause}",
            "values": {
                "number": 2,
                "cause": {
                    "text": "There is no file a{b}.csv.",
                    "pattern": "There is no file {name}.",
                    "values": {"name": "a{b}.csv"},
                },
            },
        }
    }
    read = Problem.from_json(json.loads(json.dumps(body)))
    assert read.as_json() == body
    assert isinstance(read.message, Sentence) and isinstance(read.message.values["cause"], Sentence)
    assert pickle.loads(pickle.dumps(said)).pattern == said.pattern
    assert sentence("{a}!", a="x" * 9).shortened(3) == "xxx…!"


@pytest.mark.parametrize("strange", [None, [], {"message": 3}, {"message": {"pattern": 1, "values": {}}}])
def test_sentences_of_strangers_are_left_aside(strange: object) -> None:
    found = Problem.from_json({"code": "a.b", "message": "Bad.", "sentences": strange})
    assert found == Problem("a.b", "Bad.") and not isinstance(found.message, Sentence)


class _Limits(BaseModel):
    count: int = Field(ge=2)
    name: str = Field(max_length=3)
    port: str = "x"

    @field_validator("port")
    @classmethod
    def _check(cls, port: str) -> str:
        if port != "x":
            raise ValueError(sentence("{port} is no port", port=port))
        return port


def test_what_pydantic_finds_is_a_sentence() -> None:
    with pytest.raises(ValidationError) as caught:
        _Limits.model_validate({"count": 1, "name": "four", "port": "y"})
    said = [fault_sentence(fault) for fault in caught.value.errors()]
    assert [(each.pattern, dict(each.values)) for each in said if isinstance(each, Sentence)] == [
        ("It must be at least {ge}", {"ge": 2}),
        ("The text may have {max_length} characters at most", {"max_length": 3}),
        ("{port} is no port", {"port": "y"}),
    ]
    assert said[0] == "It must be at least 2" and said[2] == "y is no port"


def test_an_invalid_error_carries_every_problem() -> None:
    first, second = Problem("a.b", "One."), Problem("a.c", "Two.")
    error = InvalidError(first, second)
    assert (error.problem, error.problems, str(error)) == (first, (first, second), "One.")


CATALOGUE = ROOT / "structforge" / "ui" / "messages" / "problems.zh.json"
EXAMPLES_OF_CONTEXT: dict[str, object] = {
    "expected": "'a' or 'b'", "expected_tags": "'a', 'b'", "discriminator": "'kind'", "tag": "c", "pattern": "^a$",
}  # fmt: skip


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_each_kind_of_fault_of_pydantic_has_a_sentence_of_ours_in_both_languages(kind: ErrorType) -> None:
    names = re.findall(r"{(\w+)}", PATTERNS.get(kind, ""))
    context = {name: EXAMPLES_OF_CONTEXT.get(name, 3) for name in names}
    said = fault_sentence({"type": kind, "msg": "Input should be a Python thing", "ctx": context})
    assert isinstance(said, Sentence) and "'" not in said and "{" not in said
    assert json.loads(CATALOGUE.read_text(encoding="utf-8"))["faults"][said.pattern]


def test_no_fault_has_a_chinese_sentence_that_nobody_says() -> None:
    raised = {
        node.value
        for path in (ROOT / "structforge").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    told = json.loads(CATALOGUE.read_text(encoding="utf-8"))["faults"].keys()
    assert told - raised == set() and set(PATTERNS.values()) | set(FORMS.values()) | {ANY_FAULT} <= told


def test_a_fault_without_its_context_gets_a_plain_sentence() -> None:
    assert fault_sentence({"type": "greater_than", "msg": "x"}) == ANY_FAULT
    assert fault_sentence({"type": "value_error", "msg": "x", "ctx": {"error": ValueError()}}) == ANY_FAULT


class _Inner(BaseModel):
    width: int = 1


class _Outer(BaseModel):
    name: str = Field(default="", alias="label")
    each: list[_Inner | None] = []
    by_name: dict[str, _Inner] = {}


@pytest.mark.parametrize(
    ("place", "names"),
    [
        (("lable",), ("label", "each", "by_name")),
        (("each", 0, "widht"), ("width",)),
        (("by_name", "x", "widht"), ("width",)),
        (("each", 0, "_Inner", "widht"), ("width",)),
    ],
)
def test_the_names_known_at_a_place(place: tuple[int | str, ...], names: tuple[str, ...]) -> None:
    assert names_at(_Outer, place) == names
