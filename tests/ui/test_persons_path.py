"""A person's whole path in one browser, by mouse and keyboard, without touching the API."""

import pytest
from playwright.async_api import Locator, Page, expect

from tests.ui.conftest import EMAIL, PASSWORD, OpenPage, Site
from tests.ui.test_editor import connect, drop, write

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = {"width": 1440, "height": 900}
LIVE_MS = 30_000


def _node(page: Page, name: str) -> Locator:
    return page.locator(f".react-flow__node[data-id='{name}']")


async def _choose(page: Page, name: str) -> Locator:
    """Select a node; return the place of its parameters."""
    await _node(page, name).locator(".cv-title").click()
    await expect(page.locator(".ed-panel code").first).to_have_text(name)
    return page.locator(".ed-panel")


async def _add_with_keys(page: Page, words: str, name: str) -> None:
    """Add a node after the selected one by typing into the search of the palette."""
    search = page.get_by_role("searchbox", name="Search nodes")
    await search.focus()
    await page.keyboard.press("Control+a")
    await page.keyboard.type(words)
    await page.keyboard.press("Enter")
    # The keyboard goes on at the new node.
    await expect(_node(page, name)).to_be_focused()


async def test_from_signing_in_to_finding_the_run(open_page: OpenPage, site: Site) -> None:
    page = await open_page("/", signed_in=False, viewport=SIZE)
    await page.wait_for_url("**/sign-in")
    await page.keyboard.type(EMAIL)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Workflows", exact=True)).to_be_visible()

    # A new workflow, from the palette of commands.
    await page.keyboard.press("Control+k")
    await page.keyboard.type("new workflow")
    await expect(page.get_by_role("option").first).to_contain_text("New workflow")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()
    await page.keyboard.type("Rainy days")
    await page.keyboard.press("Enter")
    await expect(page.locator(".cv-empty")).to_be_visible()

    # Six nodes: two by dragging and an edge from port to port, four by the keyboard after the selected node.
    await drop(page, "trigger.manual", 60, 320)
    await drop(page, "file.read", 360, 320)
    await expect(page.locator(".cv-node")).to_have_count(2)
    await connect(page, "manual_trigger", "out", "read_file")
    await expect(page.locator(".react-flow__edge")).to_have_count(1)
    for before, words, name in (
        ("read_file", "filter rows", "filter_rows"),
        ("filter_rows", "sort", "sort_and_limit"),
        ("sort_and_limit", "set fields", "set_fields"),
        ("set_fields", "report", "markdown_report"),
    ):
        await _choose(page, before)
        await _add_with_keys(page, words, name)
    await page.get_by_role("button", name="Fit View").click()
    await expect(page.locator(".react-flow__edge")).to_have_count(5)

    # Configured, with a problem on the way that is seen and mended.
    panel = await _choose(page, "read_file")
    await write(
        panel.locator("[data-field=file] .cm-content, [data-field=file] input").first,
        "data/seattle-weather.csv",
    )
    panel = await _choose(page, "filter_rows")
    await write(panel.locator("[data-field=expression] .cm-content").first, "precipitation > 20")
    panel = await _choose(page, "sort_and_limit")
    await panel.locator("[data-field=limit] input, [data-field=limit] .cm-content").first.fill("5")
    await page.keyboard.press("Tab")
    panel = await _choose(page, "set_fields")
    await panel.get_by_role("button", name="+ Add").first.click()
    await panel.get_by_placeholder("name").first.fill("days")
    await write(panel.get_by_label("value days"), "{{ sort_and_limit | length }}")
    panel = await _choose(page, "markdown_report")
    report = panel.locator("[data-field=markdown] .cm-content")
    await write(report, "Wettest: {{ set_feilds.days }} days")
    problem = page.locator(".problem.error").filter(has_text="set_feilds")
    await expect(problem).to_be_visible()
    await problem.get_by_role("button").click()
    await write(report, "Wettest: {{ set_fields.days }} days")
    await expect(page.locator(".problem.error")).to_have_count(0)

    # Run, watched going green; a table and the result are looked at.
    await page.get_by_role("button", name="Fit View").click()
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".cv-node.is-succeeded")).to_have_count(6, timeout=LIVE_MS)
    dock = page.locator(".ed-dock")
    await _choose(page, "sort_and_limit")
    await page.get_by_role("tab", name="Output").click()
    await expect(dock.get_by_text("precipitation").first).to_be_visible(timeout=LIVE_MS)
    await expect(dock).to_contain_text("27.7")
    await _choose(page, "markdown_report")
    await expect(dock).to_contain_text("Wettest: 5 days", timeout=LIVE_MS)

    # Published, changed, compared, restored.
    await page.get_by_role("button", name="Publish").click()
    await page.get_by_role("button", name="Publish version 1").click()
    await expect(page.locator(".toast")).to_contain_text("version 1")
    await page.get_by_role("tab", name="Parameters").click()
    await write(report, "Changed: {{ set_fields.days }} days")
    await page.get_by_role("button", name="Versions").click()
    await expect(page.get_by_role("button", name="Compare").first).to_be_visible()
    await page.get_by_role("button", name="Compare").first.click()
    await expect(page.locator(".cv-node.mark-changed")).to_have_count(1)
    await page.get_by_role("button", name="Restore").first.click()
    await expect(page.locator(".cv-node.mark-changed")).to_have_count(0)
    await page.locator(".react-flow__pane").click(position={"x": 20, "y": 20})
    await _choose(page, "markdown_report")
    await expect(report).to_contain_text("Wettest:")

    # The run is in the list.
    await page.keyboard.press("Escape")
    await page.goto(f"{site.url}/runs")
    row = page.get_by_role("row").filter(has_text="Rainy days").first
    await expect(row.locator("[data-status=succeeded]")).to_be_visible(timeout=LIVE_MS)
