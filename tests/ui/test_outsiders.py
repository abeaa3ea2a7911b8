"""Every handler of every state, called by name over the websocket by outsiders, with the ids of somebody else.

Generated from the code: a new handler is covered when it is written.
"""

import asyncio
import inspect
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
import reflex as rx
import websockets

from structforge.config import load_settings
from structforge.runtime.events import connect_async
from structforge.storage.database import Database
from structforge.ui.app import app  # noqa: F401  (imports every page with its states)
from structforge.wiring.web import build_identity
from tests.ui.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

OUTSIDER, PASSWORD = "eve@example.org", "another long password"
SECRET = "Zephyrine"
"""A word that stands in the other organization's data and nowhere else."""
TABLES = (
    "workflows", "workflow_versions", "workflow_executions", "execution_steps", "run_outbox", "users",
    "organizations", "user_organizations", "user_roles",
)  # fmt: skip


def handlers() -> Iterator[tuple[str, list[str]]]:
    """Yield the name on the wire and the argument names of every handler of the pages' states."""
    waiting = [rx.State]
    while waiting:
        state = waiting.pop()
        waiting += state.__subclasses__()
        if not state.__module__.startswith("structforge."):
            continue
        for name, handler in state.event_handlers.items():
            if name.startswith("_") or name == "setvar":
                continue
            arguments = [each for each in inspect.signature(handler.fn).parameters if each != "self"]
            yield f"{state.get_full_name()}.{name}", arguments


def guesses(name: str, arguments: list[str], workflow_id: str, run_id: str) -> list[dict[str, Any]]:
    """Return payloads that would do harm if nobody checked."""
    edits = {
        "add": {"kind": "data.set", "x": 0, "y": 0},
        "remove": ["a"],
        "move": {"a": {"x": 9, "y": 9}},
        "paste": {"text": '{"nodes": [{"id": "z", "type": "data.set"}]}', "x": 0, "y": 0},
        "undo": None,
    }
    if arguments == ["kind", "value", "key"]:
        return [{"kind": kind, "value": value, "key": ""} for kind, value in edits.items()]
    if arguments[:2] == ["subject", "name"]:
        return [dict.fromkeys(arguments, None) | {"subject": "parameters:a", "name": "x", "key": ""}]
    values = (workflow_id, run_id, {"id": workflow_id, "text": "{}"})
    return [dict.fromkeys(arguments, value) for value in values] if arguments else [{}]


class Wire:
    """A websocket as a hostile program speaks it."""

    def __init__(self, site: Site, cookie: str) -> None:
        self._url = (
            site.url.replace("http", "ws") + f"/_event/?token={uuid.uuid4()}&EIO=4&transport=websocket"
        )
        self._cookie = cookie
        self.heard: list[str] = []

    async def run(self, calls: list[dict[str, Any]]) -> None:
        """Make calls one after another and listen to all that comes."""
        headers = {"Cookie": self._cookie} if self._cookie else {}
        async with websockets.connect(self._url, additional_headers=headers, max_size=None) as socket:
            await socket.recv()
            await socket.send("40/_event,")
            listening = asyncio.create_task(self._listen(socket))
            for call in calls:
                await socket.send("42/_event," + json.dumps(["event", call]))
            # Answers come in order: when the last, harmless call is answered, all are.
            await socket.send("42/_event," + json.dumps(["event", _marker()]))
            await asyncio.wait_for(listening, 120)

    async def _listen(self, socket: Any) -> None:
        async for message in socket:
            text = str(message)
            if text == "2":
                await socket.send("3")
                continue
            self.heard.append(text)
            if "marker_locale" in text or '"zh"' in text:
                return


def _marker() -> dict[str, Any]:
    name = "reflex___state____state.structforge___ui___locale____locale_state.choose"
    return {"name": name, "payload": {"locale": "zh"}, "router_data": {"pathname": "/", "query": {}}}


async def rows(url: str) -> dict[str, int]:
    """Return a number for the content of each table."""
    async with await psycopg.AsyncConnection.connect(url) as connection:
        found = {}
        for table in TABLES:
            query = f"SELECT coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {table} t"
            row = await (await connection.execute(query.encode())).fetchone()
            assert row is not None
            found[table] = row[0]
        return found


@pytest.fixture(scope="session")
def outsider_ready(site: Site) -> str:
    """Make another organization with its owner; return the owner's Cookie header."""

    async def make() -> None:
        settings = load_settings(home=site.home, DATABASE_URL=site.database_url, REDIS_URL=site.redis_url)
        database = Database(settings.database_app_role_url, settings.database_engine_role_url)
        redis = connect_async(settings.redis_server_url)
        identity = build_identity(settings, database, redis)
        await identity.create_organization("Others", "others", OUTSIDER, PASSWORD)
        await redis.aclose()
        await database.close()

    asyncio.run(make())
    answer = httpx.post(f"{site.url}/api/v1/auth/sign-in", json={"email": OUTSIDER, "password": PASSWORD})
    assert answer.status_code == 200
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


@pytest.mark.parametrize("signed_in", [False, True])
async def test_an_outsider_changes_and_reads_nothing(
    site: Site, outsider_ready: str, signed_in: bool
) -> None:
    nodes = [{"id": "a", "type": "trigger.manual", "title": SECRET}]
    async with site.client() as client:
        body = {"name": SECRET, "document": {"format": 1, "nodes": nodes}}
        workflow_id = (await client.post("/api/v1/workflows", json=body)).json()["id"]
        assert (await client.post(f"/api/v1/workflows/{workflow_id}/publish", json={})).status_code < 300
        run = await client.post(f"/api/v1/workflows/{workflow_id}/runs", json={"input": {}, "mode": "sync"})
        run_id = run.json()["run_id"]
    calls = []
    for name, arguments in handlers():
        for path in (f"/workflows/{workflow_id}", f"/runs/{run_id}"):
            query = {"workflow_id": workflow_id, "run_id": run_id}
            for payload in guesses(name, arguments, workflow_id, run_id):
                calls.append(
                    {"name": name, "payload": payload, "router_data": {"pathname": path, "query": query}}
                )
    assert len(calls) > 100
    before = await rows(site.database_url)
    wire = Wire(site, outsider_ready if signed_in else "")
    await wire.run(calls)
    assert not any(SECRET in message for message in wire.heard)
    if not signed_in:
        assert await rows(site.database_url) == before
    # The same way shows the owner everything: it is the checks that keep the outsider out.
    control = Wire(site, "; ".join(f"{name}={value}" for name, value in site.cookies.items()))
    await control.run([call for call in calls if call["name"].endswith(".enter")])
    assert any(SECRET in message for message in control.heard)
    async with site.client() as client:
        after = (await client.get(f"/api/v1/workflows/{workflow_id}")).json()
    assert (after["name"], after["draft"]["nodes"], after["draft_revision"]) == (SECRET, nodes, 1)
