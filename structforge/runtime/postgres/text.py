"""A statement's text: where its values stand, and what has no place in it.

Invariant: a value never becomes part of a statement's text; the server is given `$1`, `$2` in its place.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

from structforge.domain.errors import sentence
from structforge.sdk import NodeError

_MARK = re.compile(r"%(?:(?P<percent>%)|\((?P<name>[^)]*)\)[stb]|)", re.DOTALL)
_CAST_BEFORE = re.compile(r"\bcast\s*\(\s*\Z", re.IGNORECASE)
_CAST_AFTER = re.compile(r"\s*::|\s+as\b", re.IGNORECASE)

_ENDS_TRANSACTION = re.compile(
    r"(begin|start|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b", re.IGNORECASE
)
_NO_WORD = re.compile(r"[\s;]+|--[^\n]*")
_COMMENT_MARK = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True)
class StatementText:
    """A statement as the server takes it."""

    query: bytes
    names: tuple[str, ...]
    """The value of `$1`, `$2` …; each name once."""
    casts: frozenset[int]
    """Indexes of values whose type the statement itself says: `%(day)s::date`."""
    marks: tuple[tuple[int, int], ...]
    """Where pieces of the text begin: in characters of the query, and of what was written."""

    def place(self, position: int) -> int:
        """Return where, in the text as written, a position of the server's (from 1) is."""
        index = bisect_right(self.marks, position - 1, key=lambda mark: mark[0]) - 1
        sent, written = self.marks[max(index, 0)]
        return position - sent + written


def read_statement(statement: str) -> StatementText:
    """Return the statement with `$n` for each `%(name)s`, and `%` for `%%`.

    Raises: NodeError `database.placeholder`.
    """
    numbers: dict[str, int] = {}
    casts: set[int] = set()
    pieces: list[str] = []
    marks = [(0, 0)]
    at = size = 0
    for found in _MARK.finditer(statement):
        name = found["name"]
        if found["percent"] is None and name is None:
            raise NodeError(
                "database.placeholder",
                sentence(
                    "The percent sign at character {position} names no value.", position=found.start() + 1
                ),
                where="parameters.statement",
                hint="A value is written `%(name)s` and named in the values; a percent sign is written `%%`.",
                position=found.start() + 1,
            )
        before = statement[at : found.start()]
        shown = "%"
        if name is not None:
            number = numbers.setdefault(name, len(numbers))
            shown = f"${number + 1}"
            cast = _CAST_AFTER.match(statement, found.end())
            if cast and (cast[0].endswith("::") or _CAST_BEFORE.search(statement[: found.start()][-40:])):
                casts.add(number)
        pieces += [before, shown]
        at, size = found.end(), size + len(before) + len(shown)
        marks.append((size, at))
    pieces.append(statement[at:])
    return StatementText("".join(pieces).encode(), tuple(numbers), frozenset(casts), tuple(marks))


def refuse_transaction(statement: str) -> None:
    """Refuse what would begin or end a transaction. Raises: NodeError `database.transaction`."""
    found = _ENDS_TRANSACTION.match(statement, _first_word(statement))
    if found is not None:
        raise NodeError(
            "database.transaction",
            sentence(
                "`{word}` has no place here: the node makes the transaction itself.", word=found[1].upper()
            ),
            where="parameters.statement",
            hint="Leave it out; what a node does is committed whole or not at all.",
        )


def _first_word(statement: str) -> int:
    """Return where the first word of a statement begins; PostgreSQL's comments nest."""
    at = 0
    while at < len(statement):
        blank = _NO_WORD.match(statement, at)
        if blank is not None:
            at = blank.end()
        elif statement.startswith("/*", at):
            depth = 0
            for mark in _COMMENT_MARK.finditer(statement, at):
                depth += 1 if mark[0] == "/*" else -1
                if depth == 0:
                    at = mark.end()
                    break
            else:
                return len(statement)
        else:
            break
    return at
