"""A whole installation and a real browser, once per session; any console error fails the page's test."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
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

EMAIL, PASSWORD = "ada@example.org", "correct horse battery"

OpenPage = Callable[..., Awaitable[Page]]


@dataclass(frozen=True)
class Site:
    """A running installation and one session in it."""

    url: str
    cookies: dict[str, str]
    home: Path
    database_url: str
    """As the owner of the database."""
    redis_url: str
    environment: Mapping[str, str]
    """Of its processes."""

    def client(self) -> httpx.AsyncClient:
        """Return a client of the API that is signed in."""
        return httpx.AsyncClient(base_url=self.url, cookies=self.cookies, timeout=30)

    async def start(self, name: str, **body: object) -> str:
        """Start the workflow of that name; return the run's id."""
        async with self.client() as client:
            found = (await client.get("/api/v1/workflows", params={"search": name})).json()["items"]
            path = f"/api/v1/workflows/{found[0]['id']}/runs"
            answer = await client.post(path, json={"input": {}, **body})
            assert answer.status_code in (200, 201, 202), answer.text
            run_id: str = answer.json()["run_id"]
            return run_id


async def publish(site: Site, name: str, document: Mapping[str, Any]) -> str:
    """Make and publish a workflow, once for each name; return its id."""
    async with site.client() as client:
        found = (await client.get("/api/v1/workflows", params={"search": name})).json()["items"]
        if found:
            return str(found[0]["id"])
        made = (await client.post("/api/v1/workflows", json={"name": name, "document": document})).json()
        answer = await client.post(f"/api/v1/workflows/{made['id']}/publish")
        assert answer.status_code == 201, answer.text
        return str(made["id"])


@pytest.fixture(scope="session")
def site(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers, migrated_template: str
) -> Iterator[Site]:
    """Web, worker and scheduler on a database with the starter workflows."""
    home = tmp_path_factory.mktemp("site")
    # Bundles are shared with the checkout's own, so that one is built once.
    shared = load_settings(home=ROOT / ".structforge").bundle_dir
    shared.mkdir(parents=True, exist_ok=True)
    (home / "web").symlink_to(shared)
    build_bundle(load_settings(home=home))
    database, port = servers.create_database(migrated_template), free_port()
    environment = {
        "STRUCTFORGE_HOME": str(home),
        "STRUCTFORGE_PORT": str(port),
        "STRUCTFORGE_ADMIN_EMAIL": EMAIL,
        "STRUCTFORGE_ADMIN_PASSWORD": PASSWORD,
        # The session of `Site.cookies` lasts as long as the tests do.
        "STRUCTFORGE_ACCESS_TOKEN_TTL_S": "7200",
        "DATABASE_URL": servers.postgres.url(database=database),
        "REDIS_URL": servers.redis.url,
    }
    programs: list[Program] = []

    def start(*arguments: str) -> Program:
        programs.append(Program(arguments, home / "logs", environment=environment))
        return programs[-1]

    try:
        prepared = start("-m", "structforge.embedded.setup", "prepare")
        assert prepared.wait() == 0, prepared.output
        web = start("-m", "structforge.ui.server")
        start("-m", "workers.run")
        start("-m", "workers.schedule")
        eventually_sync(lambda: _listens(web, port), timeout_s=90)
        url = f"http://127.0.0.1:{port}"
        credentials = {"email": EMAIL, "password": PASSWORD}
        answer = httpx.post(f"{url}/api/v1/auth/sign-in", json=credentials, timeout=30)
        assert answer.status_code == 200, answer.text
        yield Site(
            url,
            dict(answer.cookies),
            home,
            environment["DATABASE_URL"],
            environment["REDIS_URL"],
            environment,
        )
        assert web.terminate() == 0, web.output
    finally:
        for program in programs:
            program.clean_up()
        servers.drop_database(database)


@dataclass
class WebProcess:
    """A web process beside the site's own, which a test may kill."""

    site: Site
    port: int
    program: Program

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def restart(self) -> None:
        """Start it again after its end, at the same address."""
        self.program.clean_up()
        self.program = _web(self.site, self.port)


@pytest.fixture
def web_process(site: Site) -> Iterator[WebProcess]:
    """One more web process of the site."""
    port = free_port()
    made = WebProcess(site, port, _web(site, port))
    yield made
    made.program.clean_up()


def _web(site: Site, port: int) -> Program:
    environment = {**site.environment, "STRUCTFORGE_PORT": str(port)}
    program = Program(["-m", "structforge.ui.server"], site.home / "logs", environment=environment)
    eventually_sync(lambda: _listens(program, port), timeout_s=90)
    return program


def _listens(program: Program, port: int) -> bool:
    if program.process.poll() is not None:
        raise RuntimeError(program.output)
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


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
async def open_page(browser: Browser, site: Site) -> AsyncIterator[OpenPage]:
    """Open pages; afterwards none may have logged an error or asked another host."""
    faults: list[str] = []
    contexts: list[BrowserContext] = []

    async def opened(
        path: str,
        *,
        signed_in: bool = True,
        locale: str = "en",
        url: str = site.url,
        may_lose_connection: bool = False,
        may_break: bool = False,
        cookies: Mapping[str, str] = site.cookies,
        **options: object,
    ) -> Page:
        own = (url, url.replace("http", "ws"), "data:", "blob:")
        context = await browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        kept = {"sf_locale": locale, **(cookies if signed_in else {})}
        await context.add_cookies([{"name": n, "value": v, "url": url} for n, v in kept.items()])
        page = await context.new_page()

        def heard(message: ConsoleMessage) -> None:
            lost = may_lose_connection and ("net::ERR_" in message.text or "WebSocket" in message.text)
            if _is_fault(message) and not lost and not may_break:
                faults.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: None if may_break else faults.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(own) else faults.append(r.url))
        await page.goto(url + path)
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert faults == []


def _is_fault(message: ConsoleMessage) -> bool:
    # Chromium says so when a page is left while its websocket is being opened.
    left = "closed before the connection is established" in message.text
    return message.type in ("error", "warning") and not left
