"""Kernels of what looks into cells: fields of objects, positions of lists, tests for nothing.

Invariant: a field or position that is not there is null.
"""

from typing import Any

import polars as pl

from structforge.nodes.row_language.cells import Cells, Kind, nothing, of_values
from structforge.nodes.row_language.operations import Fast


def looked_up(holder: Cells, key: Cells) -> Fast | None:
    """Return one field or position of each cell."""
    if holder.kind is Kind.NOTHING:
        return Fast(nothing(len(holder)))
    if holder.kind is not Kind.JSON or holder.constant or not key.constant:
        return None
    wanted = key.value()
    if isinstance(wanted, str):
        return _fields(holder.data, wanted)
    if type(wanted) is int:
        return _positions(holder.data, wanted)
    return None


def _fields(cells: list[Any], name: str) -> Fast | None:
    if any(cell is not None and type(cell) is not dict for cell in cells):
        return None
    return Fast(of_values([None if cell is None else cell.get(name) for cell in cells]))


def _positions(cells: list[Any], position: int) -> Fast | None:
    if any(cell is not None and type(cell) is not list for cell in cells):
        return None
    return Fast(
        of_values(
            [
                cell[position] if cell is not None and -len(cell) <= position < len(cell) else None
                for cell in cells
            ]
        )
    )


def is_none(value: Cells) -> Fast:
    """Tell which cells are null."""
    return Fast(Cells(Kind.BOOLEAN, value.empty()))


def is_not_none(value: Cells) -> Fast:
    """Tell which cells are not null."""
    return Fast(Cells(Kind.BOOLEAN, ~value.empty()))


def is_empty(value: Cells) -> Fast:
    """Tell which cells are null or hold nothing: an empty text, list or object."""
    if value.kind is Kind.TEXT:
        return Fast(Cells(Kind.BOOLEAN, value.series.is_null() | (value.series == "").fill_null(True)))
    if value.kind is Kind.JSON:
        hollow = [cell is None or (isinstance(cell, str | list | dict) and not cell) for cell in value.data]
        return Fast(Cells(Kind.BOOLEAN, pl.Series(hollow, dtype=pl.Boolean)))
    return is_none(value)
