"""The functions of row expressions: those of the `{{ }}` language, with kernels for the ones that columns need fast.

Invariant: a name means the same in both languages, because it is the same function; a kernel only makes it faster.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, get_args

from jinja2 import nodes

from structforge.domain.expressions.functions import FUNCTIONS
from structforge.domain.moments import Unit
from structforge.nodes.row_language import arithmetic, conversions, moments, nested, rounding, texts
from structforge.nodes.row_language.cells import Cells, Kind
from structforge.nodes.row_language.operations import Fast, Kernel, Operation

LAZY: dict[str, str] = {"default": "default", "d": "default", "coalesce": "coalesce", "case": "case"}
"""What decides about its own arguments, and the part of the evaluation that does."""


@dataclass(frozen=True, slots=True)
class Fasts:
    """How a function is computed for whole columns."""

    kernel: Kernel | None
    gives: Kind


KERNELS: dict[str, Fasts] = {
    "abs": Fasts(arithmetic.absolute, Kind.NUMBER),
    "ceil": Fasts(rounding.up, Kind.INTEGER),
    "contains": Fasts(texts.contains, Kind.BOOLEAN),
    "count": Fasts(texts.length, Kind.INTEGER),
    "ends_with": Fasts(texts.ends_with, Kind.BOOLEAN),
    "endswith": Fasts(texts.ends_with, Kind.BOOLEAN),
    "floor": Fasts(rounding.down, Kind.INTEGER),
    "is_empty": Fasts(nested.is_empty, Kind.BOOLEAN),
    "length": Fasts(texts.length, Kind.INTEGER),
    "ljust": Fasts(texts.pad_right, Kind.TEXT),
    "lower": Fasts(texts.lower, Kind.TEXT),
    "replace": Fasts(texts.replace, Kind.TEXT),
    "rjust": Fasts(texts.pad_left, Kind.TEXT),
    "round": Fasts(rounding.rounded, Kind.NUMBER),
    "split_part": Fasts(texts.split_part, Kind.TEXT),
    "starts_with": Fasts(texts.starts_with, Kind.BOOLEAN),
    "startswith": Fasts(texts.starts_with, Kind.BOOLEAN),
    "string": Fasts(texts.text, Kind.TEXT),
    "substring": Fasts(texts.substring, Kind.TEXT),
    "text": Fasts(texts.text, Kind.TEXT),
    "trim": Fasts(texts.trim, Kind.TEXT),
    "upper": Fasts(texts.upper, Kind.TEXT),
    "extract": Fasts(conversions.extract, Kind.TEXT),
    "fixed": Fasts(rounding.fixed, Kind.TEXT),
    "sqrt": Fasts(arithmetic.square_root, Kind.NUMBER),
    "float": Fasts(conversions.to_number, Kind.NUMBER),
    "int": Fasts(conversions.to_integer, Kind.INTEGER),
    "integer": Fasts(conversions.to_integer, Kind.INTEGER),
    "matches": Fasts(conversions.matches, Kind.BOOLEAN),
    "max": Fasts(conversions.largest, Kind.NOTHING),
    "min": Fasts(conversions.smallest, Kind.NOTHING),
    "number": Fasts(conversions.to_number, Kind.NUMBER),
    "replace_pattern": Fasts(conversions.replace_pattern, Kind.TEXT),
    "format_date": Fasts(moments.formatted, Kind.TEXT),
    "to_zone": Fasts(moments.to_zone, Kind.TEXT),
    **{
        name: Fasts(kernel, Kind.TEXT if name in ("date", "year_month", "parse_date") else Kind.INTEGER)
        for name, kernel in moments.PARTS.items()
    },
    **{f"add_{unit}": Fasts(moments.moved(unit), Kind.TEXT) for unit in get_args(Unit)},
    **{
        f"{unit}_between": Fasts(moments.between(unit), Kind.NUMBER)
        for unit in ("days", "hours", "minutes", "seconds")
    },
}


_GIVES: dict[Kind, tuple[str, ...]] = {
    Kind.BOOLEAN: ("bool",),
    Kind.DECIMAL: ("decimal",),
    Kind.NUMBER: ("exp", "log", "mean", "sum", "to_unix"),
    Kind.TEXT: (
        *("base64_decode", "base64_encode", "base64url_decode", "base64url_encode", "capitalize", "center"),
        *("format_number", "from_unix", "hash", "in_zone", "indent", "join", "thousands", "title"),
        *("tojson", "truncate", "urlencode", "zfill"),
    ),
    Kind.JSON: (
        *("append", "batch", "columns", "flatten", "group_by", "items", "keys", "map", "merge", "range"),
        *("reject", "rejectattr", "select", "selectattr", "sort", "split", "unique", "values"),
    ),
}
"""What functions without a kernel give; the others (`first`, `get` …) give what is in their cells."""


@cache
def function_operation(name: str) -> Operation:
    """Return the operation of a function that exists."""
    given = next((kind for kind, names in _GIVES.items() if name in names), Kind.NOTHING)
    fast = KERNELS.get(name, Fasts(None, given))
    return Operation(name, FUNCTIONS[name], fast.kernel, fast.gives)


def named_operation(operation: Operation, keywords: Sequence[nodes.Keyword | nodes.Pair]) -> Operation:
    """Return the operation that takes the values of keywords after those by position."""
    names = [str(keyword.key) for keyword in keywords]
    if not names:
        return operation
    single = operation.single

    def call(work: Any, *values: Any) -> Any:
        by_position = len(values) - len(names)
        return single(work, *values[:by_position], **dict(zip(names, values[by_position:], strict=True)))

    kernel = None if operation.kernel is None else _reordered(operation.kernel, single, names)
    return replace(operation, single=call, kernel=kernel)


def _reordered(kernel: Kernel, single: Callable[..., Any], names: list[str]) -> Kernel:
    """Return a kernel whose last values have names; it does not know calls that leave one out between."""
    wanted = list(inspect.signature(single).parameters)[1:]

    def call(*cells: Cells) -> Fast | None:
        by_position = len(cells) - len(names)
        given = dict(zip([*wanted[:by_position], *names], cells, strict=True))
        if set(given) != set(wanted[: len(given)]):
            return None
        return kernel(*(given[name] for name in wanted[: len(given)]))

    return call
