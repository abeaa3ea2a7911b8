"""Reaches a test server, which listens on a unix socket only, by TCP, as connections of ours do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def tcp_port_of(socket: Path) -> AsyncIterator[int]:
    """Listen on a free port of 127.0.0.1 for as long as the block runs."""
    pipes: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(socket)
        ways = [
            asyncio.create_task(_pipe(reader, inner_writer)),
            asyncio.create_task(_pipe(inner_reader, writer)),
        ]
        pipes.update(ways)
        await asyncio.gather(*ways)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in pipes:
            task.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    except ConnectionError:
        return
    finally:
        target.close()
