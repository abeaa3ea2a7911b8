"""Row expressions: a condition or value over the columns of a row, compiled to polars.

`temp_max - temp_min`, `upper(city)`, `price * 1.2 if qty > 10 else price`: the expression language without
braces. Invariant: only what is on the lists below compiles; no Python object is reachable and no Python code
runs per row. Empty cells stay empty through arithmetic; a comparison with an empty cell counts as false
where a condition is needed. Columns with blanks in their names are written `row["column name"]`.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl
from jinja2 import nodes

from structforge.domain.errors import sentence
from structforge.domain.expressions import ExpressionError, parse_expression
from structforge.nodes.dates import DATE_PARTS, checked_moment, part_of
from structforge.nodes.tables import has_lost_columns, type_error, unknown_column
from structforge.sdk import NodeError

MAX_DEPTH = 100

_BINARY: dict[type[nodes.Node], Callable[[Any, Any], Any]] = {
    nodes.Sub: lambda left, right: left - right,
    nodes.Mul: lambda left, right: left * right,
    nodes.Div: lambda left, right: left / right,
    nodes.FloorDiv: lambda left, right: left // right,
    nodes.Mod: lambda left, right: left % right,
    nodes.Pow: lambda left, right: left.cast(pl.Float64) ** right,
}

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "lt": lambda left, right: left < right,
    "lteq": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "gteq": lambda left, right: left >= right,
}


def evaluate(frame: pl.DataFrame, source: str, *, where: str) -> pl.Series:
    """Compute the value of `source` for each row.

    Raises: NodeError `row_expression.syntax`, `row_expression.not_allowed`, `table.unknown_column`,
    `table.wrong_type`, `table.not_a_date`, `table.not_a_number`. Running it again cannot help.
    """
    compiled = _Compiler(frame, source, where).compile()
    try:
        result = frame.select(compiled.alias("value")).get_column("value")
    except pl.exceptions.PolarsError as error:
        raise type_error(error, where=where) from error
    if len(result) != frame.height:
        result = pl.Series("value", [result[0]] * frame.height, dtype=result.dtype)
    return result


def keep(frame: pl.DataFrame, source: str, *, where: str) -> pl.DataFrame:
    """Return the rows for which `source` is true. Raises: as `evaluate`, and when it is no condition."""
    mask = evaluate(frame, source, where=where)
    if mask.dtype == pl.Null:
        return frame.clear()
    if mask.dtype != pl.Boolean:
        raise NodeError(
            "row_expression.not_a_condition",
            "The expression does not give true or false.",
            where=where,
            hint="Compare the value with something, as in `qty > 10`.",
        )
    return frame.filter(mask.fill_null(False))


def parse(source: str, *, where: str) -> nodes.Expr:
    """Parse one expression; each node's `lineno` is its character offset.

    Raises: NodeError `row_expression.syntax`, `row_expression.not_allowed`.
    """
    try:
        return parse_expression(source)
    except ExpressionError as error:
        place = f"{where}, character {error.start + 1}"
        if error.code == "expression.not_supported":
            raise NodeError(
                "row_expression.not_allowed",
                error.message,
                where=place,
                hint=error.hint,
                position=error.start,
                end=error.end,
            ) from error
        raise NodeError(
            "row_expression.syntax",
            error.message,
            where=place,
            hint=error.hint or "Write it as in `temp_max - temp_min > 10`, without `{{ }}`.",
            position=error.start,
            end=error.end,
        ) from error


def _text(value: pl.Expr) -> pl.Expr:
    return value.cast(pl.String)


@dataclass(frozen=True, slots=True)
class _Function:
    build: Callable[..., pl.Expr]
    least: int
    most: int


_FUNCTIONS: dict[str, _Function] = {
    "upper": _Function(lambda value: _text(value).str.to_uppercase(), 1, 1),
    "lower": _Function(lambda value: _text(value).str.to_lowercase(), 1, 1),
    "trim": _Function(lambda value: _text(value).str.strip_chars(), 1, 1),
    "length": _Function(lambda value: _text(value).str.len_chars().cast(pl.Int64), 1, 1),
    "text": _Function(_text, 1, 1),
    "contains": _Function(lambda value, part: _text(value).str.contains(_text(part), literal=True), 2, 2),
    "starts_with": _Function(lambda value, part: _text(value).str.starts_with(_text(part)), 2, 2),
    "ends_with": _Function(lambda value, part: _text(value).str.ends_with(_text(part)), 2, 2),
    "abs": _Function(lambda value: value.abs(), 1, 1),
    "floor": _Function(lambda value: value.floor().cast(pl.Int64), 1, 1),
    "ceil": _Function(lambda value: value.ceil().cast(pl.Int64), 1, 1),
    "sqrt": _Function(lambda value: value.sqrt(), 1, 1),
    "log": _Function(lambda value: value.log(), 1, 1),
    "exp": _Function(lambda value: value.exp(), 1, 1),
    "min": _Function(lambda *values: pl.min_horizontal(*values), 2, 20),
    "max": _Function(lambda *values: pl.max_horizontal(*values), 2, 20),
    "coalesce": _Function(lambda *values: pl.coalesce(*values), 2, 20),
    "default": _Function(lambda value, other: pl.coalesce(value, other), 2, 2),
}

_CHECKED = ("number", "integer", "round", "replace", "days_between", *DATE_PARTS)

FUNCTIONS: tuple[str, ...] = tuple(sorted({*_FUNCTIONS, *_CHECKED}))
"""Every function a row expression may call."""

DOCUMENTATION = """\
| function | gives |
| --- | --- |
| `upper(text)`, `lower(text)`, `trim(text)` | the text in capitals, in small letters, without blanks at its
ends |
| `length(text)` | the number of characters |
| `replace(text, 'old', 'new')` | the text with every `old` replaced |
| `contains(text, part)`, `starts_with(text, part)`, `ends_with(text, part)` | true or false |
| `text(value)` | the value as text |
| `number(text)`, `integer(text)` | the text as a number; an error that names the row when it is none |
| `abs(n)`, `round(n, digits)`, `floor(n)`, `ceil(n)`, `sqrt(n)`, `log(n)`, `exp(n)` | the usual |
| `min(a, b, …)`, `max(a, b, …)` | the smallest or largest of the row's values |
| `coalesce(a, b, …)`, `default(a, b)` | the first value that is not empty |
| `year(day)`, `quarter(day)`, `month(day)`, `week(day)`, `day(day)`, `hour(moment)` | that part, a whole
number |
| `weekday(day)`, `day_of_year(day)` | 1 (Monday) to 7; 1 to 366 |
| `year_month(day)`, `date(day)`, `date(day, '%d.%m.%Y')` | `2024-03`, `2024-03-01`; with a pattern to read
by |
| `days_between(start, end)` | whole days from start to end |
"""
"""The functions in Markdown, for the reference."""


@dataclass(slots=True)
class _Compiler:
    frame: pl.DataFrame
    source: str
    where: str
    depth: int = field(default=0)

    def compile(self) -> pl.Expr:
        return self._expression(parse(self.source, where=self.where))

    def _expression(self, node: nodes.Node) -> pl.Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._refused("such deep nesting", node)
        try:
            return self._build(node)
        finally:
            self.depth -= 1

    def _build(self, node: nodes.Node) -> pl.Expr:
        match node:
            case nodes.Name():
                return self._column(node.name, node)
            case nodes.Getattr(node=nodes.Name(name="row")):
                return self._column(node.attr, node)
            case nodes.Getitem(node=nodes.Name(name="row"), arg=nodes.Const(value=str() as name)):
                return self._column(name, node)
            case nodes.Const():
                return self._constant(node)
            case nodes.Neg():
                return -self._expression(node.node)
            case nodes.Pos():
                return self._expression(node.node)
            case nodes.Not():
                return ~self._condition(node.node)
            case nodes.And():
                return self._condition(node.left) & self._condition(node.right)
            case nodes.Or():
                return self._condition(node.left) | self._condition(node.right)
            case nodes.Add():
                return self._expression(node.left) + self._expression(node.right)
            case nodes.Concat():
                return pl.concat_str([_text(self._expression(part)) for part in node.nodes])
            case nodes.Compare():
                return self._comparison(node)
            case nodes.CondExpr():
                other = pl.lit(None) if node.expr2 is None else self._expression(node.expr2)
                return pl.when(self._condition(node.test)).then(self._expression(node.expr1)).otherwise(other)
            case nodes.Call(node=nodes.Name(name=name)):
                self._refuse_extras(node)
                return self._call(name, list(node.args), node)
            case nodes.Filter(node=nodes.Expr() as value):
                self._refuse_extras(node)
                return self._call(node.name, [value, *node.args], node)
            case nodes.Test():
                return self._test(node)
            case nodes.BinExpr() if type(node) in _BINARY:
                combined: pl.Expr = _BINARY[type(node)](
                    self._expression(node.left), self._expression(node.right)
                )
                return combined
        raise self._refused(type(node).__name__.lower(), node)

    def _condition(self, node: nodes.Node) -> pl.Expr:
        """Compile a part that must be true or false; an empty cell is false."""
        return self._expression(node).fill_null(False)

    def _column(self, name: str, node: nodes.Node) -> pl.Expr:
        if name in self.frame.columns:
            return pl.col(name)
        if has_lost_columns(self.frame):
            return pl.lit(None)
        raise unknown_column(name, self.frame.columns, where=self._place(node), position=node.lineno)

    def _place(self, node: nodes.Node) -> str:
        return f"{self.where}, character {node.lineno + 1}"

    def _constant(self, node: nodes.Const) -> pl.Expr:
        value = float(node.value) if isinstance(node.value, Decimal) else node.value
        if value is not None and not isinstance(value, (str, int, float, bool)):
            raise self._refused(type(value).__name__, node)
        if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
            raise self._refused("a number of more than 64 bits", node)
        return pl.lit(value)

    def _comparison(self, node: nodes.Compare) -> pl.Expr:
        left_node: nodes.Node = node.expr
        parts = []
        for operand in node.ops:
            parts.append(self._one_comparison(operand.op, left_node, operand.expr))
            left_node = operand.expr
        return parts[0] if len(parts) == 1 else pl.all_horizontal(parts)

    def _one_comparison(self, op: str, left_node: nodes.Node, right_node: nodes.Node) -> pl.Expr:
        if op in ("in", "notin"):
            found = self._membership(left_node, right_node).fill_null(False)
            return found if op == "in" else ~found
        for one, other in ((left_node, right_node), (right_node, left_node)):
            if isinstance(other, nodes.Const) and other.value is None and op in ("eq", "ne"):
                value = self._expression(one)
                return value.is_null() if op == "eq" else value.is_not_null()
        compared: pl.Expr = _COMPARE[op](self._expression(left_node), self._expression(right_node))
        return compared.fill_null(True) if op == "ne" else compared

    def _membership(self, left_node: nodes.Node, right_node: nodes.Node) -> pl.Expr:
        if isinstance(right_node, (nodes.List, nodes.Tuple)):
            left = self._expression(left_node)
            tests = [left == self._expression(item) for item in right_node.items]
            return pl.any_horizontal(tests) if tests else pl.lit(False)
        return _text(self._expression(right_node)).str.contains(
            _text(self._expression(left_node)), literal=True
        )

    def _test(self, node: nodes.Test) -> pl.Expr:
        value = self._expression(node.node)
        if node.name == "none":
            return value.is_null()
        if node.name == "defined":
            return value.is_not_null()
        raise self._refused(f"the test `is {node.name}`", node)

    def _call(self, name: str, arguments: list[nodes.Expr], node: nodes.Node) -> pl.Expr:
        function = _FUNCTIONS.get(name)
        if function is not None:
            self._count(name, arguments, function.least, function.most)
            return function.build(*(self._expression(argument) for argument in arguments))
        if name in DATE_PARTS:
            self._count(name, arguments, 1, 2 if name == "date" else 1)
            pattern = self._literal_text(arguments[1]) if len(arguments) == 2 else ""
            value = self._expression(arguments[0])
            return part_of(checked_moment(self.frame, value, where=self.where, pattern=pattern), name)
        match name:
            case "number" | "integer":
                self._count(name, arguments, 1, 1)
                return checked_number(
                    self.frame, self._expression(arguments[0]), whole=name == "integer", where=self.where
                )
            case "round":
                self._count(name, arguments, 1, 2)
                digits = self._literal_digits(arguments[1]) if len(arguments) == 2 else 0
                return self._expression(arguments[0]).round(digits)
            case "replace":
                self._count(name, arguments, 3, 3)
                old, new = self._literal_text(arguments[1]), self._literal_text(arguments[2])
                return _text(self._expression(arguments[0])).str.replace_all(old, new, literal=True)
            case "days_between":
                self._count(name, arguments, 2, 2)
                start, end = (
                    checked_moment(self.frame, self._expression(argument), where=self.where)
                    for argument in arguments
                )
                return (end - start).dt.total_days()
        near = difflib.get_close_matches(name, FUNCTIONS, n=1)
        hint = sentence("Did you mean `{name}`? ", name=near[0]) if near else ""
        raise NodeError(
            "row_expression.unknown_function",
            sentence("There is no function `{name}`.", name=name),
            where=self._place(node),
            hint=sentence("{hint}There are: {functions}.", hint=hint, functions=", ".join(FUNCTIONS)),
        )

    def _count(self, name: str, arguments: list[nodes.Expr], least: int, most: int) -> None:
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise NodeError(
                "row_expression.arguments",
                sentence(
                    "`{name}` takes {wanted} values, but {count} are given.",
                    name=name,
                    wanted=wanted,
                    count=len(arguments),
                ),
                where=self.where,
            )

    def _literal_text(self, node: nodes.Expr) -> str:
        if isinstance(node, nodes.Const) and isinstance(node.value, str):
            return node.value
        raise self._refused("a value that is not a text in quotes here", node)

    def _literal_digits(self, node: nodes.Expr) -> int:
        if isinstance(node, nodes.Const) and isinstance(node.value, int) and 0 <= node.value <= 15:
            return int(node.value)
        raise self._refused("a number of digits that is not 0 to 15", node)

    def _refuse_extras(self, node: nodes.Call | nodes.Filter) -> None:
        if node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
            raise self._refused("named or unpacked arguments", node)

    def _refused(self, what: str, node: nodes.Node) -> NodeError:
        return NodeError(
            "row_expression.not_allowed",
            sentence("A row expression cannot use {what}.", what=what),
            where=self._place(node),
            hint="It may use columns, numbers, texts, `+ - * / // % **`, comparisons, `and or not in`, "
            "`a if b else c` and the listed functions.",
            position=node.lineno,
        )


def lenient_number(value: pl.Expr, *, whole: bool) -> pl.Expr:
    """Return the expression of `value` as a number, null where it is none."""
    return _text(value).str.strip_chars().cast(pl.Int64 if whole else pl.Float64, strict=False)


def checked_number(frame: pl.DataFrame, value: pl.Expr, *, whole: bool, where: str) -> pl.Expr:
    """Return the expression of `value` as a number, after checking every filled cell.

    Raises: NodeError `table.not_a_number` with the first row (from 1) and its value.
    """
    text = _text(value).str.strip_chars()
    parsed = lenient_number(value, whole=whole)
    wrong = (
        frame.lazy()
        .select(value=text, wrong=text.is_not_null() & (text != "") & parsed.is_null())
        .with_row_index("row", offset=1)
        .filter("wrong")
        .head(1)
        .collect()
    )
    if wrong.height:
        row, shown = wrong.item(0, "row"), wrong.item(0, "value")
        raise NodeError(
            "table.not_a_number",
            sentence(
                "Row {row} has `{shown}`, which is not a {value}number.",
                row=row,
                shown=shown,
                value="whole " if whole else "",
            ),
            where=where,
            hint="Clean the column first, or filter such rows out.",
            row=row,
        )
    return parsed
