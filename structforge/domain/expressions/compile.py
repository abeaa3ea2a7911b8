"""Compiles checked Jinja2 nodes into closures over a scope; no Python code is generated or executed.

Invariant: each closure handles plain JSON values only and adds its exact position to what fails below it, so
that nothing but `Fault` leaves an evaluation.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from jinja2 import nodes

from structforge.domain.errors import sentence
from structforge.domain.expressions import operators
from structforge.domain.expressions.checks import is_empty
from structforge.domain.expressions.functions import METHODS, Function, function_named, look_up, test_named
from structforge.domain.expressions.lazy import Lazy
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.problems import Absent, Fault, Scope, Skipped, kind_of, suggestion
from structforge.domain.expressions.syntax import ParsedExpression
from structforge.domain.numbers import whole

Evaluator = Callable[[Mapping[str, Any], Work], Any]
Span = tuple[int, int]

_BINARY: dict[type[nodes.Node], Callable[[Any, Any, Work], Any]] = {
    nodes.Add: operators.add,
    nodes.Sub: operators.subtract,
    nodes.Mul: operators.multiply,
    nodes.Div: operators.divide,
    nodes.FloorDiv: operators.divide_down,
    nodes.Mod: operators.remainder,
    nodes.Pow: operators.power,
}
_COMPARISONS: dict[str, Callable[[Any, Any, Work], bool]] = {
    "eq": operators.equal,
    "ne": lambda left, right, work: not operators.equal(left, right, work),
    "lt": operators.less,
    "lteq": operators.less_or_equal,
    "gt": operators.greater,
    "gteq": operators.greater_or_equal,
    "in": operators.contained,
    "notin": lambda left, right, work: not operators.contained(left, right, work),
}
_MAY_BE_EMPTY = frozenset({"first", "last", "min", "max", "mean"})
_ALL_METHODS = sorted({name for methods in METHODS.values() for name in methods})
_UNEXPECTED = (TypeError, ValueError, ArithmeticError, LookupError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True)
class Reference:
    """A name an expression takes from its scope, with the path that is known before it runs."""

    name: str
    path: tuple[str | int, ...]
    """Fields and positions after the name, up to the first that is computed: `("body", "lines", 0)`."""
    position: Span
    """(start, end) offsets of name and path in the whole text."""
    parameter_path: str = ""
    """The parameter that holds the text: `parameters.rows[0].name`."""


def compile_expression(parsed: ParsedExpression) -> tuple[Evaluator, tuple[Reference, ...]]:
    """Return the evaluator and the references in source order. Raises: Fault (function, arguments)."""
    compiler = _Compiler(parsed)
    evaluate = compiler.compile(parsed.expression)
    return evaluate, tuple(sorted(compiler.references, key=lambda reference: reference.position))


def is_plain_reference(expression: nodes.Expr) -> bool:
    """Tell whether an expression only points into its scope, and so makes nothing new."""
    while isinstance(expression, nodes.Getattr | nodes.Getitem):
        expression = expression.node
    return isinstance(expression, nodes.Name | nodes.Const)


def _wrong(error: BaseException, span: Span) -> NoReturn:
    """Add the position to a fault; turn what Python raised into one."""
    if isinstance(error, Fault):
        raise error.located(*span)
    if isinstance(error, RecursionError | MemoryError):
        raise Fault("expression.too_large", "The value is too large or too deep.", "", *span) from error
    if isinstance(error, OverflowError):
        raise Fault("expression.too_large", "The result is too large for a number.", "", *span) from error
    raise Fault("expression.type", "This does not work on these values.", "", *span) from error


class _Compiler:
    def __init__(self, parsed: ParsedExpression) -> None:
        self._parsed = parsed
        self.references: list[Reference] = []

    def compile(self, node: nodes.Node) -> Evaluator:
        """Return the closure of a node; the depth of the tree is bounded by the parser."""
        if type(node) in _BINARY:
            return self._binary(node, _BINARY[type(node)])  # type: ignore[arg-type]
        method = getattr(self, f"_{type(node).__name__.lower()}")
        evaluator: Evaluator = method(node)
        return evaluator

    def _const(self, node: nodes.Const) -> Evaluator:
        value = node.value
        if isinstance(value, Decimal):

            def exactly(scope: Mapping[str, Any], work: Work) -> Decimal:
                work.exact = True
                return value

            return exactly
        return lambda scope, work: value

    def _name(self, node: nodes.Name) -> Evaluator:
        return self._static_path(node, [])

    def _getattr(self, node: nodes.Getattr) -> Evaluator:
        return self._access(node)

    def _getitem(self, node: nodes.Getitem) -> Evaluator:
        if isinstance(node.arg, nodes.Slice):
            return self._sliced(node, node.arg)
        return self._access(node)

    def _access(self, node: nodes.Getattr | nodes.Getitem) -> Evaluator:
        steps: list[tuple[str | int, Span]] = []
        below: nodes.Node = node
        while isinstance(below, nodes.Getattr | nodes.Getitem):
            key = _static_key(below)
            if key is None:
                break
            steps.append((key, self._parsed.access_span(below)))
            below = below.node
        steps.reverse()
        if isinstance(below, nodes.Name):
            return self._static_path(below, steps)
        if not steps:
            return self._dynamic(node)
        return _walk(self.compile(below), tuple(steps))

    def _dynamic(self, node: nodes.Getattr | nodes.Getitem) -> Evaluator:
        assert isinstance(node, nodes.Getitem)  # A Getattr always has a static key.
        target, index = self.compile(node.node), self.compile(node.arg)
        span = self._parsed.access_span(node)

        def access(scope: Mapping[str, Any], work: Work) -> Any:
            holder, key = target(scope, work), index(scope, work)
            if isinstance(key, Lazy):
                key = work.reading.whole(key)
            if not isinstance(key, str) and whole(key) is None:
                raise Fault(
                    "expression.type",
                    sentence("A position is a whole number or a text, not {key}.", key=operators.shown(key)),
                    "",
                    *span,
                )
            try:
                return work.reading.at(holder, key) if isinstance(holder, Lazy) else look_up(holder, key)
            except Absent as absent:
                raise absent.located(*span) from None

        return access

    def _static_path(self, node: nodes.Name, steps: list[tuple[str | int, Span]]) -> Evaluator:
        name = node.name
        span = self._parsed.token_span(node.lineno)
        end = steps[-1][1][1] if steps else span[1]
        self.references.append(Reference(name, tuple(key for key, _ in steps), (span[0], end)))

        def root(scope: Mapping[str, Any], work: Work) -> Any:
            try:
                value = scope[name]
            except KeyError:
                raise Absent(Scope(), name, *span) from None
            if type(value) is Skipped:
                raise Absent(value, name, *span)
            return value

        return _walk(root, tuple(steps)) if steps else root

    def _sliced(self, node: nodes.Getitem, part: nodes.Slice) -> Evaluator:
        target = self.compile(node.node)
        bounds = [
            None if bound is None else self.compile(bound) for bound in (part.start, part.stop, part.step)
        ]
        span = self._parsed.access_span(node)

        def take(scope: Mapping[str, Any], work: Work) -> Any:
            holder = target(scope, work)
            ends = [None if bound is None else bound(scope, work) for bound in bounds]
            if isinstance(holder, Lazy) and holder.columns is None:
                holder = work.reading.content(holder)
            if not isinstance(holder, list | str | Lazy):
                raise Fault(
                    "expression.type",
                    sentence("{kind} has no parts to slice.", kind=kind_of(holder).capitalize()),
                    "",
                    *span,
                )
            places = [None if end is None else whole(end) for end in ends]
            if (
                any(end is not None and place is None for end, place in zip(ends, places, strict=True))
                or places[2] == 0
            ):
                raise Fault(
                    "expression.type", "The bounds of a slice are whole numbers, the step not 0.", "", *span
                )
            try:
                if isinstance(holder, Lazy):
                    return work.reading.sliced(holder, slice(*places), work)
                work.charge(len(holder))
            except Fault as fault:
                raise fault.located(*span) from None
            part = holder[slice(*places)]
            return part if work.reading is None else work.reading.made(part)

        return take

    def _list(self, node: nodes.List) -> Evaluator:
        items = [self.compile(item) for item in node.items]

        def build(scope: Mapping[str, Any], work: Work) -> list[Any]:
            made = [item(scope, work) for item in items]
            return made if work.reading is None else work.reading.made(made)

        return build

    def _tuple(self, node: nodes.Tuple) -> Evaluator:
        items = [self.compile(item) for item in node.items]

        def build(scope: Mapping[str, Any], work: Work) -> list[Any]:
            made = [item(scope, work) for item in items]
            return made if work.reading is None else work.reading.made(made)

        return build

    def _dict(self, node: nodes.Dict) -> Evaluator:
        pairs = [
            (self.compile(pair.key), self.compile(pair.value), self._parsed.span(pair.key))
            for pair in node.items
        ]

        def build(scope: Mapping[str, Any], work: Work) -> dict[str, Any]:
            result = {}
            for key_of, value_of, span in pairs:
                key = key_of(scope, work)
                if isinstance(key, Lazy):
                    key = work.reading.whole(key)
                if not isinstance(key, str):
                    raise Fault(
                        "expression.type",
                        sentence("A key is a text, not {key}.", key=kind_of(key)),
                        "",
                        *span,
                    )
                result[key] = value_of(scope, work)
            return result if work.reading is None else work.reading.made(result)

        return build

    def _binary(self, node: nodes.BinExpr, operate: Callable[[Any, Any, Work], Any]) -> Evaluator:
        left, right = self.compile(node.left), self.compile(node.right)
        span = self._parsed.span(node)

        def binary(scope: Mapping[str, Any], work: Work) -> Any:
            try:
                if (reading := work.reading) is not None:
                    return operate(reading.whole(left(scope, work)), reading.whole(right(scope, work)), work)
                return operate(left(scope, work), right(scope, work), work)
            except (Fault, *_UNEXPECTED) as error:
                _wrong(error, span)

        return binary

    def _compare(self, node: nodes.Compare) -> Evaluator:
        first = self.compile(node.expr)
        rest = [(_COMPARISONS[operand.op], self.compile(operand.expr)) for operand in node.ops]
        span = self._parsed.span(node)

        def compare(scope: Mapping[str, Any], work: Work) -> bool:
            try:
                reading = work.reading
                left = first(scope, work)
                if reading is not None:
                    left = reading.whole(left)
                for test, operand in rest:
                    right = operand(scope, work)
                    if reading is not None:
                        right = reading.whole(right)
                    if not test(left, right, work):
                        return False
                    left = right
                return True
            except (Fault, *_UNEXPECTED) as error:
                _wrong(error, span)

        return compare

    def _and(self, node: nodes.And) -> Evaluator:
        left, right = self.compile(node.left), self.compile(node.right)
        return lambda scope, work: left(scope, work) and right(scope, work)

    def _or(self, node: nodes.Or) -> Evaluator:
        left, right = self.compile(node.left), self.compile(node.right)
        return lambda scope, work: left(scope, work) or right(scope, work)

    def _not(self, node: nodes.Not) -> Evaluator:
        value = self.compile(node.node)
        return lambda scope, work: not value(scope, work)

    def _neg(self, node: nodes.Neg) -> Evaluator:
        return self._signed(node, -1)

    def _pos(self, node: nodes.Pos) -> Evaluator:
        return self._signed(node, 1)

    def _signed(self, node: nodes.UnaryExpr, sign: int) -> Evaluator:
        operand = self.compile(node.node)
        span = self._parsed.token_span(node.lineno)

        def signed(scope: Mapping[str, Any], work: Work) -> Any:
            value = operand(scope, work)
            if isinstance(value, Lazy):
                value = work.reading.whole(value)
            try:
                return operators.signed(value, sign)
            except Fault as fault:
                raise fault.located(*span) from None

        return signed

    def _condexpr(self, node: nodes.CondExpr) -> Evaluator:
        test, then = self.compile(node.test), self.compile(node.expr1)
        otherwise: Evaluator = (
            self.compile(node.expr2) if node.expr2 is not None else lambda scope, work: None
        )
        return lambda scope, work: then(scope, work) if test(scope, work) else otherwise(scope, work)

    def _concat(self, node: nodes.Concat) -> Evaluator:
        parts = [self.compile(part) for part in node.nodes]
        span = self._parsed.span(node)

        def join(scope: Mapping[str, Any], work: Work) -> str:
            try:
                texts = [operators.as_text(_data(part(scope, work), work), work) for part in parts]
                work.text(sum(map(len, texts)))
                return "".join(texts)
            except (Fault, *_UNEXPECTED) as error:
                _wrong(error, span)

        return join

    def _filter(self, node: nodes.Filter) -> Evaluator:
        if node.node is None:
            raise Fault("expression.not_supported", "A filter needs a value.", "", *self._parsed.span(node))
        return self._function(node, node.name, [node.node, *node.args])

    def _call(self, node: nodes.Call) -> Evaluator:
        if isinstance(node.node, nodes.Name):
            return self._function(node, node.node.name, list(node.args))
        if isinstance(node.node, nodes.Getattr):
            return self._method(node, node.node)
        raise Fault("expression.not_supported", "Only functions can be called.", "", *self._parsed.span(node))

    def _function(self, node: nodes.Filter | nodes.Call, name: str, subjects: list[nodes.Expr]) -> Evaluator:
        span = self._parsed.span(node)
        self._refuse_unpacking(node, span)
        if name in ("default", "d"):
            return self._default(node, subjects, span)
        if name == "case":
            return self._case(node, subjects, span)
        if name == "coalesce" and subjects and not node.kwargs:
            return self._coalesce(subjects)
        try:
            function = function_named(name)
        except Fault as fault:
            raise fault.located(*span) from None
        arguments = [self.compile(subject) for subject in subjects]
        named = {str(keyword.key): self.compile(keyword.value) for keyword in node.kwargs}
        _check_arguments(function, name, len(arguments), named, span)
        return _called(name, function, arguments, named, span)

    def _case(self, node: nodes.Filter | nodes.Call, subjects: list[nodes.Expr], span: Span) -> Evaluator:
        if node.kwargs or len(subjects) < 2:
            raise Fault(
                "expression.arguments",
                "case takes tests and values in turn, and at last what holds otherwise.",
                "Write case(x > 10, 'large', x > 5, 'medium', 'small').",
                *span,
            )
        parts = [self.compile(subject) for subject in subjects]
        choices = list(zip(parts[0::2], parts[1::2], strict=False))
        otherwise = parts[-1] if len(parts) % 2 else None

        def case(scope: Mapping[str, Any], work: Work) -> Any:
            for test, value in choices:
                if test(scope, work):
                    return value(scope, work)
            return None if otherwise is None else otherwise(scope, work)

        return case

    def _coalesce(self, subjects: list[nodes.Expr]) -> Evaluator:
        """Return the first value that is not null; what comes after it is not computed."""
        parts = [self.compile(subject) for subject in subjects]

        def coalesce(scope: Mapping[str, Any], work: Work) -> Any:
            value = None
            for part in parts:
                value = part(scope, work)
                if value is not None:
                    break
            return value

        return coalesce

    def _default(self, node: nodes.Filter | nodes.Call, subjects: list[nodes.Expr], span: Span) -> Evaluator:
        named = {str(keyword.key): keyword.value for keyword in node.kwargs}
        extra = subjects[2:]
        empty_too = named.pop("boolean", extra.pop() if extra else nodes.Const(False))
        fallback = named.pop("default_value", subjects[1] if len(subjects) > 1 else None)
        if fallback is None or named or extra or not subjects:
            raise Fault(
                "expression.arguments",
                "default takes a value and what to use when it is missing or null.",
                "Write x | default(0), or x | default(0, true) to replace what is empty too.",
                *span,
            )
        subject, replacement, also_empty = (
            self.compile(subjects[0]),
            self.compile(fallback),
            self.compile(empty_too),
        )
        forgiven = self._chain(subjects[0])

        def default(scope: Mapping[str, Any], work: Work) -> Any:
            try:
                value = subject(scope, work)
            except Absent as absent:
                if absent.start not in forgiven:
                    raise
                return replacement(scope, work)
            nothing = not value if isinstance(value, Lazy) else is_empty(work, value)
            if value is None or (nothing and also_empty(scope, work)):
                return replacement(scope, work)
            return value

        return default

    def _test(self, node: nodes.Test) -> Evaluator:
        span = self._parsed.span(node)
        self._refuse_unpacking(node, span)
        try:
            test = test_named(node.name)
        except Fault as fault:
            raise fault.located(*span) from None
        arguments = [self.compile(node.node), *(self.compile(argument) for argument in node.args)]
        named = {str(keyword.key): self.compile(keyword.value) for keyword in node.kwargs}
        _check_arguments(test, node.name, len(arguments), named, span)
        check = _called(node.name, test, arguments, named, span)
        if node.name not in ("defined", "undefined"):
            return check
        forgiven = self._chain(node.node)
        if_missing = node.name == "undefined"

        def exists(scope: Mapping[str, Any], work: Work) -> Any:
            try:
                return check(scope, work)
            except Absent as absent:
                if absent.start not in forgiven:
                    raise
                return if_missing

        return exists

    def _method(self, node: nodes.Call, method: nodes.Getattr) -> Evaluator:
        span = self._parsed.span(node)
        self._refuse_unpacking(node, span)
        name = method.attr
        if name not in _ALL_METHODS:
            raise Fault(
                "expression.unknown_function",
                sentence("There is no method {name}.", name=name[:80]),
                suggestion(name, _ALL_METHODS, "methods"),
                *span,
            )
        target = self.compile(method.node)
        arguments = [self.compile(argument) for argument in node.args]
        named = {str(keyword.key): self.compile(keyword.value) for keyword in node.kwargs}

        def call(scope: Mapping[str, Any], work: Work) -> Any:
            holder = _data(target(scope, work), work)
            function = METHODS.get(type(holder), {}).get(name)
            if function is None:
                raise Fault(
                    "expression.type",
                    sentence(
                        "{kind} has no method {name}.",
                        kind=kind_of(holder).capitalize(),
                        name=name,
                    ),
                    suggestion(name, METHODS.get(type(holder), {}), "methods"),
                    *span,
                )
            try:
                return function(
                    work,
                    holder,
                    *[_data(argument(scope, work), work) for argument in arguments],
                    **{key: _data(argument(scope, work), work) for key, argument in named.items()},
                )
            except (Fault, *_UNEXPECTED) as error:
                _wrong(error, span)

        return call

    def _refuse_unpacking(self, node: nodes.Filter | nodes.Call | nodes.Test, span: Span) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise Fault("expression.not_supported", "Arguments cannot be unpacked with *.", "", *span)

    def _chain(self, node: nodes.Node) -> frozenset[int]:
        """Return where an absence is forgiven: the subject's own path, not what computes a position in it."""
        starts: set[int] = set()
        current: nodes.Node = node
        while True:
            start = self._parsed.span(current)[0]
            if isinstance(current, nodes.Name):
                return frozenset({*starts, start})
            below = _subject(current)
            if below is None:
                return frozenset(starts)
            starts.add(start)
            current = below


def _subject(node: nodes.Node) -> nodes.Node | None:
    """Return what a node looks into, if finding nothing there is an absence."""
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        return node.node
    if isinstance(node, nodes.Filter) and node.name in _MAY_BE_EMPTY:
        return node.node
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in _MAY_BE_EMPTY:
        return node.args[0] if node.args else None
    return None


def _static_key(node: nodes.Getattr | nodes.Getitem) -> str | int | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node.arg, nodes.Const) and type(node.arg.value) in (str, int):
        key: str | int = node.arg.value
        return key
    if (
        isinstance(node.arg, nodes.Neg)
        and isinstance(node.arg.node, nodes.Const)
        and type(node.arg.node.value) is int
    ):
        return -node.arg.node.value
    return None


def _walk(root: Evaluator, steps: tuple[tuple[str | int, Span], ...]) -> Evaluator:
    def walk(scope: Mapping[str, Any], work: Work) -> Any:
        value = root(scope, work)
        for key, span in steps:
            kind = type(value)
            if kind is dict:
                if key in value:
                    value = value[key]
                    continue
            elif type(key) is int and (kind is list or kind is str) and -len(value) <= key < len(value):
                value = value[key]
                continue
            elif isinstance(value, Lazy):
                try:
                    value = work.reading.at(value, key)
                except Fault as fault:
                    raise fault.located(*span) from None
                continue
            raise Absent(value, key, *span)
        return value

    return walk


def _data(value: Any, work: Work) -> Any:
    """Return a value with everything in it read, for what looks at all of it."""
    return value if work.reading is None else work.reading.whole(value)


def _called(
    name: str, function: Function, arguments: list[Evaluator], named: dict[str, Evaluator], span: Span
) -> Evaluator:
    def call(scope: Mapping[str, Any], work: Work) -> Any:
        try:
            work.charge(1)
            if work.reading is not None:
                given = [argument(scope, work) for argument in arguments]
                others = {key: argument(scope, work) for key, argument in named.items()}
                return work.reading.call(name, function, work, given, others)
            return function(
                work,
                *[argument(scope, work) for argument in arguments],
                **{key: argument(scope, work) for key, argument in named.items()},
            )
        except (Fault, *_UNEXPECTED) as error:
            _wrong(error, span)

    return call


def _check_arguments(function: Function, name: str, count: int, named: dict[str, Any], span: Span) -> None:
    try:
        inspect.signature(function).bind(None, *([None] * count), **dict.fromkeys(named))
    except TypeError as error:
        wanted = [
            parameter.name if parameter.default is parameter.empty else f"{parameter.name}=…"
            for parameter in list(inspect.signature(function).parameters.values())[1:]
        ]
        raise Fault(
            "expression.arguments",
            sentence("{name} does not take these arguments.", name=name),
            sentence("It takes ({wanted}).", wanted=", ".join(wanted)),
            *span,
        ) from error
