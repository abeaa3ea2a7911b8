"""Functions by patterns: regular expressions in the syntax of Rust, as polars has them in tables.

Invariant: the time a pattern takes is in proportion to the text; there is no look-around and no reference back, which
could take forever.
"""

import re
from collections.abc import Callable
from typing import Any

import polars as pl

from structforge.domain.errors import sentence
from structforge.domain.expressions.arguments import a_text, an_integer
from structforge.domain.expressions.limits import MAX_TEXT_CHARS, Work
from structforge.domain.expressions.problems import Fault
from structforge.domain.values import JsonValue

MAX_PATTERN_CHARS = 1_000
_CALL_WORK = 1_000
"""What one call costs beside its text: compiling a pattern takes longer than looking at a short text."""
_GROUP = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\((?!\?)|\(\?P?<", re.DOTALL)


def matches(work: Work, value: JsonValue, pattern: JsonValue) -> bool:
    """Tell whether the pattern is found somewhere in the text."""
    return bool(_found(work, value, pattern, lambda column, form: column.str.contains(form)))


def extract(work: Work, value: JsonValue, pattern: JsonValue, group: JsonValue = None) -> str | None:
    """Return what the pattern found first, a group of it, or null when it is not found."""
    form = a_text(pattern, "pattern")
    number = min(groups_in(form), 1) if group is None else an_integer(group, "group", 0, 100)
    if number > groups_in(form):
        raise Fault(
            "expression.arguments",
            sentence("The pattern has no group {number}.", number=number),
            "A group is a part of the pattern in ( ).",
        )
    found = _found(work, value, form, lambda column, form: column.str.extract(form, number))
    return None if found is None else str(found)


def replace_pattern(work: Work, value: JsonValue, pattern: JsonValue, replacement: JsonValue) -> str:
    """Replace everything the pattern finds; `$1` and `${name}` stand for groups, `$$` for a dollar."""
    new = a_text(replacement, "replacement")
    # Each place between two characters may be found, and each find may be put in for each `$0`.
    longest = (len(a_text(value)) + 1) * (len(new) + 1) + new.count("$") * len(a_text(value))
    if longest > MAX_TEXT_CHARS:
        count = _found(work, value, pattern, lambda column, form: column.str.count_matches(form))
        work.text(len(a_text(value)) + int(count) * len(new) + new.count("$") * len(a_text(value)))
    return str(_found(work, value, pattern, lambda column, form: column.str.replace_all(form, new)))


def groups_in(pattern: str) -> int:
    """Return how many groups a pattern has."""
    return sum(1 for found in _GROUP.findall(pattern) if found[0] == "(")


def _found(work: Work, value: JsonValue, pattern: JsonValue, find: Callable[[pl.Expr, str], pl.Expr]) -> Any:
    text, form = a_text(value), a_text(pattern, "pattern")
    if len(form) > MAX_PATTERN_CHARS:
        raise Fault(
            "expression.too_large",
            sentence("A pattern has at most {max_chars} characters.", max_chars=MAX_PATTERN_CHARS),
        )
    work.charge(_CALL_WORK + len(text))
    try:
        return pl.select(find(pl.lit(text), form)).item()
    except pl.exceptions.PolarsError as error:
        raise Fault(
            "expression.arguments",
            sentence("The pattern `{pattern}` is not a regular expression.", pattern=form[:80]),
            "Brackets come in pairs; write \\\\. for a point. There is no look-around and no reference back.",
        ) from error
