"""Every fuzzer at length: `python -m tests.fuzz --minutes 10 csv rows`; without a part all, one after the other.

Each part stops at the first fault with everything that is needed to see it again, or says how much it tried. The suite
runs a short version of each with fixed seeds.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from tests.fuzz import csv_files, file_nodes, node_types, row_expressions
from tests.fuzz.http_messages import answer_fuzz, hook_round, request_bench, request_round
from tests.fuzz.postgres_values import postgres_fuzz
from tests.support.servers import FAST, Servers

PROPERTIES = (
    "tests/domain/test_values.py",
    "tests/domain/test_numbers.py",
    "tests/domain/test_moments.py",
    "tests/domain/test_lazy_values.py",
    "tests/domain/test_expressions_attacks.py",
    "tests/nodes/test_csv_types.py",
    "tests/nodes/test_row_expressions.py",
    "tests/nodes/test_table_crashes.py",
    "tests/nodes/test_table_properties.py",
)
"""Tests whose examples hypothesis draws: `properties` runs them again and again, each time with other ones."""
STEP = 500


def csv(seed: int, until_s: float) -> str:
    """Read small random files as the product and as Python's `csv` does."""
    dice, seen = random.Random(seed), Counter[str]()
    while time.monotonic() < until_s:
        seen += Counter(csv_files.check(*csv_files.random_file(dice)) for _ in range(STEP))
    return f"{seen.total()} files, {dict(seen)}"


def files(seed: int, until_s: float) -> str:
    """Put random bytes and values through the nodes that read and write files."""
    seen = Counter[str]()
    while time.monotonic() < until_s:
        seen += file_nodes.run(STEP, f"{seed} {seen.total()}")
    return f"{seen.total()} rounds, {dict(seen.most_common())}"


def nodes(seed: int, until_s: float) -> str:
    """Throw random data at every built-in node type."""
    found = node_types.fuzz(seed, seconds=until_s - time.monotonic())
    for kind, story in found.faults.items():
        sys.stdout.write(f"== {kind}\n{story[:3_000]}\n\n")
    assert not found.faults, f"{len(found.faults)} kinds of faults in {found.runs} runs"
    return f"{found.runs} runs"


def rows(seed: int, until_s: float) -> str:
    """Compute random row expressions for whole tables and row by row in the language of `{{ }}`."""
    tried = 0
    while time.monotonic() < until_s:
        found = list(row_expressions.differences(seed + tried, STEP))
        assert not found, "\n".join(str(each) for each in found)
        tried += STEP
    return f"{tried} expressions"


def properties(seed: int, until_s: float) -> str:
    """Run the property tests with other examples each time."""
    turns = 0
    while time.monotonic() < until_s:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            f"--hypothesis-seed={seed + turns}",
            *PROPERTIES,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"seed {seed + turns}\n{done.stdout[-5_000:]}"
        turns += 1
    return f"{turns} turns of the property tests"


def postgres(seed: int, until_s: float) -> str:
    """Put random values into parameters of every type, and read results of every type."""
    servers = Servers(FAST)
    servers.start()

    async def fuzz() -> str:
        source = random.Random(seed)
        async with postgres_fuzz(servers, source) as made:

            async def both() -> None:
                await made.round()
                if source.random() < 0.2:
                    await made.open_round()

            return f"{await _rounds(both, until_s)} rounds, {made.counts}"

    try:
        return asyncio.run(fuzz())
    finally:
        servers.stop()


def http(seed: int, until_s: float) -> str:
    """Send random requests, and read random answers."""

    async def fuzz() -> str:
        source = random.Random(seed)
        async with answer_fuzz(source) as answers, request_bench() as bench:

            async def both() -> None:
                await answers.round()
                await request_round(source, bench)

            return f"{await _rounds(both, until_s)} rounds, {answers.counts}"

    return asyncio.run(fuzz())


def hooks(seed: int, until_s: float) -> str:
    """Decode random requests to webhooks."""
    source = random.Random(seed)
    return f"{asyncio.run(_rounds(lambda: hook_round(source), until_s))} rounds"


async def _rounds(make: Callable[[], Awaitable[None]], until_s: float) -> int:
    count = 0
    while time.monotonic() < until_s:
        await make()
        count += 1
    return count


PARTS: dict[str, Callable[[int, float], str]] = {
    part.__name__: part for part in (csv, files, nodes, rows, properties, postgres, http, hooks)
}


def main() -> None:
    """Run the parts that are named, for so many minutes each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--minutes", type=float, default=10.0, help="of each part")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    if unknown := [name for name in given.parts if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]}; parts are {', '.join(PARTS)}")
    for name in given.parts or PARTS:
        done = PARTS[name](given.seed, time.monotonic() + 60 * given.minutes)
        sys.stdout.write(f"{name}: seed {given.seed}, {done}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
