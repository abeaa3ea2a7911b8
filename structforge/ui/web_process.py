"""The web process: Reflex's app and the API behind one edge, served by granian.

Invariant: the pages are imported and frozen in the parent; everything with a connection is made in the child,
on its event loop, before the first request. An entry point: started by `ui/server.py`.
"""

import ctypes
import gc
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from granian.server import Server
from reflex.utils import prerequisites
from reflex_base.config import get_config
from starlette.types import ASGIApp, Receive, Scope, Send

from structforge.api.app import create_app
from structforge.config import Settings, load_settings
from structforge.runtime.events import ORGANIZATION_CHANNEL, RUN_CHANNEL, connect_async
from structforge.runtime.heartbeat import heartbeat, process_name
from structforge.sdk.shapes import shapes_of
from structforge.security.redaction import Redactor
from structforge.services.drafts import DRAFT_CHANNEL, DraftService
from structforge.services.expression_values import ExpressionValues
from structforge.services.run_views import RunViews
from structforge.services.step_values import StepValuesService
from structforge.services.templates import TemplateService
from structforge.services.workflow_lists import WorkflowLists
from structforge.telemetry import configure_logging
from structforge.ui import services as ui_services
from structforge.ui.app import app
from structforge.ui.edge import Edge
from structforge.ui.pages.editor_draft import DRAFT_FEED
from structforge.ui.run_feed import RUN_FEED, RUN_LIST_FEED
from structforge.wiring import web as wiring

PR_SET_PDEATHSIG = 1
STOP_TIMEOUT_S = 10


class OpenedApi:
    """The API, which exists from the moment its services are open."""

    def __init__(self) -> None:
        self.gateway: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self.gateway is None:
            raise RuntimeError("a request came before the services were open")
        await self.gateway(scope, receive, send)


def application() -> ASGIApp:
    """Build the application of one web process; granian calls it in the child."""
    _die_with_parent()
    settings = load_settings()
    redactor = configure_logging(settings, "web")
    api = OpenedApi()

    @asynccontextmanager
    async def services_open() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _open(settings, redactor, api, stack)
            yield

    app.register_lifespan_task(services_open)
    public = urlsplit(settings.web_url)
    return Edge(
        web=app(),
        api=api,
        client=prerequisites.get_web_dir() / "build" / "client",
        origins={f"{public.scheme}://{public.netloc}"},
        inner_origin=get_config().cors_allowed_origins[0],
    )


async def _open(settings: Settings, redactor: Redactor, api: OpenedApi, stack: AsyncExitStack) -> None:
    engine = wiring.build_engine(settings, redactor)
    await engine.open()
    stack.push_async_callback(engine.close)
    targets = wiring.build_targets(engine)
    await targets.open()
    stack.push_async_callback(targets.close)
    services = wiring.build_api(engine, wiring.build_runs(engine, targets), targets)
    redis = connect_async(settings.redis_server_url)
    stack.push_async_callback(redis.aclose)
    ui_services.install(
        ui_services.WebServices(
            services,
            RunViews(engine.database),
            DraftService(engine.database, redis, shapes_of(engine.registry)),
            engine.registry,
            WorkflowLists(engine.database),
            TemplateService(services.workflows, engine.registry, settings.files_dir),
            StepValuesService(engine.database),
            ExpressionValues(engine.database, engine.environment),
        )
    )
    RUN_FEED.use(lambda run_id: engine.hub.follow(f"{RUN_CHANNEL}{run_id}"))
    RUN_LIST_FEED.use(lambda organization: engine.hub.follow(f"{ORGANIZATION_CHANNEL}{organization}"))
    DRAFT_FEED.use(lambda workflow_id: engine.hub.follow(f"{DRAFT_CHANNEL}{workflow_id}"))
    api.gateway = create_app(services)
    await stack.enter_async_context(heartbeat(engine.pool, process_name(), "web"))


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
