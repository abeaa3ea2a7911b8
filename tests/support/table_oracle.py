"""What table nodes give, computed row by row in plain Python: `int`, `Decimal` and `Fraction`, no polars.

Numbers count with the digits they are written with, so a float is its shortest decimal.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from typing import Any

Row = dict[str, Any]


def value(cell: Any) -> Any:
    """Return what a cell is compared by: numbers as fractions, everything else as it is."""
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal | Fraction):
        return cell
    return Fraction(repr(cell)) if isinstance(cell, float) else Fraction(cell)


def is_number(cell: Any) -> bool:
    """Tell whether a cell is a number; true and false are none."""
    return isinstance(cell, int | float | Decimal | Fraction) and not isinstance(cell, bool)


def same(left: Any, right: Any) -> bool:
    """Tell whether two cells are the same value of the same kind."""
    if is_number(left) and is_number(right):
        return bool(value(left) == value(right))
    return type(left) is type(right) and bool(left == right)


def same_rows(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """Tell whether two tables are the same, cell by cell and column by column."""
    return len(left) == len(right) and all(
        list(one) == list(other) and all(same(one[name], other[name]) for name in one)
        for one, other in zip(left, right, strict=True)
    )


def plain(number: Any) -> str:
    """Return a number as it is written shortest, without an exponent."""
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    text = format(exact, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def meet(left: Any, right: Any) -> bool:
    """Tell whether two keys of a join are equal."""
    if left is None or right is None:
        return False
    if is_number(left) and is_number(right):
        return bool(value(left) == value(right))
    if is_number(left) and isinstance(right, str):
        return plain(left) == right
    if is_number(right) and isinstance(left, str):
        return plain(right) == left
    return type(left) is type(right) and bool(left == right)


def filtered(rows: Sequence[Row], column: str, operator: str, wanted: Any) -> list[Row]:
    """Return the rows that a condition keeps; `wanted` is a number, or a text for texts."""
    holds: dict[str, Callable[[Any, Any], bool]] = {
        "equals": lambda cell, other: cell == other,
        "not_equals": lambda cell, other: cell != other,
        "greater": lambda cell, other: cell > other,
        "greater_or_equal": lambda cell, other: cell >= other,
        "less": lambda cell, other: cell < other,
        "less_or_equal": lambda cell, other: cell <= other,
    }
    goal = value(wanted)
    return [
        row
        for row in rows
        if (operator == "not_equals" if row[column] is None else holds[operator](value(row[column]), goal))
    ]


def ordered(rows: Sequence[Row], keys: Sequence[tuple[str, bool]]) -> list[Row]:
    """Return the rows by columns, stable, null last in both directions; `True` is descending."""
    result = list(rows)
    for column, descending in reversed(keys):
        filled = [row for row in result if row[column] is not None]
        filled.sort(key=lambda row, column=column: value(row[column]), reverse=descending)  # type: ignore[misc]
        result = filled + [row for row in result if row[column] is None]
    return result


def figure(function: str, cells: Sequence[Any]) -> Any:
    """Return a figure of cells that are numbers of one kind, or texts, or null."""
    filled = [cell for cell in cells if cell is not None]
    match function:
        case "count":
            return len(filled)
        case "distinct":
            return len({value(cell) for cell in filled})
        case "first":
            return filled[0] if filled else None
        case "last":
            return filled[-1] if filled else None
        case "min":
            return min(filled, key=value, default=None)
        case "max":
            return max(filled, key=value, default=None)
        case "sum":
            return total(filled)
    return mean(filled)


def total(cells: Sequence[Any]) -> Any:
    """Return the sum: exact, of floats the exact sum of what they hold in binary, rounded once."""
    if any(isinstance(cell, float) for cell in cells):
        return float(sum(map(Fraction, cells), Fraction(0)))
    return (
        sum(cells) if all(isinstance(cell, int) for cell in cells) else sum(map(Fraction, cells), Fraction(0))
    )


def mean(cells: Sequence[Any]) -> float | None:
    """Return the mean: of floats their rounded sum divided, else the exact quotient rounded once."""
    if not cells:
        return None
    found = total(cells)
    return found / len(cells) if isinstance(found, float) else float(Fraction(found) / len(cells))


def appended(tables: Sequence[Sequence[Row]]) -> list[Row]:
    """Return the rows of all tables with all columns."""
    names = list(dict.fromkeys(chain.from_iterable(row for table in tables for row in table)))
    return [{name: row.get(name) for name in names} for table in tables for row in table]


def joined(left: Sequence[Row], right: Sequence[Row], how: str) -> list[Row]:
    """Return the join by `k`, where the columns beside it have different names."""
    right_names = [name for name in (right[0] if right else {}) if name != "k"]
    left_names = list(left[0]) if left else ["k"]
    result: list[Row] = []
    met: set[int] = set()
    for row in left:
        partners = [index for index, other in enumerate(right) if meet(row["k"], other["k"])]
        met.update(partners)
        if how == "semi":
            result += [row] if partners else []
        elif how == "anti":
            result += [] if partners else [row]
        elif partners:
            result += [row | {name: right[index][name] for name in right_names} for index in partners]
        elif how in ("left", "full"):
            result.append(row | dict.fromkeys(right_names))
    if how == "full":
        result += [
            dict.fromkeys(left_names) | {"k": other["k"]} | {name: other[name] for name in right_names}
            for index, other in enumerate(right)
            if index not in met
        ]
    return result
