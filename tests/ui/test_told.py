"""What the program says of itself is told in Chinese too: problems, and what node types say."""

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structforge
import structforge.ui
from structforge.domain.expressions import CODES
from structforge.services.templates import EXAMPLES
from tests.domain.test_errors import CODE, MAKER, ROOT
from tests.ui.test_locale import BUILT_IN

SOURCE = Path(structforge.__file__).parent
MESSAGES = Path(structforge.ui.__file__).parent / "messages"

PLACES_OF_OPERATORS = (
    "chaos", "commands", "embedded", "cli.py", "config.py", "doctor.py", "local_api.py", "plugins.py",
    "sdk/testing.py", "storage/migrate.py", "storage/roles.py", "storage/versions.py", "security/keyring.py",
    "nodes/reference.py", "ui/bundle.py",
)  # fmt: skip
"""What these say is read in a terminal."""
SENTENCES_ELSEWHERE = {
    "answer.field",
    "finally.timeout",
    "hook.signature",
    "http.header",
    "run.timeout",
    "step.interrupted",
    "step.worker_died",
}
"""Codes that are given what they say as a variable, or whose name is a variable: made with `sentence` all the same."""
NOT_IN_PAGES = {"request.refused"}
"""Codes of requests that no page makes: what they say is the web framework's."""


def _read(name: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((MESSAGES / f"{name}.zh.json").read_text(encoding="utf-8"))
    return found


PROBLEMS, DOCS = _read("problems"), _read("node_docs")
SAID = PROBLEMS["sentences"]


def _trees() -> Iterator[tuple[ast.AST, bool]]:
    """Yield the modules, and whether tuples in them may be problems."""
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE)
        if not place.as_posix().startswith(PLACES_OF_OPERATORS):
            yield ast.parse(path.read_text(encoding="utf-8")), "domain" in place.parts


def _texts(said: ast.expr) -> Iterator[str]:
    """Yield the texts and patterns that an argument may be; a text that is put together has none."""
    match said:
        case ast.Constant(value=str(text)) if text.strip():
            yield text
        case ast.IfExp():
            yield from [*_texts(said.body), *_texts(said.orelse)]
        case ast.BoolOp():
            for value in said.values:
                yield from _texts(value)
        case ast.Call(func=ast.Name(id="sentence"), args=[pattern, *_]):
            yield from _texts(pattern)


def _put_together(said: ast.expr) -> bool:
    return any(
        isinstance(part, ast.JoinedStr) or (isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add))
        for part in ast.walk(said)
        if not (isinstance(said, ast.Call) and getattr(said.func, "id", "") == "sentence")
    )


def _made(tree: ast.AST, tuples: bool) -> Iterator[tuple[str, list[ast.expr]]]:
    """Yield the code and what is said, where a problem is made."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if not MAKER.fullmatch(name):
                continue
            values = node.args
            # A place comes third, where there is one.
            places = (1, 3) if name in ("Problem", "InvalidValueError", "warning") else (1, 2)
            said = [value for number, value in enumerate(values) if number in places]
            said += [each.value for each in node.keywords if each.arg in ("message", "hint")]
        elif tuples and isinstance(node, ast.Tuple) and len(node.elts) > 2:
            name, values, said = "", node.elts, node.elts[1:]
        else:
            continue
        match values:
            case [ast.Constant(value=str(code)), *_] if CODE.fullmatch(code):
                yield code, said
            case [ast.Name(), *_] if name == "Problem":
                yield "", said  # The code is one of several.


def test_every_problem_is_told_in_chinese() -> None:
    missing, glued, codes = set(), set(), set()
    for tree, tuples in _trees():
        for code, said in _made(tree, tuples):
            texts = [text for each in said for text in _texts(each)]
            missing |= set(texts) - SAID.keys()
            glued |= {f"{code}: {ast.unparse(each)}" for each in said if _put_together(each)}
            if texts:
                codes.add(code)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "sentence":
                missing |= set(_texts(node)) - SAID.keys()
    assert missing == set()
    assert glued == set()
    documented = set(re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.M))
    assert documented - codes - _codes_of_operators() - set(CODES) == SENTENCES_ELSEWHERE | NOT_IN_PAGES


def _codes_of_operators() -> set[str]:
    elsewhere, shown = set(), set()
    for path in sorted(SOURCE.rglob("*.py")):
        of_operators = path.relative_to(SOURCE).as_posix().startswith(PLACES_OF_OPERATORS)
        codes = {code for code, _ in _made(ast.parse(path.read_text(encoding="utf-8")), tuples=False)}
        (elsewhere if of_operators else shown).update(codes)
    return elsewhere - shown


def test_the_catalogue_of_problems_has_nothing_that_nobody_says() -> None:
    constants = {
        node.value
        for tree, _ in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert SAID.keys() - constants == set()


def test_every_sentence_has_the_places_of_its_pattern() -> None:
    def places(text: str) -> list[str]:
        # A node type is named by its title in English, and by what its catalogue has for it elsewhere.
        bare = text.replace("{{", "").replace("}}", "").replace("{node_type}", "{title}")
        return sorted(re.findall(r"{\w+}", bare))

    wrong = {text for text, told in SAID.items() if "{" in told and places(text) != places(told)}
    assert wrong == set()
    assert all(told.strip() for told in SAID.values())


def _schemas(body: Any) -> Iterator[dict[str, Any]]:
    if isinstance(body, dict):
        yield body
        for name, value in body.items():
            if name != "default":
                yield from _schemas(value)
    elif isinstance(body, list):
        for value in body:
            yield from _schemas(value)


def test_what_node_types_say_is_told_in_chinese() -> None:
    texts, words = set(), set()
    for node in BUILT_IN:
        schema = node.Parameters.model_json_schema()
        for body in (schema, *schema.get("$defs", {}).values()):
            body.pop("description", None)  # Of the class; pages show those of its fields.
        for body in _schemas(schema):
            if isinstance(body.get("description"), str):
                texts.add(body["description"])
            words.update(str(each) for each in body.get("enum", ()))
        ports = (*node.inputs, *node.outputs)
        texts.update(text for port in ports for text in (port.title, port.description) if text)
        texts.update(example.title for example in node.examples)
    assert texts == DOCS["texts"].keys()
    signs = {word for word in words if not re.search("[a-z]", word)}
    told = {f"choice:{word}" for word in words - signs}
    assert told - DOCS["choices"].keys() == set()


def test_the_chinese_documentation_is_of_the_present_one() -> None:
    """A changed docstring changes its mark here: translate it anew, then put the mark that is wanted."""
    for node in BUILT_IN:
        own = node.documentation().removeprefix(node.summary()).strip()
        assert DOCS["docs"][f"doc:{node.type}"]
        assert DOCS["of"][f"of:{node.type}"] == hashlib.sha256(own.encode()).hexdigest()[:12], node.type
    assert len(DOCS["docs"]) == len(DOCS["of"]) == len(list(BUILT_IN))


def test_templates_are_told_in_chinese() -> None:
    said = [json.loads(path.read_text())["structforge"] for path in EXAMPLES.glob("*.json")]
    assert {text for each in said for text in (each["name"], each["description"])} == DOCS["templates"].keys()
