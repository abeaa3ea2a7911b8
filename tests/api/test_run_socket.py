"""Run events by WebSocket: a real server and a real client; who may connect, cursors, heartbeat, how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
import redis
from granian.constants import Interfaces
from granian.server.embed import Server
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from structforge.api import following
from structforge.api.cookies import ACCESS_COOKIE
from structforge.api.routes.run_socket import BEARER, PROTOCOL
from tests.support.documents import greeting
from tests.support.eventually import eventually
from tests.support.installation import ORIGIN, SECOND, Installation
from tests.support.ports import free_port


class Door:
    """The address of the events of runs, and a session."""

    def __init__(self, port: int, token: str) -> None:
        self.host = f"127.0.0.1:{port}"
        self.token = token

    def connect(self, run: str, *, after: object = None, **options: Any) -> connect:
        """Connect as the bearer of the token, or as `additional_headers` and `subprotocols` say."""
        query = "" if after is None else f"?after={after}"
        if not options.keys() & {"additional_headers", "subprotocols"}:
            options["subprotocols"] = [PROTOCOL, BEARER + self.token]
        return connect(f"ws://{self.host}/api/v1/runs/{run}/events{query}", proxy=None, **options)

    async def end(self, run: str, **options: Any) -> tuple[list[Any], int]:
        """Return everything that comes and the code of the close."""
        async with self.connect(run, **options) as socket:
            return await until_closed(socket)


async def until_closed(socket: ClientConnection) -> tuple[list[Any], int]:
    seen = []
    try:
        async with asyncio.timeout(30):
            while True:
                seen.append(json.loads(await socket.recv()))
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return seen, closed.rcvd.code


@pytest.fixture
async def door(installation: Installation) -> AsyncIterator[Door]:
    port = free_port()
    server = Server(installation.gateway, "127.0.0.1", port, interface=Interfaces.ASGINL, log_enabled=False)
    serving = asyncio.create_task(server.serve())

    async def answers() -> bool:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200

    await eventually(answers)
    yield Door(port, await installation.token())
    server.stop()
    await serving


@pytest.fixture
async def workflow(http: httpx.AsyncClient) -> str:
    made = (await http.post("/api/v1/workflows", json={"name": "Greeter", "document": greeting()})).json()
    assert (await http.post(f"/api/v1/workflows/{made['id']}/publish")).status_code == 201
    return str(made["id"])


async def start(http: httpx.AsyncClient, workflow: str, **body: Any) -> str:
    return str((await http.post(f"/api/v1/workflows/{workflow}/runs", json=body)).json()["run_id"])


async def test_a_run_that_is_over_is_told_from_any_cursor(
    http: httpx.AsyncClient, workflow: str, door: Door
) -> None:
    run = await start(http, workflow, mode="sync")
    async with door.connect(run) as socket:
        assert socket.subprotocol == PROTOCOL
        events, code = await until_closed(socket)
    assert code == 1000
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "run.finished"
    assert await door.end(run, after=2) == (events[2:], 1000)
    assert await door.end(run, after=len(events)) == ([], 1000)
    bearer = {"additional_headers": {"Authorization": f"Bearer {door.token}"}}
    assert await door.end(run, after=3, **bearer) == (events[3:], 1000)
    for wrong in ("-1", "x", "2.5", "99999999999"):
        assert await door.end(run, after=wrong) == ([], 4400)


async def test_who_may_not_read_the_run_is_told_so_and_nothing_else(
    installation: Installation, http: httpx.AsyncClient, workflow: str, door: Door
) -> None:
    run = await start(http, workflow)
    cookie = {"Cookie": f"{ACCESS_COOKIE}={door.token}"}
    stranger = await installation.token(SECOND)
    for expected, target, options in (
        (4401, run, {"additional_headers": {}}),
        (4401, run, {"subprotocols": [PROTOCOL, f"{BEARER}nonsense"]}),
        (4401, run, {"additional_headers": {"Authorization": "Basic YTpi"}}),
        (4404, run, {"subprotocols": [PROTOCOL, BEARER + stranger]}),
        (4404, "nonsense", {}),
        (4404, str(UUID(int=1)), {}),
        # A browser sends the cookie from any page, and cannot lie about the page.
        (4403, run, {"additional_headers": cookie}),
        (4403, run, {"additional_headers": cookie, "origin": "https://evil.example"}),
        (4403, run, {"additional_headers": cookie, "origin": "null"}),
    ):
        assert await door.end(target, **options) == ([], expected), options
    for origin in (f"http://{door.host}", installation.settings.web_url):
        async with door.connect(run, additional_headers=cookie, origin=origin) as socket:
            assert json.loads(await socket.recv())["type"] == "run.accepted"
    assert ORIGIN not in (f"http://{door.host}", installation.settings.web_url)


async def test_what_happens_is_told_live_and_nothing_is_missed_when_redis_is_wiped(
    installation: Installation, http: httpx.AsyncClient, workflow: str, door: Door
) -> None:
    run = await start(http, workflow)
    async with door.connect(run) as socket:
        first = json.loads(await socket.recv())
        assert first["type"] == "run.accepted"
        assert (await http.post(f"/api/v1/runs/{run}/pause")).status_code == 202
        paused = json.loads(await socket.recv())
        assert (paused["seq"], paused["type"]) == (2, "run.paused")
    # While nobody looks, things happen and Redis loses all it has, the subscriptions of the server too.
    with redis.Redis.from_url(installation.settings.redis_server_url) as client:
        client.flushall()
        client.client_kill_filter(_type="pubsub")
    assert (await http.post(f"/api/v1/runs/{run}/resume")).status_code == 202
    async with door.connect(run, after=paused["seq"]) as socket:
        resumed = json.loads(await socket.recv())
        assert (resumed["seq"], resumed["type"]) == (3, "run.resumed")
        with redis.Redis.from_url(installation.settings.redis_server_url) as client:
            client.client_kill_filter(_type="pubsub")
        assert (await http.post(f"/api/v1/runs/{run}/stop")).status_code == 202
        rest, code = await until_closed(socket)
    assert ([event["seq"] for event in rest], rest[-1]["type"], code) == ([4], "run.finished", 1000)


async def test_a_silent_connection_beats_answers_pings_and_ends_some_day(
    http: httpx.AsyncClient, workflow: str, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    defaults = following.with_beats.__kwdefaults__
    monkeypatch.setitem(defaults, "beat_s", 0.05)
    monkeypatch.setitem(defaults, "limit_s", 0.5)
    run = await start(http, workflow)
    async with door.connect(run, after=1) as socket:
        assert json.loads(await socket.recv()) == {"type": "heartbeat", "seq": 1}
        await socket.send("ping")
        seen, code = await until_closed(socket)
    assert {"type": "pong"} in seen
    assert code == 1012
    async with door.connect(run, after=1) as socket:
        await socket.send(json.dumps({"type": "stop"}))
        seen, code = await until_closed(socket)
    assert code == 1003
    assert all(message["type"] == "heartbeat" for message in seen)
