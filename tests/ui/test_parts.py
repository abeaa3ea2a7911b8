"""Every panel of runs that ended in every way; and a part of a page that breaks takes nothing with it."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.ui.conftest import OpenPage, Site
from tests.ui.test_editor import make_workflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = {"width": 1500, "height": 1000}


def chain(*nodes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document of nodes one after the other, behind a start."""
    all_nodes = [{"id": "start", "type": "trigger.manual"}, *nodes]
    names = [str(node["id"]) for node in all_nodes]
    places = {name: {"x": 290 * at, "y": 0} for at, name in enumerate(names)}
    edges = [{"source": a, "target": b} for a, b in zip(names, names[1:], strict=False)]
    return {"format": 1, "nodes": all_nodes, "edges": edges, "layout": {"positions": places}}


SET: dict[str, Any] = {"id": "rows", "type": "data.set", "parameters": {"fields": {"n": 1, "list": [1, "a"]}}}
# What a program says of a field that is not there is a sentence with values, not a text.
BAD: dict[str, Any] = {
    "id": "bad",
    "type": "data.set",
    "parameters": {"fields": {"x": "{{ start.nothing }}"}},
}
ASK: dict[str, Any] = {"id": "ask", "type": "flow.approval", "parameters": {"title": "Go on?"}}
REPORT: dict[str, Any] = {
    "id": "say",
    "type": "output.report",
    "parameters": {"markdown": "# {{ rows.n }} city"},
}
ENDS = {
    "failed": chain(SET, BAD, REPORT),
    "waiting": chain(SET, ASK),
    "cancelled": chain(SET, ASK),
    "succeeded": chain(SET, REPORT),
}
STOP = {"en": "Stop", "zh": "停止"}
RUN = {"en": "Run", "zh": "运行"}


async def nothing_broke(page: Page) -> None:
    await expect(page.locator("[data-part], .broken")).to_have_count(0, timeout=30_000)


async def run_to(page: Page, end: str, locale: str) -> None:
    """Run the draft that is open until it is in that state."""
    await page.get_by_role("button", name=RUN[locale], exact=True).click()
    bar = page.locator(".ed-bar [data-status]")
    if end == "cancelled":
        await expect(page.locator("[data-id='ask'] [data-status=waiting]")).to_be_visible(timeout=30_000)
        await page.get_by_role("button", name=STOP[locale], exact=True).click()
    await expect(bar).to_have_attribute("data-status", end, timeout=30_000)


async def walk_tabs(page: Page, panel: str) -> None:
    tabs = page.locator(f"{panel} [role=tab]")
    for at in range(await tabs.count()):
        await tabs.nth(at).click()
        await nothing_broke(page)


@pytest.mark.parametrize("locale", ["en", "zh"])
@pytest.mark.parametrize("end", list(ENDS))
async def test_the_panels_of_a_run(open_page: OpenPage, site: Site, end: str, locale: str) -> None:
    document = ENDS[end]
    workflow_id = await make_workflow(site, f"Panels {end} {locale}", document)
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE, locale=locale)
    await page.locator(".dock-title").click()
    await run_to(page, end, locale)
    pane = page.locator(".react-flow__pane")
    # Nothing is selected: the dock has the run as a whole.
    await pane.click(position={"x": 30, "y": 30})
    await expect(page.locator(".ov-line").first).to_be_visible()
    if end == "failed":
        await expect(page.locator(".ov-line.is-failed")).to_contain_text("nothing")
    await nothing_broke(page)
    for node in document["nodes"]:
        await page.locator(f".react-flow__node[data-id='{node['id']}'] .cv-icon").click()
        await expect(page.locator(".ed-panel-sub code")).to_have_text(node["id"])
        await expect(page.locator(".dock-body .skeleton")).to_have_count(0, timeout=30_000)
        await walk_tabs(page, ".ed-dock")
        await walk_tabs(page, ".ed-panel")
        await pane.click(position={"x": 30, "y": 30})
        await expect(page.locator(".ov-line").first).to_be_visible()
    await nothing_broke(page)
    # It opens again as it was left, on the canvas and as a notebook.
    await page.reload()
    await expect(page.locator(".react-flow__node").first).to_be_visible()
    await expect(page.locator(".ov-line").first).to_be_visible()
    await page.locator(".ed-bar .segmented button").nth(1).click()
    await expect(page.locator("[data-cell]")).to_have_count(len(document["nodes"]))
    await expect(page.locator(".cell .skeleton")).to_have_count(0, timeout=30_000)
    await nothing_broke(page)
    href = await page.locator(".ed-bar a[href^='/runs/']").get_attribute("href")
    await page.goto(site.url + str(href))
    await walk_run(page)


async def walk_run(page: Page) -> None:
    """Choose every step on the page of a run."""
    steps = page.locator("#timeline .tl-name")
    await expect(page.locator("#timeline .tl-row").nth(1)).to_be_visible()
    for at in range(1, await steps.count()):
        await steps.nth(at).click()
        await expect(page.locator("#step-output")).to_be_visible()
        await walk_tabs(page, "#step-output")
    await expect(page.locator("#logs .skeleton")).to_have_count(0, timeout=30_000)
    await nothing_broke(page)


async def test_a_part_that_breaks_takes_nothing_with_it(open_page: OpenPage, site: Site) -> None:
    workflow_id = await make_workflow(site, "Breaks in part", ENDS["succeeded"])
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE, may_break=True)
    await page.locator(".dock-title").click()
    await run_to(page, "succeeded", "en")

    async def nonsense(route: Route) -> None:
        await route.fulfill(json={"status": "succeeded", "ports": 5})

    values = re.compile(r"/draft/nodes/rows/values")
    await page.route(values, nonsense)
    await page.locator(".react-flow__node[data-id='rows'] .cv-icon").click()
    broken = page.locator("[data-part=dock]")
    await expect(broken).to_contain_text("This part cannot be shown")
    # Canvas and properties are still there, and another node's values are shown.
    await expect(page.locator(".ed-panel-sub code")).to_have_text("rows")
    await page.locator(".react-flow__node[data-id='say'] .cv-icon").click()
    await expect(page.locator(".ed-dock .value-prose")).to_contain_text("1 city")
    await page.locator(".react-flow__node[data-id='rows'] .cv-icon").click()
    await expect(broken).to_be_visible()
    await page.unroute(values)
    await broken.get_by_role("button", name="Show it again").click()
    await expect(broken).to_have_count(0, timeout=30_000)
    await expect(page.locator(".ed-dock")).to_contain_text("list")
