"""Fuzzes what comes from outside: `python -m tests.fuzz.outside --minutes 10 --seed 1 postgres http hooks`."""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from tests.fuzz.http_messages import answer_fuzz, hook_round, request_bench, request_round
from tests.fuzz.postgres_values import postgres_fuzz
from tests.support.servers import FAST, Servers

Round = Callable[[], Awaitable[None]]
PARTS = ("postgres", "http", "hooks")


async def rounds(make: Round, *, until_s: float) -> int:
    """Make rounds until a moment of the monotonic clock; return how many."""
    count = 0
    while time.monotonic() < until_s:
        await make()
        count += 1
    return count


async def fuzz(part: str, source: random.Random, seconds: float, servers: Servers | None) -> str:
    """Fuzz one part; return what was done. Raises: whatever is found."""
    until_s = time.monotonic() + seconds
    async with AsyncExitStack() as stack:
        if part == "postgres":
            assert servers is not None
            made = await stack.enter_async_context(postgres_fuzz(servers, source))

            async def both() -> None:
                await made.round()
                if source.random() < 0.2:
                    await made.open_round()

            return f"{await rounds(both, until_s=until_s)} rounds, {made.counts}"
        if part == "hooks":
            return f"{await rounds(lambda: hook_round(source), until_s=until_s)} rounds"
        answers = await stack.enter_async_context(answer_fuzz(source))
        bench = await stack.enter_async_context(request_bench())

        async def ways() -> None:
            await answers.round()
            await request_round(source, bench)

        return f"{await rounds(ways, until_s=until_s)} rounds, {answers.counts}"


def main() -> None:
    """Fuzz the parts that are named, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="part", help=", ".join(PARTS))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    for part in given.parts:
        servers = Servers(FAST) if part == "postgres" else None
        if servers is not None:
            servers.start()
        try:
            done = asyncio.run(fuzz(part, random.Random(given.seed), given.minutes * 60, servers))
            sys.stdout.write(f"{part}: seed {given.seed}, {done}\n")
            sys.stdout.flush()
        finally:
            if servers is not None:
                servers.stop()


if __name__ == "__main__":
    main()
