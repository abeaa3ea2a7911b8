"""No page has a serious fault that axe-core finds, in light and in dark; motion is reduced when asked."""

from collections.abc import Awaitable, Callable

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.ui.conftest import OpenPage, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

GRAVE = ("serious", "critical")

Prepare = Callable[[Page], Awaitable[None]]


async def _nothing(page: Page) -> None:
    """Leave the page as it opens."""


def _press(name: str) -> Prepare:
    async def pressed(page: Page) -> None:
        await page.get_by_role("button", name=name).first.click()
        await expect(page.get_by_role("dialog").last).to_be_visible()

    return pressed


async def _menu(page: Page) -> None:
    await page.locator(".menu-title").click()
    await expect(page.get_by_role("menu")).to_be_visible()


async def _palette(page: Page) -> None:
    await page.keyboard.press("Control+k")
    await page.keyboard.type("wea")
    await expect(page.get_by_role("option").first).to_contain_text("weather")


async def _keys(page: Page) -> None:
    await page.keyboard.press("?")
    await expect(page.locator(".keys-dialog")).to_be_visible()


async def _node(page: Page) -> None:
    await page.locator(".react-flow__node").first.click()


async def _step(page: Page) -> None:
    await page.locator("[data-row]").first.click()
    await expect(page.locator("#step-output")).to_be_visible()


async def _notebook(page: Page) -> None:
    await page.get_by_role("button", name="Notebook").click()
    await expect(page.locator(".cell").first).to_be_visible()


async def _declared(page: Page) -> None:
    await page.get_by_role("button", name="Workflow settings").click()
    await page.locator(".fields-title").first.click()
    await page.locator(".ed-dock .dock-title").click()
    await expect(page.locator(".fields-body")).to_be_visible()


async def _versions(page: Page) -> None:
    await page.keyboard.press("Control+k")
    await page.keyboard.type("versions")
    await page.keyboard.press("Enter")
    await expect(page.locator(".versions")).to_be_visible()


async def _ran(page: Page) -> None:
    """Run the draft and look at what a node gave."""
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator(".cv-node.is-succeeded").first).to_be_visible(timeout=30_000)
    await page.locator(".react-flow__node[data-id='clean']").click()
    await expect(page.locator(".dock-body .grid-box")).to_be_visible(timeout=15_000)


async def _row_menu(page: Page) -> None:
    await page.get_by_role("button", name="Actions").first.click()
    await expect(page.get_by_role("menu")).to_be_visible()


async def _faults(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical, each with where it is."""
    # A theme or a page fades in; what is half shown has other contrasts.
    await page.evaluate("Promise.allSettled(document.getAnimations().map((each) => each.finished))")
    found = await Axe().run(page)
    return [
        f"{violation['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for violation in found.response["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


def _places(editor: str, run: str, other: str) -> list[tuple[str, str, Prepare]]:
    """List address, what shows that it is there, and what is done before looking."""
    return [
        ("/workflows", "tr[data-workflow]", _nothing),
        ("/workflows", "tr[data-workflow]", _menu),
        ("/workflows?open=new", "dialog[open]", _nothing),
        ("/workflows?open=templates", ".template", _nothing),
        ("/workflows?open=import", "dialog[open]", _nothing),
        ("/workflows", "tr[data-workflow]", _palette),
        ("/workflows", "tr[data-workflow]", _keys),
        (editor, ".react-flow__node", _nothing),
        (editor, ".react-flow__node", _node),
        (editor, ".react-flow__node", _declared),
        (editor, ".react-flow__node", _press("Run")),
        (editor, ".react-flow__node", _press("Publish")),
        (editor, ".react-flow__node", _versions),
        (editor, ".react-flow__node", _ran),
        (editor, ".react-flow__node", _notebook),
        ("/runs", "table.data tbody tr", _nothing),
        ("/runs", "table.data tbody tr", _row_menu),
        (run, "[data-row]", _step),
        (run, "[data-row]", _press("Run again")),
        (f"{run}?open=compare", "dialog[open]", _nothing),
        (f"{run}?open=replay", "dialog[open]", _nothing),
        (f"{run}/compare/{run.removeprefix('/runs/')}", ".empty", _nothing),
        (f"{run}/compare/{other}", ".difference", _nothing),
        ("/nodes", "main a", _nothing),
        ("/nodes/flow.loop", "table.data", _nothing),
        ("/profile", "#profile-name", _nothing),
        ("/members", "table.data", _nothing),
        ("/members", "table.data", _press("Add a member")),
        ("/connections", ".empty, table.data", _press("Add a connection")),
        ("/workflows/nonsense", ".empty", _nothing),
        ("/sign-in", "#email", _nothing),
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_serious(open_page: OpenPage, site: Site, theme: str) -> None:
    run_id = await site.start("Seattle weather", mode="sync", time_limit_s=30)
    other = await site.start("Seattle weather", mode="sync", time_limit_s=30, input={"wet_day_mm": 9})
    async with site.client() as client:
        found = (await client.get("/api/v1/workflows", params={"search": "Seattle weather"})).json()
    places = _places(f"/workflows/{found['items'][0]['id']}", f"/runs/{run_id}", other)
    page = await open_page("/profile", color_scheme=theme, reduced_motion="reduce")
    problems = {}
    for path, ready, prepare in places:
        if path == "/sign-in":
            await page.context.clear_cookies()
        await page.goto(site.url + path)
        await expect(page.locator(ready).first).to_be_visible(timeout=30_000)
        await prepare(page)
        faults = await _faults(page)
        if faults:
            problems[f"{path} {prepare.__name__}"] = faults
        # The server remembers what is open.
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog[open]")).to_have_count(0)
    assert problems == {}, "\n".join(map(str, problems.items()))


async def test_motion_is_reduced_when_asked(open_page: OpenPage) -> None:
    page = await open_page("/workflows", reduced_motion="reduce")
    await expect(page.locator("tr[data-workflow]").first).to_be_visible()
    durations = await page.evaluate(
        "[...document.querySelectorAll('*')].map((each) => getComputedStyle(each)).flatMap((look) =>"
        " [look.transitionDuration, look.animationDuration].flatMap((text) => text.split(',').map(parseFloat)))"
    )
    assert max(durations) <= 0.001
