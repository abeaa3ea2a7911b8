"""The databases of one organization as its nodes use them: rows within limits, and writes that happen once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, pq

from structforge.domain.errors import sentence
from structforge.runtime.postgres.cells import Column, even_out
from structforge.runtime.postgres.effects import begin_once, commit_once
from structforge.runtime.postgres.opening import Opener, Session
from structforge.runtime.postgres.statements import Preparation, Prepared
from structforge.runtime.postgres.text import StatementText, read_statement, refuse_transaction
from structforge.runtime.postgres.wire import ElementError, rows_of, run_each
from structforge.sdk import NodeError
from structforge.sdk.context import QueryResult, WriteResult

BREATH_ROWS = 512
"""After so many rows the event loop gets its turn."""


class Databases(Opener):
    """The databases of every organization, as one process reaches them."""

    def of(self, organization_id: UUID) -> "OrganizationDatabases":
        """Return the databases that runs of an organization may use."""
        return OrganizationDatabases(self, organization_id)


class OrganizationDatabases:
    """Implements `sdk.DatabaseAccess`."""

    def __init__(self, databases: Opener, organization_id: UUID) -> None:
        self._databases = databases
        self._organization_id = organization_id

    async def query(
        self,
        connection: str,
        statement: str,
        values: Mapping[str, Any],
        *,
        time_limit_s: float,
        row_limit: int,
        max_bytes: int,
    ) -> QueryResult:
        """Read rows; see `DatabaseAccess.query`."""
        refuse_transaction(statement)
        text = read_statement(statement)
        opened = await self._databases.opened(self._organization_id, connection)
        async with self._databases.session(
            self._organization_id, opened, time_limit_s=time_limit_s
        ) as session:
            try:
                await session.connection.execute("BEGIN READ ONLY")
                preparation = Preparation(session.connection)
                prepared = await preparation.prepare(text, [values], batch=False, reads=True)
                if prepared.columns is None:
                    raise _no_rows()
                rows = _Rows(prepared.columns, max_bytes)
                cut = await rows.fill(rows_of(session.connection, prepared.elements[0]), row_limit)
            except psycopg.Error as error:
                raise session.refusals.refused(error, text) from error
        return rows.result(cut)

    async def write(
        self,
        connection: str,
        statements: Sequence[str],
        values: Mapping[str, Any],
        batch: Sequence[Mapping[str, Any]] | None,
        *,
        key: str,
        time_limit_s: float,
        row_limit: int,
        max_bytes: int = 100 * 1024 * 1024,
    ) -> WriteResult:
        """Change data once; see `DatabaseAccess.write`."""
        for statement in statements:
            refuse_transaction(statement)
        texts = [read_statement(statement) for statement in statements]
        opened = await self._databases.opened(self._organization_id, connection)
        async with self._databases.session(
            self._organization_id, opened, time_limit_s=time_limit_s
        ) as session:
            done = await begin_once(session.connection, key)
            if done is not None:
                return done
            elements = [values] if batch is None else [{**values, **element} for element in batch]
            changing = _Changing(session, elements, row_limit, max_bytes, batch=batch is not None)
            for number, text in enumerate(texts):
                await changing.run(text, f"parameters.statements[{number}]")
            return await commit_once(session.connection, key, changing.changed, changing.rows)


class _Changing:
    """The statements of one write, done one after the other."""

    def __init__(
        self,
        session: Session,
        elements: Sequence[Mapping[str, Any]],
        row_limit: int,
        max_bytes: int,
        *,
        batch: bool,
    ) -> None:
        self._session = session
        self._elements = elements
        self._batch = batch
        self._row_limit = row_limit
        self._max_bytes = max_bytes
        self._preparation = Preparation(session.connection)
        self.changed = 0
        self.rows: list[dict[str, Any]] = []

    async def run(self, text: StatementText, where: str) -> None:
        """Do a statement, for each element of a batch. Raises: NodeError."""
        if not self._elements:
            return
        index: int | None = None
        try:
            prepared = await self._preparation.prepare(text, self._elements, batch=self._batch, reads=False)
            await self._do(prepared)
        except ElementError as failed:
            index, error = (failed.index if self._batch else None), failed.__cause__
            assert isinstance(error, psycopg.Error)
            raise self._session.refusals.refused(error, text, where, index) from error
        except psycopg.Error as error:
            raise self._session.refusals.refused(error, text, where) from error

    async def _do(self, prepared: Prepared) -> None:
        rows = None if prepared.columns is None else _Rows(prepared.columns, self._max_bytes)
        async with aclosing(_results(self._session.connection, prepared)) as results:
            async for result in results:
                # Of the pieces of one result a single one carries the count.
                self.changed += result.command_tuples or 0
                if rows is not None:
                    await rows.add(result, self._row_limit)
                    if rows.more:
                        raise NodeError(
                            "database.too_many_rows",
                            sentence(
                                "The statement returns more than {row_limit} rows.", row_limit=self._row_limit
                            ),
                            where="parameters.row_limit",
                            hint="Return fewer rows, or raise the limit. Nothing was changed.",
                        )
        if rows is not None:
            self.rows = rows.result(cut=False).rows


async def _results(connection: AsyncConnection[Any], prepared: Prepared) -> AsyncGenerator[pq.abc.PGresult]:
    if len(prepared.elements) == 1:
        try:
            async with aclosing(rows_of(connection, prepared.elements[0])) as results:
                async for result in results:
                    yield result
        except psycopg.Error as error:
            raise ElementError(0) from error
        return
    async with aclosing(run_each(connection, prepared.elements)) as each:
        async for _, result in each:
            yield result


class _Rows:
    """Rows as they arrive, within limits; kept by column, so that each column gets one type."""

    def __init__(self, columns: list[Column], max_bytes: int) -> None:
        self._columns = columns
        self._cells: list[list[Any]] = [[] for _ in columns]
        self._count = 0
        self._left = max_bytes
        self._max_bytes = max_bytes
        self.more = False

    async def fill(self, results: "AsyncIterator[pq.abc.PGresult]", row_limit: int) -> bool:
        """Take rows until the end or the limit; tell whether there are more. Raises: NodeError, psycopg.Error."""
        async for result in results:
            await self.add(result, row_limit)
            if self.more:
                return True
        return False

    async def add(self, result: pq.abc.PGresult, row_limit: int) -> None:
        """Take the rows of a piece. Raises: NodeError `database.too_large`."""
        if not result.nfields:
            return
        for row in range(result.ntuples):
            if self._count == row_limit:
                self.more = True
                return
            for index, (column, cells) in enumerate(zip(self._columns, self._cells, strict=True)):
                data = result.get_value(row, index)
                if data is None:
                    cells.append(None)
                    self._left -= 4
                    continue
                self._left -= len(data)
                cells.append(column.read(data.decode()))
            self._count += 1
            if self._left < 0:
                raise NodeError(
                    "database.too_large",
                    sentence("The result is larger than {max_bytes} bytes.", max_bytes=self._max_bytes),
                    where="parameters.statement",
                    hint="Ask for fewer rows or columns.",
                )
            if self._count % BREATH_ROWS == 0:
                await asyncio.sleep(0)

    def result(self, cut: bool) -> QueryResult:
        """Return the rows with the names and types of their columns."""
        types = tuple(
            even_out(column, cells) for column, cells in zip(self._columns, self._cells, strict=True)
        )
        names = tuple(column.name for column in self._columns)
        rows = [dict(zip(names, row, strict=True)) for row in zip(*self._cells, strict=True)]
        return QueryResult(names, rows, cut, types, self._remarks())

    def _remarks(self) -> tuple[str, ...]:
        remarks = []
        for column in self._columns:
            if column.nulled:
                remarks.append(
                    f"{column.name}: {column.nulled} times NaN or infinity, which are given as null"
                )
            if column.as_text:
                remarks.append(
                    f"{column.name}: {column.as_text} values that JSON cannot hold are given as text"
                )
        return tuple(remarks)


def _no_rows() -> NodeError:
    return NodeError(
        "database.no_result",
        "The statement gives no rows.",
        where="parameters.statement",
        hint="This node reads, with SELECT for example. Use the node `Database: write` to change something.",
    )
