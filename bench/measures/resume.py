"""RESUME: a run of 200 steps whose worker is killed after 100 of them: from SIGKILL until another worker goes on.

What it goes on with is the next attempt of the step that was in flight. Most of the time is the lease (10 s), which has
to run out before anybody may take the run over; the detail says how long the rest took.
"""

import time

import psutil

from bench.documents import interrupted_chain
from bench.figures import Figure
from bench.measures import Result
from bench.stack import Api, BenchError, Stack

STEPS = 200

_OWNER = "SELECT owner FROM run_outbox WHERE run_id = %s"
_WAITS = "SELECT count(*) FROM execution_steps WHERE run_id = %s AND node_id = 'wait' AND status = 'running'"
_RESUMED = """
SELECT extract(epoch FROM min(s.started_at))::float8, extract(epoch FROM e.finished_at)::float8,
       (SELECT count(*) FROM execution_steps t WHERE t.run_id = e.id AND t.settled)
FROM workflow_executions e JOIN execution_steps s ON s.run_id = e.id AND s.node_id = 'wait' AND s.attempt = 2
WHERE e.id = %s GROUP BY e.id
"""


def measure(stack: Stack, api: Api, *, rounds: int = 2, steps: int = STEPS) -> Result:
    """Kill the worker that has the run in hand, as often as `rounds` says; another one takes its place."""
    path = f"/workflows/{api.publish('RESUME', interrupted_chain(steps))}/runs"
    resumed_s, ended_s = [], []
    for _ in range(rounds):
        run_id = api.call("POST", path, {"mode": "async"})["run_id"]
        stack.until(lambda run=run_id: stack.value(_WAITS, [run]) == 1, "the run is in the middle")  # type: ignore[misc]
        owner = str(stack.value(_OWNER, [run_id]))
        victim = next(worker for worker in stack.workers if f"-{worker.pid}-" in owner)
        killed_at = time.time()
        _kill(victim)
        stack.until(lambda run=run_id: stack.value(_OWNER, [run]) is None, "the run ends", limit_s=60)  # type: ignore[misc]
        stack.replace_worker(victim, api)
        with stack.connect() as connection:
            row = connection.execute(_RESUMED, [run_id]).fetchone()
        if row is None or row[2] != steps:
            raise BenchError(f"The run {run_id} did not go on as it should: {row}")
        resumed_s.append(row[0] - killed_at)
        ended_s.append(row[1] - killed_at)
    lease_s = stack.settings.lease_s
    return Result(
        {"resume_s": Figure.of(resumed_s)},
        {
            "resume_lease_s": lease_s,
            "resume_to_the_end_s": Figure.of(ended_s).median,
        },
    )


def _kill(worker: psutil.Process) -> None:
    for process in (*worker.children(recursive=True), worker):
        process.kill()
    worker.wait(10)
