"""Reading and writing files, and what every bad file gets."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from structforge.nodes.files import ReadFile, WriteFile
from structforge.nodes.tables import load_table_json
from structforge.sdk import ArtifactRef, NodeError
from structforge.sdk.testing import Bench, run_node


def read(content: str | bytes, name: str = "data.csv", **parameters: Any) -> Any:
    with Bench() as bench:
        (bench.files / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return plain(bench, bench.run(ReadFile(), {"file": name, **parameters}).value)


def plain(bench: Bench, value: Any) -> Any:
    """Return a value with its table as rows."""
    ref = ArtifactRef.from_json(value)
    return value if ref is None else load_table_json(bench.artifacts.path(ref))


def error_of(content: str | bytes, name: str = "data.csv", **parameters: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        read(content, name, **parameters)
    return caught.value


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a,b\n1,x\n", [{"a": 1, "b": "x"}]),
        ("a,b\r\n1,x\r\n2,y", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ("\ufeffa\n1\n", [{"a": 1}]),
        ('a,b\n1,"x, ""y""\nz"\n', [{"a": 1, "b": 'x, "y"\nz'}]),
        ("a,b\n1,\n,2\n", [{"a": 1, "b": None}, {"a": None, "b": 2}]),
        ("a,b\n\n1,2\n\n", [{"a": 1, "b": 2}]),
        ("zip\n007\n123\n", [{"zip": "007"}, {"zip": "123"}]),
        ("n\n12345678901234567890\n", [{"n": 12345678901234567890}]),
        ("n\n1\n2.5\n-3e2\n", [{"n": "1"}, {"n": "2.5"}, {"n": "-3e2"}]),
        ("n\n1\n2.5\n-300\n", [{"n": 1}, {"n": 2.5}, {"n": -300}]),
        ("n\n1.10\n-2.25\n", [{"n": Decimal("1.10")}, {"n": Decimal("-2.25")}]),
        ("n\n-0\n", [{"n": "-0"}]),
        ("f\ntrue\nFalse\n", [{"f": "true"}, {"f": "False"}]),
        ("f\ntrue\nfalse\n", [{"f": True}, {"f": False}]),
        ('a,b\n"",x\n,y\n', [{"a": "", "b": "x"}, {"a": None, "b": "y"}]),
        ('a,n\n24" screen,1\nO"Brian,2\n', [{"a": '24" screen', "n": 1}, {"a": 'O"Brian', "n": 2}]),
        ("a,b\r1,x\r2,y\r", [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ("a,b\r\r\n1,x\r\r\n", [{"a": 1, "b": "x"}]),
        ("a\n1\n\n3\n", [{"a": 1}, {"a": None}, {"a": 3}]),
        ("d\n2024-01-31\n", [{"d": "2024-01-31"}]),
        ("n\nNaN\ninf\n", [{"n": "NaN"}, {"n": "inf"}]),
        ("a,\n1,2\n", [{"a": 1, "column_2": 2}]),
    ],
)
def test_csv_values_and_types(content: str, rows: list[dict[str, Any]]) -> None:
    assert read(content) == rows


def test_csv_options() -> None:
    assert read("a;b\n1;2\n", delimiter=";") == [{"a": 1, "b": 2}]
    assert read("a\tb\n1\t2\n", "data.tsv") == [{"a": 1, "b": 2}]
    assert read("1,2\n", has_header=False) == [{"column_1": 1, "column_2": 2}]
    assert read("a\nNA\n5\n", empty_values=["NA"]) == [{"a": None}, {"a": 5}]
    assert read("a\n1\n", infer_types=False) == [{"a": "1"}]


def test_a_header_without_rows_keeps_its_columns() -> None:
    ref = ArtifactRef.from_json(run_node(ReadFile(), {"file": "a.csv"}, files={"a.csv": "a,b\n"}).value)
    assert ref is not None
    assert ref.meta == {"rows": 0, "columns": ["a", "b"], "types": ["null", "null"]}


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ("a,b\n1,2\n3\n", "file.csv_row", 3),
        ("a,b\n1,2,3\n", "file.csv_row", 2),
        ('a,b\n1,"x\ny"\n3\n', "file.csv_row", 4),
        ("a,b\r\n1,2\r\n\r\n3\r\n", "file.csv_row", 4),
        ('a,b\n1,2\n3,"open\n4,5\n', "file.csv_quote", 3),
        ('a,b\n1,2\n"x"y,3\n', "file.csv_quote", 3),
        ("a,a\n1,2\n", "file.csv_header", 1),
        (b"a,b\n1,\x00\n", "file.nul", 2),
    ],
)
def test_a_malformed_csv_is_named_by_its_line(content: str | bytes, code: str, line: int) -> None:
    problem = error_of(content).problem
    assert (problem.code, problem.details["line"], problem.where) == (code, line, f"line {line}")
    assert problem.hint


@pytest.mark.parametrize("content", ["", "\n\n", "\r\n"])
def test_an_empty_csv_is_an_error(content: str) -> None:
    assert error_of(content).problem.code == "file.empty"


def test_json_and_text_are_read_as_they_are() -> None:
    assert read('{"a": [1, 2.5, "x", null]}', "data.json") == {"a": [1, 2.5, "x", None]}
    assert read("plain\n", "notes.md") == "plain\n"
    assert read("[1]", "notes.md", format="json") == [1]


@pytest.mark.parametrize(
    "content", ["[NaN]", '["\\u0000"]', '["\\ud800"]', "[" * 100_000, "1" * 5_000, "{", "[1,]"]
)
def test_json_outside_the_standard_is_an_error_that_names_the_file(content: str) -> None:
    problem = error_of(content, "data.json").problem
    assert problem.code.startswith("value.")
    assert problem.message.startswith("data.json: ")


def test_a_file_over_the_limit_is_an_error() -> None:
    with Bench(max_file_bytes=10) as bench:
        (bench.files / "fits.csv").write_text("a\n1234567\n")
        (bench.files / "large.csv").write_text("a\n12345678\n")
        assert bench.run(ReadFile(), {"file": "fits.csv"}).value == [{"a": 1234567}]
        with pytest.raises(NodeError) as caught:
            bench.run(ReadFile(), {"file": "large.csv"})
    problem = caught.value.problem
    assert (problem.code, problem.details) == ("file.too_large", {"size_bytes": 11, "limit_bytes": 10})


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../secret.csv", "file.path"),
        ("data/../../secret.csv", "file.path"),
        ("/etc/passwd", "file.path"),
        ("..\\secret.csv", "file.path"),
        ("C:\\secret.csv", "file.path"),
        ("a\0b", "file.path"),
        ("a" * 5_000, "file.path"),
        ("missing.csv", "file.not_found"),
        ("data.csv/below", "file.not_found"),
        ("link.csv", "file.link"),
        ("folder_link/secret.csv", "file.link"),
        ("data", "file.not_a_file"),
        ("", "file.not_given"),
    ],
)
def test_paths_never_lead_out(tmp_path: Path, path: str, code: str) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    folder = tmp_path / "files"
    (folder / "data").mkdir(parents=True)
    (folder / "data.csv").write_text("a\n1\n")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "folder_link").symlink_to(tmp_path)
    with Bench(files=folder) as bench, pytest.raises(NodeError) as caught:
        bench.run(ReadFile(), {"file": path})
    assert caught.value.problem.code == code
    if code == "file.not_found" and path == "missing.csv":
        assert "`data.csv`" in caught.value.problem.hint


def test_a_file_that_a_node_wrote_is_read_again() -> None:
    rows = [
        {"city": "Oslo", "temp": 3, "tags": ["a", "b"]},
        {"city": 'say "x, y"', "temp": None, "tags": None},
    ]
    with Bench() as bench:
        written = bench.run(WriteFile(), {"name": "out.csv"}, {"in": rows}).value
        by_edge = bench.run(ReadFile(), {}, {"in": written}).value
        by_parameter = bench.run(ReadFile(), {"file": written}).value
    assert by_edge == by_parameter
    assert by_edge[0] == {"city": "Oslo", "temp": 3, "tags": '["a","b"]'}
    assert by_edge[1]["city"] == 'say "x, y"'


@pytest.mark.parametrize(
    ("name", "value", "content", "media_type"),
    [
        ("a.json", {"x": [1]}, b'{\n  "x": [\n    1\n  ]\n}\n', "application/json"),
        ("a.txt", "text", b"text", "text/plain; charset=utf-8"),
        ("a.txt", {"x": 1}, b'{\n  "x": 1\n}\n', "text/plain; charset=utf-8"),
        ("a.csv", [{"x": 1}], b"x\n1\n", "text/csv"),
    ],
)
def test_what_is_written(name: str, value: Any, content: bytes, media_type: str) -> None:
    with Bench() as bench:
        ref = ArtifactRef.from_json(bench.run(WriteFile(), {"name": name}, {"in": value}).value)
        assert ref is not None
        assert bench.artifacts.path(ref).read_bytes() == content
    assert (ref.name, ref.media_type) == (name, media_type)


def test_a_large_csv_becomes_a_table_artifact() -> None:
    content = "n,text\n" + "".join(f"{number},line {number}\n" for number in range(20_000))
    with Bench() as bench:
        (bench.files / "big.csv").write_text(content)
        ref = ArtifactRef.from_json(bench.run(ReadFile(), {"file": "big.csv"}).value)
        assert ref is not None
        frame = pl.read_parquet(bench.artifacts.path(ref))
    assert ref.meta == {"rows": 20_000, "columns": ["n", "text"], "types": ["integer", "text"]}
    assert (frame.height, frame.schema["n"], frame.item(19_999, "text")) == (20_000, pl.Int64, "line 19999")
