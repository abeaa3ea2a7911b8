"""A caller of the API, as patient as it is told to be.

Invariant: a start that is sent again carries the same idempotency key, so patience never starts a run twice.
"""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import httpx

from structforge.chaos.documents import Document

EMAIL, PASSWORD = "chaos@structforge.local", "only for these rows"
SECOND = "second@structforge.local"
"""The owner of another organization."""


class ChaosError(Exception):
    """A row cannot go on; the message says why."""


class Client:
    """Signed in as somebody, talking to one web process."""

    def __init__(self, url: str, email: str = EMAIL) -> None:
        self._email = email
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=100, keepalive_expiry=5)
        self.http = httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=60, limits=limits, trust_env=False)

    async def sign_in(self) -> None:
        """Get an access token, which later requests carry."""
        answer = await self.call("POST", "/auth/sign-in", {"email": self._email, "password": PASSWORD})
        self.http.headers["authorization"] = f"Bearer {answer['access_token']}"

    async def call(
        self, method: str, path: str, body: object = None, *, key: str = "", patience_s: float = 0.0
    ) -> Any:
        """Send a request and return the decoded answer. Raises: ChaosError when it is refused.

        With patience it is sent again while nobody answers, or the answer is that nothing was done.
        """
        headers = {"idempotency-key": key} if key else {}
        give_up = time.monotonic() + patience_s
        while True:
            try:
                answer = await self.http.request(method, path, json=body, headers=headers)
                if answer.status_code < 500 or time.monotonic() > give_up:
                    break
            except httpx.TransportError as error:
                if time.monotonic() > give_up:
                    raise ChaosError(f"{method} {path}: {type(error).__name__}: {error}") from error
            await asyncio.sleep(0.2)
        if answer.status_code >= 400:
            raise ChaosError(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    async def answers(self, within_s: float = 5.0) -> bool:
        """Tell whether the web process answers a signed-in caller."""
        try:
            return (await self.http.get("/workflows", timeout=within_s)).status_code == 200
        except httpx.TransportError:
            return False

    async def publish(self, name: str, document: Document) -> str:
        """Create and publish a workflow; return its id."""
        made = await self.call("POST", "/workflows", {"name": name, "document": document})
        workflow_id: str = made["id"]
        await self.call("POST", f"/workflows/{workflow_id}/publish", {})
        return workflow_id

    async def start(self, workflow: str, *, patience_s: float = 0.0, **body: object) -> UUID:
        """Start a run; it is accepted when this returns."""
        answer = await self.call(
            "POST",
            f"/workflows/{workflow}/runs",
            {"mode": "async", **body},
            patience_s=patience_s,
            key=str(uuid4()),
        )
        return UUID(answer["run_id"])

    async def start_many(
        self, workflow: str, count: int, *, at_once: int = 16, patience_s: float = 0.0
    ) -> list[UUID]:
        """Start runs, some at a time."""
        room = asyncio.Semaphore(at_once)

        async def one() -> UUID:
            async with room:
                return await self.start(workflow, patience_s=patience_s)

        return list(await asyncio.gather(*(one() for _ in range(count))))

    async def close(self) -> None:
        """Let the connections go."""
        await self.http.aclose()
