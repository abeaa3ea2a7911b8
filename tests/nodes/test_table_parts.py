"""Parts of a table artifact: some rows, some columns, its shape."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from structforge.nodes.tables import table_rows, table_shape


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Ten rows of three columns."""
    path = tmp_path / "table.parquet"
    pl.DataFrame([{"n": n, "text": f"row {n}", "half": n / 2} for n in range(10)]).write_parquet(path)
    return path


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({"columns": ["n"], "start": 8}, [{"n": 8}, {"n": 9}]),
        ({"columns": ["half", "n"], "stop": 1}, [{"half": 0.0, "n": 0}]),
        ({"start": 9, "stop": 99}, [{"n": 9, "text": "row 9", "half": 4.5}]),
        ({"start": 4, "stop": 4}, []),
        ({"start": 50}, []),
        ({"columns": ["n", "nowhere"], "stop": 1}, [{"n": 0}]),
    ],
)
def test_a_part_is_what_was_asked_for(table: Path, asked: dict[str, Any], rows: list[Any]) -> None:
    assert table_rows(table, **asked) == rows


def test_the_whole_and_its_shape(table: Path) -> None:
    assert len(table_rows(table)) == 10
    assert table_shape(table) == (10, ["n", "text", "half"])


def test_a_table_without_rows_has_a_shape(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    pl.DataFrame({"n": []}, schema={"n": pl.Int64}).write_parquet(path)
    assert table_rows(path) == []
    assert table_shape(path) == (0, ["n"])
