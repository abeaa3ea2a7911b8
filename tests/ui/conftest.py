"""The real web process and a real browser, once per session; any console error fails the page's test."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from structforge.config import load_settings
from structforge.ui.bundle import build_bundle
from tests.support.chromium import FLAGS, REMEDY, find_chromium
from tests.support.eventually import eventually_sync
from tests.support.ports import free_port
from tests.support.programs import ROOT, Program
from tests.support.servers import Servers

DEMO = (
    "from structforge.config import load_settings; from structforge.ui import server; "
    "server.serve(load_settings(), 'tests.ui.demo:application')"
)

OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
def bundle_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder that shares its bundles with the checkout's own, so that one is built once."""
    home = tmp_path_factory.mktemp("web-home")
    shared = load_settings(home=ROOT / ".structforge").bundle_dir
    shared.mkdir(parents=True, exist_ok=True)
    (home / "web").symlink_to(shared)
    build_bundle(load_settings(home=home))
    return home


@pytest.fixture(scope="session")
def demo_url(bundle_home: Path, servers: Servers) -> Iterator[str]:
    """The address of a real web process whose runs are a demo (tests/ui/demo.py)."""
    port = free_port()
    environment = {
        "STRUCTFORGE_HOME": str(bundle_home),
        "STRUCTFORGE_PORT": str(port),
        "DEMO_REDIS_URL": servers.redis.url,
    }
    program = Program(["-c", DEMO], bundle_home / "demo", environment=environment)

    def listens() -> bool:
        if program.process.poll() is not None:
            raise RuntimeError(program.output)
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually_sync(listens, timeout_s=60)
        yield f"http://127.0.0.1:{port}"
        assert program.terminate() == 0
    finally:
        program.clean_up()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    path = find_chromium()
    if path is None:
        pytest.fail(REMEDY)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, demo_url: str) -> AsyncIterator[OpenPage]:
    """Open pages of the demo; afterwards none may have logged an error or asked another host."""
    faults: list[str] = []
    contexts: list[BrowserContext] = []
    own = (demo_url, demo_url.replace("http", "ws"), "data:", "blob:")

    async def opened(path: str, *, signed_in: bool = True, locale: str = "en", **options: object) -> Page:
        context = await browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        cookies = [{"name": "sf_locale", "value": locale, "url": demo_url}]
        if signed_in:
            cookies.append({"name": "demo", "value": "ada", "url": demo_url})
        await context.add_cookies(cookies)  # type: ignore[arg-type]
        page = await context.new_page()
        page.on("console", lambda m: faults.append(m.text) if _is_fault(m) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(own) else faults.append(r.url))
        await page.goto(demo_url + path)
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert faults == []


def _is_fault(message: ConsoleMessage) -> bool:
    # Chromium says so when a page is left while its websocket is being opened.
    left = "closed before the connection is established" in message.text
    return message.type in ("error", "warning") and not left
