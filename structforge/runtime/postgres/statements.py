"""Statements with the types of their values settled, ready to run.

Invariant: a type that the statement says is never overruled by a value; only what it leaves open, or a number with
decimals that a query compares with whole ones, is decided by the values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, errors

from structforge.domain.errors import sentence
from structforge.runtime.postgres.cells import CellReader, Column
from structforge.runtime.postgres.parameters import UnfitError, implied_type, literal, unfit
from structforge.runtime.postgres.text import StatementText
from structforge.runtime.postgres.types import INTEGERS, TEXT, Kind, Types
from structforge.runtime.postgres.wire import Described, Values, describe
from structforge.sdk import NodeError

_UNDECIDED = (
    errors.AmbiguousFunction,
    errors.AmbiguousParameter,
    errors.DatatypeMismatch,
    errors.IndeterminateDatatype,
    errors.UndefinedFunction,
)
"""How the server says that it cannot tell the type of a value by the statement alone."""

_BEFORE = "structforge_before"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that the server has read, and its values."""

    elements: list[Values]
    """The values of each run, in the server's text form."""
    columns: list[Column] | None
    """None for a statement that gives no rows."""


class Preparation:
    """Prepares statements inside a transaction of one connection."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._types = Types()

    async def prepare(
        self, text: StatementText, elements: Sequence[Mapping[str, Any]], *, batch: bool, reads: bool
    ) -> Prepared:
        """Settle the types of the values and describe the statement; it is run once for each element.

        `reads`: nothing is stored, so that a value of another type cannot be rounded on its way into a column.
        Raises: NodeError `database.placeholder`, `database.value`; psycopg.Error.
        """
        given = [_given(text, element, index if batch else None) for index, element in enumerate(elements)]
        by_name = [[values[number] for values in given] for number in range(len(text.names))]
        if text.names:
            # What the server refuses to describe must not end the transaction.
            await self._connection.execute(f"SAVEPOINT {_BEFORE}".encode())
        described = await self._described(text, by_name)
        if reads:
            described = await self._better(text, by_name, described)
        oids = [*described.parameters, *(oid for _, oid, _ in described.columns or ())]
        looked = await self._types.look_up(self._connection, oids)
        money = any(self._types.of(oid).kind is Kind.MONEY for oid in self._reached(described))
        scale = await self._money_scale() if money else 0
        if looked or money:
            # A query in between took the place of the statement.
            described = await describe(self._connection, text.query, described.parameters)
        columns = None
        if described.columns is not None:
            columns = CellReader(self._types, scale).columns(described.columns)
        literals = [
            self._literals(text, values, described, index if batch else None)
            for index, values in enumerate(given)
        ]
        return Prepared(literals, columns)

    def _reached(self, described: Described) -> list[int]:
        """Return the types of all columns, with those of elements and fields."""
        found = [oid for _, oid, _ in described.columns or ()]
        seen = set(found)
        for oid in found:
            known = self._types.of(oid)
            below = {known.element, *(field for _, field in known.fields)} - seen - {0}
            seen |= below
            found.extend(below)
        return found

    async def _money_scale(self) -> int:
        """Return how many decimals the database's `money` has: its country decides."""
        cursor = await self._connection.execute("SELECT scale(1::numeric::money::numeric)")
        row = await cursor.fetchone()
        return int(row[0]) if row else 2

    async def _described(self, text: StatementText, by_name: Sequence[Sequence[Any]]) -> Described:
        try:
            return await describe(self._connection, text.query, [0] * len(text.names))
        except _UNDECIDED:
            implied = _implied(text, by_name)
            if not any(implied):
                raise
            await self._connection.execute(f"ROLLBACK TO SAVEPOINT {_BEFORE}".encode())
            try:
                return await describe(self._connection, text.query, implied)
            except _UNDECIDED:
                # What the statement itself says is the better explanation.
                await self._connection.execute(f"ROLLBACK TO SAVEPOINT {_BEFORE}".encode())
                return await describe(self._connection, text.query, [0] * len(text.names))

    async def _better(
        self, text: StatementText, by_name: Sequence[Sequence[Any]], described: Described
    ) -> Described:
        """Let values that are no text be what they are, where the server took them for text for want of anything
        better, and numbers with decimals meet whole numbers."""
        implied = _implied(text, by_name)
        wanted = [
            by_itself if self._is_better(oid, by_itself, values) else 0
            for oid, by_itself, values in zip(described.parameters, implied, by_name, strict=True)
        ]
        if not any(wanted):
            return described
        try:
            return await describe(self._connection, text.query, wanted)
        except errors.Error:
            await self._connection.execute(f"ROLLBACK TO SAVEPOINT {_BEFORE}".encode())
            return await describe(self._connection, text.query, described.parameters)

    def _is_better(self, oid: int, implied: int, values: Sequence[Any]) -> bool:
        if oid == TEXT:
            return implied not in (0, TEXT)
        known = self._types.of(oid)
        whole = oid in INTEGERS or (known.kind is Kind.ARRAY and known.element in INTEGERS)
        return bool(implied) and whole and any(_has_fraction(value) for value in values)

    def _literals(
        self, text: StatementText, values: Sequence[Any], described: Described, index: int | None
    ) -> Values:
        texts: list[bytes | None] = []
        for name, value, oid in zip(text.names, values, described.parameters, strict=True):
            try:
                found = literal(value, self._types.of(oid), self._types)
            except UnfitError as error:
                raise unfit(name, place_of(name, index), error) from None
            texts.append(None if found is None else found.encode())
        return texts


def place_of(name: str, index: int | None) -> str:
    """Return where a value was given: by itself or by an element of the batch."""
    return f"parameters.values.{name}" if index is None else f"parameters.batch[{index}].{name}"


def _given(text: StatementText, element: Mapping[str, Any], index: int | None) -> list[Any]:
    """Return the values that the statement names, in its order. Raises: NodeError `database.placeholder`."""
    for name in text.names:
        if name not in element:
            raise NodeError(
                "database.placeholder",
                sentence("The statement names the value `{name}`, which is not given.", name=name),
                where="parameters.values" if index is None else f"parameters.batch[{index}]",
                hint="A value is written `%(name)s` and named in the values; a percent sign is written `%%`.",
            )
    return [element[name] for name in text.names]


def _implied(text: StatementText, by_name: Sequence[Sequence[Any]]) -> list[int]:
    return [0 if number in text.casts else implied_type(values) for number, values in enumerate(by_name)]


def _has_fraction(value: Any) -> bool:
    if isinstance(value, list):
        return any(_has_fraction(element) for element in value)
    return not isinstance(value, int | str | dict) and value is not None and value != int(value)
