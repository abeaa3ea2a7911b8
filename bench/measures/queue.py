"""QUEUE: 5,000 async 4-node runs accepted beforehand, then 2 workers: from the first claim to the last finish.

The workers are up but stopped (SIGSTOP) while the runs are accepted, so that neither their start-up nor a
head start of one of them is in the figure.
"""

import json
import signal
import time

from bench.documents import chain
from bench.figures import Figure
from bench.measures import Result
from bench.stack import Api, BenchError, Stack
from bench.wrk import post

STEPS = 4
RUNS = 5_000
BODY = json.dumps({"mode": "async", "input": {"order": 17, "city": "Seattle"}}, separators=(",", ":"))
ACCEPT_CONCURRENCY = 16
ACCEPT_LIMIT_S = 60
DRAIN_LIMIT_S = 120.0
LOOK_S = 0.01

_BACKLOG = "SELECT count(*), min(lease_expires_at) FROM run_outbox"
_ACCEPTED = "SELECT count(*) FROM run_outbox"
_SPAN = """
SELECT count(*) FILTER (WHERE status = 'succeeded'), extract(epoch FROM min(started_at))::float8,
       extract(epoch FROM clock_timestamp())::float8
FROM workflow_executions WHERE workflow_id = %s
"""


def measure(stack: Stack, api: Api, *, rounds: int = 3, runs: int = RUNS) -> Result:
    """Fill and drain the queue `rounds` times."""
    per_s, accepted_per_s, client_cpus = [], [], []
    for number in range(rounds):
        workflow_id = api.publish(f"QUEUE {number}", chain(STEPS))
        url = f"{stack.base_url}/api/v1/workflows/{workflow_id}/runs"
        for worker in stack.workers:
            worker.send_signal(signal.SIGSTOP)
        try:
            with stack.connect() as connection:
                load = post(
                    url,
                    BODY,
                    concurrency=ACCEPT_CONCURRENCY,
                    duration_s=ACCEPT_LIMIT_S,
                    token=api.token,
                    enough=lambda: connection.execute(_ACCEPTED).fetchone()[0] >= runs,  # type: ignore[index]
                )
        finally:
            for worker in stack.workers:
                worker.send_signal(signal.SIGCONT)
        accepted_per_s.append(load.per_s)
        client_cpus.append(load.client_cpus)
        per_s.append(_drain(stack, workflow_id, load.requests))
    return Result(
        {"queue_runs_per_s": Figure.of(per_s, digits=1)},
        {
            "queue_accepted_per_s": Figure.of(accepted_per_s, digits=1).median,
            "queue_accept_client_cpus": sorted(client_cpus)[len(client_cpus) // 2],
            "queue_workers": len(stack.workers),
        },
    )


def _drain(stack: Stack, workflow_id: str, at_least: int) -> float:
    """Wait until the queue is empty; return runs per second."""
    first_claim: float | None = None
    limit = time.monotonic() + DRAIN_LIMIT_S
    with stack.connect() as connection:
        while True:
            waiting, earliest = connection.execute(_BACKLOG).fetchone() or (0, None)
            if earliest is not None and first_claim is None:
                # A lease ends so long after its claim; this is the first look that saw one.
                first_claim = earliest.timestamp() - stack.settings.lease_s
            if not waiting:
                break
            if time.monotonic() > limit:
                raise BenchError(f"{waiting} runs still waited after {DRAIN_LIMIT_S:.0f} s.")
            time.sleep(LOOK_S)
        succeeded, first_start, now = connection.execute(_SPAN, [workflow_id]).fetchone() or (0, 0.0, 0.0)
    if succeeded < at_least:
        raise BenchError(f"{at_least} runs were accepted, but {succeeded} succeeded.")
    return float(succeeded / (now - min(first_start, first_claim or first_start)))
