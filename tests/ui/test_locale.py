"""The message catalogues."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import structforge.ui
from structforge.nodes import builtin
from structforge.sdk import NodeRegistry
from structforge.ui.locale import CATALOGUES
from structforge.ui.node_texts import PARAMETERS, TEXTS

UI = Path(structforge.ui.__file__).parent
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
