"""A run's events by WebSocket: the same sequence and the same cursor as the stream of `runs.py`.

Invariant: nothing is sent before the client is known and may read the run; a cookie counts for our own pages only,
because browsers send it from any page. Every end has a close code that says what to do (docs/events.md).
"""

import asyncio
from enum import IntEnum
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from structforge.api.cookies import ACCESS_COOKIE, cookie_value
from structforge.api.deps import own_origins
from structforge.api.following import with_beats
from structforge.api.services import ApiServices
from structforge.domain.access import Principal
from structforge.domain.errors import (
    ForbiddenError,
    NotFoundError,
    Problem,
    StructForgeError,
    UnauthenticatedError,
)
from structforge.domain.events import ends_run
from structforge.domain.run import RunStatus
from structforge.domain.values import dump_json

router = APIRouter()

PROTOCOL = "structforge.events.v1"
BEARER = "bearer."
"""Before the token in the list of subprotocols: a page cannot set the Authorization header of a WebSocket."""
SEND_LIMIT_S = 10.0
MAX_CURSOR = 2**31 - 1


class Close(IntEnum):
    """Why the connection ends."""

    OVER = 1000
    """The run is over and its last event was sent: nothing more will come."""
    UNSUPPORTED = 1003
    """The client sent something else than `ping`."""
    COME_BACK = 1012
    """The connection is old, or the server stops: connect again with the cursor."""
    TRY_LATER = 1013
    """The database is away: connect again later with the cursor."""
    BAD_CURSOR = 4400
    NOT_SIGNED_IN = 4401
    FORBIDDEN = 4403
    NOT_FOUND = 4404
    TOO_SLOW = 4408
    """The client does not take what is sent: connect again with the cursor."""


class _Refused(Exception):
    def __init__(self, code: Close, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@router.websocket("/runs/{run_id}/events")
async def follow_run(socket: WebSocket, run_id: str) -> None:
    """Send the events after the cursor `?after=`, then live ones, until the run is over."""
    protocol = PROTOCOL if PROTOCOL in socket.scope.get("subprotocols", ()) else None
    # Opened first: a browser learns the code of a close, but nothing of a refused handshake.
    await socket.accept(subprotocol=protocol)
    try:
        code, reason = await _serve(socket, run_id)
    except _Refused as refused:
        code, reason = refused.code, refused.reason
    except WebSocketDisconnect:
        return
    # A reason has at most 123 bytes.
    await socket.close(code, reason.encode()[:120].decode(errors="ignore"))


async def _serve(socket: WebSocket, run_text: str) -> tuple[Close, str]:
    services: ApiServices = socket.app.state.services
    cursor = _cursor(socket.query_params.get("after"))
    try:
        principal = await _principal(socket, services)
        run_id = UUID(run_text)
        run = await services.runs.get(principal, run_id)
    except ValueError:
        return Close.NOT_FOUND, "There is no such run."
    except StructForgeError as error:
        return _refusal(error)
    if RunStatus(run.status).terminal and cursor >= run.event_seq:
        return Close.OVER, "The run is over."
    sending = asyncio.create_task(_send(socket, services, principal, run_id, cursor), name="socket-send")
    hearing = asyncio.create_task(_hear(socket), name="socket-hear")
    try:
        await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        return (sending if sending.done() else hearing).result()
    finally:
        for task in (sending, hearing):
            task.cancel()
        await asyncio.gather(sending, hearing, return_exceptions=True)


async def _send(
    socket: WebSocket, services: ApiServices, principal: Principal, run_id: UUID, cursor: int
) -> tuple[Close, str]:
    try:
        async for event in with_beats(services.runs.events(principal, run_id, after=cursor)):
            if event is None:
                # As a message, because a page neither sees nor sends the protocol's own pings.
                await _write(socket, {"type": "heartbeat", "seq": cursor})
                continue
            cursor = event["seq"]
            await _write(socket, event)
            if ends_run(event):
                return Close.OVER, "The run is over."
    except TimeoutError:
        return Close.TOO_SLOW, "Connect again with the cursor."
    except StructForgeError as error:
        return _refusal(error)
    run = await services.runs.get(principal, run_id)
    if RunStatus(run.status).terminal and cursor >= run.event_seq:
        return Close.OVER, "The run is over."
    return Close.COME_BACK, "Connect again with the cursor."


async def _write(socket: WebSocket, message: dict[str, object]) -> None:
    async with asyncio.timeout(SEND_LIMIT_S):
        await socket.send_text(dump_json(message, option=orjson.OPT_UTC_Z).decode())


async def _hear(socket: WebSocket) -> tuple[Close, str]:
    """Answer pings until the client leaves."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1006)
        if message.get("text") != "ping":
            return Close.UNSUPPORTED, "This connection only tells; it takes nothing but ping."
        try:
            await _write(socket, {"type": "pong"})
        except TimeoutError:
            return Close.TOO_SLOW, "Connect again with the cursor."


async def _principal(socket: WebSocket, services: ApiServices) -> Principal:
    """Return who opened the connection. Raises: UnauthenticatedError, ForbiddenError, _Refused."""
    scheme, _, token = socket.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        offered = socket.scope.get("subprotocols", ())
        token = next((name[len(BEARER) :] for name in offered if name.startswith(BEARER)), "")
    if not token:
        token = cookie_value(socket.headers.get("cookie", ""), ACCESS_COOKIE)
        origin = socket.headers.get("origin")
        own = origin is not None and urlsplit(origin).netloc == socket.headers.get("host")
        if token and not own and origin not in own_origins(services):
            raise _Refused(Close.FORBIDDEN, "A cookie counts for pages of this host only.")
    if not token:
        raise _Refused(Close.NOT_SIGNED_IN, "No credentials came with the connection.")
    return services.identity.known_principal(token) or await services.identity.principal(token)


def _cursor(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= MAX_CURSOR):
        raise _Refused(Close.BAD_CURSOR, "after is the number of the last event, from 0.")
    return int(text)


def _refusal(error: StructForgeError) -> tuple[Close, str]:
    problem: Problem = error.problem
    codes = {
        UnauthenticatedError: Close.NOT_SIGNED_IN,
        ForbiddenError: Close.FORBIDDEN,
        NotFoundError: Close.NOT_FOUND,
    }
    return codes.get(type(error), Close.TRY_LATER), problem.message
