"""The viewers of values, in the page of a run: tables of any length, trees, charts, text, Markdown, logs."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.ui.conftest import OpenPage, Site
from tests.ui.test_editor import make_workflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = {"width": 1440, "height": 1200}
HOSTILE = (
    "# Title\n\n<img src=x onerror='document.title=1'> [bad](javascript:alert(1)) **bold**"
    "\n\n<script>document.title=2</script>"
)


async def select(page: Page, step: str) -> None:
    """Show what came out of a step."""
    await page.locator(f"[data-row='{step}']").click()
    await expect(page.locator("#step-output")).to_contain_text(step)


async def test_a_large_table_is_searched_sorted_charted_and_unfolded(open_page: OpenPage, site: Site) -> None:
    page = await open_page(f"/runs/{await site.start('Seattle')}", viewport=SIZE)
    await expect(page.locator(".page-head [data-status=succeeded]")).to_be_visible(timeout=60_000)
    await select(page, "read")
    box = page.locator("#step-output")
    await expect(box.get_by_text("1,461 rows")).to_be_visible()
    # Rows far down come when they are scrolled to, and few are in the page at any time.
    await box.locator(".grid-box").evaluate("box => { box.scrollTop = box.scrollHeight }")
    await expect(box.locator("td.grid-n", has_text="1460")).to_be_visible()
    assert await box.locator("tbody tr").count() < 60
    await box.get_by_role("button", name="temp_max").click()
    await box.get_by_role("button", name="temp_max").click()
    await expect(box.get_by_role("columnheader", name="temp_max")).to_have_attribute(
        "aria-sort", "descending"
    )
    await expect(box.locator("tbody tr").first).to_contain_text("35.6")
    await box.get_by_label("Search").fill("SNOW")
    await expect(box.get_by_text("23 of 1,461 rows")).to_be_visible()
    await box.locator("tbody tr").first.click()
    await expect(box.locator(".tree-root")).to_contain_text('"snow"')
    await box.get_by_role("button", name="Chart").click()
    await expect(box.get_by_role("img", name="precipitation / date")).to_be_visible()
    await box.get_by_role("button", name="Bars").click()
    await expect(box.locator(".chart-bar").first).to_be_attached()
    # The choice of view is remembered for the next table.
    await select(page, "clean")
    await expect(box.locator(".chart-plot")).to_be_visible()
    await box.get_by_role("button", name="Tree").click()
    place = box.get_by_label("Copy the expression for clean[0].weather")
    assert await place.get_attribute("title") == "{{ clean[0].weather }}"
    await box.get_by_role("tab", name="Input").click()
    await expect(box.get_by_label("Copy the expression for read[0].weather")).to_be_attached()
    async with page.expect_download() as download:
        await box.get_by_role("link", name="CSV").click()
    told = Path(await (await download.value).path()).read_text()
    assert told.startswith("date,precipitation"), told[:300]
    assert (await download.value).suggested_filename == "read.csv"
    await box.get_by_role("tab", name="Logs").click()
    await expect(box.locator(".log-view, .muted").last).to_be_visible()


async def test_text_is_shown_and_never_run(open_page: OpenPage, site: Site) -> None:
    fields = {"text": HOSTILE, "long": "x" * 1_000, "a b": [1, {"deep": None}]}
    nodes = [
        {"id": "given", "type": "data.set", "parameters": {"fields": fields}},
        {"id": "report", "type": "output.report", "parameters": {"markdown": "{{ given.text }}"}},
    ]
    edges = [{"source": "given", "target": "report"}]
    await make_workflow(site, "Hostile text", {"format": 1, "nodes": nodes, "edges": edges})
    page = await open_page(f"/runs/{await site.start('Hostile text', draft=True)}", viewport=SIZE)
    await expect(page.locator(".page-head [data-status=succeeded]")).to_be_visible(timeout=60_000)
    box = page.locator("#step-output")
    await select(page, "given")
    await box.get_by_label("Search").fill("deep")
    await expect(box.get_by_text("1 places found")).to_be_visible()
    await expect(box.get_by_label('Copy the expression for given["a b"][1].deep')).to_be_attached()
    await expect(box.locator(".tree-root")).not_to_contain_text("xxx")
    await select(page, "report")
    await expect(box.locator(".prose h2")).to_have_text("Title")
    await expect(box.locator(".prose strong")).to_have_text("bold")
    await expect(box.locator(".prose")).to_contain_text("<script>")
    assert await box.locator(".prose img, .prose script, .prose a").count() == 0
    assert "StructForge" in await page.title()
