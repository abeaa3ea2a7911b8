"""How one operation is applied to columns: by a kernel on whole columns, by the `{{ }}` language on single cells.

Invariant: a kernel only answers for rows where it is sure to give what the cell by cell way gives; the rows it
marks as doubtful, and operands it does not know, are computed by that language's own functions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from structforge.domain.expressions.limits import MAX_WORK, Work
from structforge.domain.expressions.problems import Absent, Fault
from structforge.nodes.row_language.cells import (
    AnyCells,
    Cells,
    Kind,
    Part,
    Split,
    constant,
    joined,
    nothing,
    of_values,
)

DISTINCT_FROM = 64
"""With fewer cells it costs more to find the distinct ones than to compute all."""
KERNEL_FAILURES: tuple[type[Exception], ...] = (pl.exceptions.PolarsError, OverflowError)
_UNEXPECTED = (TypeError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError)


class CellFault(Exception):
    """One cell cannot be computed: the position of its row, and what the `{{ }}` language says."""

    def __init__(self, index: int, fault: Fault) -> None:
        super().__init__(index, fault)
        self.index = index
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Fast:
    """What a kernel computed, and the rows it is not sure of."""

    cells: Cells
    doubtful: pl.Series | None = None


Kernel = Callable[..., Fast | None]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operator or function."""

    name: str
    single: Callable[..., Any]
    """The function of the `{{ }}` language: takes the work counter and one row's values."""
    kernel: Kernel | None = None
    """Takes cells, never a split; gives None for kinds it does not know."""
    gives: Kind = Kind.NOTHING
    """The kind of the result, for tables without rows."""


def apply(operation: Operation, operands: Sequence[AnyCells], height: int) -> AnyCells:
    """Return the operation's result for each row. Raises: CellFault with the position of a row."""
    if any(isinstance(operand, Split) for operand in operands):
        return _by_parts(operation, operands, height)
    cells = [operand for operand in operands if isinstance(operand, Cells)]
    if all(operand.constant for operand in cells):
        return _constant(operation, cells, height)
    fast = _by_kernel(operation.kernel, cells) if operation.kernel else None
    if fast is None:
        return _each(operation, cells, height) if height else _nothing_of(operation.gives)
    found = fast.cells if len(fast.cells) == height else replace(fast.cells, constant=True).spread(height)
    if fast.doubtful is None or not fast.doubtful.any():
        return replace(found, constant=False)
    doubtful = fast.doubtful.fill_null(False)
    if len(doubtful) != height:
        doubtful = doubtful.new_from_index(0, height)
    return _completed(operation, cells, replace(found, constant=False), doubtful, height)


def _by_kernel(kernel: Kernel, cells: Sequence[Cells]) -> Fast | None:
    try:
        return kernel(*cells)
    except KERNEL_FAILURES:
        # What a library cannot do with a column is done cell by cell, where every failure has its words.
        return None


def _constant(operation: Operation, cells: Sequence[Cells], height: int) -> Cells:
    try:
        return constant(single(operation, [operand.value() for operand in cells]))
    except Fault as fault:
        if height:
            raise CellFault(0, fault) from fault
        return _nothing_of(operation.gives)


def _nothing_of(kind: Kind) -> Cells:
    dtypes: dict[Kind, Any] = {
        Kind.BOOLEAN: pl.Boolean,
        Kind.INTEGER: pl.Int64,
        Kind.DECIMAL: pl.Int64,
        Kind.NUMBER: pl.Float64,
        Kind.TEXT: pl.String,
    }
    if kind in dtypes:
        return Cells(kind, pl.Series([], dtype=dtypes[kind]))
    return Cells(kind, []) if kind is Kind.JSON else nothing(0)


def _by_parts(operation: Operation, operands: Sequence[AnyCells], height: int) -> AnyCells:
    results: list[Part] = []
    for rows, cells in parted(operands, height):
        try:
            found = apply(operation, cells, len(rows))
        except CellFault as error:
            raise CellFault(int(rows[error.index]), error.fault) from error
        results += placed(rows, found)
    results += [Part(_NO_ROWS, cells) for cells in _of_empty_parts(operation, operands)]
    return joined(results, height)


def parted(operands: Sequence[AnyCells], height: int) -> list[tuple[pl.Series, list[Cells]]]:
    """Return groups of rows within which every operand is of one kind, with the operands of those rows."""
    frame = pl.DataFrame({"row": pl.arange(height, dtype=pl.UInt32, eager=True)})
    columns = []
    for position, operand in enumerate(operands):
        if isinstance(operand, Split):
            part_of, within = operand.located()
            columns.append(f"part {position}")
            frame = frame.with_columns(part_of.alias(columns[-1]), within.alias(f"within {position}"))
    groups = []
    for group in frame.partition_by(columns, maintain_order=True):
        rows = group["row"]
        cells: list[Cells] = []
        for position, operand in enumerate(operands):
            if isinstance(operand, Split):
                part = operand.parts[group[f"part {position}"][0]]
                cells.append(part.cells.take(group[f"within {position}"]))
            else:
                cells.append(operand.take(rows))
        groups.append((rows, cells))
    return groups


_NO_ROWS = pl.Series([], dtype=pl.UInt32)


def _of_empty_parts(operation: Operation, operands: Sequence[AnyCells]) -> list[Cells]:
    """Return the kinds that the operation gives for branches no row takes: they count for the type of a column."""
    found = []
    for position, operand in enumerate(operands):
        for part in operand.parts if isinstance(operand, Split) else ():
            if not len(part.rows):
                others = [other.parts[0].cells if isinstance(other, Split) else other for other in operands]
                others[position] = part.cells
                try:
                    given = apply(operation, [other.none() for other in others], 0)
                except CellFault:
                    continue
                found += [one.cells for one in given.parts] if isinstance(given, Split) else [given.none()]
    return found


def placed(rows: pl.Series, cells: AnyCells) -> list[Part]:
    """Return cells as parts at these positions."""
    if isinstance(cells, Split):
        return [Part(rows.gather(part.rows), part.cells) for part in cells.parts]
    return [Part(rows, cells)]


def _completed(
    operation: Operation, cells: Sequence[Cells], fast: Cells, doubtful: pl.Series, height: int
) -> AnyCells:
    rows = doubtful.arg_true()
    try:
        exact = _each(operation, [operand.take(rows) for operand in cells], len(rows))
    except CellFault as error:
        raise CellFault(rows[error.index], error.fault) from error
    sure = (~doubtful).arg_true()
    return joined([Part(sure, fast.take(sure)), Part(rows, exact)], height)


def single(operation: Operation, values: Sequence[Any]) -> Any:
    """Return the result for the values of one row; null when it fails for want of a value. Raises: Fault."""
    try:
        return operation.single(Work(MAX_WORK), *values)
    except Absent:
        return None
    except Fault:
        if any(value is None for value in values):
            return None
        raise
    except _UNEXPECTED as error:
        if any(value is None for value in values):
            return None
        raise Fault("expression.type", "This does not work on these values.") from error


def _each(operation: Operation, cells: Sequence[Cells], height: int) -> Cells:
    varying = [position for position, operand in enumerate(cells) if not operand.constant]
    if len(varying) == 1 and height >= DISTINCT_FROM and _repeats(cells[varying[0]]):
        return _each_distinct(operation, cells, varying[0])
    lists = [operand.values() * (height if operand.constant else 1) for operand in cells]
    found = []
    for index, values in enumerate(zip(*lists, strict=True)):
        try:
            found.append(single(operation, values))
        except Fault as fault:
            raise CellFault(index, fault) from fault
    return of_values(found)


def _repeats(cells: Cells) -> bool:
    """Tell whether a column has many cells that are the same."""
    if cells.kind is Kind.JSON:
        return False
    return cells.kind is Kind.TEXT or 2 * cells.series.n_unique() < len(cells)


def _each_distinct(operation: Operation, cells: Sequence[Cells], position: int) -> Cells:
    """Compute each distinct cell once: columns repeat themselves."""
    series = cells[position].series
    distinct = series.unique(maintain_order=True)
    values = [operand.value() if operand.constant else None for operand in cells]
    found = []
    for cell, value in zip(
        distinct, Cells(cells[position].kind, distinct, cells[position].scale).values(), strict=True
    ):
        values[position] = value
        try:
            found.append(single(operation, values))
        except Fault as fault:
            index = series.is_null().arg_true()[0] if cell is None else (series == cell).arg_true()[0]
            raise CellFault(int(index), fault) from fault
    where = pl.DataFrame({"cell": distinct}).with_row_index("at")
    rows = pl.DataFrame({"cell": series}).join(where, on="cell", nulls_equal=True, maintain_order="left")
    return of_values(found).take(rows["at"])
