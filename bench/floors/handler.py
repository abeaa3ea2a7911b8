"""Floor of HOOK: a bare FastAPI handler that persists one row with group commit, served as the product is.

The server's options are those of `structforge/ui/web_process.py`: granian, one process, uvloop, no access log.

    BENCH_CONNINFO=… python -m bench.floors.handler PORT
"""

import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from fastapi import FastAPI, Request, Response
from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server

from bench.floors.group_commit import GroupCommit

PATH = "/rows"


def application() -> FastAPI:
    """Build the application; granian calls it in the child."""
    conninfo = os.environ["BENCH_CONNINFO"]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.journal = await GroupCommit.open(conninfo)
        yield
        await app.state.journal.close()

    app = FastAPI(lifespan=lifespan)

    @app.get(PATH)
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post(PATH)
    async def add(request: Request) -> Response:
        id_ = uuid4()
        body = await request.body()
        await request.app.state.journal.add(id_, 0, body.decode())
        return Response(b'{"id":"%s"}' % str(id_).encode(), media_type="application/json")

    return app


def main() -> None:
    """Serve until SIGTERM."""
    gc.collect()
    gc.freeze()
    Server(
        "bench.floors.handler:application",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.ASGI,
        factory=True,
        loop=Loops.uvloop,
        workers=1,
        log_level=LogLevels.warning,
    ).serve()


if __name__ == "__main__":
    main()
