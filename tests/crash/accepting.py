"""`python -m tests.crash.accepting WORKFLOW ORGANIZATION COUNT MODE`: a process that accepts runs and may die at it.

It prints `accepted RUN` for each run that was answered.
"""

import asyncio
import sys
from uuid import UUID

from structforge.config import load_settings
from structforge.domain.access import Principal, Role, permissions_of
from structforge.services.runs import StartRequest
from structforge.wiring import web as wiring


async def main() -> None:
    """Start the runs one after another."""
    workflow, organization, count, mode = sys.argv[1:5]
    engine = wiring.build_engine(load_settings())
    await engine.open()
    targets = wiring.build_targets(engine)
    await targets.open()
    runs = wiring.build_runs(engine, targets)
    principal = Principal(None, UUID(organization), permissions_of(frozenset({Role.OWNER.value})))
    sys.stdout.write("ready\n")
    for _ in range(int(count)):
        request = StartRequest({}, mode="sync" if mode == "sync" else "async", time_limit_s=60)
        result = await runs.start(principal, UUID(workflow), request)
        sys.stdout.write(f"accepted {result.run_id}\n")
    await targets.close()
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
