"""Conditions of the node Filter: one column compared with one value, compiled to polars.

Invariant: each gives true or false, never null; numbers compare by exact value, and a value that cannot be compared
with the column's kind is an error, not a silent "no row".
"""

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from structforge.domain.errors import sentence
from structforge.domain.values import same_value
from structforge.nodes.table_bounds import above, bound_of, equal, under
from structforge.sdk import NodeError
from structforge.sdk.table_cells import CellType, named, spelled
from structforge.sdk.tables import Table

Operator = Literal[
    "equals",
    "not_equals",
    "greater",
    "greater_or_equal",
    "less",
    "less_or_equal",
    "between",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "matches",
    "in",
    "not_in",
    "is_empty",
    "is_not_empty",
]

NUMBERS = frozenset({"integer", "decimal", "number"})
"""The types of columns whose cells are numbers."""

_OPPOSITE: dict[str, Operator] = {
    "not_equals": "equals",
    "not_contains": "contains",
    "not_in": "in",
    "is_not_empty": "is_empty",
}
_HOLDS = {
    "text": "text",
    "boolean": "true or false",
    "list": "lists",
    "object": "objects",
    "mixed": "values of several kinds",
}


class Condition(BaseModel):
    """One comparison of a column with a value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    operator: Operator = "equals"
    value: Any = None


def test_of(condition: Condition, table: Table, where: str) -> pl.Expr:
    """Compile a condition to an expression that is true or false.

    Raises: NodeError `filter.value`, `filter.pattern`.
    """
    opposite = _OPPOSITE.get(condition.operator)
    found = _Test(condition, table, where).holds(opposite or condition.operator).fill_null(False)
    return ~found if opposite else found


class _Test:
    """A condition while it is compiled."""

    def __init__(self, condition: Condition, table: Table, where: str) -> None:
        self._operator = condition.operator
        self._value = condition.value
        self._kind: CellType = table.types[condition.column]
        self._dtype = table.frame.schema[condition.column]
        self._column = named(condition.column)
        self._table = table
        self._name = condition.column
        self._text = table.text_of(condition.column)
        self._where = f"{where}.value"

    def holds(self, operator: str) -> pl.Expr:
        """Return the expression that the condition holds; null may stand for false."""
        if operator == "is_empty":
            empty = self._column.is_null()
            return empty | (self._column == "") if self._kind == "text" else empty
        if operator in ("contains", "starts_with", "ends_with", "matches"):
            return self._finds(operator)
        if operator == "between":
            low, high = self._list(2)
            return self._compares("greater_or_equal", low) & self._compares("less_or_equal", high)
        if operator == "in":
            values = self._list()
            return pl.any_horizontal([self._equals(value) for value in values]) if values else pl.lit(False)
        return self._equals(self._value) if operator == "equals" else self._compares(operator, self._value)

    def _list(self, length: int | None = None) -> list[Any]:
        value = list(self._value) if isinstance(self._value, (list, tuple)) else None
        if value is None or length not in (None, len(value)):
            wanted = "a list of two values" if length else "a list"
            raise NodeError(
                "filter.value",
                sentence("`{operator}` needs {wanted}.", operator=self._operator, wanted=wanted),
                where=self._where,
            )
        return value

    def _finds(self, operator: str) -> pl.Expr:
        if self._value is None:
            raise self._no_value()
        text = spelled(self._value) or ""
        if operator == "contains":
            return self._text.str.contains(text, literal=True)
        if operator == "starts_with":
            return self._text.str.starts_with(text)
        if operator == "ends_with":
            return self._text.str.ends_with(text)
        try:
            pl.select(pl.lit("").str.contains(text))
        except pl.exceptions.ComputeError as error:
            raise NodeError(
                "filter.pattern",
                sentence("`{text}` is not a regular expression.", text=text),
                where=self._where,
                hint="Look-around and back-references are not supported.",
            ) from error
        return self._text.str.contains(text)

    def _equals(self, value: Any) -> pl.Expr:
        if value is None:
            return self._column.is_null()
        if self._kind == "null":
            return pl.lit(False)
        if self._kind == "mixed":
            return self._is_mixed(value)
        if self._kind in NUMBERS:
            return equal(self._column, bound_of(self._dtype, self._number(value)))
        return self._column == self._fitting(value)

    def _is_mixed(self, value: Any) -> pl.Expr:
        """Compare cells of several kinds by value: 1 is 1.0, and a text is what it spells."""
        if isinstance(value, str):
            number = _number_in(value)
            value = {"true": True, "false": False}.get(value.lower(), value) if number is None else number
        cells = self._table.cells(self._name)
        held = [None if cell is None else same_value(cell, value) for cell in cells]
        return pl.lit(pl.Series(held, dtype=pl.Boolean))

    def _compares(self, operator: str, value: Any) -> pl.Expr:
        if value is None:
            raise self._no_value()
        if self._kind == "null":
            return pl.lit(False)
        side, or_equal = _ORDERS[operator]
        if self._kind in NUMBERS:
            return side(self._column, bound_of(self._dtype, self._number(value)), or_equal=or_equal)
        if self._kind in ("list", "object", "mixed"):
            raise self._refusal(value)
        plain = self._fitting(value)
        if side is above:
            return self._column >= plain if or_equal else self._column > plain
        return self._column <= plain if or_equal else self._column < plain

    def _number(self, value: Any) -> Decimal:
        """Return what a column of numbers is compared with; forms often give it as text."""
        if isinstance(value, str):
            number = _number_in(value)
            if number is None:
                raise NodeError(
                    "filter.value",
                    sentence(
                        "The column holds numbers, but it is compared with the text `{value}`.",
                        value=value[:200],
                    ),
                    where=self._where,
                    hint="Give a number, or turn the column into text first.",
                )
            return number
        if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            raise self._refusal(value)
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not number.is_finite():
            raise self._refusal(value)
        return number

    def _fitting(self, value: Any) -> str | bool:
        """Return what a column of texts or of true and false is compared with."""
        if self._kind == "text" and isinstance(value, str):
            return value
        if self._kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if self._kind == "boolean" and isinstance(value, bool):
            return value
        if self._kind == "text" and isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            raise NodeError(
                "filter.value",
                sentence(
                    "The column holds text, but it is compared with the number {value}.", value=spelled(value)
                ),
                where=self._where,
                hint="Put the value in quotes, or turn the column into numbers first (`Transform`, cast).",
            )
        raise self._refusal(value)

    def _refusal(self, value: Any) -> NodeError:
        if isinstance(value, (list, dict)):
            return NodeError(
                "filter.value", "A cell cannot be compared with a list or object.", where=self._where
            )
        kind = "numbers" if self._kind in NUMBERS else _HOLDS.get(self._kind, "nothing")
        shown = "NaN" if isinstance(value, float) and math.isnan(value) else spelled(value) or ""
        return NodeError(
            "filter.value",
            sentence(
                "The column holds {kind}, but it is compared with {value}.", kind=kind, value=shown[:200]
            ),
            where=self._where,
        )

    def _no_value(self) -> NodeError:
        return NodeError(
            "filter.value",
            sentence("`{operator}` needs a value.", operator=self._operator),
            where=self._where,
            hint="Use `is_empty` for empty cells.",
        )


_ORDERS: dict[str, tuple[Callable[..., pl.Expr], bool]] = {
    "greater": (above, False),
    "greater_or_equal": (above, True),
    "less": (under, False),
    "less_or_equal": (under, True),
}


def _number_in(text: str) -> Decimal | None:
    text = text.strip()
    if not text or not text.isascii() or "_" in text or not (text[-1].isdigit() or text[-1] == "."):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
