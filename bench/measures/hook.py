"""HOOK: 4 pure nodes started by HTTP with a bearer token, answered with JSON after the run is committed.

Beside it a bare FastAPI handler that persists one row with group commit. The same wrk posts to both, by turns;
rows in the database are counted against wrk's requests, so that an answer without a commit would be seen.
"""

import json
import time
from collections.abc import Callable
from statistics import median

from bench.documents import chain
from bench.figures import Figure
from bench.floors.handler import PATH
from bench.measures import Result
from bench.stack import Api, BenchError, Stack, end_tree, free_port
from bench.wrk import Load, post
from structforge.embedded.startup import port_is_free

STEPS = 4
CONCURRENCY = (1, 16, 64)
SETTLE_S = 0.1
BODY = json.dumps({"mode": "sync", "input": {"order": 17, "city": "Seattle"}}, separators=(",", ":"))


def measure(stack: Stack, api: Api, *, rounds: int = 3, duration_s: int = 4, warm_up_s: int = 2) -> Result:
    """Load program and floor by turns at each concurrency."""
    workflow_id = api.publish("HOOK", chain(STEPS))
    ours_url = f"{stack.base_url}/api/v1/workflows/{workflow_id}/runs"
    port = free_port(stack.port + 1)
    floor_url = f"http://127.0.0.1:{port}{PATH}"
    floor = stack.program(
        "floor-handler",
        "-m",
        "bench.floors.handler",
        str(port),
        BENCH_CONNINFO=stack.settings.database_owner_url,
    )
    try:
        stack.until(lambda: not port_is_free("127.0.0.1", port), "the floor of HOOK listens")
        ours: dict[str, list[Load]] = {str(concurrency): [] for concurrency in CONCURRENCY}
        floors: dict[str, list[Load]] = {str(concurrency): [] for concurrency in CONCURRENCY}
        post(floor_url, BODY, concurrency=16, duration_s=warm_up_s)
        post(ours_url, BODY, concurrency=16, duration_s=warm_up_s, token=api.token)
        for _ in range(rounds):
            for concurrency in CONCURRENCY:
                before = settled(lambda: stack.count_runs(workflow_id))
                load = post(ours_url, BODY, concurrency=concurrency, duration_s=duration_s, token=api.token)
                compare_rows(load, settled(lambda: stack.count_runs(workflow_id)) - before, concurrency)
                ours[str(concurrency)].append(load)
                before = settled(lambda: _floor_rows(stack))
                load = post(floor_url, BODY, concurrency=concurrency, duration_s=duration_s)
                compare_rows(load, settled(lambda: _floor_rows(stack)) - before, concurrency)
                floors[str(concurrency)].append(load)
    finally:
        end_tree(floor)
    hook = {concurrency: _per_s(loads) for concurrency, loads in ours.items()}
    hook_floor = {concurrency: _per_s(loads) for concurrency, loads in floors.items()}
    return Result(
        {"hook_rps": hook, "hook_floor_rps": hook_floor},
        {
            "hook_share_of_floor": {key: round(hook[key].median / hook_floor[key].median, 3) for key in hook},
            "hook_latency_ms": {key: _latency(loads) for key, loads in ours.items()},
            "hook_floor_latency_ms": {key: _latency(loads) for key, loads in floors.items()},
            "hook_client_cpus": {
                key: median(load.client_cpus for load in loads) for key, loads in ours.items()
            },
            "hook_floor_client_cpus": {
                key: median(load.client_cpus for load in loads) for key, loads in floors.items()
            },
        },
    )


def _per_s(loads: list[Load]) -> Figure:
    return Figure.of([load.per_s for load in loads], digits=1)


def _latency(loads: list[Load]) -> dict[str, float]:
    return {"p50": median(load.p50_ms for load in loads), "p99": median(load.p99_ms for load in loads)}


def settled(count: Callable[[], int]) -> int:
    """Return the count once it stands still: what was on its way when wrk left is committed a moment later."""
    last = -1
    while (now := count()) != last:
        last = now
        time.sleep(SETTLE_S)
    return now


def _floor_rows(stack: Stack) -> int:
    return int(stack.value("SELECT count(*) FROM bench_floor"))


def compare_rows(load: Load, rows: int, concurrency: int) -> None:
    """Raises: BenchError when rows and answers do not agree."""
    # wrk leaves at the end without waiting for the answers that are on their way, one a connection at most.
    if not load.requests <= rows <= load.requests + concurrency:
        raise BenchError(f"{load.requests} requests were answered, but {rows} rows were committed.")
