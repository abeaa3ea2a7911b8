"""Runs a starter workflow as a user of the API does, and tells its result.

Invariant: the run goes the whole way (API, outbox, worker, journal); a good end proves the installation.
"""

import time
from collections import Counter

from structforge.domain.errors import Problem, UnavailableError
from structforge.domain.run import RunStatus
from structforge.embedded.progress import Event
from structforge.local_api import LocalApi, report_of

STARTER_NAME = "Seattle weather"
TIME_LIMIT_S = 120.0


async def run_starter(api: LocalApi) -> Event:
    """Start the workflow, wait for its end, return the `result` event.

    Raises:
        UnavailableError: it did not start, did not end in time, or did not succeed.
    """
    began = time.monotonic()
    workflow = await api.find_workflow(STARTER_NAME)
    if workflow is None:
        raise _failed(f"There is no workflow {STARTER_NAME!r}.")
    run = await api.wait(await api.start(workflow["id"], {}), limit_s=TIME_LIMIT_S)
    seconds = time.monotonic() - began
    if run["status"] != RunStatus.SUCCEEDED:
        error = run["error"] or {}
        raise _failed(f"The run ended {run['status']}: {error.get('message', 'no reason was given')}")
    counts = Counter(step["status"] for step in await api.steps(run["id"]))
    steps = ", ".join(f"{count} steps {status}" for status, count in counts.most_common())
    return {
        "event": "result",
        "title": f"{STARTER_NAME}: {run['status']} in {seconds:.1f} s, {steps}",
        "markdown": report_of(run["output"]),
        "run_id": run["id"],
        "status": run["status"],
    }


def _failed(message: str) -> UnavailableError:
    hint = "See worker.log and web.log in the logs folder; `structforge doctor` looks for the usual causes."
    return UnavailableError(Problem("up.starter_failed", message, STARTER_NAME, hint))
