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
    "add_hours": FunctionNote("hours", "'2025-03-01T22:00' | add_hours(3)", "2025-03-02T01:00:00"),
    "add_minutes": FunctionNote("minutes", "'2025-03-01T10:00' | add_minutes(90)", "2025-03-01T11:30:00"),
    "add_months": FunctionNote("months", "'2025-01-31' | add_months(1)", "2025-02-28"),
    "add_seconds": FunctionNote("seconds", "'2025-03-01T10:00' | add_seconds(30)", "2025-03-01T10:00:30"),
    "add_weeks": FunctionNote("weeks", "'2025-03-01' | add_weeks(2)", "2025-03-15"),
    "add_years": FunctionNote("years", "'2024-02-29' | add_years(1)", "2025-02-28"),
    "append": FunctionNote("item", "[1, 2] | append(3)", [1, 2, 3]),
    "base64_decode": FunctionNote("", "'aGk=' | base64_decode", "hi"),
    "base64_encode": FunctionNote("", "'hi' | base64_encode", "aGk="),
    "base64url_decode": FunctionNote("", "'aGk_' | base64url_decode", "hi?"),
    "base64url_encode": FunctionNote("", "'hi?' | base64url_encode", "aGk_"),
    "batch": FunctionNote("size", "[1, 2, 3] | batch(2)", [[1, 2], [3]]),
    "bool": FunctionNote("default", "'no' | bool", False),
    "capitalize": FunctionNote("", "'hello World' | capitalize", "Hello world"),
    "case": FunctionNote(
        "value, test, value, …, otherwise", "case(2 > 3, 'more', 2 > 1, 'less', 'same')", "less"
    ),
    "ceil": FunctionNote("digits", "2.1 | ceil", 3),
    "center": FunctionNote("width", "'hi' | center(6)", "  hi  "),
    "coalesce": FunctionNote("other, …", "none | coalesce(none, 5)", 5),
    "columns": FunctionNote("", "[{'a': 1}, {'b': 2}] | columns", ["a", "b"]),
    "contains": FunctionNote("part", "'a.csv' | contains('.cs')", True),
    "count": FunctionNote("", "[1, 2] | count", 2),
    "date": FunctionNote("pattern", "'2025-03-08T10:30' | date", "2025-03-08"),
    "day": FunctionNote("", "'2025-03-08' | day", 8),
    "day_of_year": FunctionNote("", "'2025-03-08' | day_of_year", 67),
    "days_between": FunctionNote("other", "'2025-03-01' | days_between('2025-03-08')", 7),
    "decimal": FunctionNote("default", "'0.10' | decimal + 0.2", 0.3),
    "default": FunctionNote("fallback, replace_empty=false", "'' | default(0, true)", 0),
    "ends_with": FunctionNote("ending", "'a.csv' | ends_with('.csv')", True),
    "endswith": FunctionNote("ending", "'a.csv' | endswith('.csv')", True),
    "exp": FunctionNote("", "0 | exp", 1.0),
    "extract": FunctionNote("pattern, group", "'Invoice 4711' | extract('([0-9]+)')", "4711"),
    "first": FunctionNote("", "[1, 2] | first", 1),
    "fixed": FunctionNote("digits", "2.5 | fixed(2)", "2.50"),
    "flatten": FunctionNote("", "[[1], [2, 3]] | flatten", [1, 2, 3]),
    "float": FunctionNote("default", "'1.5' | float", 1.5),
    "floor": FunctionNote("digits", "1.139 | floor(2)", 1.13),
    "format_date": FunctionNote("pattern", "'2025-03-08' | format_date('%Y-%m')", "2025-03"),
    "format_number": FunctionNote("format, digits", "1234.5 | format_number('de', 2)", "1.234,50"),
    "from_unix": FunctionNote("", "1740823200 | from_unix", "2025-03-01T10:00:00+00:00"),
    "fromjson": FunctionNote("", "'[1, 2]' | fromjson", [1, 2]),
    "get": FunctionNote("key, default", "{'a': 1} | get('b', 0)", 0),
    "group_by": FunctionNote(
        "attribute", "[{'n': 1}, {'n': 1}] | group_by('n')", [{"key": 1, "items": [{"n": 1}, {"n": 1}]}]
    ),
    "hash": FunctionNote("algorithm", "'hi' | hash('md5')", "49f68a5c8493ec2c0bf489821c21fc3b"),
    "hour": FunctionNote("", "'2025-03-08T10:30' | hour", 10),
    "hours_between": FunctionNote("other", "'2025-03-01T10:00' | hours_between('2025-03-01T11:30')", 1.5),
    "in_zone": FunctionNote(
        "zone", "'2025-07-01T10:00' | in_zone('Europe/Berlin')", "2025-07-01T10:00:00+02:00"
    ),
    "indent": FunctionNote("width", "'a' | indent(2)", "a"),
    "int": FunctionNote("default", "'12' | int", 12),
    "integer": FunctionNote("default", "'12' | integer", 12),
    "is_empty": FunctionNote("", "'' | is_empty", True),
    "items": FunctionNote("", "{'a': 1} | items", [["a", 1]]),
    "join": FunctionNote("separator, attribute=", "['a', 'b'] | join(', ')", "a, b"),
    "keys": FunctionNote("", "{'a': 1} | keys", ["a"]),
    "last": FunctionNote("", "[1, 2] | last", 2),
    "length": FunctionNote("", "'four' | length", 4),
    "ljust": FunctionNote("width", "'a' | ljust(3)", "a  "),
    "log": FunctionNote("", "1 | log", 0.0),
    "lower": FunctionNote("", "'ABC' | lower", "abc"),
    "map": FunctionNote("attribute=", "[{'n': 1}, {'n': 2}] | map(attribute='n')", [1, 2]),
    "matches": FunctionNote("pattern", "'AB-12' | matches('^[A-Z]+-[0-9]+$')", True),
    "max": FunctionNote("attribute=", "[1, 3, 2] | max", 3),
    "mean": FunctionNote("attribute=", "[1, 2, 6] | mean", 3.0),
    "merge": FunctionNote("other", "{'a': 1} | merge({'b': 2})", {"a": 1, "b": 2}),
    "min": FunctionNote("attribute=", "[1, 3, 2] | min", 1),
    "minute": FunctionNote("", "'2025-03-08T10:30' | minute", 30),
    "minutes_between": FunctionNote("other", "'10:00' | minutes_between('10:45')", 45.0),
    "month": FunctionNote("", "'2025-03-08' | month", 3),
    "number": FunctionNote("default", "'1.5' | number", 1.5),
    "parse_date": FunctionNote("pattern", "'08.03.2025' | parse_date('%d.%m.%Y')", "2025-03-08"),
    "quarter": FunctionNote("", "'2025-05-08' | quarter", 2),
    "range": FunctionNote("", "3 | range", [0, 1, 2]),
    "reject": FunctionNote("test", "[1, 2, 3] | reject('odd')", [2]),
    "rejectattr": FunctionNote(
        "attribute, test, value", "[{'n': 1}, {'n': 9}] | rejectattr('n', 'gt', 5)", [{"n": 1}]
    ),
    "replace": FunctionNote("old, new", "'a-b' | replace('-', '+')", "a+b"),
    "replace_pattern": FunctionNote(
        "pattern, replacement",
        "'2025-03-08' | replace_pattern('([0-9]+)-([0-9]+)-([0-9]+)', '$3.$2.$1')",
        "08.03.2025",
    ),
    "reverse": FunctionNote("", "[1, 2] | reverse", [2, 1]),
    "rjust": FunctionNote("width", "'a' | rjust(3)", "  a"),
    "round": FunctionNote("digits, method", "2.675 | round(2)", 2.68),
    "second": FunctionNote("", "'10:30:15' | second", 15),
    "seconds_between": FunctionNote("other", "'10:00:00' | seconds_between('10:01:30')", 90.0),
    "select": FunctionNote("test", "[1, 2, 3] | select('odd')", [1, 3]),
    "selectattr": FunctionNote(
        "attribute, test, value", "[{'n': 1}, {'n': 9}] | selectattr('n', 'gt', 5)", [{"n": 9}]
    ),
    "sort": FunctionNote("reverse, attribute=", "[3, 1, 2] | sort", [1, 2, 3]),
    "split": FunctionNote("separator", "'a,b' | split(',')", ["a", "b"]),
    "split_part": FunctionNote("separator, index", "'a/b/c' | split_part('/', -1)", "c"),
    "sqrt": FunctionNote("", "9 | sqrt", 3.0),
    "starts_with": FunctionNote("beginning", "'a.csv' | starts_with('a')", True),
    "startswith": FunctionNote("beginning", "'a.csv' | startswith('a')", True),
    "string": FunctionNote("", "12 | string", "12"),
    "substring": FunctionNote("start, length", "'abcdef' | substring(1, 3)", "bcd"),
    "sum": FunctionNote("attribute=", "[1, 2, 3] | sum", 6),
    "text": FunctionNote("", "12.5 | text", "12.5"),
    "thousands": FunctionNote("digits, separator, decimal_sign", "1234567.5 | thousands(2)", "1,234,567.50"),
    "title": FunctionNote("", "'ada lovelace' | title", "Ada Lovelace"),
    "to_unix": FunctionNote("", "'2025-03-01T10:00Z' | to_unix", 1740823200),
    "to_zone": FunctionNote(
        "zone", "'2025-03-01T10:00Z' | to_zone('Asia/Shanghai')", "2025-03-01T18:00:00+08:00"
    ),
    "tojson": FunctionNote("", "[1, 2] | tojson", "[1,2]"),
    "trim": FunctionNote("characters", "'  a ' | trim", "a"),
    "truncate": FunctionNote("length", "'a long text' | truncate(6)", "a lon…"),
    "unique": FunctionNote("attribute=", "[1, 1, 2] | unique", [1, 2]),
    "upper": FunctionNote("", "'abc' | upper", "ABC"),
    "urlencode": FunctionNote("", "'a b' | urlencode", "a%20b"),
    "values": FunctionNote("", "{'a': 1} | values", [1]),
    "week": FunctionNote("", "'2025-03-08' | week", 10),
    "weekday": FunctionNote("", "'2025-03-08' | weekday", 6),
    "year": FunctionNote("", "'2025-03-08' | year", 2025),
    "year_month": FunctionNote("", "'2025-03-08' | year_month", "2025-03"),
    "zfill": FunctionNote("width", "'7' | zfill(3)", "007"),
}
"""Every function by name."""
