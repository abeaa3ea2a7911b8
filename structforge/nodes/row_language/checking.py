"""Checks a row expression without rows: the editor's and the validation's way, and the first step of computing it.

Invariant: what passes here fails only for values. Every problem has its place, and a way out.
"""

import difflib
import inspect
from collections.abc import Callable, Collection, Iterator
from typing import Any

from jinja2 import nodes

from structforge.domain.date_patterns import check_pattern
from structforge.domain.errors import sentence
from structforge.domain.expressions import ExpressionError, ParsedExpression, read_expression
from structforge.domain.expressions.functions import FUNCTIONS
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.patterns import matches
from structforge.domain.expressions.problems import Fault, suggestion
from structforge.domain.moments import MomentError, zone_named
from structforge.nodes.row_language.catalogue import LAZY
from structforge.nodes.row_language.evaluation import ROW
from structforge.nodes.row_language.operators import ALL_METHODS, TESTS
from structforge.nodes.row_language.problems import RowError

FUNCTION_NAMES: tuple[str, ...] = tuple(sorted({*FUNCTIONS, *LAZY}))
"""Every function a row expression may call."""

_LITERALS: dict[str, Callable[[str], Any]] = {
    "matches": lambda pattern: matches(Work(), "", pattern),
    "extract": lambda pattern: matches(Work(), "", pattern),
    "replace_pattern": lambda pattern: matches(Work(), "", pattern),
    "format_date": lambda pattern: check_pattern(pattern, to_read=False),
    "parse_date": lambda pattern: check_pattern(pattern, to_read=True),
    "date": lambda pattern: check_pattern(pattern, to_read=True),
    "to_zone": zone_named,
    "in_zone": zone_named,
}
"""What is known to be wrong with a second argument without a row."""

_LAZY_COUNTS = {"default": (2, 3), "d": (2, 3), "coalesce": (1, None), "case": (2, None)}


def parse(source: str) -> ParsedExpression:
    """Parse one expression. Raises: RowError `row_expression.syntax`, `row_expression.not_allowed`."""
    try:
        return read_expression(source)
    except ExpressionError as error:
        span = (error.start, error.end)
        if error.code == "expression.not_supported":
            raise RowError("row_expression.not_allowed", error.message, error.hint, span) from error
        raise RowError(
            "row_expression.syntax",
            error.message,
            error.hint or "Write it as in `temp_max - temp_min > 10`, without `{{ }}`.",
            span,
        ) from error


def problems(parsed: ParsedExpression, columns: Collection[str] | None) -> Iterator[RowError]:
    """Yield what is wrong with a parsed expression, in its order; without columns these are not looked at."""
    found = list(_Check(parsed, columns).of(parsed.expression))
    yield from sorted(found, key=lambda problem: problem.span)


class _Check:
    def __init__(self, parsed: ParsedExpression, columns: Collection[str] | None) -> None:
        self._parsed = parsed
        self._columns = columns

    def of(self, node: nodes.Node) -> Iterator[RowError]:
        """Yield the problems of a node and of all below it."""
        match node:
            case nodes.Name():
                if node.name != ROW:
                    yield from self._column(node.name, node)
                return
            case nodes.Getattr(node=nodes.Name(name="row")):
                yield from self._column(node.attr, node)
                return
            case nodes.Getitem(node=nodes.Name(name="row"), arg=nodes.Const(value=str() as name)):
                yield from self._column(name, node)
                return
            case nodes.Call(node=nodes.Name() as called):
                yield from self._function(called.name, list(node.args), node)
                yield from self._below([*node.args, *node.kwargs])
                return
            case nodes.Call(node=nodes.Getattr() as method):
                yield from self._method(method, node)
                yield from self._below([method.node, *node.args, *node.kwargs])
                return
            case nodes.Call():
                yield self._refused("Only functions can be called.", node)
            case nodes.Filter(node=None):
                yield self._refused("A filter needs a value.", node)
            case nodes.Filter(node=nodes.Expr() as value):
                yield from self._function(node.name, [value, *node.args], node)
            case nodes.Test():
                yield from self._test(node)
        yield from self._below(node.iter_child_nodes())

    def _below(self, children: Any) -> Iterator[RowError]:
        for child in children:
            yield from self.of(child)

    def _column(self, name: str, node: nodes.Expr) -> Iterator[RowError]:
        if self._columns is None or name in self._columns:
            return
        known = list(self._columns)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        hint = sentence("Did you mean `{name}`? ", name=written(near[0])) if near else ""
        shown = ", ".join(f"`{column}`" for column in known[:20]) + (" …" if len(known) > 20 else "")
        yield RowError(
            "table.unknown_column",
            sentence("The table has no column `{name}`.", name=name),
            sentence("{hint}Its columns are: {known}.", hint=hint, known=shown or "none"),
            self._parsed.span(node),
            column=name,
            columns=known[:100],
        )

    def _function(
        self, name: str, arguments: list[nodes.Expr], node: nodes.Call | nodes.Filter
    ) -> Iterator[RowError]:
        count = len(arguments)
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            yield self._refused("Arguments cannot be unpacked with *.", node)
            return
        names = [str(keyword.key) for keyword in node.kwargs]
        if name in LAZY:
            least, most = _LAZY_COUNTS[name]
            given = count + len(names)
            allowed = {"default_value", "boolean", "replace_empty"} if LAZY[name] == "default" else set()
            if given < least or (most is not None and given > most) or set(names) - allowed:
                yield self._miscounted(name, least, most, given, node)
        elif name not in FUNCTIONS:
            near = difflib.get_close_matches(name, FUNCTION_NAMES, n=1)
            hint = sentence("Did you mean `{name}`? ", name=near[0]) if near else ""
            yield RowError(
                "row_expression.unknown_function",
                sentence("There is no function `{name}`.", name=name),
                sentence("{hint}There are: {functions}.", hint=hint, functions=", ".join(FUNCTION_NAMES)),
                self._parsed.span(node),
            )
        else:
            yield from self._arguments(name, FUNCTIONS[name], count, names, node)
            if name in _LITERALS and count > 1:
                yield from self._literal(_LITERALS[name], arguments[1])

    def _literal(self, check: Callable[[str], Any], node: nodes.Expr) -> Iterator[RowError]:
        """Check a pattern or zone that is written down."""
        if not isinstance(node, nodes.Const) or not isinstance(node.value, str):
            return
        try:
            check(node.value)
        except (Fault, MomentError) as error:
            yield RowError(
                "row_expression.arguments", error.message, error.hint, self._parsed.token_span(node.lineno)
            )

    def _arguments(
        self, name: str, function: Callable[..., Any], count: int, names: list[str], node: nodes.Expr
    ) -> Iterator[RowError]:
        signature = inspect.signature(function)
        try:
            signature.bind(None, *([None] * count), **dict.fromkeys(names))
        except TypeError:
            wanted = list(signature.parameters.values())[1:]
            least = sum(one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD for one in wanted)
            endless = any(one.kind is one.VAR_POSITIONAL for one in wanted)
            yield self._miscounted(name, least, None if endless else len(wanted), count + len(names), node)

    def _miscounted(self, name: str, least: int, most: int | None, given: int, node: nodes.Expr) -> RowError:
        wanted = str(least) if least == most else f"{least} …" if most is None else f"{least}–{most}"
        return RowError(
            "row_expression.arguments",
            sentence(
                "`{name}` takes {wanted} values, but {count} are given.",
                name=name,
                wanted=wanted,
                count=given,
            ),
            "",
            self._parsed.span(node),
        )

    def _method(self, method: nodes.Getattr, node: nodes.Call) -> Iterator[RowError]:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            yield self._refused("Arguments cannot be unpacked with *.", node)
        elif method.attr not in ALL_METHODS:
            yield RowError(
                "row_expression.unknown_function",
                sentence("There is no method {name}.", name=method.attr[:80]),
                suggestion(method.attr, sorted(ALL_METHODS), "methods"),
                self._parsed.span(node),
            )

    def _test(self, node: nodes.Test) -> Iterator[RowError]:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            yield self._refused("Arguments cannot be unpacked with *.", node)
        elif node.name not in TESTS:
            yield RowError(
                "row_expression.unknown_function",
                sentence("There is no test {name}.", name=node.name[:80]),
                suggestion(node.name, TESTS, "tests"),
                self._parsed.span(node),
            )
        else:
            names = [str(keyword.key) for keyword in node.kwargs]
            yield from self._arguments(node.name, TESTS[node.name], 1 + len(node.args), names, node)

    def _refused(self, message: str, node: nodes.Expr) -> RowError:
        return RowError("row_expression.not_allowed", message, "", self._parsed.span(node))


def written(column: str) -> str:
    """Return how an expression names a column: as it is, or `row["unit price"]`."""
    reserved = {
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        ROW,
    }
    if column.isidentifier() and column not in reserved:
        return column
    escaped = column.replace("\\", "\\\\").replace('"', '\\"')
    for letter, escape in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(letter, escape)
    return f'row["{escaped}"]'
