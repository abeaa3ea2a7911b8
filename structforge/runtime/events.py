"""Live events: published to Redis after their commit, followed by whoever watches.

Invariant: the table is the truth and has every event; Redis may drop any. A follower that sees a gap in the
sequence reads the table.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import UUID

import orjson
import redis.asyncio
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from structforge.domain.journal import Commit
from structforge.domain.run import TERMINAL_RUN_STATUSES
from structforge.domain.values import dump_json, plain_json
from structforge.storage.control import Answered, Asked

logger = logging.getLogger(__name__)

RUN_CHANNEL = "structforge:run:"
"""Followed by the run id: `{"run_id", "events": [...]}`."""
ORGANIZATION_CHANNEL = "structforge:organization:"
"""Followed by the organization id: `{"runs": [{"run_id", "workflow_id", "status", "at"}]}`."""
CONTROL_CHANNEL = "structforge:control"
"""`{"run_id", "action"}`, to the workers."""

PAUSE_AFTER_FAILURE_S = 1.0
QUEUE_MESSAGES = 1_000


def connect_async(url: str) -> "redis.asyncio.Redis":
    """Open an asyncio Redis client that fails soon instead of hanging."""
    return redis.asyncio.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5)


def connect_subscriber(url: str) -> "redis.asyncio.Redis":
    """Open an asyncio Redis client for subscriptions, which wait without a limit."""
    return redis.asyncio.Redis.from_url(url, socket_connect_timeout=2, health_check_interval=15)


class EventPublisher:
    """Publishes durable commits; while Redis is away it gives up quickly instead of slowing the journal."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client
        self._silent_until = 0.0

    async def __call__(self, commits: Sequence[Commit]) -> None:
        """Publish the events of commits, in order."""
        clock = asyncio.get_running_loop().time
        if clock() < self._silent_until:
            return
        messages = list(_messages(commits))
        if not messages:
            return
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                for channel, message in messages:
                    pipeline.publish(channel, message)
                await pipeline.execute()
        except (RedisError, OSError) as error:
            self._silent_until = clock() + PAUSE_AFTER_FAILURE_S
            logger.warning("events are not published for now, followers read the table: %s", error)

    async def announce(
        self, organization_id: UUID, workflow_id: UUID, run_id: UUID, event: dict[str, Any]
    ) -> None:
        """Publish an event that was committed outside the journal."""
        body = {"run_id": str(run_id), "events": [event]}
        change = {"run_id": str(run_id), "workflow_id": str(workflow_id), "status": event["status"]}
        try:
            await self._client.publish(f"{RUN_CHANNEL}{run_id}", dump_json(body, option=orjson.OPT_UTC_Z))
            await self._client.publish(
                f"{ORGANIZATION_CHANNEL}{organization_id}", orjson.dumps({"runs": [change]})
            )
        except (RedisError, OSError) as error:
            logger.warning("event not published, followers read the table: %s", error)

    async def control(self, run_id: UUID, action: str) -> None:
        """Tell the worker that holds a run what is asked of it; it also learns of it at its next renewal."""
        try:
            await self._client.publish(
                CONTROL_CHANNEL, orjson.dumps({"run_id": str(run_id), "action": action})
            )
        except (RedisError, OSError) as error:
            logger.warning("control message not sent, the renewal will bring it: %s", error)

    async def asked(
        self, organization_id: UUID, answered: Answered, action: str, ring: Callable[[UUID], None]
    ) -> None:
        """Tell workers and followers what was asked of a run and of those below it."""
        for one in (answered, *answered.others):
            if one.run_id is None or one.workflow_id is None:
                continue
            if one.asked is Asked.REQUESTED:
                await self.control(one.run_id, action)
                ring(one.run_id)
            elif one.event is not None:
                await self.announce(organization_id, one.workflow_id, one.run_id, one.event)
                if one.event["status"] not in TERMINAL_RUN_STATUSES:
                    ring(one.run_id)
            if one.wakes is not None:
                await self.control(one.wakes, "answer")
                ring(one.wakes)


def _messages(commits: Sequence[Commit]) -> list[tuple[str, bytes]]:
    messages = []
    changed: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for commit in commits:
        run_id = str(commit.run.run_id)
        # Nobody can follow a run whose id nobody has been told yet.
        whole = commit.acceptance and commit.change and commit.change.status.terminal
        if commit.events and not whole:
            body = dump_json({"run_id": run_id, "events": commit.events}, option=orjson.OPT_UTC_Z)
            messages.append((RUN_CHANNEL + run_id, body))
        if commit.change is not None or commit.acceptance is not None:
            changed[commit.run.organization_id].append(
                {
                    "run_id": run_id,
                    "workflow_id": str(commit.run.workflow_id),
                    "status": commit.change.status if commit.change else "queued",
                }
            )
        if commit.wakes is not None:
            woken = {"run_id": str(commit.wakes), "action": "answer"}
            messages.append((CONTROL_CHANNEL, orjson.dumps(woken)))
    for organization_id, runs in changed.items():
        messages.append((f"{ORGANIZATION_CHANNEL}{organization_id}", orjson.dumps({"runs": runs})))
    return messages


class EventHub:
    """One Redis subscription of a process, shared by everybody in it who follows something."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client
        self._followers: dict[str, set[asyncio.Queue[dict[str, Any] | None]]] = defaultdict(set)
        self._pubsub: PubSub | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start reading; a lost connection is renewed for as long as it takes."""
        self._reader = asyncio.create_task(self._read(), name="event-hub")

    async def close(self) -> None:
        """Stop reading and end every follower."""
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        for followers in self._followers.values():
            for follower in followers:
                follower.put_nowait(None)
        await self._client.aclose()

    @contextlib.asynccontextmanager
    async def follow(self, channel: str) -> AsyncIterator["asyncio.Queue[dict[str, Any] | None]"]:
        """Receive the messages of `channel`. None means "something may be missing: read the table"."""
        follower: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(QUEUE_MESSAGES)
        first = channel not in self._followers or not self._followers[channel]
        self._followers[channel].add(follower)
        try:
            if first and self._pubsub is not None:
                with contextlib.suppress(RedisError, OSError):
                    await self._pubsub.subscribe(channel)
            yield follower
        finally:
            self._followers[channel].discard(follower)
            if not self._followers[channel]:
                del self._followers[channel]
                if self._pubsub is not None:
                    with contextlib.suppress(RedisError, OSError):
                        await self._pubsub.unsubscribe(channel)

    async def _read(self) -> None:
        while True:
            try:
                await self._read_connection()
            except (RedisError, OSError) as error:
                logger.warning("event subscription lost, trying again: %s", error)
            self._pubsub = None
            self._tell_all()
            await asyncio.sleep(0.5)

    async def _read_connection(self) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:
            # A channel of our own keeps the connection subscribed while nobody follows anything.
            await pubsub.subscribe(CONTROL_CHANNEL, *self._followers)
            self._pubsub = pubsub
            self._tell_all()
            while True:
                message = await pubsub.get_message(timeout=30)
                if message is None:
                    continue
                self._deliver(message["channel"].decode(), message["data"])

    def _tell_all(self) -> None:
        for followers in self._followers.values():
            for follower in followers:
                _offer(follower, None)

    def _deliver(self, channel: str, data: bytes) -> None:
        followers = self._followers.get(channel)
        if not followers:
            return
        body = plain_json(data)
        for follower in followers:
            _offer(follower, body)


def _offer(follower: "asyncio.Queue[dict[str, Any] | None]", body: dict[str, Any] | None) -> None:
    if follower.full():
        # A slow follower loses the oldest and is told that something is missing.
        follower.get_nowait()
        body = None
    follower.put_nowait(body)
