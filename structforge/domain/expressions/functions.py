"""The functions of the language: each is a filter (`x | round(2)`) and a function (`round(x, 2)`) alike.

Invariant: plain JSON values in and out, no state, no clock; work is charged before it is done, arguments are
checked, and a failure is a `Fault` without a position (the call site knows it). Each family is a module of its own.
"""

from collections.abc import Callable
from typing import Any

from structforge.domain.errors import sentence
from structforge.domain.expressions import conversions, dates, lists, numeric, patterns, texts
from structforge.domain.expressions.arguments import a_list, a_text, follow, look_up, path_to
from structforge.domain.expressions.checks import TESTS, contains, is_empty
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.problems import Absent, Fault, suggestion
from structforge.domain.moments import Part
from structforge.domain.values import JsonValue

Function = Callable[..., Any]

__all__ = ["FUNCTIONS", "METHODS", "SPECIAL", "Function", "function_named", "look_up", "test_named"]


def _map(
    work: Work, value: JsonValue, function: JsonValue = None, *arguments: JsonValue, **named: JsonValue
) -> Any:
    rows = a_list(value)
    work.items(len(rows))
    if function is None:
        if set(named) - {"attribute", "default"} or "attribute" not in named:
            raise Fault("expression.arguments", "map() needs a function name or attribute='name'.")
        path = path_to(named["attribute"])
        return [_follow_or_default(work, row, path, named) for row in rows]
    call = function_named(a_text(function, "function name"))
    work.charge(10 * len(rows))  # A call costs about ten times what looking at an item does.
    return [call(work, row, *arguments, **named) for row in rows]


def _follow_or_default(work: Work, row: JsonValue, path: list[str | int], named: dict[str, Any]) -> Any:
    work.charge(len(path))
    try:
        return follow(row, path)
    except Absent:
        if "default" in named:
            return named["default"]
        raise


def _selected(keep: bool, by_attribute: bool) -> Function:
    def select(work: Work, value: JsonValue, *arguments: JsonValue) -> list[JsonValue]:
        rows = a_list(value)
        work.items(len(rows))
        rest = list(arguments)
        path = path_to(rest.pop(0) if rest else None) if by_attribute else []
        test_name = a_text(rest.pop(0), "test name") if rest else "truthy"
        test = test_named(test_name)
        work.charge(10 * len(rows))
        result = []
        for row in rows:
            work.charge(1 + len(path))
            try:
                subject = follow(row, path)
            except Absent:
                # A row without the field is not selected; `defined` asks for just that.
                passed = test_name == "undefined"
            else:
                passed = test_name == "defined" or (
                    test_name != "undefined" and bool(test(work, subject, *rest))
                )
            if passed is keep:
                result.append(row)
        return result

    return select


def _coalesce(work: Work, value: JsonValue, *others: JsonValue) -> JsonValue:
    """Return the first value that is not null."""
    return next((each for each in (value, *others) if each is not None), None)


_PARTS: tuple[Part, ...] = (
    *("year", "quarter", "month", "year_month", "week", "day", "weekday", "day_of_year"),
    *("hour", "minute", "second"),
)

FUNCTIONS: dict[str, Function] = {
    "abs": numeric.absolute,
    "add_days": dates.adding("days"),
    "add_hours": dates.adding("hours"),
    "add_minutes": dates.adding("minutes"),
    "add_months": dates.adding("months"),
    "add_seconds": dates.adding("seconds"),
    "add_weeks": dates.adding("weeks"),
    "add_years": dates.adding("years"),
    "append": lists.append,
    "base64_decode": conversions.base64_decode,
    "base64_encode": conversions.base64_encode,
    "base64url_decode": conversions.base64url_decode,
    "base64url_encode": conversions.base64url_encode,
    "batch": lists.batch,
    "bool": conversions.boolean,
    "capitalize": texts.cased(str.capitalize),
    "ceil": numeric.ceil,
    "center": texts.padded(str.center),
    "coalesce": _coalesce,
    "columns": lists.columns,
    "contains": contains,
    "count": lists.length,
    "date": dates.date,
    "days_between": dates.distance("days"),
    "decimal": conversions.decimal,
    "ends_with": texts.ends_with,
    "endswith": texts.ends_with,
    "exp": numeric.exp,
    "extract": patterns.extract,
    "first": lists.first,
    "fixed": numeric.fixed,
    "flatten": lists.flatten,
    "float": conversions.number,
    "floor": numeric.floor,
    "format_date": dates.format_date,
    "format_number": numeric.format_number,
    "from_unix": dates.from_unix_time,
    "fromjson": conversions.from_json,
    "get": lists.get,
    "group_by": lists.group_by,
    "hash": conversions.fingerprint,
    "hours_between": dates.distance("hours"),
    "in_zone": dates.with_zone,
    "indent": texts.indent,
    "int": conversions.integer,
    "integer": conversions.integer,
    "is_empty": is_empty,
    "items": lists.items,
    "join": texts.join,
    "keys": lists.keys,
    "last": lists.last,
    "length": lists.length,
    "ljust": texts.padded(str.ljust),
    "log": numeric.log,
    "lower": texts.cased(str.lower),
    "matches": patterns.matches,
    "max": lists.max_,
    "mean": lists.mean_,
    "merge": lists.merge,
    "min": lists.min_,
    "minutes_between": dates.distance("minutes"),
    "number": conversions.number,
    "parse_date": dates.parse_date,
    "range": lists.range_,
    "replace": texts.replace,
    "replace_pattern": patterns.replace_pattern,
    "reverse": lists.reverse_,
    "rjust": texts.padded(str.rjust),
    "round": numeric.round_,
    "seconds_between": dates.distance("seconds"),
    "sort": lists.sort,
    "split": texts.split,
    "split_part": texts.split_part,
    "sqrt": numeric.sqrt,
    "starts_with": texts.starts_with,
    "startswith": texts.starts_with,
    "string": conversions.text,
    "substring": texts.substring,
    "sum": lists.sum_,
    "text": conversions.text,
    "thousands": numeric.thousands,
    "title": texts.cased(str.title),
    "to_unix": dates.unix_time,
    "to_zone": dates.in_another_zone,
    "tojson": conversions.to_json,
    "trim": texts.trim,
    "truncate": texts.truncate,
    "unique": lists.unique,
    "upper": texts.cased(str.upper),
    "urlencode": conversions.url_encode,
    "values": lists.values,
    "zfill": texts.zfill,
    **{name: dates.part(name) for name in _PARTS},
}
"""Every function and filter by name but those of `SPECIAL` and those that apply others."""


def _str_join(work: Work, separator: JsonValue, value: JsonValue) -> str:
    return texts.join(work, value, separator)


FUNCTIONS |= {
    "map": _map,
    "reject": _selected(False, False),
    "rejectattr": _selected(False, True),
    "select": _selected(True, False),
    "selectattr": _selected(True, True),
}

SPECIAL = ("case", "default")
"""What decides itself which of its arguments are computed; the compiler knows them."""

METHODS: dict[type, dict[str, Function]] = {
    str: {
        **{name: FUNCTIONS[name] for name in ("upper", "lower", "title", "capitalize", "replace", "split")},
        **{name: FUNCTIONS[name] for name in ("center", "ljust", "rjust", "zfill", "startswith", "endswith")},
        "strip": texts.trim,
        "lstrip": texts.lstrip,
        "rstrip": texts.rstrip,
        "join": _str_join,
        "find": texts.index_of,
        "count": lists.count_of,
    },
    list: {"count": lists.count_of},
    dict: {"keys": lists.keys, "values": lists.values, "items": lists.items, "get": lists.get},
}
"""The methods a value has, by its type: `name.upper()`. Only a call finds them: `order.items` is the key."""


def function_named(name: str) -> Function:
    """Return a function. Raises: Fault with a did-you-mean hint."""
    function = FUNCTIONS.get(name)
    if function is None:
        raise Fault(
            "expression.unknown_function",
            sentence("There is no function {name}.", name=name[:80]),
            suggestion(name, [*FUNCTIONS, *SPECIAL], "functions"),
        )
    return function


def test_named(name: str) -> Function:
    """Return a test. Raises: Fault with a did-you-mean hint."""
    test = TESTS.get(name)
    if test is None:
        raise Fault(
            "expression.unknown_function",
            sentence("There is no test {name}.", name=name[:80]),
            suggestion(name, TESTS, "tests"),
        )
    return test
