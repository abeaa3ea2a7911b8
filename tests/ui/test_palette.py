"""The command palette, the list of keys and the node docs in a real browser."""

import pytest
from playwright.async_api import expect

from tests.ui.conftest import OpenPage, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_workflow_is_opened_with_the_keyboard_alone(open_page: OpenPage) -> None:
    page = await open_page("/runs")
    await expect(page.locator("h1")).to_have_text("Runs")
    await page.keyboard.press("Control+k")
    line = page.get_by_role("combobox", name="Find workflows")
    await expect(line).to_be_focused()
    await page.keyboard.type("seattle")
    first = page.locator(".commands [role=option]").first
    await expect(first).to_contain_text("Seattle weather")
    await expect(first).to_have_attribute("aria-selected", "true")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/workflows/*-*")


async def test_runs_and_node_docs_and_actions_are_found(open_page: OpenPage, site: Site) -> None:
    run_id = await site.start("Quick start", mode="sync")
    page = await open_page("/workflows")
    await page.get_by_role("button", name="Search Ctrl K").click()
    options = page.locator(".commands [role=option]")
    await page.keyboard.type(run_id)
    await expect(options).to_have_count(1)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/runs/{run_id}")
    await expect(page.locator("h1")).to_have_text("Quick start")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("filter rows")
    await expect(options.first).to_contain_text("table.filter")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Filter rows")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("new workflow")
    await expect(options.last).to_contain_text("New workflow")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()


async def test_it_closes_and_says_when_nothing_is_found(open_page: OpenPage) -> None:
    page = await open_page("/workflows")
    await expect(page.locator("h1")).to_have_text("Workflows")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("zzzz nothing zzzz")
    await expect(page.get_by_text("Nothing found. Try other words.")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".commands")).to_be_hidden()
    await page.keyboard.press("Control+k")
    await page.keyboard.type("light and dark")
    await expect(page.locator(".commands [role=option]")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.locator("html")).to_have_class("dark")


async def test_the_list_of_keys_opens_outside_of_texts_only(open_page: OpenPage) -> None:
    page = await open_page("/workflows")
    await page.get_by_role("searchbox").fill("what")
    await page.keyboard.type("?")
    await expect(page.get_by_role("searchbox")).to_have_value("what?")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.locator("h1").click()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Find anything")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_node_docs_are_found_and_read_in_both_languages(open_page: OpenPage) -> None:
    page = await open_page("/nodes")
    cards = page.locator(".node-card")
    await expect(cards.first).to_be_visible()
    await page.get_by_role("searchbox").fill("filter rows")
    await expect(cards).to_have_count(1)
    await cards.click()
    await page.wait_for_url("**/nodes/table.filter")
    await expect(page.locator("h1")).to_have_text("Filter rows")
    parameters = page.get_by_role("region", name="Parameters")
    await expect(parameters).to_contain_text('"all" | "any"')
    await expect(page.get_by_role("heading", name="Warm cities")).to_be_visible()
    await page.get_by_label("Language").select_option("zh")
    await expect(page.get_by_role("region", name="参数")).to_be_visible()


async def test_a_node_type_that_does_not_exist_is_missing(open_page: OpenPage) -> None:
    page = await open_page("/nodes/no.such.node")
    await expect(page.get_by_role("heading", name="This node type is not installed")).to_be_visible()
