"""Walks a parsed row expression and computes it column by column.

Invariant: only rows that take a branch are computed in it, so a guard protects; every failure names its row and
its place in the expression. The order of rows never changes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from jinja2 import nodes

from structforge.domain.expressions import ParsedExpression
from structforge.nodes.row_language import operators
from structforge.nodes.row_language.catalogue import LAZY, function_operation, named_operation
from structforge.nodes.row_language.cells import (
    AnyCells,
    Cells,
    Kind,
    Part,
    Split,
    constant,
    joined,
    nothing,
    scatter,
)
from structforge.nodes.row_language.comparing import truth
from structforge.nodes.row_language.operations import CellFault, Operation, apply, placed
from structforge.nodes.row_language.problems import RowError, row_error
from structforge.nodes.row_language.rows import Rows

_MEMBERSHIPS = ("in", "notin")
ROW = "row"
"""The name of the whole row: `row["unit price"]`."""


class Evaluation:
    """Computes one expression over the rows of a table."""

    def __init__(self, parsed: ParsedExpression) -> None:
        self._parsed = parsed

    def compute(self, rows: Rows) -> AnyCells:
        """Return the value of the expression for each row. Raises: RowError."""
        return self._value(self._parsed.expression, rows)

    def _value(self, node: nodes.Node, rows: Rows) -> AnyCells:
        operation = operators.BINARY.get(type(node))
        if operation is not None:
            return self._apply(operation, [node.left, node.right], node, rows)  # type: ignore[attr-defined]
        method: Callable[[Any, Rows], AnyCells] = getattr(self, f"_{type(node).__name__.lower()}")
        return method(node, rows)

    def _apply(
        self, operation: Operation, operands: Sequence[nodes.Node], node: nodes.Node, rows: Rows
    ) -> AnyCells:
        return self._applied(operation, [self._value(operand, rows) for operand in operands], node, rows)

    def _applied(
        self, operation: Operation, operands: Sequence[AnyCells], node: nodes.Node, rows: Rows
    ) -> AnyCells:
        try:
            return apply(operation, operands, rows.height)
        except CellFault as error:
            row = rows.number(error.index)
            raise row_error(error.fault, row, self._parsed.span(node), operation.name) from error

    def _const(self, node: nodes.Const, rows: Rows) -> AnyCells:
        return constant(node.value)

    def _name(self, node: nodes.Name, rows: Rows) -> AnyCells:
        if node.name == ROW and ROW not in rows.table.columns:
            return rows.objects()
        return rows.column(node.name)

    def _getattr(self, node: nodes.Getattr, rows: Rows) -> AnyCells:
        return self._looked_up(node, node.node, nodes.Const(node.attr), rows)

    def _getitem(self, node: nodes.Getitem, rows: Rows) -> AnyCells:
        if isinstance(node.arg, nodes.Slice):
            bounds = [bound or nodes.Const(None) for bound in (node.arg.start, node.arg.stop, node.arg.step)]
            return self._apply(operators.SLICE, [node.node, *bounds], node, rows)
        return self._looked_up(node, node.node, node.arg, rows)

    def _looked_up(self, node: nodes.Expr, holder: nodes.Expr, key: nodes.Expr, rows: Rows) -> AnyCells:
        if isinstance(holder, nodes.Name) and holder.name == ROW and isinstance(key, nodes.Const):
            return rows.column(str(key.value))
        return self._apply(operators.LOOK_UP, [holder, key], node, rows)

    def _list(self, node: nodes.List, rows: Rows) -> AnyCells:
        return self._apply(operators.LIST, node.items, node, rows)

    def _tuple(self, node: nodes.Tuple, rows: Rows) -> AnyCells:
        return self._apply(operators.LIST, node.items, node, rows)

    def _dict(self, node: nodes.Dict, rows: Rows) -> AnyCells:
        flat = [part for pair in node.items for part in (pair.key, pair.value)]
        return self._apply(operators.OBJECT, flat, node, rows)

    def _concat(self, node: nodes.Concat, rows: Rows) -> AnyCells:
        return self._apply(operators.JOIN, node.nodes, node, rows)

    def _neg(self, node: nodes.Neg, rows: Rows) -> AnyCells:
        return self._apply(operators.NEGATE, [node.node], node, rows)

    def _pos(self, node: nodes.Pos, rows: Rows) -> AnyCells:
        return self._apply(operators.PLUS, [node.node], node, rows)

    def _not(self, node: nodes.Not, rows: Rows) -> AnyCells:
        value = self._value(node.node, rows)
        if value.constant:
            return constant(not mask(value, 1)[0])
        return Cells(Kind.BOOLEAN, ~mask(value, rows.height))

    def _and(self, node: nodes.And, rows: Rows) -> AnyCells:
        left = self._value(node.left, rows)
        return self._chosen(mask(left, rows.height), lambda taken: self._value(node.right, taken), left, rows)

    def _or(self, node: nodes.Or, rows: Rows) -> AnyCells:
        left = self._value(node.left, rows)
        return self._chosen(
            ~mask(left, rows.height), lambda taken: self._value(node.right, taken), left, rows
        )

    def _condexpr(self, node: nodes.CondExpr, rows: Rows) -> AnyCells:
        test = mask(self._value(node.test, rows), rows.height)
        otherwise = node.expr2
        return self._branches(
            test,
            lambda taken: self._value(node.expr1, taken),
            lambda taken: self._value(otherwise, taken) if otherwise is not None else nothing(taken.height),
            rows,
        )

    def _compare(self, node: nodes.Compare, rows: Rows) -> AnyCells:
        """Compare in a chain; what comes after a comparison that fails is not computed for that row."""
        left = self._value(node.expr, rows)
        first = node.ops[0]
        if (
            len(node.ops) == 1
            and first.op in _MEMBERSHIPS
            and isinstance(first.expr, nodes.List | nodes.Tuple)
        ):
            return self._among(node, left, first.expr, first.op == "in", rows)
        chain = _Chain(rows)
        for number, operand in enumerate(node.ops):
            right = chain.computed(lambda taken, operand=operand: self._value(operand.expr, taken))  # type: ignore[misc]
            result = self._applied(operators.COMPARISONS[operand.op], [left, right], node, chain.rows)
            holds = mask(result, chain.rows.height)
            if number == len(node.ops) - 1:
                chain.decide(result)
            else:
                left = _taken(right, holds)
                chain.decide(result, ~holds)
        return chain.result()

    def _among(
        self, node: nodes.Compare, item: AnyCells, listed: nodes.List | nodes.Tuple, wanted: bool, rows: Rows
    ) -> AnyCells:
        """Return whether the item is one of those written down."""
        members = [self._value(member, rows) for member in listed.items]
        found = pl.Series([False], dtype=pl.Boolean).new_from_index(0, rows.height)
        for member in members:
            same = self._applied(operators.COMPARISONS["eq"], [item, member], node, rows)
            found = found | mask(same, rows.height)
        return Cells(Kind.BOOLEAN, found if wanted else ~found)

    def _test(self, node: nodes.Test, rows: Rows) -> AnyCells:
        operation = named_operation(operators.test_operation(node.name), node.kwargs)
        arguments = [node.node, *node.args, *(keyword.value for keyword in node.kwargs)]
        return self._apply(operation, arguments, node, rows)

    def _filter(self, node: nodes.Filter, rows: Rows) -> AnyCells:
        assert node.node is not None  # The static check refuses a filter without a value.
        return self._function(node, node.name, [node.node, *node.args], rows)

    def _call(self, node: nodes.Call, rows: Rows) -> AnyCells:
        if isinstance(node.node, nodes.Getattr):
            operation = named_operation(operators.method_operation(node.node.attr), node.kwargs)
            arguments = [node.node.node, *node.args, *(keyword.value for keyword in node.kwargs)]
            return self._apply(operation, arguments, node, rows)
        assert isinstance(node.node, nodes.Name)  # The static check refuses other calls.
        return self._function(node, node.node.name, list(node.args), rows)

    def _function(
        self, node: nodes.Filter | nodes.Call, name: str, arguments: list[nodes.Expr], rows: Rows
    ) -> AnyCells:
        if name in LAZY:
            named = {str(keyword.key): keyword.value for keyword in node.kwargs}
            lazily: Callable[..., AnyCells] = getattr(self, f"_lazy_{LAZY[name]}")
            return lazily(arguments, named, rows)
        given = [*arguments, *(keyword.value for keyword in node.kwargs)]
        return self._apply(named_operation(function_operation(name), node.kwargs), given, node, rows)

    def _lazy_default(
        self, arguments: list[nodes.Expr], named: dict[str, nodes.Expr], rows: Rows
    ) -> AnyCells:
        fallback = arguments[1] if len(arguments) > 1 else named["default_value"]
        replace_empty = arguments[2] if len(arguments) > 2 else named.get("boolean", nodes.Const(False))
        value = self._value(arguments[0], rows)
        missing = empty(value, rows.height)
        also_empty = mask(self._value(replace_empty, rows), rows.height)
        missing = missing | (also_empty & ~mask(value, rows.height))
        return self._chosen(missing, lambda taken: self._value(fallback, taken), value, rows)

    def _lazy_coalesce(
        self, arguments: list[nodes.Expr], named: dict[str, nodes.Expr], rows: Rows
    ) -> AnyCells:
        chain = _Chain(rows)
        for number, argument in enumerate(arguments, start=1):
            value = chain.computed(lambda taken, argument=argument: self._value(argument, taken))  # type: ignore[misc]
            chain.decide(value, None if number == len(arguments) else ~empty(value, chain.rows.height))
        return chain.result()

    def _lazy_case(self, arguments: list[nodes.Expr], named: dict[str, nodes.Expr], rows: Rows) -> AnyCells:
        chain = _Chain(rows)
        for test, then in zip(arguments[0::2], arguments[1::2], strict=False):
            holds = mask(
                chain.computed(lambda taken, test=test: self._value(test, taken)),  # type: ignore[misc]
                chain.rows.height,
            )
            chosen = chain.rows.take(holds.arg_true())
            chain.decide(_computed(chosen, lambda taken, then=then: self._value(then, taken)), holds)  # type: ignore[misc]
        otherwise = arguments[-1] if len(arguments) % 2 else nodes.Const(None)
        chain.decide(chain.computed(lambda taken: self._value(otherwise, taken)))
        return chain.result()

    def _chosen(
        self, chosen: pl.Series, compute: Callable[[Rows], AnyCells], otherwise: AnyCells, rows: Rows
    ) -> AnyCells:
        """Return what `compute` gives for the rows that are chosen, and what is there for the others."""
        return self._branches(chosen, compute, lambda _: _taken(otherwise, ~chosen), rows)

    def _branches(
        self,
        test: pl.Series,
        then: Callable[[Rows], AnyCells],
        otherwise: Callable[[Rows], AnyCells],
        rows: Rows,
    ) -> AnyCells:
        parts: list[Part] = []
        for chosen, compute in ((test, then), (~test, otherwise)):
            indexes = chosen.arg_true()
            taken = rows if len(indexes) == rows.height else rows.take(indexes)
            parts += placed(indexes, _computed(taken, compute))
        return joined(parts, rows.height)


class _Chain:
    """Decides about rows step by step: those that are not decided yet are computed in the next step."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        """The rows that are left."""
        self._all = rows
        self._places = pl.arange(rows.height, dtype=pl.UInt32, eager=True)
        self._parts: list[Part] = []

    def computed(self, compute: Callable[[Rows], AnyCells]) -> AnyCells:
        """Return what `compute` gives for the rows that are left."""
        return _computed(self.rows, compute)

    def decide(self, cells: AnyCells, decided: pl.Series | None = None) -> None:
        """Give the decided rows their cells, one for each that is left or one for each decided; None is all."""
        if decided is None or decided.all():
            self._parts += placed(self._places, cells)
            left = self._places.clear()
        else:
            indexes = decided.arg_true()
            whole = cells.constant or _height(cells) == len(indexes) != len(decided)
            self._parts += placed(self._places.gather(indexes), cells if whole else cells.take(indexes))
            left = self._places.gather((~decided).arg_true())
        if len(left) != len(self._places):
            self._places = left
            # Taken from all rows, so that a row is looked up through one step, however long the chain is.
            self.rows = self._all.take(left)

    def result(self) -> AnyCells:
        """Return the cells of all rows."""
        return joined(self._parts, self._all.height)


def _height(cells: AnyCells) -> int:
    return cells.height if isinstance(cells, Split) else len(cells)


def _computed(rows: Rows, compute: Callable[[Rows], AnyCells]) -> AnyCells:
    """Return what a branch gives for the rows that take it; when none does, only its kind, if it has one."""
    try:
        return compute(rows)
    except RowError:
        if rows.height:
            raise
        return nothing(0)


def mask(cells: AnyCells, height: int) -> pl.Series:
    """Return which rows count as true, one for each row."""
    return _per_row(cells, height, truth)


def empty(cells: AnyCells, height: int) -> pl.Series:
    """Return which rows are null, one for each row."""
    return _per_row(cells, height, Cells.empty)


def _per_row(cells: AnyCells, height: int, look: Callable[[Cells], pl.Series]) -> pl.Series:
    if isinstance(cells, Split):
        parts = [(part.rows, look(part.cells.spread(len(part.rows)))) for part in cells.parts]
        return scatter(parts, height, pl.Boolean)
    found = look(cells)
    return found.new_from_index(0, height) if cells.constant else found


def _taken(cells: AnyCells, chosen: pl.Series) -> AnyCells:
    return cells if chosen.all() else cells.take(chosen.arg_true())
