"""What a database refuses, as errors for people: a code, a place, and whether trying again may help."""

import re
from typing import Any

import psycopg
from psycopg import errors

from structforge.domain.connections import OpenedConnection
from structforge.domain.errors import sentence
from structforge.runtime.postgres.statements import place_of
from structforge.runtime.postgres.text import StatementText
from structforge.sdk import NodeError
from structforge.security.redaction import Redactor

_PASSING = ("08", "53", "57P0", "40", "55P03")
"""Classes of SQL states after which trying again may help."""
_DATA = "22"
_VALUE = re.compile(r"\$(\d+)")
_OPEN_TYPE = ("42P08", "42P18")


class Refusals:
    """Describes errors of one connection; nothing secret is in what is said."""

    def __init__(self, redactor: Redactor, opened: OpenedConnection, time_limit_s: float) -> None:
        self._redactor = redactor
        self._opened = opened
        self._time_limit_s = time_limit_s

    def unreachable(self, error: psycopg.OperationalError) -> NodeError:
        """Return why a connection cannot be opened."""
        said = self._redactor.text(" ".join(str(error).split()))[:500]
        # The state of a failed connection is not always told; the words of the server are.
        wrong = "authentication failed" in said or "does not exist" in said
        return NodeError(
            "database.connection",
            sentence("The connection `{name}` cannot be opened: {said}", name=self._opened.name, said=said),
            where="parameters.connection",
            hint="Check user, password and database of the connection."
            if wrong
            else "Check that the server runs and that its address, port and TLS are right.",
            final=wrong,
        )

    def refused(
        self,
        error: psycopg.Error,
        text: StatementText | None = None,
        where: str = "",
        index: int | None = None,
    ) -> NodeError:
        """Return what a statement was refused for; `index` is the element of a batch that it was run for."""
        if isinstance(error, errors.QueryCanceled):
            return too_slow(self._time_limit_s)
        state = error.sqlstate or ""
        if text is not None and state.startswith(_DATA):
            named = _VALUE.search(error.diag.context or "")
            if named is not None and 0 < int(named[1]) <= len(text.names):
                return self._misfit(error, text.names[int(named[1]) - 1], index)
        if isinstance(error, errors.CharacterNotInRepertoire):
            return NodeError(
                "database.encoding",
                sentence(
                    "A text of the database is not in the encoding it should be: {said}.",
                    said=self._said(error),
                ),
                where="parameters.statement",
                hint="Let the statement convert it: "
                "`convert_from(convert(name::bytea, 'LATIN1', 'UTF8'), 'UTF8')`.",
            )
        if isinstance(error, errors.ReadOnlySqlTransaction):
            return NodeError(
                "database.read_only",
                sentence("This node only reads: {said}.", said=self._said(error)),
                where="parameters.statement",
                hint="Use the node `Database: write`.",
            )
        passing = state.startswith(_PASSING) or (isinstance(error, psycopg.OperationalError) and not state)
        details: dict[str, Any] = {"sqlstate": state} if state else {}
        if error.diag.statement_position:
            position = int(error.diag.statement_position)
            details["position"] = position if text is None else text.place(position)
        if index is not None:
            details["element"] = index
        return NodeError(
            "database.refused",
            sentence("`{name}` refused: {said}.", name=self._opened.name, said=self._said(error, text)),
            where=where or "parameters.statement",
            hint=_hint(state, passing),
            final=not passing,
            **details,
        )

    def _misfit(self, error: psycopg.Error, name: str, index: int | None) -> NodeError:
        return NodeError(
            "database.value",
            sentence("The value `{name}` does not fit: {said}.", name=name, said=self._said(error)),
            where=place_of(name, index),
            hint="Give a value of the type that the statement takes there; an empty text is no value, null is one.",
            sqlstate=error.sqlstate,
        )

    def _said(self, error: psycopg.Error, text: StatementText | None = None) -> str:
        message = error.diag.message_primary or " ".join(str(error).split())
        if error.diag.message_detail:
            message = f"{message} ({error.diag.message_detail})"
        if text is not None:
            # The server counts the values, people name them.
            message = _VALUE.sub(lambda found: _named(found, text), message)
        return self._redactor.text(message)[:600]


def too_slow(time_limit_s: float) -> NodeError:
    """Return the error of a database that did not answer in time."""
    return NodeError(
        "database.timeout",
        sentence("The database did not answer within {time_limit_s} s.", time_limit_s=f"{time_limit_s:g}"),
        where="parameters.time_limit_s",
        hint="Make the statement cheaper, or raise the time limit.",
        final=False,
    )


def _named(found: re.Match[str], text: StatementText) -> str:
    number = int(found[1])
    return f"%({text.names[number - 1]})s" if 0 < number <= len(text.names) else found[0]


def _hint(state: str, passing: bool) -> str:
    if passing:
        return "Trying again may help."
    if state in _OPEN_TYPE:
        return "Say which type the value has: `%(name)s::text`."
    return "Change the statement or its values."
