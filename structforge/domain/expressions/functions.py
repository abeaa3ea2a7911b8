"""The functions of the language: each is a filter (`x | round(2)`) and a function (`round(x, 2)`) alike.

Invariant: plain JSON values in and out, no state, no clock; work is charged before it is done, arguments are
checked, and a failure is a `Fault` without a position (the call site knows it).
"""

import base64
import binascii
import json
import math
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlencode

from structforge.domain.errors import sentence
from structforge.domain.expressions.checks import TESTS
from structforge.domain.expressions.dates import add_days, days_between, format_date, parse_date
from structforge.domain.expressions.limits import MAX_TEXT_CHARS, Work
from structforge.domain.expressions.operators import add, as_text, finite
from structforge.domain.expressions.problems import Absent, Fault, kind_of, suggestion
from structforge.domain.values import InvalidValueError, JsonValue, canonical_json, decode_json, encode_json

Function = Callable[..., Any]


def a_text(value: object, role: str = "value") -> str:
    """Return the value if it is a text. Raises: Fault."""
    if isinstance(value, str):
        return value
    raise Fault(
        "expression.type",
        sentence("The {role} must be a text, not {value}.", role=role, value=kind_of(value)),
        "Use | string first.",
    )


def a_list(value: object) -> list[Any]:
    """Return the value if it is a list. Raises: Fault."""
    if isinstance(value, list):
        return value
    raise Fault("expression.type", sentence("This needs a list, not {value}.", value=kind_of(value)))


def an_object(value: object) -> dict[str, Any]:
    """Return the value if it is an object. Raises: Fault."""
    if isinstance(value, dict):
        return value
    raise Fault("expression.type", sentence("This needs an object, not {value}.", value=kind_of(value)))


def a_number(value: object, role: str = "value") -> int | float:
    """Return the value if it is a number. Raises: Fault."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise Fault(
        "expression.type",
        sentence("The {role} must be a number, not {value}.", role=role, value=kind_of(value)),
        "Use | float or | int first.",
    )


def an_integer(value: object, role: str, low: int = -MAX_TEXT_CHARS, high: int = MAX_TEXT_CHARS) -> int:
    """Return the value if it is a whole number in the range. Raises: Fault."""
    if isinstance(value, int) and not isinstance(value, bool):
        if low <= value <= high:
            return value
        raise Fault(
            "expression.too_large",
            sentence("The {role} must be from {low} to {high}.", role=role, low=low, high=high),
        )
    raise Fault(
        "expression.type",
        sentence("The {role} must be a whole number, not {value}.", role=role, value=kind_of(value)),
    )


def look_up(value: JsonValue, key: object) -> Any:
    """Return a field of an object or an item of a list or text. Raises: Absent."""
    if isinstance(value, dict):
        if isinstance(key, str) and key in value:
            return value[key]
    elif (
        isinstance(value, list | str)
        and isinstance(key, int)
        and not isinstance(key, bool)
        and -len(value) <= key < len(value)
    ):
        return value[key]
    raise Absent(value, key)


def _path(attribute: object) -> list[str | int]:
    if isinstance(attribute, int) and not isinstance(attribute, bool):
        return [attribute]
    text = a_text(attribute, "attribute")
    if len(text) > 1000:
        raise Fault("expression.too_large", "The attribute path is too long.")
    return [int(part) if part.isascii() and part.isdigit() else part for part in text.split(".")]


def _follow(item: JsonValue, path: list[str | int]) -> Any:
    for key in path:
        item = look_up(item, str(key) if isinstance(item, dict) else key)
    return item


def _chosen(work: Work, rows: Iterable[Any], attribute: object) -> list[Any]:
    path = _path(attribute)
    result = []
    for row in rows:
        work.charge(1 + len(path))
        result.append(_follow(row, path))
    return result


def _cased(change: Callable[[str], str]) -> Function:
    def case(work: Work, value: JsonValue) -> str:
        text = a_text(value)
        work.charge(len(text))
        changed = change(text)  # At most three times as long.
        work.text(len(changed))
        return changed

    return case


def _trim(work: Work, value: JsonValue, chars: JsonValue = None) -> str:
    return _stripped(work, value, chars, str.strip)


def _lstrip(work: Work, value: JsonValue, chars: JsonValue = None) -> str:
    return _stripped(work, value, chars, str.lstrip)


def _rstrip(work: Work, value: JsonValue, chars: JsonValue = None) -> str:
    return _stripped(work, value, chars, str.rstrip)


def _stripped(work: Work, value: JsonValue, chars: JsonValue, strip: Callable[[str, str | None], str]) -> str:
    text = a_text(value)
    if chars is None:
        work.charge(len(text))
        return strip(text, None)
    work.charge(len(text) * (1 + len(a_text(chars, "characters"))))
    return strip(text, a_text(chars))


def _replace(work: Work, value: JsonValue, old: JsonValue, new: JsonValue) -> str:
    text, before, after = a_text(value), a_text(old, "text to replace"), a_text(new, "replacement")
    work.charge(len(text) + len(before))
    work.text(len(text) + text.count(before) * max(0, len(after) - len(before)))
    return text.replace(before, after)


def _split(work: Work, value: JsonValue, separator: JsonValue = None, limit: JsonValue = -1) -> list[str]:
    text = a_text(value)
    work.items(len(text))
    if separator is None:
        return text.split(None, an_integer(limit, "limit"))
    if not a_text(separator, "separator"):
        raise Fault("expression.arguments", "The separator is empty.")
    return text.split(a_text(separator), an_integer(limit, "limit"))


def _join(work: Work, value: JsonValue, separator: JsonValue = "", attribute: JsonValue = None) -> str:
    rows = a_list(value)
    between = a_text(separator, "separator")
    parts = [as_text(item, work) for item in (rows if attribute is None else _chosen(work, rows, attribute))]
    work.text(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def _length(work: Work, value: JsonValue) -> int:
    if isinstance(value, str | list | dict):
        return len(value)
    raise Fault("expression.type", sentence("{kind} has no length.", kind=kind_of(value).capitalize()))


def _columns(work: Work, value: JsonValue) -> list[str]:
    """Return the field names of a table's rows, in the order in which they first occur."""
    names: dict[str, None] = {}
    for row in a_list(value):
        work.charge(1 + len(an_object(row)))
        names.update(dict.fromkeys(an_object(row)))
    return list(names)


def _first(work: Work, value: JsonValue) -> Any:
    return look_up(value if isinstance(value, str) else a_list(value), 0)


def _last(work: Work, value: JsonValue) -> Any:
    return look_up(value if isinstance(value, str) else a_list(value), -1)


def _reverse(work: Work, value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        work.text(len(value))
        return value[::-1]
    work.items(len(a_list(value)))
    return a_list(value)[::-1]


def _order_key(work: Work, values: list[Any]) -> None:
    """Refuse what has no common order, and charge for sorting it."""
    for item in values:
        work.walk(item)
    work.charge(len(values) * max(1, len(values).bit_length()))
    kinds = {
        str if isinstance(item, str) else float if isinstance(item, int | float) else type(item)
        for item in values
    }
    if kinds - {str} and kinds - {float}:
        odd = next((item for item in values if not isinstance(item, str | int | float)), values[0])
        raise Fault(
            "expression.type",
            sentence("The values have no common order: there is {odd} among them.", odd=kind_of(odd)),
            "Leave null out with rejectattr('field', 'none'), or convert with map('string').",
        )


def _sort(
    work: Work, value: JsonValue, reverse: JsonValue = False, attribute: JsonValue = None
) -> list[JsonValue]:
    rows = a_list(value)
    work.items(len(rows))
    keys = rows if attribute is None else _chosen(work, rows, attribute)
    _order_key(work, keys)
    order = sorted(range(len(rows)), key=keys.__getitem__, reverse=bool(reverse))
    return [rows[index] for index in order]


def _unique(work: Work, value: JsonValue, attribute: JsonValue = None) -> list[JsonValue]:
    rows = a_list(value)
    work.items(len(rows))
    seen: set[str | bytes] = set()
    result = []
    for row, key in zip(rows, rows if attribute is None else _chosen(work, rows, attribute), strict=True):
        work.walk(key)
        work.charge(1 if isinstance(key, str) else 20)
        identity = key if isinstance(key, str) else canonical_json(key)
        if identity not in seen:
            seen.add(identity)
            result.append(row)
    return result


def _extreme(
    work: Work, value: JsonValue, more: tuple[Any, ...], attribute: JsonValue, pick: Function
) -> Any:
    rows = [value, *more] if more else a_list(value)
    keys = rows if attribute is None else _chosen(work, rows, attribute)
    if not rows:
        raise Absent(rows, 0)
    _order_key(work, keys)
    return rows[pick(range(len(keys)), key=keys.__getitem__)]


def _min(work: Work, value: JsonValue, *more: JsonValue, attribute: JsonValue = None) -> Any:
    return _extreme(work, value, more, attribute, min)


def _max(work: Work, value: JsonValue, *more: JsonValue, attribute: JsonValue = None) -> Any:
    return _extreme(work, value, more, attribute, max)


def _sum(work: Work, value: JsonValue, attribute: JsonValue = None, start: JsonValue = 0) -> JsonValue:
    rows = a_list(value)
    work.charge(len(rows))
    total: Any = a_number(start, "start")
    for number in rows if attribute is None else _chosen(work, rows, attribute):
        if not isinstance(number, int | float):
            raise Fault(
                "expression.type",
                sentence("sum() found {number} in the list.", number=kind_of(number)),
                "Convert first with map('float').",
            )
        total = finite(total + number)
    return finite(total)


def _round(work: Work, value: JsonValue, digits: JsonValue = 0, method: JsonValue = "common") -> int | float:
    number = a_number(value)
    places = an_integer(digits, "number of digits", -300, 300)
    if method == "common":
        return finite(round(number, places) if places else round(number))
    if method not in ("ceil", "floor"):
        raise Fault("expression.arguments", "The method must be 'common', 'ceil' or 'floor'.")
    toward = math.ceil if method == "ceil" else math.floor
    if not places:
        return toward(number)
    if isinstance(number, int) and places > 0:
        return number
    return finite(toward(number * 10.0**places) / 10.0**places)


def _abs(work: Work, value: JsonValue) -> int | float:
    return abs(a_number(value))


def _int(work: Work, value: JsonValue, *default: JsonValue) -> JsonValue:
    if isinstance(value, bool | int | float):
        return int(value)
    text = a_text(value).strip() if isinstance(value, str) else None
    try:
        return int(text or "", 10)
    except ValueError:
        try:
            return int(finite(float(text or "")))
        except (ValueError, Fault):
            return _or_default("whole number", value, default)


def _float(work: Work, value: JsonValue, *default: JsonValue) -> JsonValue:
    if isinstance(value, bool | int | float):
        return finite(float(value))
    try:
        return finite(float(a_text(value).strip()))
    except (ValueError, Fault):
        return _or_default("number", value, default)


def _or_default(what: str, value: JsonValue, default: tuple[JsonValue, ...]) -> JsonValue:
    if len(default) == 1:
        return default[0]
    shown = f"The text {value[:40]!r}" if isinstance(value, str) else kind_of(value).capitalize()
    raise Fault(
        "expression.type",
        sentence("{shown} is not a {what}.", shown=shown, what=what),
        "Give a default, as in | float(0).",
    )


def _string(work: Work, value: JsonValue) -> str:
    return as_text(value, work)


def _bool(work: Work, value: JsonValue) -> bool:
    return bool(value)


def _tojson(work: Work, value: JsonValue, indent: JsonValue = None) -> str:
    work.walk(value)
    if indent is None:
        text = encode_json(value).decode()
    else:
        width = an_integer(indent, "indent", 0, 8)
        work.charge(8 * width)
        text = json.dumps(value, ensure_ascii=False, indent=width)
    work.text(len(text))
    return text


def _fromjson(work: Work, value: JsonValue) -> JsonValue:
    work.text(len(a_text(value)))
    try:
        return decode_json(a_text(value).encode(), max_bytes=4 * MAX_TEXT_CHARS)
    except InvalidValueError as error:
        raise Fault("expression.type", error.problem.message, error.problem.hint) from error


def _keys(work: Work, value: JsonValue) -> list[str]:
    work.items(len(an_object(value)))
    return list(an_object(value))


def _values(work: Work, value: JsonValue) -> list[JsonValue]:
    work.items(len(an_object(value)))
    return list(an_object(value).values())


def _items(work: Work, value: JsonValue) -> list[list[JsonValue]]:
    work.items(2 * len(an_object(value)))
    return [[key, item] for key, item in an_object(value).items()]


def _get(work: Work, value: JsonValue, key: JsonValue, default: JsonValue = None) -> JsonValue:
    return an_object(value).get(a_text(key, "key"), default)


def _range(work: Work, start: JsonValue, stop: JsonValue = None, step: JsonValue = 1) -> list[int]:
    first, end = (0, start) if stop is None else (start, stop)
    bound = 2**53
    stride = an_integer(step, "step", -bound, bound)
    if stride == 0:
        raise Fault("expression.arguments", "The step is zero.")
    numbers = range(an_integer(first, "start", -bound, bound), an_integer(end, "end", -bound, bound), stride)
    work.items(len(numbers))
    return list(numbers)


def _batch(work: Work, value: JsonValue, size: JsonValue, fill: JsonValue = None) -> list[list[JsonValue]]:
    rows = a_list(value)
    width = an_integer(size, "size", 1)
    work.items(len(rows) + (width if fill is not None else 0))
    batches = [rows[begin : begin + width] for begin in range(0, len(rows), width)]
    if fill is not None and batches:
        batches[-1] = batches[-1] + [fill] * (width - len(batches[-1]))
    return batches


def _indent(work: Work, value: JsonValue, width: JsonValue = 4, first: JsonValue = False) -> str:
    text = a_text(value)
    pad = " " * an_integer(width, "width", 0, 1000)
    work.text(len(text) + (text.count("\n") + 1) * len(pad))
    return (pad if first else "") + text.replace("\n", "\n" + pad)


def _padded(adjust: Callable[[str, int, str], str]) -> Function:
    def pad(work: Work, value: JsonValue, width: JsonValue = 80, fill: JsonValue = " ") -> str:
        text, columns, filling = a_text(value), an_integer(width, "width"), a_text(fill, "fill")
        if len(filling) != 1:
            raise Fault("expression.arguments", "The fill must be one character.")
        work.text(max(len(text), columns))
        return adjust(text, columns, filling)

    return pad


def _zfill(work: Work, value: JsonValue, width: JsonValue) -> str:
    work.text(max(len(a_text(value)), an_integer(width, "width")))
    return a_text(value).zfill(an_integer(width, "width"))


def _truncate(work: Work, value: JsonValue, length: JsonValue = 255, end: JsonValue = "…") -> str:
    text, limit, ending = a_text(value), an_integer(length, "length", 0), a_text(end, "end")
    work.text(min(len(text), limit) + len(ending))
    return text if len(text) <= limit else text[: max(0, limit - len(ending))] + ending


def _starts_with(work: Work, value: JsonValue, part: JsonValue) -> bool:
    work.charge(len(a_text(part, "part")))
    return a_text(value).startswith(a_text(part))


def _ends_with(work: Work, value: JsonValue, part: JsonValue) -> bool:
    work.charge(len(a_text(part, "part")))
    return a_text(value).endswith(a_text(part))


def _urlencode(work: Work, value: JsonValue) -> str:
    work.walk(value)
    if isinstance(value, dict):
        pairs = [(key, as_text(item, work)) for key, item in value.items()]
        encoded = urlencode(pairs)
    else:
        encoded = quote(as_text(value, work), safe="")
    work.text(len(encoded))
    return encoded


def _base64_encode(work: Work, value: JsonValue) -> str:
    text = a_text(value)
    work.charge(len(text))
    encoded = base64.b64encode(text.encode()).decode()
    work.text(len(encoded))
    return encoded


def _base64_decode(work: Work, value: JsonValue) -> str:
    work.text(len(a_text(value)))
    try:
        decoded = base64.b64decode(a_text(value), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Fault("expression.type", "The text is not base64 of UTF-8 text.") from error
    if "\0" in decoded:
        raise Fault("expression.type", "The decoded text contains a NUL character.")
    return decoded


def _map(
    work: Work, value: JsonValue, function: JsonValue = None, *arguments: JsonValue, **named: JsonValue
) -> Any:
    rows = a_list(value)
    work.items(len(rows))
    if function is None:
        if set(named) - {"attribute", "default"} or "attribute" not in named:
            raise Fault("expression.arguments", "map() needs a function name or attribute='name'.")
        path = _path(named["attribute"])
        return [_follow_or_default(work, row, path, named) for row in rows]
    call = function_named(a_text(function, "function name"))
    work.charge(10 * len(rows))  # A call costs about ten times what looking at an item does.
    return [call(work, row, *arguments, **named) for row in rows]


def _follow_or_default(work: Work, row: JsonValue, path: list[str | int], named: dict[str, Any]) -> Any:
    work.charge(len(path))
    try:
        return _follow(row, path)
    except Absent:
        if "default" in named:
            return named["default"]
        raise


def _selected(keep: bool, by_attribute: bool) -> Function:
    def select(work: Work, value: JsonValue, *arguments: JsonValue) -> list[JsonValue]:
        rows = a_list(value)
        work.items(len(rows))
        rest = list(arguments)
        path = _path(rest.pop(0) if rest else None) if by_attribute else []
        test_name = a_text(rest.pop(0), "test name") if rest else "truthy"
        test = test_named(test_name)
        work.charge(10 * len(rows))
        result = []
        for row in rows:
            work.charge(1 + len(path))
            try:
                subject = _follow(row, path)
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


def _flatten(work: Work, value: JsonValue) -> list[JsonValue]:
    rows = a_list(value)
    work.items(sum(len(row) if isinstance(row, list) else 1 for row in rows))
    return [item for row in rows for item in (row if isinstance(row, list) else [row])]


def _append(work: Work, value: JsonValue, item: JsonValue) -> JsonValue:
    return add(a_list(value), [item], work)


def _merge(work: Work, value: JsonValue, *others: JsonValue) -> dict[str, JsonValue]:
    result: dict[str, JsonValue] = {}
    for part in (value, *others):
        work.items(len(an_object(part)))
        result.update(an_object(part))
    return result


def _index_of(work: Work, value: JsonValue, part: JsonValue) -> int:
    work.charge(len(a_text(value)) + len(a_text(part, "part")))
    return a_text(value).find(a_text(part))


def _count_of(work: Work, value: JsonValue, part: JsonValue) -> int:
    if isinstance(value, list):
        work.walk(value)
        return value.count(part)
    work.charge(len(a_text(value)) + len(a_text(part, "part")))
    return a_text(value).count(a_text(part))


FUNCTIONS: dict[str, Function] = {
    "abs": _abs,
    "add_days": add_days,
    "append": _append,
    "base64_decode": _base64_decode,
    "base64_encode": _base64_encode,
    "batch": _batch,
    "bool": _bool,
    "capitalize": _cased(str.capitalize),
    "center": _padded(str.center),
    "columns": _columns,
    "count": _length,
    "days_between": days_between,
    "endswith": _ends_with,
    "first": _first,
    "flatten": _flatten,
    "float": _float,
    "format_date": format_date,
    "fromjson": _fromjson,
    "get": _get,
    "indent": _indent,
    "int": _int,
    "items": _items,
    "join": _join,
    "keys": _keys,
    "last": _last,
    "length": _length,
    "ljust": _padded(str.ljust),
    "lower": _cased(str.lower),
    "map": _map,
    "max": _max,
    "merge": _merge,
    "min": _min,
    "parse_date": parse_date,
    "range": _range,
    "reject": _selected(False, False),
    "rejectattr": _selected(False, True),
    "replace": _replace,
    "reverse": _reverse,
    "rjust": _padded(str.rjust),
    "round": _round,
    "select": _selected(True, False),
    "selectattr": _selected(True, True),
    "sort": _sort,
    "split": _split,
    "startswith": _starts_with,
    "string": _string,
    "sum": _sum,
    "title": _cased(str.title),
    "tojson": _tojson,
    "trim": _trim,
    "truncate": _truncate,
    "unique": _unique,
    "upper": _cased(str.upper),
    "urlencode": _urlencode,
    "values": _values,
    "zfill": _zfill,
}
"""Every function and filter by name; `default` is missing here because it decides about its own argument."""


def _str_join(work: Work, separator: JsonValue, value: JsonValue) -> str:
    return _join(work, value, separator)


METHODS: dict[type, dict[str, Function]] = {
    str: {
        **{name: FUNCTIONS[name] for name in ("upper", "lower", "title", "capitalize", "replace", "split")},
        **{name: FUNCTIONS[name] for name in ("center", "ljust", "rjust", "zfill", "startswith", "endswith")},
        "strip": _trim,
        "lstrip": _lstrip,
        "rstrip": _rstrip,
        "join": _str_join,
        "find": _index_of,
        "count": _count_of,
    },
    list: {"count": _count_of},
    dict: {"keys": _keys, "values": _values, "items": _items, "get": _get},
}
"""The methods a value has, by its type: `name.upper()`. Only a call finds them: `order.items` is the key."""


def function_named(name: str) -> Function:
    """Return a function. Raises: Fault with a did-you-mean hint."""
    function = FUNCTIONS.get(name)
    if function is None:
        raise Fault(
            "expression.unknown_function",
            sentence("There is no function {name}.", name=name[:80]),
            suggestion(name, [*FUNCTIONS, "default"], "functions"),
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
