"""The extended protocol of PostgreSQL: describe a statement, run it, take its rows piece by piece.

Invariant: one statement at a time (the server refuses a second one behind a semicolon), values and rows as text.
"""

from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from psycopg import AsyncConnection, errors, generators, pq

from structforge.sdk import NodeError

CHUNK_ROWS = 64
"""So many rows are held at once before the limits are looked at."""
PIPELINE = 128
"""So many elements of a batch are on their way at once."""

Values = Sequence[bytes | None]
_COPIES = (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH)


class ElementError(Exception):
    """An element of a batch was refused: `index` says which, the cause why."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index


@dataclass(frozen=True, slots=True)
class Described:
    """What the server says of a statement."""

    parameters: tuple[int, ...]
    """The types of `$1`, `$2` …"""
    columns: tuple[tuple[str, int, int], ...] | None
    """Name, type and modifier of each column; none for a statement that gives no rows."""


async def describe(connection: AsyncConnection[Any], query: bytes, types: Sequence[int]) -> Described:
    """Let the server read a statement, ready to run; 0 leaves the type of a value to it. Raises: psycopg.Error."""
    pgconn = connection.pgconn
    pgconn.send_prepare(b"", query, types)
    _checked(await connection.wait(generators.execute(pgconn)))
    pgconn.send_describe_prepared(b"")
    (result,) = _checked(await connection.wait(generators.execute(pgconn)))
    columns = tuple(
        (
            (result.fname(index) or b"").decode("utf-8", "replace"),
            result.ftype(index),
            result.fmod(index),
        )
        for index in range(result.nfields)
    )
    # A SELECT of no columns has rows; what gives no rows cannot be told from it, nor need it be.
    return Described(tuple(result.param_type(index) for index in range(result.nparams)), columns or None)


async def rows_of(connection: AsyncConnection[Any], values: Values) -> AsyncGenerator[pq.abc.PGresult]:
    """Run the described statement; yield its rows piece by piece, at last what was done. Raises: psycopg.Error."""
    pgconn = connection.pgconn
    pgconn.send_query_prepared(b"", values)
    pgconn.set_chunked_rows_mode(CHUNK_ROWS)
    await connection.wait(generators.send(pgconn))
    failed: pq.abc.PGresult | None = None
    while (result := await connection.wait(generators.fetch(pgconn))) is not None:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            failed = result  # Nothing comes after it but the end, which leaves the connection in order.
        else:
            _check(result)
            yield result
    if failed is not None:
        _check(failed)


async def run_each(
    connection: AsyncConnection[Any], elements: Sequence[Values]
) -> AsyncGenerator[tuple[int, pq.abc.PGresult]]:
    """Run the described statement for each element; yield index and result in their order.

    Raises: ElementError whose cause is psycopg's error.
    """
    pgconn = connection.pgconn
    for start in range(0, len(elements), PIPELINE):
        part = elements[start : start + PIPELINE]
        pgconn.enter_pipeline_mode()
        commands: deque[Callable[[], None]] = deque(
            [partial(pgconn.send_query_prepared, b"", values) for values in part]
        )
        commands.append(pgconn.pipeline_sync)
        answers = await connection.wait(generators.pipeline_communicate(pgconn, commands))
        while len(answers) <= len(part):  # the last one says that the server is in step
            answers.append(await connection.wait(generators.fetch_many(pgconn)))
        for index, results in enumerate(answers[: len(part)]):
            for result in results:
                try:
                    _check(result)
                except errors.Error as error:
                    raise ElementError(start + index) from error
                yield start + index, result
        pgconn.exit_pipeline_mode()


def _checked(results: list[pq.abc.PGresult]) -> list[pq.abc.PGresult]:
    for result in results:
        _check(result)
    return results


def _check(result: pq.abc.PGresult) -> None:
    if result.status == pq.ExecStatus.FATAL_ERROR:
        raise errors.error_from_result(result, encoding="utf-8")
    if result.status in _COPIES:
        raise NodeError(
            "database.copy",
            "`COPY` from and to the client is not possible here.",
            where="parameters.statement",
            hint="Use INSERT once for each element, or SELECT.",
        )
