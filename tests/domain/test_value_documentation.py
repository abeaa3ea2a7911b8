"""docs/values.md and its Chinese name the same functions, and every function they name exists in both languages."""

import re
from pathlib import Path

from structforge.domain.date_patterns import DIRECTIVES
from structforge.domain.expressions.functions import FUNCTIONS, SPECIAL
from structforge.domain.moments import read
from structforge.domain.number_formats import LOCALES
from structforge.nodes.row_expressions import FUNCTIONS as OF_ROWS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {
    language: (DOCS / name).read_text() for language, name in (("en", "values.md"), ("zh", "values.zh.md"))
}


def functions_of(page: str) -> set[str]:
    """Return the names in the first column of the table of functions."""
    table = page[
        page.index("## Functions of both" if "## Functions of both" in page else "## 两种语言共有的函数") :
    ]
    cells = re.findall(r"^\| (`.*?) \|", table, re.M)
    names = set()
    for cell in cells:
        for code in re.findall(r"`([^`]+)`", cell):
            names |= set(re.findall(r"[a-z_0-9]+", re.sub(r"\(.*?\)", " ", code)))
    return names


def test_both_pages_name_the_same_functions() -> None:
    assert functions_of(PAGES["en"]) == functions_of(PAGES["zh"])


def test_every_function_that_is_told_exists_in_both_languages() -> None:
    told = functions_of(PAGES["en"])
    assert told - {*FUNCTIONS, *SPECIAL} == set()
    assert told - set(OF_ROWS) == set()


def test_every_directive_is_told() -> None:
    for page in PAGES.values():
        assert {f"%{letter}" for letter in DIRECTIVES} <= set(re.findall(r"%[a-zA-Z%]", page))


def test_every_language_of_numbers_is_told() -> None:
    for page in PAGES.values():
        assert f"`{' '.join(sorted(LOCALES))}`" in page


def test_every_spelling_that_is_told_is_recognised() -> None:
    for page in PAGES.values():
        begin = page.index("| spelling |" if "| spelling |" in page else "| 写法 |")
        rows = page[begin : page.index("\n\n", begin)].splitlines()[2:]
        examples = [text for row in rows for text in re.findall(r"`([^`]+)`", row) if text != "T"]
        assert len(examples) > 20
        for text in examples:
            read(text.replace("…", "2024-03-01T10:30"))
