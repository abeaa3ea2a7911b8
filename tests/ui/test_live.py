"""Patches from events, and the internals of Reflex that they rely on."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
import reflex as rx
import socketio  # type: ignore[import-untyped]
from reflex_base.constants.event import SocketEvent

from structforge.domain.ids import new_id
from structforge.engine.summaries import summaries_of
from structforge.ui.app import app
from structforge.ui.live import GAP, Feed, Message, patch_of
from structforge.ui.run_feed import RUN_FEED, RunPatchState

AT = "2026-11-20T09:30:00Z"
LATER = "2026-11-20T09:30:01Z"


def started(seq: int, key: str, **more: Any) -> dict[str, Any]:
    return {"seq": seq, "type": "step.started", "at": AT, "step_key": key, "node_id": key.split("/")[-1],
            "attempt": 1, "status": "running", **more}  # fmt: skip


def finished(seq: int, key: str, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return started(seq, key) | {"type": "step.finished", "at": LATER, "status": status, **more}


def retrying(seq: int, attempt: int) -> dict[str, Any]:
    return started(seq, "a", attempt=attempt) | {
        "type": "step.retrying", "at": LATER, "status": "pending", "error": {"message": "No."},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("messages", "patch"),
    [
        (
            [{"run_id": "r", "events": [started(4, "fetch")]}],
            ["r", 4, 4, [["fetch", {"status": "running", "started_at": AT}]]],
        ),
        (
            [{"events": [started(4, "a")]}, {"events": [finished(5, "a"), started(6, "b")]}],
            [
                "r", 4, 6,
                [
                    ["a", {"status": "succeeded", "ran": [1_795_167_001_000, 1_000]}],
                    ["b", {"status": "running", "started_at": AT}],
                ],
            ],
        ),
        (
            [{"events": [finished(9, "loop[1]/x", "failed", attempt=2, error={"message": "No."})]}],
            ["r", 9, 9, [["loop[1]/x", {"status": "failed", "finished_at": LATER, "attempt": 2, "note": "No.",
                                        "node_id": "x"}]]],
        ),
        (
            [{"events": [{"seq": 7, "type": "run.finished", "at": LATER, "status": "succeeded"}]}],
            ["r", 7, 7, [["", {"status": "succeeded", "finished_at": LATER}]]],
        ),
        ([{"events": [{"seq": 3, "type": "log.added", "at": AT}]}], ["r", 3, 3, []]),
        ([{"events": [started(4, "a")]}, None], ["r", GAP, GAP, []]),
        (
            # A failed attempt joins the others; its beginning is known here only when it was told in the same patch.
            [{"events": [retrying(7, 1), started(8, "a", attempt=2), retrying(9, 2)]}],
            [
                "r", 7, 9,
                [
                    [
                        "a",
                        {
                            "+tries": [[1, "", LATER, "No."], [2, AT, LATER, "No."]],
                            "finished_at": "", "status": "pending", "note": "No.", "attempt": 2,
                        },
                    ]
                ],
            ],
        ),
    ],
)  # fmt: skip
def test_events_fold_into_one_patch(messages: list[Message], patch: list[Any]) -> None:
    assert patch_of("r", messages) == patch


def test_reflex_still_has_what_the_feed_emits_into() -> None:
    assert str(SocketEvent.EVENT) == "event"
    state = RunPatchState(_reflex_internal_init=True)  # type: ignore[call-arg]
    state.patch = ["r", 1, 1, []]
    assert state.get_delta() == {RunPatchState.get_full_name(): {"patch_rx_state_": ["r", 1, 1, []]}}
    assert RUN_FEED._state == RunPatchState.get_full_name()
    assert app.sio is not None
    assert isinstance(app.sio.manager.rooms, dict)


def test_the_patch_state_has_nothing_but_the_patch() -> None:
    assert list(RunPatchState.base_vars) == ["patch"]


def test_one_status_change_costs_little_on_the_wire() -> None:
    event = finished(
        123,
        "fetch_the_orders",
        at="2026-11-20T09:30:01.123456Z",
        started_at="2026-11-20T09:30:00.123456Z",
        summary=summaries_of({"out": ["a long beginning of a list", *range(1_000)]}),
    )
    run_id = "01a20b0d-a6c3-7000-be89-1b85a88b9746"
    update = RUN_FEED.update_of(patch_of(run_id, [{"events": [event]}]))
    assert len(json.dumps(["event", {"delta": update.delta, "events": []}], separators=(",", ":"))) <= 300


async def anybody() -> bool:
    return True


async def test_who_lost_the_session_is_told_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("structforge.ui.live.RECHECK_S", 0.0)
    server, topic, queue = socketio.AsyncServer(async_mode="asgi"), new_id(), asyncio.Queue[Message]()
    sids = [await server.manager.connect(name, "/") for name in ("stays", "goes")]
    session = {"goes on": True}

    @asynccontextmanager
    async def follow(_: UUID) -> AsyncIterator[asyncio.Queue[Message]]:
        yield queue

    async def may_see() -> bool:
        return session["goes on"]

    feed = Feed("run", RunPatchState, "patch", patch_of, coalesce_s=0)
    feed.attach(cast(rx.App, SimpleNamespace(sio=server, event_namespace=None)))
    feed.use(follow)
    async with feed.following():
        await feed.watch(sids[0], topic, anybody)
        await feed.watch(sids[1], topic, may_see)
        for goes_on, told in ((True, set(sids)), (False, {sids[0]})):
            session["goes on"] = goes_on
            queue.put_nowait(None)
            for _ in range(20):
                await asyncio.sleep(0)
            assert set(server.manager.rooms["/"][f"run:{topic}"]) == told


async def test_who_comes_while_a_topic_is_let_go_follows_it_anew() -> None:
    server, topic = socketio.AsyncServer(async_mode="asgi"), new_id()
    sid = await server.manager.connect("browser", "/")
    queues: list[asyncio.Queue[Message]] = []
    let_go = asyncio.Event()

    @asynccontextmanager
    async def follow(_: UUID) -> AsyncIterator[asyncio.Queue[Message]]:
        queues.append(asyncio.Queue())
        try:
            yield queues[-1]
        finally:
            await let_go.wait()

    feed = Feed("run", RunPatchState, "patch", patch_of, coalesce_s=0)
    feed.attach(cast(rx.App, SimpleNamespace(sio=server, event_namespace=None)))
    feed.use(follow)
    async with feed.following():
        await feed.watch(sid, topic, anybody)
        await feed.unwatch(sid, topic)
        queues[0].put_nowait(None)
        for _ in range(20):  # It finds nobody who looks, and is about to let the topic go.
            await asyncio.sleep(0)
        await feed.watch(sid, topic, anybody)
        assert len(queues) == 2
        let_go.set()
