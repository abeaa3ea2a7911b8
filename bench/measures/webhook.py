"""HOOK by webhook: 4 nodes started by a request to the workflow's own address, answered by its respond node.

The address is open (no signature), as HOOK's floor is; rows are counted against answers as in HOOK.
"""

import json

from bench.documents import webhook
from bench.figures import Figure
from bench.measures import Result, hook
from bench.stack import Api, Stack
from bench.wrk import Load, post

CONCURRENCY = (1, 16, 64)
BODY = json.dumps({"order": 17, "city": "Seattle"}, separators=(",", ":"))


def measure(stack: Stack, api: Api, *, rounds: int = 3, duration_s: int = 3, warm_up_s: int = 1) -> Result:
    """Load the address at each concurrency."""
    workflow_id = api.publish("HOOK by webhook", webhook())
    address = api.call("GET", f"/workflows/{workflow_id}/hooks")["items"][0]["path"]
    url = f"{stack.base_url}{address}"
    loads: dict[str, list[Load]] = {str(concurrency): [] for concurrency in CONCURRENCY}
    post(url, BODY, concurrency=16, duration_s=warm_up_s)
    for _ in range(rounds):
        for concurrency in CONCURRENCY:
            before = hook.settled(lambda: stack.count_runs(workflow_id))
            load = post(url, BODY, concurrency=concurrency, duration_s=duration_s)
            rows = hook.settled(lambda: stack.count_runs(workflow_id)) - before
            hook.compare_rows(load, rows, concurrency)
            loads[str(concurrency)].append(load)
    return Result(
        {"webhook_rps": {key: Figure.of([load.per_s for load in each], 1) for key, each in loads.items()}}
    )
