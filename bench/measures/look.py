"""LOOK: what an expression costs that looks at a table of a million rows, beside reading the table whole.

In this process, each look with nothing read before: the table is an artifact of six columns as table nodes write it.
"""

import statistics
import time
from uuid import UUID

import polars as pl

from bench.measures import Result
from bench.orders import write_orders
from bench.stack import Api, Stack
from structforge.domain.expressions import parse
from structforge.engine.reading import Reader, ReadLimits, ReadValues, Referring
from structforge.sdk import TABLE_MEDIA_TYPE, ArtifactRef
from structforge.storage.artifacts import FileArtifactStore, OrganizationArtifacts
from structforge.wiring.engine import TABLES

ROWS = 1_000_000
NOBODY = UUID(int=0)
LIMITS = ReadLimits(values=1_000_000_000, value_bytes=1 << 30)


def measure(stack: Stack, api: Api, *, rounds: int = 3, rows: int = ROWS) -> Result:
    """Look `rounds` times in each way, in turns."""
    folder = stack.home / "look"
    folder.mkdir()
    artifacts = OrganizationArtifacts(FileArtifactStore(folder / "artifacts"), NOBODY)
    names = Referring({"t": _table(artifacts, folder, rows)})
    column = names["t"]["$artifact"]["meta"]["columns"][0]
    ways = {
        "length": "{{ t | length }}",
        "columns": "{{ t | columns }}",
        "row": f"{{{{ t[{rows // 2}] }}}}",
        "column": f"{{{{ t | map(attribute='{column}') | first }}}}",
        "whole": "{{ t }}",
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, text in ways.items():
            reader = Reader(artifacts, {TABLE_MEDIA_TYPE: TABLES}, ReadValues(), LIMITS, NOBODY)
            began = time.perf_counter()
            parse(text).evaluate(reader.scope(names))
            taken[way].append((time.perf_counter() - began) * 1e3)
    medians = {way: statistics.median(found) for way, found in taken.items()}
    return Result(
        {},
        {
            "look_ms": {way: round(median, 3) for way, median in medians.items()},
            "look_of_whole": {way: round(median / medians["whole"], 5) for way, median in medians.items()},
        },
    )


def _table(artifacts: OrganizationArtifacts, folder, rows: int):  # type: ignore[no-untyped-def]
    write_orders(folder / "orders.csv", rows)
    frame = pl.read_csv(folder / "orders.csv")
    frame.write_parquet(folder / "orders.parquet", compression="zstd", compression_level=3)
    ref = artifacts.put_file(folder / "orders.parquet", media_type=TABLE_MEDIA_TYPE)
    meta = {"rows": frame.height, "columns": frame.columns}
    return ArtifactRef(ref.hash, ref.size_bytes, ref.media_type, meta=meta).as_json()
