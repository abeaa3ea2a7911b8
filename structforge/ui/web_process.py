"""The web process: Reflex's app and the API behind one edge, served by granian.

Invariant: the pages are imported and frozen in the parent, everything with a connection is made in the child.
An entry point: started by `ui/server.py`.
"""

import ctypes
import gc
import signal
import sys
from urllib.parse import urlsplit

from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server
from reflex.utils import prerequisites
from reflex_base.config import get_config
from starlette.types import ASGIApp

from structforge.config import Settings, load_settings
from structforge.ui.app import app
from structforge.ui.edge import Edge

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 10


def assemble(settings: Settings, api: ASGIApp) -> ASGIApp:
    """Put the web app and the API behind the edge; call in the serving process, after `backend.install`."""
    _die_with_parent()
    origin = get_config().cors_allowed_origins[0]
    public = urlsplit(settings.web_url)
    return Edge(
        web=app(),
        api=api,
        client=prerequisites.get_web_dir() / "build" / "client",
        origins={f"{public.scheme}://{public.netloc}"},
        inner_origin=origin,
    )


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = load_settings()
    prerequisites.get_app()
    gc.collect()
    gc.freeze()
    Server(
        sys.argv[1],
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        factory=True,
        loop=Loops.uvloop,
        workers=1,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_TIMEOUT_S,
        log_level=LogLevels.warning,
    ).serve()


def _die_with_parent() -> None:
    # A worker whose supervisor was killed would keep the port.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    main()
