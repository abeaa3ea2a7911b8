"""The list of runs in a real browser: filters in the address, fresh rows, many runs at once."""

import re

import pytest
from playwright.async_api import expect

from tests.ui.conftest import OpenPage, Site, publish
from tests.ui.test_run import GREET, GREETS

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUICK = "Quick start"
PAUSED = "Rests a while"
DELAY = {
    "nodes": [
        {"id": "start", "type": "trigger.manual"},
        {"id": "rest", "type": "flow.delay", "parameters": {"seconds": 3600}},
    ],
    "edges": [{"source": "start", "target": "rest"}],
}


async def test_the_list_is_paged_and_fresh(open_page: OpenPage, site: Site) -> None:
    for _ in range(27):
        await site.start(QUICK, mode="async")
    page = await open_page("/runs")
    rows = page.locator("table.data tbody tr")
    await expect(rows).to_have_count(25)
    await page.get_by_role("button", name="Older").click()
    await expect(page.locator(".pager")).to_contain_text("2")
    await page.get_by_role("button", name="Newer").click()
    await expect(rows).to_have_count(25)
    # One that is made while the page is open appears by itself, and its status changes.
    run = await site.start(QUICK, mode="async")
    await expect(page.locator(f"[data-run='{run}'] [data-status=succeeded]")).to_be_visible(timeout=15_000)


async def test_the_filter_is_in_the_address_and_goes_on_after_a_reload(
    open_page: OpenPage, site: Site
) -> None:
    await publish(site, GREETS, GREET)
    await site.start(GREETS, mode="sync", input={"name": "needle-4711"})
    page = await open_page("/runs?status=failed&words=haystack-0815")
    await expect(page.get_by_role("heading", name="No run matches")).to_be_visible()
    await page.locator(".empty").get_by_role("button", name="Show all runs").click()
    await expect(page).to_have_url(f"{site.url}/runs")
    await page.get_by_role("searchbox").fill("needle-4711")
    rows = page.locator("table.data tbody tr")
    await expect(rows).to_have_count(1)
    await expect(page).to_have_url(f"{site.url}/runs?words=needle-4711")
    await page.get_by_label("Workflow", exact=True).select_option(label=GREETS)
    await page.get_by_label("Trigger", exact=True).select_option("api")
    await page.get_by_label("Time", exact=True).select_option("hour")
    await expect(page).to_have_url(
        re.compile(r"\?workflow=[0-9a-f-]{36}&trigger=api&period=hour&words=needle-4711$")
    )
    await page.reload()
    await expect(rows).to_have_count(1)
    await expect(page.get_by_role("searchbox")).to_have_value("needle-4711")
    await page.get_by_role("button", name="Failed", exact=True).click()
    await expect(page.get_by_role("heading", name="No run matches")).to_be_visible()
    # Whatever an address holds shows a list.
    await page.goto(f"{site.url}/runs?status=odd&workflow=1&period=own&since=x&until=9999-01-01&words=%00")
    await expect(rows.first).to_be_visible()


async def test_many_runs_are_stopped_after_a_question(open_page: OpenPage, site: Site) -> None:
    workflow = await publish(site, PAUSED, DELAY)
    runs = [await site.start(PAUSED) for _ in range(3)]
    page = await open_page(f"/runs?workflow={workflow}")
    waiting = page.locator("table.data [data-status=waiting]")
    await expect(waiting).to_have_count(3, timeout=15_000)
    await page.locator(f"[data-run='{runs[0]}'] input").click()
    await page.get_by_role("toolbar").get_by_role("button", name="Pause").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("1 runs")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(waiting).to_have_count(3)
    await page.get_by_label("Select the runs on this page").click()
    await expect(page.locator(".bulk-bar")).to_contain_text("3 selected")
    await page.get_by_role("toolbar").get_by_role("button", name="Stop").click()
    await dialog.get_by_role("button", name="Stop the runs").click()
    await expect(page.locator("table.data [data-status=cancelled]")).to_have_count(3, timeout=15_000)
    await expect(page.locator(".toast")).to_contain_text("3 runs done")
    await expect(page.locator(".bulk-bar")).to_have_count(0)


async def test_the_menu_of_a_run_offers_what_its_status_allows(open_page: OpenPage, site: Site) -> None:
    workflow = await publish(site, "Menus of runs", DELAY)
    earlier, run = await site.start("Menus of runs"), await site.start("Menus of runs")
    page = await open_page(f"/runs?workflow={workflow}")
    row = page.locator(f"[data-run='{run}']")
    await expect(row.locator("[data-status=waiting]")).to_be_visible(timeout=15_000)
    button = row.get_by_role("button", name="Actions: Menus of runs")
    entries = page.get_by_role("menuitem")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(entries).to_have_text(["Open", "Pause", "Stop"])
    await entries.filter(has_text="Pause").click()
    await expect(row.locator("[data-status=paused]")).to_be_visible(timeout=15_000)
    # Another one that is selected is not meant.
    await page.locator(f"[data-run='{earlier}'] input").click()
    await button.click()
    await expect(entries).to_have_text(["Open", "Resume", "Stop"])
    await entries.filter(has_text="Stop").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("1 runs")
    await page.keyboard.press("Escape")
    await expect(button).to_be_focused()
    await button.click()
    await entries.filter(has_text="Stop").click()
    await dialog.get_by_role("button", name="Stop the runs").click()
    await expect(row.locator("[data-status=cancelled]")).to_be_visible(timeout=15_000)
    await expect(page.locator(f"[data-run='{earlier}'] [data-status=waiting]")).to_be_visible()
    await expect(page.locator(".bulk-bar")).to_contain_text("1 selected")
    await button.click()
    await expect(entries).to_have_text(["Open", "Retry", "Run again …", "Compare with …", "Delete"])

    # Compared with another run of the workflow, the earlier one first.
    await entries.filter(has_text="Compare").click()
    await page.wait_for_url(f"**/runs/{run}?open=compare")
    choice = page.get_by_role("dialog", name="Compare with")
    await expect(choice.get_by_role("link")).to_have_count(1)
    await choice.get_by_role("link").click()
    await page.wait_for_url(f"**/runs/{earlier}/compare/{run}")
