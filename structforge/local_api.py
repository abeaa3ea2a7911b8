"""The API of the installation on this machine, for our own commands: they go through the same door as everybody.

Invariant: nothing is started here that a user of the API could not start. Imported by entry points.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from structforge.domain.errors import Problem, UnavailableError
from structforge.domain.run import RunStatus
from structforge.domain.values import encode_json, plain_json
from structforge.domain.workflow import WorkflowDocument

REQUEST_LIMIT_S = 30.0
POLL_S = 0.1

Json = dict[str, Any]


class LocalApi:
    """A signed-in client. Every method raises UnavailableError with what the API said when it said no."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def find_workflow(self, name: str) -> Json | None:
        """Return the workflow of exactly that name."""
        found = await self._call("GET", "/workflows", params={"search": name, "limit": "200"})
        return next((item for item in found["items"] if item["name"] == name), None)

    async def save_draft(self, name: str, document: WorkflowDocument) -> str:
        """Make `document` the draft of the workflow of that name, which is created if need be; return its id."""
        known = await self.find_workflow(name)
        if known is None:
            made = await self._call("POST", "/workflows", json={"name": name, "document": document.as_json()})
            return str(made["id"])
        body = {"revision": known["draft_revision"], "document": document.as_json()}
        await self._call("PUT", f"/workflows/{known['id']}/draft", json=body)
        return str(known["id"])

    async def start(self, workflow_id: str, body: Json) -> str:
        """Start a run; return its id."""
        started = await self._call("POST", f"/workflows/{workflow_id}/runs", json={"mode": "async", **body})
        return str(started["run_id"])

    async def wait(
        self, run_id: str, *, limit_s: float, told: Callable[[Json], None] = lambda run: None
    ) -> Json:
        """Wait until a run is over and return it; `told` gets it each time it was looked at."""
        deadline = time.monotonic() + limit_s
        while True:
            run = await self._call("GET", f"/runs/{run_id}")
            told(run)
            if RunStatus(run["status"]).terminal:
                return run
            if time.monotonic() > deadline:
                raise _refused(f"The run {run_id} is still {run['status']} after {limit_s:.0f} s.")
            await asyncio.sleep(POLL_S)

    async def steps(self, run_id: str) -> list[Json]:
        """Return the attempts of a run's steps."""
        items: list[Json] = []
        offset: int | None = 0
        while offset is not None:
            page = await self._call("GET", f"/runs/{run_id}/steps", params={"offset": offset})
            items += page["items"]
            offset = page["next_offset"]
        return items

    async def run(self, run_id: str) -> Json:
        """Return one run."""
        return await self._call("GET", f"/runs/{run_id}")

    async def runs(self, query: Json) -> Json:
        """Return a page of runs."""
        return await self._call("GET", "/runs", params=query)

    async def steer_many(self, body: Json) -> Json:
        """Do a batch of one action with many runs; return how far it is."""
        return await self._call("POST", "/runs/bulk", json=body)

    async def compare(self, first: str, second: str) -> Json:
        """Return the steps that differ between two runs."""
        return await self._call("GET", f"/runs/{first}/compare/{second}")

    async def _call(self, method: str, path: str, *, json: Any = None, **options: Any) -> Json:
        if json is not None:
            options |= {"content": encode_json(json), "headers": {"content-type": "application/json"}}
        try:
            answer = await self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise _refused(f"{method} {path} got no answer: {error}.") from error
        if answer.is_error:
            raise _refused(f"{method} {path} was answered {answer.status_code}: {answer.text[:500]}")
        body = plain_json(answer.content)
        if not isinstance(body, dict):
            raise _refused(f"{method} {path} was not answered with an object.")
        return body


@asynccontextmanager
async def open_api(address: str, access_token: str) -> AsyncIterator[LocalApi]:
    """Connect to the web process at `address` (`http://127.0.0.1:8440`)."""
    async with httpx.AsyncClient(
        base_url=f"{address}/api/v1",
        headers={"authorization": f"Bearer {access_token}"},
        timeout=REQUEST_LIMIT_S,
        # A proxy that the environment names is for the world outside, not for this machine.
        trust_env=False,
    ) as client:
        yield LocalApi(client)


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


def _refused(message: str) -> UnavailableError:
    hint = "`structforge doctor` looks for the usual causes; the logs folder has web.log and worker.log."
    return UnavailableError(Problem("api.refused", message, hint=hint))
