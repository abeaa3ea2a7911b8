"""Problems as JSON, and every code of the program in docs/errors.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from structforge.domain.errors import InvalidError, Problem
from structforge.domain.expressions import CODES

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


def test_an_invalid_error_carries_every_problem() -> None:
    first, second = Problem("a.b", "One."), Problem("a.c", "Two.")
    error = InvalidError(first, second)
    assert (error.problem, error.problems, str(error)) == (first, (first, second), "One.")
