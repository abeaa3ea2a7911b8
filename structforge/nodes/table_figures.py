"""Figures of groups of rows: sums, means, extremes, counts, exact where their columns are.

Invariant: null is left out and nothing else; a sum of integers or decimals is exact or an error, never wrapped around;
sums of floats are rounded once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import polars as pl

from structforge.domain.errors import sentence
from structforge.domain.numbers import exact_sum
from structforge.nodes.table_conditions import NUMBERS
from structforge.nodes.table_float_sums import split
from structforge.nodes.table_keys import group_key, order_key
from structforge.sdk import NodeError
from structforge.sdk.table_cells import DIGITS, narrowed, type_name
from structforge.sdk.tables import Column

Function = Literal["sum", "mean", "min", "max", "median", "count", "distinct", "first", "last"]

NUMBERS_ONLY = frozenset({"sum", "mean", "median"})
_SUMMED = NUMBERS | {"boolean", "null"}
STREAMED_ROWS = 100_000
"""From so many rows on groups are made by the engine of polars for large tables, which takes half the time."""
_HOLDS = {"list": "lists", "object": "objects", "mixed": "values of several kinds"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One figure that is wanted."""

    function: Function
    column: Column | None
    """None counts rows."""
    where: str


def check(function: Function, column: Column, name: str, where: str) -> None:
    """Refuse a figure of numbers over a column that has none. Raises: NodeError `table.wrong_type`."""
    kind = type_name(column.series.dtype, column.mark)
    if function in NUMBERS_ONLY and kind not in _SUMMED:
        raise NodeError(
            "table.wrong_type",
            sentence(
                "`{function}` needs numbers, but the column `{column}` holds {kind}.",
                function=function,
                column=name,
                kind=_HOLDS.get(kind, "text"),
            ),
            where=f"{where}.column",
            hint="Turn it into numbers first (`Transform`, cast).",
        )


def figures_of(
    asked: Sequence[Asked], keys: Sequence[pl.Series], height: int
) -> tuple[pl.Series, list[Column]]:
    """Return the index of the first row of each group, and each figure by group.

    Rows whose `keys` are the same form a group, in the order of their first rows; without keys all rows are one.
    Raises: NodeError `aggregate.too_large`.
    """
    plans = [_plan(one) for one in asked]
    columns = [pl.int_range(height, dtype=pl.UInt32, eager=True).alias("row")]
    columns += [key.alias(f"k{index}") for index, key in enumerate(keys)]
    parts = []
    for index, plan in enumerate(plans):
        sources = [source.alias(f"v{index} {number}") for number, source in enumerate(plan.sources)]
        columns += sources
        made = plan.parts(*(pl.col(source.name) for source in sources))
        parts += [part.alias(f"f{index} {number}") for number, part in enumerate(made)]
    names = [f"k{index}" for index in range(len(keys))]
    frame = pl.DataFrame(columns)
    # The row numbers rise, so the smallest is the first whatever order a group is gone through in.
    parts.append(pl.col("row").min().alias("first"))
    streamed = height >= STREAMED_ROWS and not any(plan.ordered for plan in plans)
    try:
        found = _grouped(frame, names, parts, streamed=streamed) if names else frame.select(parts)
    except pl.exceptions.PolarsError as error:
        raise _too_large("sum", "parameters.measures") from error
    results = iter(found.get_columns()[len(names) :])
    figures = []
    for one, plan in zip(asked, plans, strict=True):
        taken = [next(results) for _ in range(plan.width)]
        try:
            figures.append(plan.finish(taken))
        except (OverflowError, pl.exceptions.PolarsError) as error:
            raise _too_large(one.function, one.where) from error
    return found.get_column("first"), figures


def _grouped(frame: pl.DataFrame, names: list[str], parts: list[pl.Expr], *, streamed: bool) -> pl.DataFrame:
    """Return one row a group, in the order of the groups' first rows."""
    if not streamed:
        return frame.group_by(names, maintain_order=True).agg(parts)
    return frame.lazy().group_by(names).agg(parts).collect(engine="streaming").sort("first")


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a figure is computed: aggregates of a column, and what is made of their results."""

    sources: tuple[pl.Series, ...]
    parts: Callable[..., tuple[pl.Expr, ...]]
    finish: Callable[[list[pl.Series]], Column]
    width: int = 1
    ordered: bool = False
    """It depends on the order of the rows, or needs all cells of a group at once."""


def _plan(one: Asked) -> _Plan:
    if one.column is None:
        return _Plan((), lambda: (pl.len(),), _as_count)
    column, series = one.column, one.column.series
    match one.function:
        case "count":
            return _Plan((series,), lambda value: (value.count(),), _as_count)
        case "distinct":
            return _Plan(
                (group_key(column),), lambda value: (value.drop_nulls().n_unique(),), _as_count, ordered=True
            )
        case "sum" | "mean" if series.dtype == pl.Float64:
            return _floats(series, _float_sum if one.function == "sum" else _float_mean)
        case "sum" | "mean" if series.dtype.is_decimal() and not _sums_fit(series):
            return _large(series, one.function)
        case "sum":
            return _Plan((_exact(series),), lambda value: (value.sum(),), lambda got: Column(_narrow(got[0])))
        case "mean":
            return _Plan(
                (_exact(series),), lambda value: (value.sum(), value.count()), lambda got: _means(*got), 2
            )
        case "median":
            return _Plan((_counted(series),), _middles, lambda got: _medians(*got), 2, ordered=True)
        case "min" | "max" if column.mark == "mixed":
            return _extreme(column, descending=one.function == "max")
        case "min":
            return _picking(column, lambda value: value.min())
        case "max":
            return _picking(column, lambda value: value.max())
        case "first":
            return _picking(column, lambda value: value.drop_nulls().first(), ordered=True)
        case "last":
            return _picking(column, lambda value: value.drop_nulls().last(), ordered=True)


def _floats(series: pl.Series, make: Callable[[Sequence[float], int], float | None]) -> _Plan:
    """Return the plan of a sum or mean of floats: of exact parts where they can be cut so, else of the cells."""
    cut = split(series)
    if cut is None:
        return _Plan(
            (series,),
            lambda value: (value.drop_nulls().implode(),),
            lambda got: Column(
                pl.Series([make(cells, len(cells)) for cells in got[0].to_list()], dtype=pl.Float64)
            ),
            ordered=True,
        )
    return _Plan(
        tuple(cut),
        lambda *values: (values[0].count(), *(value.sum() for value in values)),
        lambda got: Column(
            pl.Series(
                [make(sums, count) for count, *sums in zip(*(one.to_list() for one in got), strict=True)],
                dtype=pl.Float64,
            )
        ),
        1 + len(cut),
    )


def _sums_fit(series: pl.Series) -> bool:
    """Tell whether no sum of these decimals can have more digits than a table holds: polars lets them wrap around."""
    cells = series.to_physical()
    largest: int = max(abs(cells.max() or 0), abs(cells.min() or 0))  # type: ignore[arg-type]
    return bool(largest * max(len(cells), 1) < 10**DIGITS)


def _large(series: pl.Series, function: Function) -> _Plan:
    """Return the plan of a sum or mean of decimals that polars cannot add up: of the cells, as Python's integers."""
    scale: int = series.dtype.scale  # type: ignore[attr-defined]

    def finish(got: list[pl.Series]) -> Column:
        groups = got[0].to_list()
        if function == "mean":
            means = [sum(cells) / (len(cells) * 10**scale) if cells else None for cells in groups]
            return Column(pl.Series(means, dtype=pl.Float64))
        sums = [sum(cells) for cells in groups]
        if any(abs(total) >= 10**DIGITS for total in sums):
            raise OverflowError
        return Column(pl.Series([_scaled(total, scale) for total in sums], dtype=pl.Decimal(DIGITS, scale)))

    return _Plan((series.to_physical(),), lambda value: (value.drop_nulls().implode(),), finish, ordered=True)


def _scaled(total: int, scale: int) -> Decimal:
    return Decimal((int(total < 0), tuple(map(int, str(abs(total)))), -scale))


def _picking(column: Column, make: Callable[[pl.Expr], pl.Expr], *, ordered: bool = False) -> _Plan:
    """Return the plan of a figure that is one of the cells, and of their type."""
    return _Plan(
        (column.series,),
        lambda value: (make(value),),
        lambda got: Column(got[0], column.mark, column.written),
        ordered=ordered,
    )


def _extreme(column: Column, *, descending: bool) -> _Plan:
    """Return the plan of the smallest or largest cell of a column of several kinds."""
    return _Plan(
        (column.series, order_key(column)),
        lambda value, order: (value.sort_by(order, descending=descending, nulls_last=True).first(),),
        lambda got: Column(got[0], column.mark, column.written),
        ordered=True,
    )


def _as_count(results: list[pl.Series]) -> Column:
    return Column(results[0].cast(pl.Int64))


def _exact(series: pl.Series) -> pl.Series:
    """Return integers, decimals, true and false so that their sums do not wrap around."""
    return series if series.dtype.is_decimal() else series.cast(pl.Int128)


def _narrow(series: pl.Series) -> pl.Series:
    return series if series.dtype.is_decimal() else narrowed(series)


def _counted(series: pl.Series) -> pl.Series:
    return series.cast(pl.Int64) if series.dtype in (pl.Boolean, pl.Null) else series


def _float_sum(parts: Sequence[float], count: int) -> float:
    return math.fsum(parts) + 0.0


def _float_mean(parts: Sequence[float], count: int) -> float | None:
    """Return the mean, rounded once."""
    return float(exact_sum(parts) / count) + 0.0 if count else None


def _means(sums: pl.Series, counts: pl.Series) -> Column:
    means = [_ratio(total, count) if count else None for total, count in zip(sums, counts, strict=True)]
    return Column(pl.Series(means, dtype=pl.Float64))


def _ratio(total: int | Decimal, count: int) -> float:
    """Return the quotient, rounded once."""
    whole, part = total.as_integer_ratio()
    return whole / (part * count)


def _middles(value: pl.Expr) -> tuple[pl.Expr, ...]:
    """Return the one or two cells in the middle."""
    ordered = value.drop_nulls().sort()
    count = value.drop_nulls().len().cast(pl.Int64)
    return tuple(ordered.get((count + more) // 2 - 1, null_on_oob=True) for more in (1, 2))


def _medians(low: pl.Series, high: pl.Series) -> Column:
    middles = [None if one is None else _middle(one, other) for one, other in zip(low, high, strict=True)]
    return Column(pl.Series(middles, dtype=pl.Float64))


def _middle(one: Any, other: Any) -> float:
    if isinstance(one, float) and math.isfinite(one + other):
        return float((one + other) / 2)
    return float((Fraction(one) + Fraction(other)) / 2)


def _too_large(function: str, where: str) -> NodeError:
    return NodeError(
        "aggregate.too_large",
        sentence("The {function} is larger than a table can hold.", function=function),
        where=where,
        hint="Integers and decimals have at most 38 digits, other numbers are smaller than 1.8e308.",
    )
