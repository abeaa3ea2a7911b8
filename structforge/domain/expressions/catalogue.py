"""How the functions of the language are written, for completion and documentation: a signature and an example each.

Invariant: a test evaluates every example and holds the catalogue to `functions.FUNCTIONS`. Any layer may import it.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FunctionNote:
    """One function as a filter."""

    signature: str
    """Arguments after the piped value, empty when it takes none."""
    example: str
    """An expression without braces that evaluates to `result` by itself."""
    result: Any


NOTES: dict[str, FunctionNote] = {
    "abs": FunctionNote("", "-3 | abs", 3),
    "add_days": FunctionNote("days", "'2025-03-01' | add_days(7)", "2025-03-08"),
    "append": FunctionNote("item", "[1, 2] | append(3)", [1, 2, 3]),
    "base64_decode": FunctionNote("", "'aGk=' | base64_decode", "hi"),
    "base64_encode": FunctionNote("", "'hi' | base64_encode", "aGk="),
    "batch": FunctionNote("size", "[1, 2, 3] | batch(2)", [[1, 2], [3]]),
    "bool": FunctionNote("", "'yes' | bool", True),
    "capitalize": FunctionNote("", "'hello World' | capitalize", "Hello world"),
    "center": FunctionNote("width", "'hi' | center(6)", "  hi  "),
    "columns": FunctionNote(
        "", "[{'city': 'Oslo', 'n': 1}, {'n': 2, 'of': 3}] | columns", ["city", "n", "of"]
    ),
    "count": FunctionNote("", "[1, 2] | count", 2),
    "days_between": FunctionNote("other", "'2025-03-01' | days_between('2025-03-08')", 7),
    "default": FunctionNote("fallback, replace_empty=false", "none | default(0, true)", 0),
    "endswith": FunctionNote("ending", "'a.csv' | endswith('.csv')", True),
    "first": FunctionNote("", "[1, 2] | first", 1),
    "flatten": FunctionNote("", "[[1], [2, 3]] | flatten", [1, 2, 3]),
    "float": FunctionNote("default", "'1.5' | float", 1.5),
    "format_date": FunctionNote("pattern", "'2025-03-08' | format_date('%Y-%m')", "2025-03"),
    "fromjson": FunctionNote("", "'[1, 2]' | fromjson", [1, 2]),
    "get": FunctionNote("key, default", "{'a': 1} | get('b', 0)", 0),
    "indent": FunctionNote("width", "'a' | indent(2)", "a"),
    "int": FunctionNote("default", "'12' | int", 12),
    "items": FunctionNote("", "{'a': 1} | items", [["a", 1]]),
    "join": FunctionNote("separator, attribute=", "['a', 'b'] | join(', ')", "a, b"),
    "keys": FunctionNote("", "{'a': 1} | keys", ["a"]),
    "last": FunctionNote("", "[1, 2] | last", 2),
    "length": FunctionNote("", "'four' | length", 4),
    "ljust": FunctionNote("width", "'a' | ljust(3)", "a  "),
    "lower": FunctionNote("", "'ABC' | lower", "abc"),
    "map": FunctionNote("attribute=", "[{'n': 1}, {'n': 2}] | map(attribute='n')", [1, 2]),
    "max": FunctionNote("attribute=", "[1, 3, 2] | max", 3),
    "merge": FunctionNote("other", "{'a': 1} | merge({'b': 2})", {"a": 1, "b": 2}),
    "min": FunctionNote("attribute=", "[1, 3, 2] | min", 1),
    "parse_date": FunctionNote("pattern", "'08.03.2025' | parse_date('%d.%m.%Y')", "2025-03-08"),
    "range": FunctionNote("", "3 | range", [0, 1, 2]),
    "reject": FunctionNote("test", "[1, 2, 3] | reject('odd')", [2]),
    "rejectattr": FunctionNote(
        "attribute, test, value", "[{'n': 1}, {'n': 9}] | rejectattr('n', 'gt', 5)", [{"n": 1}]
    ),
    "replace": FunctionNote("old, new", "'a-b' | replace('-', '+')", "a+b"),
    "reverse": FunctionNote("", "[1, 2] | reverse", [2, 1]),
    "rjust": FunctionNote("width", "'a' | rjust(3)", "  a"),
    "round": FunctionNote("digits, method", "2.345 | round(1)", 2.3),
    "select": FunctionNote("test", "[1, 2, 3] | select('odd')", [1, 3]),
    "selectattr": FunctionNote(
        "attribute, test, value", "[{'n': 1}, {'n': 9}] | selectattr('n', 'gt', 5)", [{"n": 9}]
    ),
    "sort": FunctionNote("reverse, attribute=", "[3, 1, 2] | sort", [1, 2, 3]),
    "split": FunctionNote("separator", "'a,b' | split(',')", ["a", "b"]),
    "startswith": FunctionNote("beginning", "'a.csv' | startswith('a')", True),
    "string": FunctionNote("", "12 | string", "12"),
    "sum": FunctionNote("attribute=", "[1, 2, 3] | sum", 6),
    "title": FunctionNote("", "'ada lovelace' | title", "Ada Lovelace"),
    "tojson": FunctionNote("", "[1, 2] | tojson", "[1,2]"),
    "trim": FunctionNote("characters", "'  a ' | trim", "a"),
    "truncate": FunctionNote("length", "'a long text' | truncate(6)", "a lon…"),
    "unique": FunctionNote("attribute=", "[1, 1, 2] | unique", [1, 2]),
    "upper": FunctionNote("", "'abc' | upper", "ABC"),
    "urlencode": FunctionNote("", "'a b' | urlencode", "a%20b"),
    "values": FunctionNote("", "{'a': 1} | values", [1]),
    "zfill": FunctionNote("width", "'7' | zfill(3)", "007"),
}
"""Every function by name."""
