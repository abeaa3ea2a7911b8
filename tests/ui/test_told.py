"""Whatever the program says may be a sentence with its pattern and values: nothing prints it raw."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from structforge.ui.bundle import SOURCE

UI = SOURCE / "structforge" / "ui"
COMPONENTS = sorted((UI / "components").glob("*.jsx"))
VIEWS = sorted(UI.rglob("*.py"))

SAID = "note|message|hint|problem|fault|error|reason|why|said"
"""Names under which problems, notes and hints travel."""
# A name at the end of a chain of members, printed as it is: `row.note`, `why`, `step?.problem`.
PRINTED = re.compile(
    rf"(?:^|[?:&|(,\s]|\$\{{)(?:[\w$]+(?:\[[^\]]*\])?\??\.)*({SAID})\s*(?:$|[}}:)|?,;]|\|\|)"
)
TELLS = re.compile(r"\b(?:tell|told|String)\(|\bsaid=|\bwithCode\((?:fault|told)\b")
SPOKEN = re.compile(r"(?:title|aria-label|placeholder|alt)=\{")
# Words of the catalogue are always text.
CATALOGUE = re.compile(rf"\b(?:texts|words)\.(?:{SAID})\b")


def braced(source: str, start: int) -> str:
    """Return what stands between the brace at `start` and the one that closes it."""
    depth = 0
    for at in range(start, len(source)):
        depth += {"{": 1, "}": -1}.get(source[at], 0)
        if depth == 0:
            return source[start + 1 : at]
    return ""


def printed(source: str) -> Iterator[tuple[int, str]]:
    """Yield each expression that a JSX module puts on the page, with the line it begins in."""
    children = (m.end() - 1 for m in re.finditer(r"(?<![=(])[>}]\s*\{(?!/\*)", source))
    named = (match.end() - 1 for match in SPOKEN.finditer(source))
    for start in (*children, *named):
        expression = braced(source, start)
        # An element inside is looked at by itself.
        outside = re.sub(r"<.*>", "<>", expression, flags=re.DOTALL)
        if "=>" not in outside and ";" not in outside:
            yield source.count("\n", 0, start) + 1, outside


def raw_in(source: str) -> list[tuple[int, str]]:
    return [
        (line, expression)
        for line, expression in printed(source)
        if PRINTED.search(last := CATALOGUE.sub("", expression))
        and not TELLS.search(last)
        and not _guard(last)
    ]


def _guard(expression: str) -> bool:
    """Tell whether what is said only decides here whether an element is shown."""
    values = re.split(r"&&|\?(?![.?])|(?<!\?):", expression)
    guards, shown = values[:-1], values[-1]
    if "?" in expression.replace("?.", "").replace("??", ""):
        shown = " : ".join(values[1:])
    return bool(guards) and not PRINTED.search(shown.replace("<>", "")) and "<>" in shown


@pytest.mark.parametrize("module", COMPONENTS, ids=lambda path: path.name)
def test_no_module_prints_what_is_said_raw(module: Path) -> None:
    assert raw_in(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "<span>{row.note}</span>",
        '<span>{failed ? row.note : (given?.[1] ?? "")}</span>',
        "<p>{fault}</p>",
        "<p>{a} {step?.problem}</p>",
        "<i title={row.note} />",
        "<p>{problems[0].message}</p>",
        "<p>{row.failed && row.why}</p>",
    ],
)
def test_a_raw_print_is_found(source: str) -> None:
    assert raw_in(source)


@pytest.mark.parametrize(
    "source",
    [
        "<p><Told said={row.note} /></p>",
        "<p>{tell(row.note)}</p>",
        "<p>{problem && <b>{texts.problem}</b>}</p>",
        "<p>{texts.hint}</p>",
    ],
)
def test_what_is_told_is_none(source: str) -> None:
    assert raw_in(source) == []


def raw_in_view(source: str) -> list[str]:
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        if ast.unparse(call.func).startswith(("rx.el.", "rx.text", "notice", "empty", "prose")):
            found += [ast.unparse(each) for each in call.args if _name(each) in SAID.split("|")]
    return found


def _name(node: ast.AST) -> str:
    """Return the last name of `row["note"]`, `State.problem` or `row["note"].to(str)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "to":
        return _name(node.func.value)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.attr if isinstance(node, ast.Attribute) else ""


# Written by people, and so always text.
WRITTEN = {("editor_versions_view.py", "row['note']")}


@pytest.mark.parametrize("view", VIEWS, ids=lambda path: path.name)
def test_no_view_prints_what_is_said_raw(view: Path) -> None:
    found = raw_in_view(view.read_text(encoding="utf-8"))
    assert [each for each in found if (view.name, each) not in WRITTEN] == []


def test_a_raw_print_in_a_view_is_found() -> None:
    assert raw_in_view('rx.el.p(row["note"].to(str), class_name="x")') == ["row['note'].to(str)"]
    assert raw_in_view('rx.el.p(told(row["note"]))') == []
