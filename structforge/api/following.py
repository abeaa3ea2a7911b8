"""Following a run over a connection that stays open: its events, a sign of life when it is silent, an end.

Invariant: what is yielded is in sequence and has no gap; who comes back with the last number misses nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

BEAT_S = 15.0
"""A silent connection shows after this long that it still lives."""
STREAM_MAX_S = 900.0
"""A connection ends after this long and the client comes back with its cursor, unless its session has ended."""

Event = dict[str, Any]


async def with_beats(
    events: AsyncIterator[Event], *, beat_s: float = BEAT_S, limit_s: float = STREAM_MAX_S
) -> AsyncGenerator[Event | None, None]:
    """Yield events as they come and None after `beat_s` of silence; end with them, or after `limit_s`.

    Raises: whatever `events` raises.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + limit_s
    queue: asyncio.Queue[Event | None] = asyncio.Queue(100)

    async def pump() -> None:
        # A task of its own: a time-out on the generator itself would cancel it between two events.
        try:
            async with aclosing(events) as source:  # type: ignore[type-var]
                async for event in source:
                    await queue.put(event)
        finally:
            await queue.put(None)

    pumping = asyncio.create_task(pump(), name="follow")
    try:
        while (left_s := end - clock()) > 0:
            try:
                async with asyncio.timeout(min(beat_s, left_s)):
                    event = await queue.get()
            except TimeoutError:
                if clock() < end:
                    yield None
                continue
            if event is None:
                await pumping
                return
            yield event
    finally:
        pumping.cancel()
        await asyncio.gather(pumping, return_exceptions=True)
