"""Excel, packed files, encodings, JSON Lines and the ways of writing, through the nodes."""

import gzip
import io
import unicodedata
import zipfile
from datetime import datetime
from decimal import Decimal
from typing import Any

import fastexcel
import pytest
import xlsxwriter

from structforge.nodes.files import ReadFile, WriteFile
from structforge.nodes.tables import load_table_json
from structforge.sdk import ArtifactRef, NodeError
from structforge.sdk.testing import Bench


def read(content: bytes, name: str, **parameters: Any) -> Any:
    with Bench() as bench:
        (bench.files / name).write_bytes(content)
        return plain(bench, bench.run(ReadFile(), {"file": name, **parameters}).value)


def plain(bench: Bench, value: Any) -> Any:
    ref = ArtifactRef.from_json(value)
    return value if ref is None else load_table_json(bench.artifacts.path(ref))


def written(value: Any, name: str, **parameters: Any) -> bytes:
    with Bench() as bench:
        made = bench.run(WriteFile(), {"name": name, **parameters}, {"in": value}).value
        ref = ArtifactRef.from_json(made)
        assert ref is not None
        return bench.artifacts.path(ref).read_bytes()


def code_of(content: bytes, name: str, **parameters: Any) -> str:
    with pytest.raises(NodeError) as caught:
        read(content, name, **parameters)
    assert caught.value.problem.hint
    return caught.value.problem.code


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8-sig", "name;stadt\nMüller;Köln\n"),
        ("utf-16", "name;stadt\nMüller;Köln\n"),
        ("utf-16-le", "name;stadt\nMüller;Köln\n"),
        ("utf-16-be", "name;stadt\nMüller;Köln\n"),
        ("cp1252", "name;stadt\nMüller;Köln\nGröße;Düsseldorf\nWeiß;5 €\n"),
        ("gb18030", "姓名,城市\n张三,北京\n李四,上海\n王五,广州\n"),
        ("cp932", "名前,都市\n田中,東京\n佐藤さん,大阪のまち\n"),
        ("cp1251", "Имя;Город\nИван;Москва\nПётр;Казань\n"),
    ],
)
def test_encodings_are_recognised(encoding: str, text: str) -> None:
    header, *lines = text.splitlines()
    sign = ";" if ";" in header else ","
    rows = [dict(zip(header.split(sign), line.split(sign), strict=True)) for line in lines]
    assert read(text.encode(encoding), "a.csv") == rows


@pytest.mark.parametrize(
    ("encoding", "python"),
    [("windows-1250", "cp1250"), ("latin-1", "latin-1"), ("gbk", "gbk"), ("koi8-r", "koi8_r")],
)
def test_encodings_are_chosen(encoding: str, python: str) -> None:
    text = {"windows-1250": "Řehoř", "latin-1": "Ångström", "gbk": "张三", "koi8-r": "Иван"}[encoding]
    assert read(text.encode(python), "a.txt", encoding=encoding) == text
    assert code_of(b"a\xff\xfe\x81b", "a.txt", encoding="utf-8") == "file.not_decodable"


def sheets() -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        day, moment = (book.add_format({"num_format": f}) for f in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm"))
        page = book.add_worksheet("Orders")
        page.write_row(2, 1, ["id", "price", "day", "at", "flag", "sum", "code"])
        for row, (price, code) in enumerate(((12.5, "007"), (3, "1E5")), 3):
            page.write(row, 1, row - 2)
            page.write(row, 2, price)
            page.write_datetime(row, 3, datetime(2024, 1, 31), day)
            page.write_datetime(row, 4, datetime(2024, 1, 31, 10, 30), moment)
            page.write(row, 5, True)
            page.write_formula(row, 6, f"=B{row + 1}+0.2", None, 0.1 + 0.2)
            page.write_string(row, 7, code)
        page.write_string(6, 1, "Total")
        other = book.add_worksheet("Other")
        other.write_row(0, 0, ["a", "a"])
        other.write_row(1, 0, [1, "x"])
    return buffer.getvalue()


def test_excel_gives_the_values_people_see() -> None:
    rows = read(sheets(), "a.xlsx", footer_lines=1)
    assert rows[0] == {
        "id": 1, "price": 12.5, "day": "2024-01-31", "at": "2024-01-31T10:30:00", "flag": True,
        "sum": Decimal("0.3"), "code": "007",
    }  # fmt: skip
    assert (rows[1]["price"], rows[1]["code"]) == (3, "1E5")


def test_excel_sheets_and_ranges() -> None:
    assert read(sheets(), "a.xlsx", sheet="Other", repeated_headers="number") == [{"a": 1, "a_2": "x"}]
    assert read(sheets(), "a.xlsx", sheet=2, has_header=False)[1] == {"column_1": "1", "column_2": "x"}
    assert read(sheets(), "a.xlsx", range="B3:C5") == [{"id": 1, "price": 12.5}, {"id": 2, "price": 3}]
    assert read(sheets(), "a.xlsx", range="H:H", footer_lines=2) == [{"code": "007"}, {"code": "1E5"}]
    assert read(sheets(), "a.xlsx", range="B4:B5", has_header=False) == [{"column_1": 1}, {"column_1": 2}]
    assert code_of(sheets(), "a.xlsx", sheet="Nope") == "file.sheet"
    assert code_of(sheets(), "a.xlsx", sheet=9) == "file.sheet"
    assert code_of(sheets(), "a.xlsx", range="3:B") == "file.range"
    assert code_of(sheets(), "a.xlsx", range="ZZ1:ZZ9") == "file.empty"
    assert code_of(sheets(), "a.xlsx", sheet="Other") == "file.csv_header"
    assert code_of(b"PK\x03\x04 no sheet", "a.xlsx") in ("file.excel", "file.packed")
    assert code_of(b"<html><table>", "a.xls") == code_of(b"\x00\x01a", "a.xls") == "file.excel"


def test_text_that_is_called_xls_is_read_as_text() -> None:
    assert read(b"id\tprice\n007\t1.5\n", "export.xls") == [{"id": "007", "price": 1.5}]


def test_dates_and_texts_in_one_column_of_excel() -> None:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        page = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        page.write_datetime(0, 0, datetime(2024, 3, 1), day)
        page.write_datetime(1, 0, datetime(2024, 3, 2), day)
        page.write_string(2, 0, "31.12.2024")
    rule = [{"column": "2024-03-01", "type": "date", "pattern": "%d.%m.%Y"}]
    assert read(buffer.getvalue(), "a.xlsx", types=rule) == [
        {"2024-03-01": "2024-03-02"},
        {"2024-03-01": "2024-12-31"},
    ]


def test_cells_of_excel_with_an_error_are_named() -> None:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["a", "b"])
        page.write_formula(1, 1, "=1/0", None, "#DIV/0!")
        page.write_number(1, 0, 7)
        page.write_formula(40, 28, "=NA()", None, "#N/A")
    with Bench() as bench:
        (bench.files / "a.xlsx").write_bytes(buffer.getvalue())
        done = bench.run(ReadFile(), {"file": "a.xlsx", "range": "A:B"})
    assert done.value == [{"a": 7, "b": None}]
    told = next(entry for entry in done.log if entry.level == "warning")
    assert told.fields["cells"] == ["B2"]


def test_a_bad_line_of_json_lines_is_named_as_it_stands_in_the_file() -> None:
    with pytest.raises(NodeError) as caught:
        read(b'{"a": 1}\n\n{"a": 2\n{"a": 3}\n', "a.jsonl")
    assert caught.value.problem.where == "line 3"
    assert "line 3" in caught.value.problem.message


def test_a_column_without_a_name_takes_none_that_another_has() -> None:
    assert read(b"column_2,,c\n1,2,3\n", "a.csv") == [{"column_2": 1, "column_2_2": 2, "c": 3}]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "Imię;Miasto\nŁukasz;Łódź\nŻaneta;Kraków\n"),
        ("cp1250", "Név;Város\nŐry;Győr\n"),
        ("cp1254", "Ad;Şehir\nGüneş;İstanbul\nIşık;Çanakkale\n"),
        ("cp1252", "nombre;ciudad\nIñaki;Logroño\n"),
        ("cp1252", "navn;by\nBjørn;Tromsø\n"),
        ("cp1252", "nome;cidade\nJoão;São Paulo\n"),
        ("cp1252", "nimi;paikka\nJärvenpää;Åbo\n"),
        ("cp1252", "price\n£5\n£6.50\n"),
        ("cp1252", "temp\n5 °C\n"),
        ("cp1257", "vardas;miestas\nŽydrūnas;Šiauliai\nGintarė;Klaipėda\n"),
        ("gbk", "姓名,城市\n张三,北京\n"),
        ("cp932", "名前,都市\n田中,東京\n"),
        ("cp949", "이름,도시\n김철수,서울\n"),
    ],
)
def test_a_few_names_tell_the_encoding(encoding: str, text: str) -> None:
    assert read(text.encode(encoding), "a.txt") == text


def test_a_packed_excel_file_may_not_grow_without_bound() -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sheets())) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in source.namelist():
            bomb.writestr(name, source.read(name) + (b" " * 50_000_000 if "sheet1" in name else b""))
    with Bench(max_file_bytes=1_000_000) as bench:
        (bench.files / "a.xlsx").write_bytes(buffer.getvalue())
        with pytest.raises(NodeError) as caught:
            bench.run(ReadFile(), {"file": "a.xlsx"})
    assert caught.value.problem.code == "file.too_large"


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def test_packed_files() -> None:
    rows = [{"a": 1}]
    assert read(gzip.compress(b"a\n1\n"), "a.csv.gz") == rows
    assert read(zipped(a_csv=b"a\n1\n"), "b.zip") == rows
    assert read(zipped(a_json=b"[1]"), "b.zip") == [1]
    assert code_of(zipped(a_csv=b"a\n", b_csv=b"b\n"), "b.zip") == "file.zip"
    assert code_of(gzip.compress(b"a\n1\n")[:-4], "a.csv.gz") == "file.packed"
    assert code_of(gzip.compress(gzip.compress(b"a")), "a.csv.gz") == "file.packed"
    assert code_of(zipped(a_csv=b"a\n" * 50)[:-30], "b.zip") == "file.packed"
    with Bench(max_file_bytes=10_000) as bench:
        for name, content in (
            ("a.gz", gzip.compress(b"0" * 1_000_000)),
            ("a.zip", zipped(a_csv=b"0" * 1_000_000)),
        ):
            (bench.files / name).write_bytes(content)
            with pytest.raises(NodeError) as caught:
                bench.run(ReadFile(), {"file": name})
            assert caught.value.problem.code == "file.too_large"


def test_json_lines() -> None:
    assert read(b'{"a":1}\n\n{"b":[2.50]}\r\n', "a.jsonl") == [{"a": 1}, {"b": [2.5]}]
    with pytest.raises(NodeError) as caught:
        read(b'{"a":1}\n{"a":\n', "a.ndjson")
    assert caught.value.problem.where == "line 2"
    assert written([{"a": 1}, "x", None], "a.jsonl") == b'{"a":1}\n"x"\nnull\n'
    with pytest.raises(NodeError):
        written({"a": 1}, "a.jsonl")


def test_rows_of_another_length_leave_by_a_port_of_their_own() -> None:
    with Bench() as bench:
        (bench.files / "a.csv").write_text("a,b\n1,2\n3\n")
        (bench.files / "b.csv").write_text("a,b\n1,2\n")
        found = bench.run(ReadFile(), {"file": "a.csv", "ragged": "collect"}).ports
        clean = bench.run(ReadFile(), {"file": "b.csv", "ragged": "collect"}).ports
    assert found == {
        "out": [{"a": 1, "b": 2}],
        "errors": [{"line": 3, "expected": 2, "found": 1, "text": "3"}],
    }
    assert clean == {"out": [{"a": 1, "b": 2}]}


ROWS: list[dict[str, Any]] = [
    {"n": 1.5, "d": Decimal("2.50"), "i": 10**30, "t": None, "x": {"k": [1, "é", None]}},
    {"n": 3.0, "d": Decimal("-1.00"), "i": -1, "t": "", "x": [1, "a"]},
]


@pytest.mark.parametrize(
    ("value", "parameters", "content"),
    [
        (ROWS, {}, 'n,d,i,t,x\n1.5,2.50,1000000000000000000000000000000,,"{""k"":[1,""é"",null]}"\n'
                   '3.0,-1.00,-1,"","[1,""a""]"\n'),
        ([{"a": 1.5, "b": "x;y"}], {"delimiter": ";", "decimal": ",", "line_end": "crlf", "bom": True},
         '\ufeffa;b\r\n1,5;"x;y"\r\n'),
        ([{"a": 1.5, "b": "x"}], {"decimal": ","}, 'a,b\n"1,5",x\n'),
        ([{"a": None, "b": "NA"}], {"empty_value": "NA"}, 'a,b\nNA,"NA"\n'),
        ([{"a": 1, "b": None, "c": True}], {"quoting": "all"}, '"a","b","c"\n"1",,"true"\n'),
        ([{"a": "=1+1", "b": -1}, {"a": "@x", "b": 2}], {"guard_formulas": True}, "a,b\n'=1+1,-1\n'@x,2\n"),
        ([{"a": 1e-7}, {"a": 1e22}], {}, "a\n0.0000001\n10000000000000000000000.0\n"),
        ([{"a": 1}, {"a": 2.5}], {}, "a\n1\n2.5\n"),
        ([{"a": 1, "b": "x"}, {"b": 2}], {"delimiter": "tab"}, "a\tb\n1\tx\n\t2\n"),
        ([{}, {}], {}, ""),
        ([{}] * 4_000, {}, ""),
        ([], {}, ""),
        ([{"a": None}, {"a": 1}], {}, "a\n\n1\n"),
        ([{'say "x"': 1, "": 2}], {}, '"say ""x""",""\n1,2\n'),
    ],
)  # fmt: skip
def test_csv_is_written_exactly(value: Any, parameters: dict[str, Any], content: str) -> None:
    assert written(value, "a.csv", **parameters).decode() == content


def test_what_is_written_as_excel_is_read_again() -> None:
    rows = [
        {
            "i": 1,
            "f": 1.5,
            "d": Decimal("12.50"),
            "big": 10**20,
            "t": "x",
            "day": "2024-01-31",
            "b": True,
            "o": {"a": 1},
        },
        {
            "i": 2,
            "f": 2.0,
            "d": Decimal("3.00"),
            "big": 5,
            "t": "=1+1",
            "day": "2024-02-01",
            "b": False,
            "o": None,
        },
    ]
    with Bench() as bench:
        done = bench.run(WriteFile(), {"name": "a.xlsx", "dates": True}, {"in": rows})
        again = plain(bench, bench.run(ReadFile(), {"file": done.value}).value)
        ref = ArtifactRef.from_json(done.value)
        assert ref is not None
        natural = fastexcel.read_excel(bench.artifacts.path(ref).read_bytes()).load_sheet(0).to_arrow()
    assert again[0] == {**rows[0], "d": 12.5, "o": '{"a":1}'}
    assert (again[1]["t"], again[1]["big"], again[1]["o"]) == ("=1+1", 5, None)
    assert str(natural.schema.field("day").type).startswith(("timestamp", "date"))
    assert [(line.level, line.fields["columns"]) for line in done.log if line.level == "warning"] == [
        ("warning", "big")
    ]


@pytest.mark.parametrize(
    ("value", "parameters", "code"),
    [
        ([{"a": "x" * 40_000}], {}, "file.excel_cell"),
        ([{"a": 1}], {"sheet": "a/b"}, "file.excel_sheet"),
        ([{f"c{number}": 1 for number in range(16_385)}], {}, "file.excel_size"),
    ],
)
def test_what_excel_cannot_hold_is_told(value: Any, parameters: dict[str, Any], code: str) -> None:
    with pytest.raises(NodeError) as caught:
        written(value, "a.xlsx", **parameters)
    assert caught.value.problem.code == code


def test_gzip_is_the_same_file_for_the_same_content() -> None:
    assert written([{"a": 1}], "a.csv.gz") == written([{"a": 1}], "a.csv.gz")
    assert gzip.decompress(written([{"a": 1}], "a.csv.gz")) == b"a\n1\n"
    assert gzip.decompress(written([{"a": 1}], "a.csv", gzip=True)) == b"a\n1\n"


@pytest.mark.parametrize(
    "name", ["Bär.csv", "10:30 report.csv", "a b.csv", "😀 中文.csv", "-x.csv", "C:x.csv", "%41.csv"]
)
def test_names_are_found_however_they_are_composed(name: str) -> None:
    for stored in (unicodedata.normalize(form, name) for form in ("NFC", "NFD")):
        for asked in (unicodedata.normalize(form, name) for form in ("NFC", "NFD")):
            with Bench() as bench:
                (bench.files / stored).write_text("a\n1\n")
                assert bench.run(ReadFile(), {"file": asked}).value == [{"a": 1}]
