"""The message catalogues, and what the program says of itself: all of it in both languages."""

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
from structforge.nodes import builtin
from structforge.sdk import NodeRegistry
from structforge.services.templates import EXAMPLES
from structforge.ui.locale import CATALOGUES
from structforge.ui.node_texts import PARAMETERS, TEXTS
from tests.domain.test_errors import CODE, MAKER, ROOT

UI = Path(structforge.ui.__file__).parent
SOURCE = Path(structforge.__file__).parent
MESSAGES = UI / "messages"
BUILT_IN = NodeRegistry()
builtin.register(BUILT_IN)


def test_all_languages_have_the_same_messages_with_the_same_places() -> None:
    english = CATALOGUES["en"]
    for catalogue in CATALOGUES.values():
        assert catalogue.keys() == english.keys()
        for key, text in catalogue.items():
            assert text.strip()
            assert sorted(re.findall(r"{\w*}", text)) == sorted(re.findall(r"{\w*}", english[key])), key


def test_no_message_is_unused() -> None:
    source = "\n".join(path.read_text() for path in UI.rglob("*.py"))
    by_prefix = set(re.findall(r'label(?:s|_of)\(\s*"(\w+)"', source)) | set(
        re.findall(r'f"([\w.]+)\.{', source)
    )
    unused = [
        key
        for key in CATALOGUES["en"]
        if f'"{key}"' not in source and not any(key.startswith(f"{prefix}.") for prefix in by_prefix)
    ]
    assert unused == []


WORD = re.compile(r"[^\W\d_]{2}")
SAID = {"aria_label", "title", "placeholder", "alt", "label", "text"}
"""What a screen reader or a tooltip says."""
KEYS = {"Ctrl", "Esc", "Tab", "Shift", "Delete", "Enter", "Alt"}
"""Written on the keys of a keyboard, whatever language its user reads."""


def _spoken(node: ast.expr) -> Iterator[str]:
    """Yield the literal words of an argument."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from (part.value for part in node.values if isinstance(part, ast.Constant))
    elif isinstance(node, ast.BinOp):
        yield from [*_spoken(node.left), *_spoken(node.right)]


def _literals_of_python(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        children = node.args if ast.unparse(node.func).startswith(("rx.el.", "rx.text", "rx.heading")) else []
        named = [each.value for each in node.keywords if each.arg in SAID]
        for argument in [*children, *named]:
            yield from _spoken(argument)


def _literals_of_jsx(source: str) -> Iterator[str]:
    code = re.sub(r"/\*.*?\*/|^\s*//[^\n]*|\s//\s[^\n]*", "", source, flags=re.S | re.M)
    yield from re.findall(r'(?:aria-label|title|placeholder|alt|label)="([^"]*)"', code)
    # Text between tags: signs of code are not part of it.
    yield from re.findall(r"<[a-zA-Z][^<>]*>\s*([^<>{}=;()&|]+?)\s*<", code)
    yield from re.findall(r"\}\s*([^<>{}=;()&|:?,`\"'\[\]/]+?)\s*</", code)


def test_no_page_has_text_outside_the_catalogues() -> None:
    python = [path for path in UI.rglob("*.py") if "rx.el" in path.read_text(encoding="utf-8")]
    jsx = sorted(UI.rglob("*.jsx"))
    assert len(python) > 10 and len(jsx) > 5
    found = [
        f"{path.name}: {text!r}"
        for paths, literals in ((python, _literals_of_python), (jsx, _literals_of_jsx))
        for path in paths
        for text in literals(path.read_text(encoding="utf-8"))
        if WORD.search(text) and not {*re.findall(r"[^\W\d_]{2,}", text)} <= KEYS
    ]
    assert found == []


def test_literal_text_would_be_found() -> None:
    python = 'rx.el.p("Hello there")\nrx.el.button(rx.icon("x"), aria_label="Close it")\nrx.el.p(f"{n} rows")'
    assert list(_literals_of_python(python)) == ["Hello there", "Close it", " rows"]
    jsx = '<p className="a">Hello there</p>\n<b title="Close it">{n} rows</b> // <p>not this</p>'
    assert set(_literals_of_jsx(jsx)) == {"Hello there", "Close it", "rows"}


def test_every_built_in_node_type_is_told_in_chinese() -> None:
    types = {node.type for node in BUILT_IN}
    assert types - TEXTS.keys() == set()
    assert TEXTS.keys() - types == set()
    for texts in TEXTS.values():
        assert texts.keys() == {"title", "summary"} and all(texts.values())


def _titles(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            yield schema["title"]
        for value in schema.values():
            yield from _titles(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _titles(value)


def test_every_parameter_is_titled_in_chinese() -> None:
    titles = set()
    for node in BUILT_IN:
        schema = node.Parameters.model_json_schema()
        for body in (schema, *schema.get("$defs", {}).values()):
            titles.update(_titles(list(body.get("properties", {}).values())))
    assert titles - PARAMETERS.keys() == set()
    assert PARAMETERS.keys() - titles == set()


PLACES_OF_OPERATORS = (
    "chaos", "commands", "embedded", "cli.py", "config.py", "doctor.py", "local_api.py", "plugins.py",
    "sdk/testing.py", "storage/migrate.py", "storage/roles.py", "storage/versions.py", "security/keyring.py",
    "nodes/reference.py", "ui/bundle.py",
)  # fmt: skip
"""What these say is read in a terminal."""
CODES_AS_VARIABLES = {"finally.timeout", "run.timeout", "step.interrupted", "step.worker_died"}
"""Codes that are one of several where their problem is made."""


def _read(name: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((MESSAGES / f"{name}.zh.json").read_text(encoding="utf-8"))
    return found


PROBLEMS, DOCS = _read("problems"), _read("node_docs")
SENTENCES = PROBLEMS["sentences"]


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
        # What a variable says is a sentence that is looked at below, or a text that nobody could tell in Chinese.
        loose = {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and _put_together(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for code, said in _made(tree, tuples):
            codes.add(code)
            missing |= {text for each in said for text in _texts(each)} - SENTENCES.keys()
            glued |= {
                f"{code}: {ast.unparse(each)}"
                for each in said
                if _put_together(each) or (isinstance(each, ast.Name) and each.id in loose)
            }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "sentence":
                missing |= set(_texts(node)) - SENTENCES.keys()
    assert missing == set()
    assert glued == set()
    documented = set(re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.M))
    assert documented - codes - _codes_of_operators() - set(CODES) == CODES_AS_VARIABLES


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
    assert SENTENCES.keys() - constants == set()


def test_every_sentence_has_the_places_of_its_pattern() -> None:
    def places(text: str) -> list[str]:
        # A node type is named by its title in English, and by what its catalogue has for it elsewhere.
        bare = text.replace("{{", "").replace("}}", "").replace("{node_type}", "{title}")
        return sorted(re.findall(r"{\w+}", bare))

    wrong = {text for text, told in SENTENCES.items() if "{" in told and places(text) != places(told)}
    assert wrong == set()
    assert all(told.strip() for told in SENTENCES.values())


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
