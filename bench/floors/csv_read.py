"""Reading one CSV file, as the node `file.read` does or with a library alone: seconds of each round, peak of memory.

`python -m bench.floors.csv_read product|polars|pyarrow PATH ROUNDS` prints JSON.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from pyarrow import csv

from structforge.nodes.formats.file_bytes import read_bounded
from structforge.nodes.formats.opening import FileOptions, open_content

LIMIT = 1 << 30


def product(path: Path) -> int:
    """Read the file as the node does; return the number of rows."""
    data = read_bounded(path, path.name, must_not_link=True, limit=LIMIT)
    content = open_content(data, path.name, FileOptions(), limit=LIMIT)
    assert content.table is not None
    return content.table.table.height


def polars(path: Path) -> int:
    """Read the file with polars and what it infers; return the number of rows."""
    return pl.read_csv(path).height


def pyarrow(path: Path) -> int:
    """Read the file with pyarrow and what it infers; return the number of rows."""
    rows: int = csv.read_csv(path).num_rows
    return rows


def main(how: str, path: str, rounds: int) -> None:
    """Read once to warm up, then measure."""
    read: dict[str, Callable[[Path], int]] = {"product": product, "polars": polars, "pyarrow": pyarrow}
    seconds = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        rows = read[how](Path(path))
        seconds.append(time.perf_counter() - began)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds[1:], "rows": rows, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
