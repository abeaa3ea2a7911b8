"""Many viewers of one run: how long after a step ended does each of them hear of it.

A viewer is a websocket that speaks Reflex's protocol, as a page does: it opens the run's page, is given a snapshot,
and is sent patches from then on. `bench.web` and the tests call this.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

Document = dict[str, Any]

_ENTER = "reflex___state____state.structforge___ui___pages___run____run_state.enter"
_PATCH = '"patch_rx_state_":'
_SNAPSHOT = '"snapshot_rx_state_":'
_OPENED_AT_A_TIME = 10


@dataclass(slots=True)
class Viewers:
    """What all viewers heard."""

    delays_ms: list[float] = field(default_factory=list)
    """From the end of a step in the worker to its arrival at a viewer, one for each step and viewer."""
    complete: int = 0
    """Viewers that were told of the end of the run."""
    opened_s: float = 0.0
    """Until the last viewer had its snapshot."""


def waits(steps: int, seconds: float) -> Document:
    """Return a chain of steps that take some time each."""
    nodes: list[Document] = [{"id": "start", "type": "trigger.manual"}]
    edges: list[Document] = []
    for number in range(steps):
        nodes.append({"id": f"s{number}", "type": "flow.delay", "parameters": {"seconds": seconds}})
        edges.append({"source": nodes[-2]["id"], "target": f"s{number}"})
    return {"nodes": nodes, "edges": edges}


async def measure(
    url: str, cookies: dict[str, str], run_id: str, count: int, go: Callable[[], Awaitable[None]]
) -> Viewers:
    """Let `count` viewers open the run's page, then `go` lets the run go on; return what they heard until its end."""
    found, began = Viewers(), time.monotonic()
    gate = asyncio.Semaphore(_OPENED_AT_A_TIME)
    async with AsyncExitStack() as stack:
        ready = [asyncio.Event() for _ in range(count)]
        viewing = [
            asyncio.create_task(_view(url, cookies, run_id, gate, opened, found, stack)) for opened in ready
        ]
        try:
            await asyncio.wait_for(asyncio.gather(*(opened.wait() for opened in ready)), 120)
            found.opened_s = time.monotonic() - began
            await go()
            await asyncio.wait_for(asyncio.gather(*viewing), 120)
        finally:
            for task in viewing:
                task.cancel()
            await asyncio.gather(*viewing, return_exceptions=True)
    return found


async def _view(
    url: str,
    cookies: dict[str, str],
    run_id: str,
    gate: asyncio.Semaphore,
    opened: asyncio.Event,
    found: Viewers,
    stack: AsyncExitStack,
) -> None:
    address = f"{url.replace('http', 'ws')}/_event/?token={uuid.uuid4()}&EIO=4&transport=websocket"
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    async with gate:
        socket = await stack.enter_async_context(
            connect(address, additional_headers=headers, max_size=None, proxy=None)
        )
        await socket.recv()
        await socket.send("40/_event,")
        place = {"pathname": "/runs/[run_id]", "query": {"run_id": run_id}}
        call = {"name": _ENTER, "payload": {}, "router_data": place}
        await socket.send("42/_event," + json.dumps(["event", call]))
        await _until_snapshot(socket)
    opened.set()
    while True:
        text = await _message(socket)
        now_ms = time.time() * 1000
        for key, fields in _changes(text):
            if key == "" and fields.get("status") in ("succeeded", "failed", "cancelled"):
                found.complete += 1
                return
            if key and fields.get("status") == "succeeded":
                ended = fields["ran"][0]
                found.delays_ms.append(now_ms - ended)


async def _until_snapshot(socket: ClientConnection) -> None:
    while _SNAPSHOT not in await _message(socket):
        pass


async def _message(socket: ClientConnection) -> str:
    while True:
        text = str(await socket.recv())
        if text != "2":
            return text
        await socket.send("3")


def _changes(text: str) -> list[tuple[str, dict[str, Any]]]:
    at = text.find(_PATCH)
    if at < 0:
        return []
    patch = json.JSONDecoder().raw_decode(text, at + len(_PATCH))[0]
    return [(key, fields) for key, fields in patch[3]] if len(patch) == 4 else []
