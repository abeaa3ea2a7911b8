"""Runs a starter workflow as a user of the API does, and tells its result.

Invariant: the run goes the whole way (API, outbox, worker, journal); a good end proves the installation.
"""

import asyncio
import time
from collections import Counter
from typing import Any

import httpx

from structforge.config import Settings
from structforge.domain.errors import Problem, UnavailableError
from structforge.domain.run import RunStatus
from structforge.embedded.progress import Event

STARTER_NAME = "Seattle weather"
TIME_LIMIT_S = 120.0
REQUEST_LIMIT_S = 30.0
POLL_S = 0.1


async def run_starter(settings: Settings, access_token: str) -> Event:
    """Start the workflow, wait for its end, return the `result` event.

    Raises:
        UnavailableError: it did not start, did not end in time, or did not succeed.
    """
    async with httpx.AsyncClient(
        base_url=f"{settings.local_url}/api/v1",
        headers={"authorization": f"Bearer {access_token}"},
        timeout=REQUEST_LIMIT_S,
        trust_env=False,
    ) as client:
        began = time.monotonic()
        found = await _call(client, "GET", "/workflows", params={"search": STARTER_NAME, "limit": "1"})
        if not found["items"]:
            raise _failed(f"There is no workflow {STARTER_NAME!r}.")
        started = await _call(
            client, "POST", f"/workflows/{found['items'][0]['id']}/runs", json={"mode": "async"}
        )
        run = await _until_over(client, started["run_id"])
        steps = (await _call(client, "GET", f"/runs/{run['id']}/steps"))["items"]
        seconds = time.monotonic() - began
    if run["status"] != RunStatus.SUCCEEDED:
        error = run["error"] or {}
        raise _failed(f"The run ended {run['status']}: {error.get('message', 'no reason was given')}")
    return {
        "event": "result",
        "title": f"{STARTER_NAME}: {run['status']} in {seconds:.1f} s, {_told(steps)}",
        "markdown": report_of(run["output"]),
        "run_id": run["id"],
        "status": run["status"],
    }


def report_of(output: Any) -> str:
    """Return the first Markdown report in a run's output; empty when it has none."""
    if isinstance(output, dict):
        if isinstance(output.get("markdown"), str):
            return str(output["markdown"])
        output = list(output.values())
    if isinstance(output, list):
        for part in output:
            text = report_of(part)
            if text:
                return text
    return ""


def _told(steps: list[dict[str, Any]]) -> str:
    counts = Counter(step["status"] for step in steps)
    return ", ".join(f"{count} steps {status}" for status, count in counts.most_common())


async def _until_over(client: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + TIME_LIMIT_S
    while True:
        run = await _call(client, "GET", f"/runs/{run_id}")
        if RunStatus(run["status"]).terminal:
            return run
        if time.monotonic() > deadline:
            raise _failed(f"The run is still {run['status']} after {TIME_LIMIT_S:.0f} s.")
        await asyncio.sleep(POLL_S)


async def _call(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> dict[str, Any]:
    try:
        answer = await client.request(method, path, **options)
    except httpx.HTTPError as error:
        raise _failed(f"{method} {path} got no answer: {error}") from error
    if answer.is_error:
        raise _failed(f"{method} {path} was answered {answer.status_code}: {answer.text[:500]}")
    body = answer.json()
    assert isinstance(body, dict)
    return body


def _failed(message: str) -> UnavailableError:
    return UnavailableError(
        Problem(
            "up.starter_failed",
            message,
            STARTER_NAME,
            "See worker.log and web.log in the logs folder; `structforge doctor` looks for the usual causes.",
        )
    )
