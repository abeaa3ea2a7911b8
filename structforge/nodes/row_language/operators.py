"""The operators of row expressions: what the `{{ }}` language does with single values, and the kernels for columns.

Invariant: every operation gives for a row what the `{{ }}` language gives; only what is not there (a field, a
position) is null here, as it is in tables.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import nodes

from structforge.domain.errors import sentence
from structforge.domain.expressions import operators
from structforge.domain.expressions.checks import TESTS
from structforge.domain.expressions.functions import FUNCTIONS, METHODS, look_up
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.problems import Absent, Fault, kind_of, suggestion
from structforge.domain.numbers import whole
from structforge.nodes.row_language import arithmetic, comparing, nested, texts
from structforge.nodes.row_language.cells import NUMERIC, Kind
from structforge.nodes.row_language.operations import Fast, Kernel, Operation


def _symbol(
    name: str, operate: Callable[[Any, Any, Work], Any], kernel: Kernel | None, gives: Kind = Kind.NUMBER
) -> Operation:
    return Operation(name, lambda work, left, right: operate(left, right, work), kernel, gives)


BINARY: dict[type[nodes.Node], Operation] = {
    nodes.Add: _symbol("+", operators.add, arithmetic.add),
    nodes.Sub: _symbol("-", operators.subtract, arithmetic.subtract),
    nodes.Mul: _symbol("*", operators.multiply, arithmetic.multiply),
    nodes.Div: _symbol("/", operators.divide, arithmetic.divide),
    nodes.FloorDiv: _symbol("//", operators.divide_down, arithmetic.divide_down),
    nodes.Mod: _symbol("%", operators.remainder, arithmetic.remainder),
    nodes.Pow: _symbol("**", operators.power, arithmetic.power),
}


def _false_for_null(compare: Callable[[Any, Any, Work], bool]) -> Callable[[Any, Any, Work], bool]:
    """Return a comparison that is false where a side is null: a condition is true or false in every row."""

    def test(left: Any, right: Any, work: Work) -> bool:
        return left is not None and right is not None and compare(left, right, work)

    return test


def _contained(item: Any, holder: Any, work: Work) -> bool:
    return holder is not None and operators.contained(item, holder, work)


COMPARISONS: dict[str, Operation] = {
    "eq": _symbol("==", operators.equal, comparing.equal, Kind.BOOLEAN),
    "ne": _symbol(
        "!=",
        lambda left, right, work: not operators.equal(left, right, work),
        comparing.not_equal,
        Kind.BOOLEAN,
    ),
    "lt": _symbol("<", _false_for_null(operators.less), comparing.less, Kind.BOOLEAN),
    "lteq": _symbol("<=", _false_for_null(operators.less_or_equal), comparing.less_or_equal, Kind.BOOLEAN),
    "gt": _symbol(">", _false_for_null(operators.greater), comparing.greater, Kind.BOOLEAN),
    "gteq": _symbol(
        ">=", _false_for_null(operators.greater_or_equal), comparing.greater_or_equal, Kind.BOOLEAN
    ),
    "in": _symbol("in", _contained, comparing.contained, Kind.BOOLEAN),
    "notin": _symbol(
        "not in",
        lambda left, right, work: not _contained(left, right, work),
        comparing.not_contained,
        Kind.BOOLEAN,
    ),
}


def _join(work: Work, *parts: Any) -> str:
    found = [operators.as_text(part, work) for part in parts]
    work.text(sum(map(len, found)))
    return "".join(found)


def _negate(work: Work, value: Any) -> Any:
    return operators.signed(value, -1)


def _plus(work: Work, value: Any) -> Any:
    return operators.signed(value, 1)


def _slice(work: Work, holder: Any, start: Any, stop: Any, step: Any) -> Any:
    if not isinstance(holder, list | str):
        raise Fault(
            "expression.type", sentence("{kind} has no parts to slice.", kind=kind_of(holder).capitalize())
        )
    ends = [None if end is None else whole(end) for end in (start, stop, step)]
    given = (start, stop, step)
    if any(end is not None and found is None for end, found in zip(given, ends, strict=True)) or ends[2] == 0:
        raise Fault("expression.type", "The bounds of a slice are whole numbers, the step not 0.")
    work.charge(len(holder))
    return holder[slice(*ends)]


def _look_up(work: Work, holder: Any, key: Any) -> Any:
    if holder is None:
        return None
    if key is None:
        raise Fault(
            "expression.type", sentence("A position is a number or a text, not {key}.", key=kind_of(key))
        )
    position = key if isinstance(key, str) else whole(key)
    if position is None:
        raise Fault(
            "expression.type", sentence("A position is a number or a text, not {key}.", key=kind_of(key))
        )
    try:
        return look_up(holder, position)
    except Absent as absent:
        if isinstance(holder, dict | list) or (isinstance(holder, str) and isinstance(position, int)):
            return None
        raise absent.explained(()) from None


def _list(work: Work, *items: Any) -> list[Any]:
    return list(items)


def _object(work: Work, *flat: Any) -> dict[str, Any]:
    for key in flat[::2]:
        if not isinstance(key, str):
            raise Fault("expression.type", sentence("A key is a text, not {key}.", key=kind_of(key)))
    return dict(zip(flat[::2], flat[1::2], strict=True))


JOIN = Operation("~", _join, texts.joined_texts, Kind.TEXT)
NEGATE = Operation("-", _negate, arithmetic.negate, Kind.NUMBER)
PLUS = Operation("+", _plus, lambda value: Fast(value) if value.kind in NUMERIC else None, Kind.NUMBER)
SLICE = Operation("slice", _slice, texts.sliced)
LOOK_UP = Operation("look up", _look_up, nested.looked_up)
LIST = Operation("list", _list, gives=Kind.JSON)
OBJECT = Operation("object", _object, gives=Kind.JSON)

_TEST_KERNELS: dict[str, Kernel] = {
    "none": nested.is_none,
    "defined": nested.is_not_none,
    "undefined": nested.is_none,
    "empty": nested.is_empty,
}


@cache
def test_operation(name: str) -> Operation:
    """Return the operation of a test: `is none`. A field that is not there is null, and null is not defined."""
    if name in ("defined", "undefined"):
        wanted = name == "undefined"
        return Operation(
            name, lambda work, value: (value is None) is wanted, _TEST_KERNELS[name], Kind.BOOLEAN
        )
    return Operation(name, TESTS[name], _TEST_KERNELS.get(name), Kind.BOOLEAN)


@cache
def method_operation(name: str) -> Operation:
    """Return the operation of a method: `city.upper()`."""

    def call(work: Work, holder: Any, *arguments: Any, **named: Any) -> Any:
        methods = METHODS.get(type(holder), {})
        if name not in methods:
            raise Fault(
                "expression.type",
                sentence("{kind} has no method {name}.", kind=kind_of(holder).capitalize(), name=name),
                suggestion(name, methods, "methods"),
            )
        return methods[name](work, holder, *arguments, **named)

    return Operation(name, call)


ALL_METHODS = frozenset(name for methods in METHODS.values() for name in methods)

__all__ = [
    "ALL_METHODS",
    "BINARY",
    "COMPARISONS",
    "FUNCTIONS",
    "JOIN",
    "LIST",
    "LOOK_UP",
    "NEGATE",
    "OBJECT",
    "PLUS",
    "SLICE",
    "TESTS",
    "method_operation",
    "test_operation",
]
