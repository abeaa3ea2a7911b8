"""What changes, to everybody who looks at it: one subscription a process, one room a run or draft.

Invariant: a topic is followed before its snapshot is read, so the two leave no gap; what Redis loses shows as
a gap in the sequence, and the page asks PostgreSQL again. Relies on two internals of Reflex: the name of the
socket event and the `_rx_state_` suffix of vars (tests/ui/test_live.py holds them).
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import reflex as rx
from reflex.state import StateUpdate

from structforge.domain.run import StepStatus
from structforge.ui.run_rows import note_of

# How soon a topic that nobody looks at any more is let go.
IDLE_S = 15.0
READY_S = 2.0
# How long somebody whose session has ended is still told things.
RECHECK_S = 10.0
TOPIC_CHARACTERS = 12
# Past every sequence, so that a page that gets it asks for a snapshot.
GAP = 2**53 - 1

_TERMINAL = frozenset(status.value for status in StepStatus if status.terminal)

Patch = list[Any]
"""`[topic, first seq, last seq, items]`; a run's items are `[step key, fields]`, "" is the run itself; a field
`+name` is added to the list that the row has as `name`."""
Message = dict[str, Any] | None
"""What was published, or None: something may be missing."""
Fold = Callable[[str, list[Message]], Patch]
Follow = Callable[[UUID], AbstractAsyncContextManager["asyncio.Queue[Message]"]]
MaySee = Callable[[], Awaitable[bool]]
"""Tells whether a viewer's session goes on."""


def patch_of(run_id: str, messages: list[Message]) -> Patch:
    """Fold consecutive messages about one run into a patch; later fields of a step win."""
    if None in messages or not messages:
        return missing(run_id)
    events = [event for message in messages if message for event in message["events"]]
    rows: dict[str, dict[str, Any]] = {}
    for event in events:
        fields = rows.setdefault(event.get("step_key") or "", {})
        if event.get("type") == "step.retrying":
            _keep_try(fields, event)
        fields.update(fields_of(event))
    changed = [[key, _short(fields)] for key, fields in rows.items() if fields]
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
        if event.get("attempt", 1) > 1:
            fields["finished_at"] = ""
    elif status in _TERMINAL:
        fields["finished_at"] = event["at"]
        if event.get("started_at"):
            fields["started_at"] = event["started_at"]
    if event.get("attempt", 1) > 1:
        fields["attempt"] = event["attempt"]
    if event.get("error"):
        fields["note"] = note_of(event["error"])
    if event.get("summary"):
        fields["out"] = event["summary"]
    node_id, key = event.get("node_id"), event.get("step_key")
    if node_id and key != node_id:
        fields["node_id"] = node_id
    return fields


def _short(fields: dict[str, Any]) -> dict[str, Any]:
    """Tell both times of a row as `ran`, `[end in ms since 1970, ms it took]`: they go with every step."""
    if not fields.get("started_at") or not fields.get("finished_at"):
        return fields
    began, ended = (_milliseconds(fields[name]) for name in ("started_at", "finished_at"))
    kept = {name: value for name, value in fields.items() if name not in ("started_at", "finished_at")}
    return kept | {"ran": [ended, ended - began]}


def _milliseconds(at: str) -> int:
    return math.floor(datetime.fromisoformat(at).timestamp() * 1000)


def _keep_try(fields: dict[str, Any], event: dict[str, Any]) -> None:
    """Add the attempt that failed to those the row has; its beginning is the row's where none is told here."""
    tried = [
        event.get("attempt", 1),
        fields.pop("started_at", ""),
        event["at"],
        (event.get("error") or {}).get("message", "")[:200],
    ]
    fields["+tries"] = [*fields.get("+tries", ()), tried]
    fields["finished_at"] = ""


def missing(topic: str) -> Patch:
    """Return the patch that makes a page read a new snapshot."""
    return [topic, GAP, GAP, []]


class Feed:
    """Follows the topics of one kind that somebody in this process is looking at."""

    def __init__(self, kind: str, state: type[rx.State], var: str, fold: Fold, *, coalesce_s: float) -> None:
        """Patches, which `fold` makes of messages, are emitted as the var `var` of `state`.

        Messages of `coalesce_s` become one patch: browsers draw sixty times a second at most.
        """
        self._kind = kind
        self._fold = fold
        self._coalesce_s = coalesce_s
        self._app: rx.App | None = None
        self._state = state.get_full_name()
        self._var = f"{var}_rx_state_"
        self._follow: Follow | None = None
        self._tasks: dict[UUID, tuple[asyncio.Task[None], asyncio.Event]] = {}
        self._admitted: dict[UUID, dict[str, MaySee]] = {}

    def attach(self, app: rx.App) -> None:
        """Say which app's websockets the viewers are on."""
        self._app = app

    def use(self, follow: Follow) -> None:
        """Say how to follow a topic's messages."""
        self._follow = follow

    async def watch(self, sid: str, topic: UUID, may_see: MaySee) -> None:
        """Let the websocket `sid` see the patches of a topic. The caller has checked that it may.

        `may_see` is asked again while there is something to tell: who lost the session is told no more.
        """
        try:
            await self._sio.enter_room(sid, self._room(topic), namespace=self._namespace)
        except ValueError:
            return  # The websocket has gone meanwhile; the page loads anew when it is back.
        self._admitted.setdefault(topic, {})[sid] = may_see
        if self._follow is None:
            return
        if topic not in self._tasks:
            ready = asyncio.Event()
            self._tasks[topic] = (asyncio.create_task(self._pass_on(topic, self._follow, ready)), ready)
        async with asyncio.timeout(READY_S):
            await self._tasks[topic][1].wait()

    async def unwatch(self, sid: str, topic: UUID) -> None:
        """Stop what `watch` began."""
        self._admitted.get(topic, {}).pop(sid, None)
        await self._sio.leave_room(sid, self._room(topic), namespace=self._namespace)

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

    async def _pass_on(self, topic: UUID, follow: Follow, ready: asyncio.Event) -> None:
        try:
            async with follow(topic) as queue:
                ready.set()
                try:
                    await self._pass_on_from(queue, topic)
                finally:
                    # Before the channel is let go, which takes a moment: who comes meanwhile follows anew.
                    del self._tasks[topic]
                    self._admitted.pop(topic, None)
        finally:
            if self._tasks.get(topic, (None, None))[1] is ready:
                del self._tasks[topic]

    async def _pass_on_from(self, queue: "asyncio.Queue[Message]", topic: UUID) -> None:
        clock = asyncio.get_running_loop().time
        checked_at = clock()
        while self._viewers(topic):
            try:
                async with asyncio.timeout(IDLE_S):
                    messages = [await queue.get()]
            except TimeoutError:
                continue
            await asyncio.sleep(self._coalesce_s)
            while not queue.empty():
                messages.append(queue.get_nowait())
            if clock() - checked_at >= RECHECK_S:
                await self._send_away(topic)
                checked_at = clock()
            await self._emit(self._fold(str(topic), messages))

    async def _send_away(self, topic: UUID) -> None:
        """Let nobody see more whose session has ended."""
        present = self._sids(topic)
        for sid, may_see in list(self._admitted.get(topic, {}).items()):
            if sid not in present or not await may_see():
                await self.unwatch(sid, topic)

    async def _emit(self, patch: Patch) -> None:
        await self._sio.emit(
            "event", self.update_of(patch), room=self._room(patch[0]), namespace=self._namespace
        )

    def update_of(self, patch: Patch) -> StateUpdate:
        """Return what a patch is on the wire; the end of the topic is enough for a page to know its own."""
        return StateUpdate(delta={self._state: {self._var: [patch[0][-TOPIC_CHARACTERS:], *patch[1:]]}})

    def _viewers(self, topic: UUID) -> int:
        return len(self._sids(topic))

    def _sids(self, topic: UUID) -> frozenset[str]:
        rooms = self._sio.manager.rooms.get(self._namespace, {})
        return frozenset(rooms.get(self._room(topic), ()))

    def _room(self, topic: object) -> str:
        return f"{self._kind}:{topic}"

    @property
    def _sio(self) -> Any:
        if self._app is None:
            raise RuntimeError("the feed is attached to no app")
        return self._app.sio

    @property
    def _namespace(self) -> str:
        namespace = self._app.event_namespace if self._app is not None else None
        return str(namespace.namespace) if namespace is not None else "/"
