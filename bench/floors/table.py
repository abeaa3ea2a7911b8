"""The floor of TABLE: what its workflow does, in one polars script.

Reads a line for each repetition and answers with the seconds it took; polars is imported and warm by then.
"""

import sys
import time
from pathlib import Path

import polars as pl


def once(orders: Path, cities: Path, target: Path) -> None:
    """Read, filter, compute, aggregate, join, sort, write."""
    table = (
        pl.scan_csv(orders)
        .filter(pl.col("qty") > 10)
        .with_columns(amount=pl.col("qty") * pl.col("price"))
        .group_by("city", month=pl.col("day").str.head(7))
        .agg(
            total=pl.col("amount").sum(),
            rate=pl.col("rate").mean(),
            orders=pl.len(),
            first_note=pl.col("note").min(),
        )
        .join(pl.scan_csv(cities), on="city", how="left")
        .sort("total", descending=True)
        .collect()
    )
    table.write_csv(target)


def main() -> None:
    """Serve standard input."""
    orders, cities, target = map(Path, sys.argv[1:4])
    once(orders, cities, target)
    for _ in sys.stdin:
        began = time.perf_counter()
        once(orders, cities, target)
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
