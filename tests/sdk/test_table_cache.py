"""Tables that stay in memory: bounded, the oldest goes first, and never one whose file is gone."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from structforge.sdk import ArtifactRef, NodeError, tables
from structforge.sdk.table_cache import Recent
from structforge.sdk.tables import StoredTable, Table, load_table, read_table, table_result
from structforge.sdk.testing import Bench, FakeContext


@dataclass(frozen=True)
class Block:
    size_bytes: int


def test_nothing_is_kept_unless_somebody_says_how_much() -> None:
    recent: Recent[Block] = Recent()
    recent.put(Path("a"), Block(1))
    assert recent.get(Path("a")) is None


def test_what_was_used_longest_ago_goes_first_and_the_bound_holds() -> None:
    recent: Recent[Block] = Recent()
    recent.keep(10)
    recent.put(Path("a"), Block(4))
    recent.put(Path("b"), Block(4))
    recent.get(Path("a"))
    recent.put(Path("c"), Block(4))
    recent.put(Path("huge"), Block(6))
    kept = [name for name in ("a", "b", "c", "huge") if recent.get(Path(name))]
    assert kept == ["a", "c"]


def test_a_table_is_read_once_and_not_after_its_file_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    recent: Recent[Table] = Recent()
    recent.keep(1 << 20)
    monkeypatch.setattr(tables, "RECENT", recent)
    with Bench() as bench:
        context = FakeContext(bench.files, bench.artifacts, bench.http)
        value = table_result(context, pl.DataFrame({"a": [1, 2]}).clear())
        ref = ArtifactRef.from_json(value)
        assert ref is not None
        path = bench.artifacts.path(ref)
        kept = recent.get(path)
        assert kept is not None
        read = read_table(context, value)
        assert read.frame.equals(kept.frame)
        # A plugin that changes its frame in place changes nobody else's.
        read.frame.insert_column(0, pl.Series("b", [], pl.Int64))
        assert read_table(context, value).columns == ["a"]
        path.unlink()
        with pytest.raises(NodeError) as caught:
            read_table(context, value)
    assert caught.value.problem.code == "artifact.missing"


@pytest.mark.parametrize(
    "cells",
    [
        [Decimal("1.50"), None, Decimal("-0.05")],
        [Decimal("9999999999999999.99"), Decimal("-9999999999999999.99")],
        [Decimal("10000000000000000.00")],
        [Decimal("1E-20")],
        [Decimal("99999999999999999999999999999999999999")],
        [None, None],
    ],
)
def test_decimals_come_back_with_38_digits_however_they_are_stored(cells: list[Decimal | None]) -> None:
    scale = max((-int(cell.as_tuple().exponent) for cell in cells if cell is not None), default=2)
    frame = pl.DataFrame({"a": pl.Series(cells, dtype=pl.Decimal(38, scale)), "n": range(len(cells))})
    with Bench() as bench:
        context = FakeContext(bench.files, bench.artifacts, bench.http)
        ref = ArtifactRef.from_json(table_result(context, frame))
        assert ref is not None
        path = bench.artifacts.path(ref)
        assert load_table(path).frame.equals(frame)
        assert load_table(path).frame.schema == frame.schema
        assert load_table(path, ["a"], 1, 2).frame.equals(frame.select("a").slice(1, 1))
        assert StoredTable.open(path).types() == Table.of(frame).types
