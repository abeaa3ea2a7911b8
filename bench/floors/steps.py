"""Floor of W40: so many steps, each journaled behind its back, answered when the last one is durable.

In process: no HTTP, no workflow, no expressions, no token. A step makes a small JSON value and gives the event
loop a turn, as a step that may await does; the writer commits meanwhile. Reads the number of repeats from each
line of stdin and answers with a line of milliseconds.

    python -m bench.floors.steps CONNINFO STEPS
"""

import asyncio
import json
import sys
import time
from uuid import UUID, uuid4

import uvloop

from bench.floors.group_commit import GroupCommit


async def measure(conninfo: str, steps: int) -> None:
    """Serve lines of stdin until it ends."""
    journal = await GroupCommit.open(conninfo)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        taken_ms = []
        for _ in range(int(line)):
            began = time.perf_counter()
            await run(journal, steps)
            taken_ms.append(round((time.perf_counter() - began) * 1e3, 4))
        sys.stdout.write(json.dumps(taken_ms) + "\n")
        sys.stdout.flush()
    await journal.close()


async def run(journal: GroupCommit, steps: int) -> None:
    """Take the steps of one run; return when all are durable."""
    run_id = uuid4()
    durable = [await _step(journal, run_id, number) for number in range(steps)]
    await asyncio.gather(*durable)


async def _step(journal: GroupCommit, run_id: UUID, number: int) -> "asyncio.Future[None]":
    future = journal.add(run_id, number, json.dumps({"number": number}))
    await asyncio.sleep(0)
    return future


if __name__ == "__main__":
    uvloop.run(measure(sys.argv[1], int(sys.argv[2])))
