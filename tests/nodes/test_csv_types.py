"""Types of columns lose nothing: what is read and written again has the same bytes, in blocks as in the whole."""

import random
from decimal import Decimal
from typing import Any

import pytest

from structforge.domain import moments
from structforge.domain.date_patterns import read_by
from structforge.nodes.formats.column_types import typed
from structforge.nodes.formats.csv_blocks import typed_in_blocks
from structforge.nodes.formats.csv_options import ColumnRule, CsvOptions
from structforge.nodes.formats.csv_structure import prepare, read_header, read_rows
from structforge.nodes.formats.csv_writing import CsvStyle, write_csv
from structforge.nodes.formats.reading import read_csv
from structforge.sdk import NodeError
from tests.fuzz.csv_files import random_file

CELLS = (
    "", '""', "0", "1", "-1", "007", "+1", "1.0", "1.5", "2.50", "1.10", "-0", "-0.0", "-0.5", "0.05", "1e5", "1E5",
    "0x1F", "9007199254740993", "9223372036854775808", "1" * 38, "1" * 39, "12345678901234567890.12",
    "999999999999999.99", "0.1234567890123456", "true", "false", "True", "TRUE", "nan", "inf", "null", " 1", "1 ", "a",
    "é", "中", '24" screen', "O'Brien", "2024-01-31", "1_000", "1,5", "１", "٣", "-", ".", ".5", "5.", "--1", "1-1",
    "1.2.3", "100000000000000000000000", "0.000001", "1.000000000000000",
)  # fmt: skip
SIMPLE = ("1", "2.5", "-3", "0.25", "3.0", "1.10", "2.20", "007", "true", "")


def random_table(dice: random.Random) -> str:
    """Return a CSV file as this program writes one: its columns are of one kind, or mixed."""
    columns = []
    height = dice.randint(0, 12)
    for number in range(dice.randint(1, 5)):
        pool = dice.sample(CELLS, dice.randint(1, 4)) if dice.random() < 0.5 else dice.sample(SIMPLE, 3)
        if dice.random() < 0.3:
            scale = dice.randint(1, 4)
            pool = [f"{dice.randint(-500, 500) / 100:.{scale}f}" for _ in range(5)]
        columns.append([f"c{number}", *(dice.choice(pool) for _ in range(height))])
    lines = zip(*columns, strict=True)
    return "".join(",".join(_quoted(cell) for cell in line) + "\n" for line in lines)


def _quoted(cell: str) -> str:
    if cell == '""':
        return cell
    return '"' + cell.replace('"', '""') + '"' if '"' in cell or "," in cell else cell


@pytest.mark.parametrize("seed", range(20))
def test_reading_and_writing_gives_the_same_bytes(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(50):
        text = random_table(dice)
        table = read_csv(text.encode(), 0, CsvOptions(), "a.csv").table
        assert write_csv(table, CsvStyle()).decode() == text


@pytest.mark.parametrize("seed", range(10))
def test_blocks_give_what_the_whole_gives(seed: int) -> None:
    dice = random.Random(f"blocks {seed}")
    for _ in range(40):
        if dice.random() < 0.5:
            text, options = random_table(dice), CsvOptions()
            if dice.random() < 0.5:
                text = text.replace("\n", dice.choice(("\r\n", "\r")))
        else:
            text, options = random_file(dice)
            text *= 3
        whole, blocks = _whole(text, options), _in_blocks(text, options, dice.choice((1, 3, 8, 20)))
        assert blocks is None or blocks == whole, (text, options)


@pytest.mark.parametrize(
    "cell", ["007", "+7", "-0", "00", " 7", "7 ", "7.0", "7.", "1e5", "1_000", "0x1F", "٣", "--7", "-", "-07"]
)
def test_what_is_no_plain_integer_makes_the_column_text(cell: str) -> None:
    """Also beside cells that another way of writing would make longer or shorter by as much."""
    rows = ["0", "10", "-9", "100", "9223372036854775807", "-9223372036854775808", cell]
    text = "a,b\n" + "".join(f"{row},x\n" for row in rows * 300)
    for found in (_whole(text, CsvOptions()), _in_blocks(text, CsvOptions(), 64)):
        assert found[1] == {"a": "text", "b": "text"}
        assert [row["a"] for row in found[0][:7]] == rows


@pytest.mark.parametrize("name", ["^a.*$", "^$", "*", "^x"])
@pytest.mark.parametrize("cells", ["1,2.50,1.5,true,t", "-3,0.25,2,false,"])
def test_names_that_look_like_patterns_are_names(name: str, cells: str) -> None:
    header = ",".join(f'"{name}{number or ""}"' for number in (1, "", 2, 3, 4))
    text = f"{header}\n" + f"{cells}\n" * 50
    found = _whole(text, CsvOptions())
    assert found == _in_blocks(text, CsvOptions(), 64)
    table = read_csv(text.encode(), 0, CsvOptions(), "a.csv").table
    assert read(write_csv(table, CsvStyle()).decode(), CsvOptions()) == table.rows()
    rule = CsvOptions(rules={name: ColumnRule("date")})
    with pytest.raises(NodeError) as caught:
        read_csv(text.encode(), 0, rule, "a.csv")
    assert caught.value.problem.details["column"] == name


def test_a_line_end_in_quotes_ends_no_block() -> None:
    text = "a,b\n" + '1,"x\n2,y\n3"\n' * 50
    assert _in_blocks(text, CsvOptions(), 4) == _whole(text, CsvOptions())


def test_a_column_that_changes_its_kind_late_is_read_again() -> None:
    text = "a,b,c,d\n" + "1,1.50,,5\n" * 500 + "2.5,x,7,\n" + "3,1.50,8,12345678901234567890\n" * 3
    found = _in_blocks(text, CsvOptions(), 64)
    assert found == _whole(text, CsvOptions())
    assert found is not None
    assert found[1] == {"a": "number", "b": "text", "c": "integer", "d": "integer"}


def _whole(text: str, options: CsvOptions) -> Any:
    try:
        source = prepare(text.encode(), 0, options, "a.csv")
        header = read_header(source)
        found = typed(read_rows(source, header).frame, {}, decimal=options.decimal)
    except NodeError as error:
        return error.problem.code
    return found.frame.to_dicts(), found.kinds, found.written, [str(dtype) for dtype in found.frame.dtypes]


def _in_blocks(text: str, options: CsvOptions, size: int) -> Any:
    try:
        source = prepare(text.encode(), 0, options, "a.csv")
        header = read_header(source)
        made = typed_in_blocks(source, header, {}, options, size=size)
    except NodeError as error:
        return error.problem.code
    if made is None:
        return None
    found = made[0]
    return found.frame.to_dicts(), found.kinds, found.written, [str(dtype) for dtype in found.frame.dtypes]


def read(text: str, options: CsvOptions) -> list[dict[str, Any]]:
    return read_csv(text.encode(), 0, options, "a.csv").table.rows()


@pytest.mark.parametrize(
    ("rule", "cells", "values"),
    [
        (ColumnRule("integer"), ["007", "+5", "3.0", " 4"], [7, 5, 3, 4]),
        (ColumnRule("decimal"), ["1", "2.555", ".5"], [Decimal("1.000"), Decimal("2.555"), Decimal("0.500")]),
        (ColumnRule("number"), ["1e3", "2.", "-.5"], [1000.0, 2.0, -0.5]),
        (ColumnRule("boolean"), ["Yes", "NO", "1", "f"], [True, False, True, False]),
        (ColumnRule("text"), ["1", "2", "3"], ["1", "2", "3"]),
        (ColumnRule("date", "%d.%m.%Y"), ["31.12.2024", "1.2.2024"], ["2024-12-31", "2024-02-01"]),
        (ColumnRule("date"), ["2024-12-31"], ["2024-12-31"]),
        (ColumnRule("datetime", "%d.%m.%Y %H:%M"), ["31.12.2024 23:59"], ["2024-12-31T23:59:00"]),
        (ColumnRule("datetime"), ["2024-12-31 10:00", "2024-12-31T10:00:05+02:00"],
         ["2024-12-31T10:00:00", "2024-12-31T10:00:05+02:00"]),
        (ColumnRule("datetime", "%Y-%m-%d %H:%M %z"), ["2024-12-31 10:00 +0200", "2024-12-31 9:00  Z"],
         ["2024-12-31T10:00:00+02:00", "2024-12-31T09:00:00+00:00"]),
        (ColumnRule("datetime"), ["2024-03-01 12:30 PM", "2024/03/01", "1 Mar 2024 10:30 +0100"],
         ["2024-03-01T12:30:00", "2024-03-01T00:00:00", "2024-03-01T10:30:00+01:00"]),
        (ColumnRule("date", "%d.%m.%Y %H:%M"), ["31.12.2024 23:59"], ["2024-12-31"]),
        (ColumnRule("date", "%Y年%m月%d日"), ["2024年3月1日", "2024年12月31日"], ["2024-03-01", "2024-12-31"]),
        (ColumnRule("datetime", "%d.%m.%Y %I:%M %p"), ["01.03.2024 12:30 pm"], ["2024-03-01T12:30:00"]),
        (ColumnRule("number"), ["999999999999999.99", "3", "1.5"],
         [Decimal("999999999999999.99"), Decimal(3), Decimal("1.5")]),
        (ColumnRule("number"), ["0.30000000000000004", "123456789012345680000"], [0.1 + 0.2, 123456789012345680000.0]),
        (ColumnRule("number", pinned=True), ["0.30000000000000004", "1.5"], [0.1 + 0.2, 1.5]),
        (ColumnRule("integer"), ['""', '" "', "−5", "(7)", "8-"], [None, None, -5, -7, -8]),
        (ColumnRule("decimal"), ["€ 1.50", "(2.25) €", "3-", "- 4"],
         [Decimal("1.50"), Decimal("-2.25"), Decimal("-3.00"), Decimal("-4.00")]),
        (ColumnRule("decimal"), ["EUR 1", "2 EUR", "3"], [Decimal(1), Decimal(2), Decimal(3)]),
    ],
)  # fmt: skip
def test_chosen_types(rule: ColumnRule, cells: list[str], values: list[Any]) -> None:
    text = "a,b\n" + "".join(f"{cell},x\n" for cell in [*cells, ""])
    found = [row["a"] for row in read(text, CsvOptions(rules={"a": rule}))]
    assert found == [*values, None]


@pytest.mark.parametrize(
    ("rule", "cell"),
    [
        (ColumnRule("integer"), "1.5"), (ColumnRule("integer"), "1" * 39), (ColumnRule("decimal"), "1e5"),
        (ColumnRule("number"), "1e999"), (ColumnRule("boolean"), "2"), (ColumnRule("date"), "2024-02-30"),
        (ColumnRule("date", "%d.%m.%Y"), "2024-01-01"), (ColumnRule("datetime"), "10:30"),
        (ColumnRule("decimal"), "-5-"), (ColumnRule("decimal"), "(-5)"),
        (ColumnRule("decimal"), "5%"), (ColumnRule("decimal"), "REF 5"),
        (ColumnRule("integer", pinned=True), "007"), (ColumnRule("number", pinned=True), "999999999999999.99"),
        (ColumnRule("number"), "9007199254740993e0"),
    ],
)  # fmt: skip
def test_a_cell_that_does_not_fit_is_named(rule: ColumnRule, cell: str) -> None:
    text = 'a,b\n,"two\nlines"\n\n' + f"{cell},x\n"
    with pytest.raises(NodeError) as caught:
        read(text, CsvOptions(rules={"a": rule}))
    problem = caught.value.problem
    assert problem.code == ("file.not_as_pinned" if rule.pinned else "file.column_type")
    assert (problem.where, problem.details["column"]) == ("line 5", "a")
    assert cell[:80] in problem.message


def test_amounts_of_two_currencies_are_no_one_column() -> None:
    with pytest.raises(NodeError) as caught:
        read("a,b\n$ 4,x\n5,y\n5 €,z\n", CsvOptions(rules={"a": ColumnRule("decimal")}))
    assert (caught.value.problem.code, caught.value.problem.where) == ("file.column_type", "line 4")


def test_one_sign_has_one_meaning() -> None:
    with pytest.raises(NodeError) as caught:
        read("a;b\n3,2;x\n", CsvOptions(delimiter=";", decimal=",", thousands=","))
    assert caught.value.problem.code == "file.signs"


@pytest.mark.parametrize("pattern", ["YYYY-MM-DD", "%d.%m", "%Q", "%d %d %Y", "%I:%M %d.%m.%Y"])
def test_a_pattern_that_is_none_says_so(pattern: str) -> None:
    with pytest.raises(NodeError) as caught:
        read("a,b\n01.02.2024,x\n", CsvOptions(rules={"a": ColumnRule("date", pattern)}))
    assert (caught.value.problem.code, caught.value.problem.where) == (
        "file.date_pattern",
        "parameters.types",
    )
    assert caught.value.problem.hint


DATES = (
    "2024-03-01", "2024-02-30", "2024-03-01 10:30", "2024-03-01T10:30:05", "2024-03-01T10:30:05.25", "2024-03-01T24:00",
    "2024-03-01T10:30Z", "2024-03-01 10:30:05+0530", "2024-03-01T10:30:05-00:00", "2024-03-01T25:00:00", "20240301",
    "2024-03-01 9:05 pm", "10:30", "", "x", "01.03.2024", "1.3.2024", "31.04.2024", "01.03.2024 10:30", " 01.03.2024 ",
    "01.03.2024  10:30", "01.03.2024 10:30 +0100", "01.03.2024 10:30 Z", "01.03.2024 10:30 -00:00", "01.03.0000",
    "01.03.2024 10:61", "01.03.2024 24:00", "01.03.2024 10:30 +2500",
)  # fmt: skip


@pytest.mark.parametrize(
    "pattern", ["", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M %z", "%d.%m.%y", "%Y%m%d"]
)
@pytest.mark.parametrize("kind", ["date", "datetime"])
def test_dates_of_files_are_those_of_expressions(kind: Any, pattern: str) -> None:
    for text in DATES:
        try:
            moment = read_by(text, pattern) if pattern else moments.read(text)
            day = moments.part_of(moment, "date")
            wanted = day if kind == "date" else moments.midnight(moment).isoformat()  # type: ignore[arg-type]
        except moments.MomentError:
            wanted = None
        quoted = f'"{text}"' if text else ""
        try:
            # The other cell of the column keeps it from being computed as a constant.
            rows = read(f"a,b\n{quoted},x\n,y\n", CsvOptions(rules={"a": ColumnRule(kind, pattern)}))
            assert [row["a"] for row in rows] == [wanted, None], text
        except NodeError as error:
            assert wanted is None and text, text
            assert error.problem.code == "file.column_type"


@pytest.mark.parametrize(
    ("text", "options", "rows"),
    [
        ("a;b\n1,5;x\n2;y\n", {"delimiter": "auto", "decimal": "auto"}, [{"a": 1.5, "b": "x"}, {"a": 2, "b": "y"}]),
        ("a;b\n1,500;x\n", {"delimiter": "auto", "decimal": "auto"}, [{"a": "1,500", "b": "x"}]),
        ("a;b\n1.234,50;x\n7,00;y\n", {"delimiter": ";", "decimal": ",", "thousands": "."},
         [{"a": Decimal("1234.50"), "b": "x"}, {"a": Decimal("7.00"), "b": "y"}]),
        ("a;b\n1 234;x\n", {"delimiter": ";", "thousands": " "}, [{"a": 1234, "b": "x"}]),
        ("a;b\n1.5;x\n", {"delimiter": ";", "decimal": ","}, [{"a": "1.5", "b": "x"}]),
        ("sep=;\na;b\n1;2\n", {"delimiter": "auto"}, [{"a": 1, "b": 2}]),
        ("a|b\n1|2\n", {"delimiter": "auto"}, [{"a": 1, "b": 2}]),
        ("a§b\n1§2\n\"x§y\"§3\n", {"delimiter": "§"}, [{"a": "1", "b": 2}, {"a": "x§y", "b": 3}]),
        ("Report\n\na,b\n1,2\nTotal,2\n", {"skip_lines": 1, "footer_lines": 1}, [{"a": 1, "b": 2}]),
        ("# made by x\na,b\n1,2\n# end\n\"#no\",3\n", {"comment": "#"}, [{"a": "1", "b": 2}, {"a": "#no", "b": 3}]),
        ("a,b\n'x,y',2\n", {"quote": "'"}, [{"a": "x,y", "b": 2}]),
        ('a,b\n"x,2\n', {"quote": ""}, [{"a": '"x', "b": 2}]),
        ("a,a,a_2\n1,2,3\n", {"repeated": "number"}, [{"a": 1, "a_3": 2, "a_2": 3}]),
        ("a,b\nNA,-\n1,\"NA\"\n", {"missing": ("NA", "-")}, [{"a": None, "b": None}, {"a": 1, "b": "NA"}]),
        ('a,b\n1\n2,3,4\n5,""\n', {"ragged": "fill"},
         [{"a": 1, "b": None, "column_3": None}, {"a": 2, "b": "3", "column_3": 4},
          {"a": 5, "b": "", "column_3": None}]),
        ("a,b\n1\n2,3\n", {"ragged": "collect"}, [{"a": 2, "b": 3}]),
        ("1,2\n3,4\n", {"has_header": False}, [{"column_1": 1, "column_2": 2}, {"column_1": 3, "column_2": 4}]),
    ],
)  # fmt: skip
def test_options(text: str, options: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    assert read(text, CsvOptions(**options)) == rows


def test_rows_of_another_length_are_told() -> None:
    text = 'a,b\n1\n"x\ny",2\n\n3,4,5\n'
    found = read_csv(text.encode(), 0, CsvOptions(ragged="collect"), "a.csv")
    assert found.bad == [
        {"line": 2, "expected": 2, "found": 1, "text": "1"},
        {"line": 6, "expected": 2, "found": 3, "text": "3,4,5"},
    ]
