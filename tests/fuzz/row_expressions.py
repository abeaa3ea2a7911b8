"""Random row expressions over random tables, held against the `{{ }}` language on each row's values.

`python -m tests.fuzz rows` looks for differences until the time is over; the suite tries some thousands.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from structforge.domain.expressions.compile import compile_expression
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.problems import Absent, Fault
from structforge.domain.numbers import written
from structforge.domain.values import encode_json
from structforge.nodes.row_language import evaluation, operations
from structforge.nodes.row_language.cells import AnyCells
from structforge.nodes.row_language.checking import parse, problems
from structforge.nodes.row_language.operations import Operation
from structforge.nodes.row_language.problems import RowError
from structforge.nodes.row_language.results import TooLong, to_column
from structforge.nodes.row_language.rows import Rows
from structforge.nodes.tables import Table
from structforge.sdk.table_cells import cells_of, spelled

Json = dict[str, Any]

INTEGERS = [
    0,
    1,
    -1,
    2,
    3,
    7,
    -7,
    10,
    12,
    100,
    2**53,
    2**53 + 1,
    -(2**53) - 1,
    2**62,
    2**63 - 1,
    -(2**63),
    10**18,
]
WIDE = [0, 1, -5, 10**20, -(10**25) + 7, 2**64, 10**37, 2**63, 99999999999999999999]
FLOATS = [
    0.0,
    1.0,
    -1.0,
    0.1,
    0.2,
    0.5,
    1.5,
    2.5,
    -2.5,
    2.675,
    1.005,
    1.13,
    3.14159,
    1e-7,
    12345678.125,
    1e15,
    123456789012345.6,
    1e16,
    9007199254740992.0,
    -0.35,
    1e22,
    4.35,
    1e-3,
    0.045,
    100.0,
    7.0,
]
MONEY = ["0.00", "1.10", "2.25", "-3.50", "19.99", "1234567.89", "0.05", "-0.01", "2.50"]
LONG = ["0.12345678", "12345678901234567890.12345678", "-1.00000001", "0.00000000", "99999.50000000"]
WORDS = [
    "",
    "a",
    "Oslo",
    "Rome",
    "new york",
    "it's",
    " x ",
    "Zürich",
    "STRASSE",
    "ß",
    "日本",
    "a,b,c",
    "one-two",
    "x1y22",
    "\t tab",
    "é",
    "ǅ",
    "İstanbul",
    "ΟΔΟΣ",
    "aXbXc",
    "-",
    "😀 smile",
    "007",
    "a  b",
    "\x1cq\x1c",
]
NUMERALS = [
    "1",
    "1.5",
    "-2",
    " 3 ",
    "007",
    "1e3",
    "abc",
    "",
    "12345678901234567890",
    "0.1",
    "+4",
    "1,5",
    "NaN",
    "0x10",
    "1_0",
]
DAYS = [
    "2024-02-29",
    "2023-12-31",
    "2024-01-31",
    "2024/03/01",
    "1999-01-01",
    "2024-03-31",
    "0001-01-01",
    "9999-12-31",
    "20240301",
]
MOMENTS = [
    "2024-03-01T10:00:00Z",
    "2024-03-01T10:00:00+02:00",
    "2024-03-01T10:00:00",
    "2024-03-01 23:59:59",
    "2024-03-01T10:00Z",
    "2024-12-31T23:30:00-05:00",
    "2024-03-01T10:00:00.250",
    "2024-03-01T10:00:00.123456+01:00",
    "2024-03-01 12:30 PM",
    "2024-03-31T02:30:00",
    "2024-10-27T02:30:00",
    "Fri, 01 Mar 2024 10:30:15 GMT",
    "2024-02-29",
]
STRANGE_DAYS = ["2024-02-30", "yesterday", "", "01.03.2024", "2024-13-01"]
OBJECTS: list[Any] = [
    {"name": "Ann", "n": 1, "deep": {"a": [1, 2]}},
    {"name": "Bob", "n": 2.5, "deep": {"a": []}},
    {"n": None},
]
LISTS: list[Any] = [[], [1, 2, 3], ["x", "y"], [1, "x", None], [[1], [2, 3]], ["x"], [0.1, 2]]


def random_table(chance: random.Random) -> Table:
    """Return a table of a few rows with a column of each kind."""
    rows = []
    for _ in range(chance.choice([1, 3, 5, 8, 80])):
        row: Json = {
            "i": chance.choice(INTEGERS[:10]),
            "big": chance.choice(INTEGERS),
            "wide": chance.choice(WIDE),
            "f": chance.choice(FLOATS)
            if chance.random() < 0.6
            else round(chance.uniform(-1000, 1000), chance.randrange(6)),
            "m": chance.choice([1, 2.5, 3, 0.1, -4, 0]),
            "money": Decimal(chance.choice(MONEY)),
            "long": Decimal(chance.choice(LONG)),
            "t": chance.choice(WORDS),
            "u": chance.choice(WORDS),
            "numeral": chance.choice(NUMERALS),
            "b": chance.random() < 0.5,
            "day": chance.choice(DAYS) if chance.random() < 0.97 else chance.choice(STRANGE_DAYS),
            "at": chance.choice(MOMENTS),
            "o": chance.choice(OBJECTS),
            "l": chance.choice(LISTS),
            "x": chance.choice([1, 2.5, True, [1], {"a": 1}]),
            "none_": None,
        }
        for name in row:
            if chance.random() < 0.06:
                row[name] = None
        rows.append(row)
    return Table.from_rows(rows)


COLUMNS = {
    "num": ["i", "big", "wide", "f", "m", "money", "long", "i", "f", "money"],
    "text": ["t", "u", "numeral", "t"],
    "bool": ["b"],
    "date": ["day", "at"],
    "list": ["l"],
    "object": ["o"],
    "any": ["i", "f", "t", "b", "o", "l", "x", "none_", "money", "day"],
}
LITERALS = {
    "num": [
        "0",
        "1",
        "2",
        "-3",
        "0.1",
        "1.19",
        "2.50",
        "10",
        "100",
        "1e3",
        "9223372036854775807",
        "0.5",
        "3.0",
        "12345678901234567890",
    ],
    "text": ["''", "'a'", "'Oslo'", "'X'", "','", "' '", "'ß'", "'1'"],
    "bool": ["true", "false"],
    "date": ["'2024-03-01'", "'2024-03-01T10:00:00Z'", "'2024-02-29T00:30:00+01:00'"],
    "list": ["[]", "[1, 2]", "['x', none]", "[i, t]", "[f, 1.5, money]"],
    "object": ["{}", "{'a': i}", "{'name': t, 'n': f}"],
    "any": ["none", "1", "'a'", "true"],
}
TEMPLATES: dict[str, list[str]] = {
    "num": [
        "({num} + {num})",
        "({num} - {num})",
        "({num} * {num})",
        "({num} / {num})",
        "({num} // {num})",
        "({num} % {num})",
        "(-{num})",
        "({num} ** 2)",
        "({num} ** {digits})",
        "({num} if {bool} else {num})",
        "({num} / {num} if {num} else {num})",
        "round({num})",
        "round({num}, {digits})",
        "round({num}, {digits}, {method})",
        "floor({num})",
        "ceil({num})",
        "floor({num}, {digits})",
        "ceil({num}, {digits})",
        "abs({num})",
        "length({text})",
        "({num} | round(2))",
        "coalesce({num}, {num})",
        "default({num}, {num})",
        "min({num}, {num})",
        "max({num}, {num}, {num})",
        "sqrt(abs({num}))",
        "integer({num})",
        "number({num})",
        "decimal({num})",
        "number(numeral, {num})",
        "integer(numeral, 0)",
        "decimal(numeral, none)",
        "case({bool}, {num}, {bool}, {num}, {num})",
        "case({bool}, {num})",
        "length({list})",
        "o.n",
        "l[{digits}]",
        "row.i",
        "row['f']",
        "({num} or {num})",
        "({num} and {num})",
        "days_between({date}, {date})",
        "hours_between({date}, {date})",
        "seconds_between({date}, {date})",
        "year({date})",
        "month({date})",
        "day({date})",
        "hour({date})",
        "minute({date})",
        "second({date})",
        "weekday({date})",
        "week({date})",
        "quarter({date})",
        "day_of_year({date})",
        "to_unix({date})",
        "minutes_between({date}, {date})",
    ],
    "text": [
        "({text} ~ {any})",
        "({text} + {text})",
        "upper({text})",
        "lower({text})",
        "title({text})",
        "trim({text})",
        "text({any})",
        "text({num})",
        "substring({text}, {digits})",
        "substring({text}, {digits}, {digits})",
        "substring({text}, -2)",
        "split_part({text}, ',', {digits})",
        "split_part({text}, 'X', -1)",
        "replace({text}, 'a', {text})",
        "replace({text}, {text}, 'q')",
        "replace_pattern({text}, '[a-z]+', '<$0>')",
        "extract({text}, '([0-9])([0-9])', 2)",
        "extract({text}, '[0-9]+')",
        "({text})[1:3]",
        "({text})[{digits}]",
        "({text} if {bool} else {text})",
        "({any} if {bool} else {text})",
        "coalesce({text}, {text})",
        "default({text}, {text}, true)",
        "fixed({num}, {digits})",
        "thousands({num}, 2)",
        "format_number({num}, 'de', 2)",
        "rjust({text}, 5)",
        "ljust({text}, 6, '.')",
        "capitalize({text})",
        "format_date({date}, '%d.%m.%Y')",
        "format_date({date}, '%Y-%m-%dT%H:%M:%S%z')",
        "year_month({date})",
        "o.name",
        "({text}).upper()",
        "zfill(numeral, 4)",
        "hash({text}, 'md5')",
        "base64_encode({text})",
        "tojson({any})",
        "split({text}, ',')[0]",
        "center({text}, 7)",
        "truncate({text}, 3)",
    ],
    "bool": [
        "({num} == {num})",
        "({num} != {num})",
        "({num} < {num})",
        "({num} <= {num})",
        "({num} > {num})",
        "({num} >= {num})",
        "({num} < {num} < {num})",
        "({text} == {text})",
        "({text} < {text})",
        "({any} == {any})",
        "({any} != {any})",
        "({num} in [{num}, 1, 2.5])",
        "({text} in ['a', 'Oslo', {text}])",
        "({text} in {text})",
        "({text} not in {text})",
        "({any} in {list})",
        "({any} not in l)",
        "(not {bool})",
        "(not {any})",
        "({bool} and {bool})",
        "({bool} or {bool})",
        "({any} is none)",
        "({any} is not none)",
        "({any} is empty)",
        "is_empty({any})",
        "contains({text}, {text})",
        "starts_with({text}, {text})",
        "ends_with({text}, 'o')",
        "contains({list}, {any})",
        "matches({text}, '^[A-Z]')",
        "matches({text}, '(?i)O')",
        "({date} < {date})",
        "({num} is number)",
        "({bool} if {bool} else {bool})",
        "({bool} == {bool})",
        "(i is even)",
        "case({bool}, {bool}, false)",
        "({money_or_float} == {money_or_float})",
    ],
    "date": [
        "date({date})",
        "add_days({date}, {digits})",
        "add_months({date}, {digits})",
        "add_years({date}, -1)",
        "add_weeks({date}, 1)",
        "add_hours({date}, {digits})",
        "add_seconds({date}, 90)",
        "add_minutes({date}, -5)",
        "to_zone({date}, 'Europe/Berlin')",
        "in_zone({date}, 'Europe/Berlin')",
        "parse_date({date})",
        "({date} if {bool} else {date})",
        "parse_date(format_date({date}, '%d.%m.%Y'), '%d.%m.%Y')",
        "coalesce({date}, '2024-01-01')",
        "add_days({date}, {num})",
        "from_unix(i)",
    ],
    "list": [
        "[{any}, {num}]",
        "split({text}, ',')",
        "o.deep.a",
        "sort([{num}, {num}])",
        "({list} + {list})",
        "l[1:]",
        "split({text})",
    ],
    "object": ["{{'k': {any} }}", "row", "o.deep"],
    "any": [
        "{num}",
        "{text}",
        "{bool}",
        "{date}",
        "{list}",
        "{object}",
        "l[0]",
        "o.deep",
        "({any} or {any})",
        "({any} and {any})",
        "({any} if {bool} else {any})",
        "coalesce({any}, {any})",
        "case({bool}, {any}, {any})",
        "sum([{num}, {num}])",
        "join({list}, '-')",
        "first({list})",
        "l | length",
        "o | keys",
        "unique({list})",
        "({any} + {any})",
        "({any} * {any})",
        "max({any}, {any})",
        "round({any}, 1)",
    ],
}
SPECIAL = {
    "digits": ["0", "1", "2", "3", "-1", "2.0"],
    "method": ["'floor'", "'ceil'", "'common'"],
    "money_or_float": ["money", "f", "0.1", "i", "m", "long", "1.10", "wide", "big"],
}


def random_expression(chance: random.Random, kind: str = "any", depth: int = 4) -> str:
    """Return an expression that mostly fits its types."""
    if kind in SPECIAL:
        return chance.choice(SPECIAL[kind])
    if chance.random() < 0.02:
        kind = "any"
    if depth <= 0 or chance.random() < 0.18:
        return chance.choice(COLUMNS[kind] if chance.random() < 0.75 else LITERALS[kind])
    template = chance.choice(TEMPLATES[kind])
    parts = template.replace("{{", "\x00").replace("}}", "\x01").split("{")
    text = parts[0]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        text += random_expression(chance, name, depth - 1) + rest
    return text.replace("\x00", "{").replace("\x01", "}")


@dataclass(frozen=True)
class Difference:
    """Where the languages differ."""

    source: str
    row: Json
    expected: object
    got: object

    def __str__(self) -> str:
        return (
            f"{self.source}\n  row {self.row}\n  {{{{ }}}} gives {self.expected!r}\n  rows give {self.got!r}"
        )


def alike(expected: Any, got: Any) -> bool:
    """Tell whether two values are the same to the last digit, of the same kind and written in the same way."""
    if isinstance(expected, dict | list):
        return type(expected) is type(got) and encode_json(expected) == encode_json(got)
    if isinstance(expected, Decimal) and isinstance(got, Decimal):
        return expected == got and written(expected) == written(got)
    return type(expected) is type(got) and repr(expected) == repr(got)


def single_values(source: str, rows: list[Json]) -> list[Any]:
    """Return what the `{{ }}` language gives for each row, a Fault where it fails. Raises: Fault (compiling)."""
    evaluate, _ = compile_expression(parse(source))
    found: list[Any] = []
    for row in rows:
        try:
            found.append(evaluate({**row, "row": row}, Work()))
        except Fault as fault:
            found.append(fault)
    return found


def column_values(source: str, table: Table) -> tuple[list[Any], AnyCells]:
    """Return what the row language gives. Raises: RowError."""
    parsed = parse(source)
    for problem in problems(parsed, table.columns):
        raise problem
    cells = evaluation.Evaluation(parsed).compute(Rows(table))
    return cells.values() * (table.height if cells.constant else 1), cells


def without_kernels(source: str, table: Table) -> list[Any]:
    """Return what the row language gives cell by cell. Raises: RowError."""

    def plainly(operation: Operation, operands: Any, height: int) -> AnyCells:
        return operations.apply(replace(operation, kernel=None), operands, height)

    evaluation.apply = plainly
    try:
        return column_values(source, table)[0]
    finally:
        evaluation.apply = operations.apply


def difference(source: str, table: Table) -> Difference | None:
    """Return the first row in which the languages differ."""
    rows = table.rows()
    try:
        expected = single_values(source, rows)
    except Fault as fault:
        expected = [fault] * len(rows)
    try:
        got, cells = column_values(source, table)
    except RowError as error:
        row = max(error.row, 1) - 1
        if isinstance(expected[row], Fault):
            return None
        return Difference(source, rows[row], expected[row], (error.code, str(error.message), error.row))
    try:
        plain = without_kernels(source, table)
    except RowError as error:
        row = error.row - 1
        return Difference(source, rows[row], (error.code, str(error.message)), got[row])
    for row, wanted, value, slow in zip(rows, expected, got, plain, strict=True):
        if not alike(slow, value):
            return Difference(source, row, ("cell by cell", slow), value)
        if isinstance(wanted, Fault):
            if not _for_want_of_a_value(wanted, source, row):
                return Difference(source, row, (wanted.code, str(wanted.message)), value)
        elif not alike(wanted, value) and not (value is None and " is defined" in source):
            return Difference(source, row, wanted, value)
    return _changed_in_the_column(source, rows, got, cells) or _failing_without_rows(source, table)


def _for_want_of_a_value(fault: Fault, source: str, row: Json) -> bool:
    """Tell whether the failure can be one that gives an empty cell: a null, or something that is not there."""
    if isinstance(fault, Absent) or any(value is None for value in row.values()):
        return True
    makes_nulls = (
        "none",
        "extract",
        "split_part",
        "case(",
        "o.n",
        "o.deep",
        "l[",
        " if ",
        "[0]",
        "[1]",
        "[2",
        "[3]",
        "[-1]",
        "first(",
    )
    return any(part in source for part in makes_nulls)


def _failing_without_rows(source: str, table: Table) -> Difference | None:
    empty = table.with_frame(table.frame.clear())
    try:
        column = to_column(column_values(source, empty)[1], 0)
    except RowError as error:
        return Difference(source, {}, "a column without cells", (error.code, str(error.message)))
    return None if column.series.is_empty() else Difference(source, {}, [], column.series)


def _changed_in_the_column(
    source: str, rows: list[Json], got: list[Any], cells: AnyCells
) -> Difference | None:
    try:
        column = to_column(cells, len(rows))
    except TooLong:
        return None
    stored = cells_of(column.series, column.mark, column.written)
    for row, value, cell in zip(rows, got, stored, strict=True):
        as_text = isinstance(cell, str) and cell == spelled(value)
        if not as_text and encode_json([_shortest(cell)]) != encode_json([_shortest(value)]):
            return Difference(f"{source} (stored)", row, value, cell)
    return None


def _shortest(value: Any) -> Any:
    """Return numbers in one form, so that 1, 1.0 and 1.00 are the same."""
    if isinstance(value, list):
        return [_shortest(item) for item in value]
    if isinstance(value, dict):
        return {key: _shortest(item) for key, item in value.items()}
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return f"{exact.normalize():f}" if exact else "0"


operations.KERNEL_FAILURES = ()
"""A kernel that fails is a fault here, though a workflow would not notice."""


def differences(seed: int, count: int, rounds: int = 12) -> Iterator[Difference]:
    """Yield the differences among `count` examples."""
    chance = random.Random(seed)
    for number in range(count):
        if number % rounds == 0:
            table = random_table(chance)
        found = difference(random_expression(chance), table)
        if found is not None:
            yield found
