"""Run events to every viewer: one subscription a process (`runtime.events.EventHub`), one room a run.

Invariant: the run is followed before its snapshot is read, so the two leave no gap; what Redis loses shows as
a gap in the sequence, and the page asks PostgreSQL again. Relies on two internals of Reflex: the name of the
socket event and the `_rx_state_` suffix of vars (tests/ui/test_live.py holds them).
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

import reflex as rx
from reflex.state import StateUpdate

from structforge.domain.run import StepStatus

ROOM = "run:{}"
COALESCE_S = 0.04
# How soon a run that nobody looks at any more is let go.
IDLE_S = 15.0
READY_S = 2.0
# Past every sequence, so that a page that gets it asks for a snapshot.
GAP = 2**53 - 1

_TERMINAL = frozenset(status.value for status in StepStatus if status.terminal)

Patch = list[Any]
"""`[run id, first seq, last seq, [[step key, fields], …]]`; step key "" is the run itself."""
Message = dict[str, Any] | None
"""`{"run_id", "events": [{"seq", "type", "at", …}]}`, or None: something may be missing."""
Follow = Callable[[UUID], AbstractAsyncContextManager["asyncio.Queue[Message]"]]


def patch_of(run_id: str, messages: list[Message]) -> Patch:
    """Fold consecutive messages about one run into a patch; later fields of a step win."""
    if None in messages or not messages:
        return [run_id, GAP, GAP, []]
    events = [event for message in messages if message for event in message["events"]]
    rows: dict[str, dict[str, Any]] = {}
    for event in events:
        fields = rows.setdefault(event.get("step_key") or "", {})
        fields.update(fields_of(event))
    changed = [[key, fields] for key, fields in rows.items() if fields]
    return [run_id, events[0]["seq"], events[-1]["seq"], changed]


def fields_of(event: dict[str, Any]) -> dict[str, Any]:
    """Return what an event changes of its row: status, times, attempt when it is not the first, the error."""
    fields: dict[str, Any] = {}
    status = event.get("status")
    if status is None:
        return fields
    fields["status"] = status
    if status == "running":
        fields["started_at"] = event["at"]
        fields["finished_at"] = ""
    elif status in _TERMINAL:
        fields["finished_at"] = event["at"]
        if event.get("started_at"):
            fields["started_at"] = event["started_at"]
    if event.get("attempt", 1) > 1:
        fields["attempt"] = event["attempt"]
    if event.get("error"):
        fields["note"] = event["error"].get("message", "")[:200]
    node_id, key = event.get("node_id"), event.get("step_key")
    if node_id and key != node_id:
        fields["node_id"] = node_id
    return fields


class RunFeed:
    """Follows the runs that somebody in this process is looking at."""

    def __init__(self, state: type[rx.State], var: str) -> None:
        """Patches are emitted as the var `var` of `state`."""
        self._app: rx.App | None = None
        self._state = state.get_full_name()
        self._var = f"{var}_rx_state_"
        self._follow: Follow | None = None
        self._tasks: dict[UUID, tuple[asyncio.Task[None], asyncio.Event]] = {}

    def attach(self, app: rx.App) -> None:
        """Say which app's websockets the viewers are on."""
        self._app = app

    def use(self, follow: Follow) -> None:
        """Say how to follow a run's messages."""
        self._follow = follow

    async def watch(self, sid: str, run_id: UUID) -> None:
        """Let the websocket `sid` see the patches of a run. The caller has checked that it may."""
        try:
            await self._sio.enter_room(sid, ROOM.format(run_id), namespace=self._namespace)
        except ValueError:
            return  # The websocket has gone meanwhile; the page loads anew when it is back.
        if self._follow is None:
            return
        if run_id not in self._tasks:
            ready = asyncio.Event()
            self._tasks[run_id] = (asyncio.create_task(self._pass_on(run_id, self._follow, ready)), ready)
        async with asyncio.timeout(READY_S):
            await self._tasks[run_id][1].wait()

    async def unwatch(self, sid: str, run_id: UUID) -> None:
        """Stop what `watch` began."""
        await self._sio.leave_room(sid, ROOM.format(run_id), namespace=self._namespace)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """End all following with the process."""
        try:
            yield
        finally:
            tasks = [task for task, _ in self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass_on(self, run_id: UUID, follow: Follow, ready: asyncio.Event) -> None:
        try:
            async with follow(run_id) as queue:
                ready.set()
                while self._viewers(run_id):
                    try:
                        async with asyncio.timeout(IDLE_S):
                            messages = [await queue.get()]
                    except TimeoutError:
                        continue
                    # A burst becomes one update: browsers draw sixty times a second at most.
                    await asyncio.sleep(COALESCE_S)
                    while not queue.empty():
                        messages.append(queue.get_nowait())
                    await self._emit(patch_of(str(run_id), messages))
        finally:
            del self._tasks[run_id]

    async def _emit(self, patch: Patch) -> None:
        update = StateUpdate(delta={self._state: {self._var: patch}})
        await self._sio.emit("event", update, room=ROOM.format(patch[0]), namespace=self._namespace)

    def _viewers(self, run_id: UUID) -> int:
        rooms = self._sio.manager.rooms.get(self._namespace, {})
        return len(rooms.get(ROOM.format(run_id), ()))

    @property
    def _sio(self) -> Any:
        if self._app is None:
            raise RuntimeError("the feed is attached to no app")
        return self._app.sio

    @property
    def _namespace(self) -> str:
        namespace = self._app.event_namespace if self._app is not None else None
        return str(namespace.namespace) if namespace is not None else "/"
