"""The pages in a real browser, on a whole installation: web, worker, scheduler, PostgreSQL, Redis."""

import httpx
import pytest
from playwright.async_api import expect

from tests.ui.conftest import EMAIL, PASSWORD, OpenPage, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEATHER = "Seattle weather"


async def test_signing_in_leads_back_and_a_run_is_watched_going_green(
    open_page: OpenPage, site: Site
) -> None:
    run_id = await site.start(WEATHER, mode="async")
    page = await open_page(f"/runs/{run_id}", signed_in=False)
    await page.wait_for_url("**/sign-in?next=*")
    await page.fill("#email", EMAIL)
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text(WEATHER)
    await expect(page.locator("header [data-status=succeeded]")).to_be_visible(timeout=30_000)
    await expect(page.locator("#result")).to_contain_text("Seattle weather")
    await page.click("button[aria-label='Sign out']")
    await page.wait_for_url("**/sign-in")
    await page.goto(f"{site.url}/runs")
    await page.wait_for_url("**/sign-in?next=*")


async def test_a_wrong_password_is_told_next_to_the_field(open_page: OpenPage) -> None:
    page = await open_page("/sign-in", signed_in=False)
    await page.fill("#email", EMAIL)
    await page.fill("#password", "wrong")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sign-in-error")).to_contain_text("do not match")
    await expect(page.locator("#password")).to_have_attribute("aria-describedby", "sign-in-error")


async def test_steps_of_a_run_change_while_they_are_looked_at(open_page: OpenPage, site: Site) -> None:
    page = await open_page("/runs")
    await expect(page.locator("h1")).to_have_text("Runs")
    run_id = await site.start(WEATHER, mode="async")
    await page.goto(f"{site.url}/runs/{run_id}")
    rows = page.locator("[data-row]")
    await expect(rows).not_to_have_count(0)
    count = await rows.count()
    done = page.locator("[data-row] :is([data-status=succeeded], [data-status=skipped])")
    await expect(done).to_have_count(count, timeout=30_000)


async def test_a_run_that_is_not_ours_is_missing(open_page: OpenPage) -> None:
    for path in ("/runs/00000000-0000-0000-0000-00000000ffff", "/runs/nonsense"):
        page = await open_page(path)
        await expect(page.get_by_role("heading", name="This run does not exist")).to_be_visible()


async def test_language_and_theme_switch_at_once_and_stay(open_page: OpenPage) -> None:
    page = await open_page("/runs")
    await expect(page.locator("h1")).to_have_text("Runs")
    await page.get_by_label("Language").select_option("zh")
    await expect(page.locator("h1")).to_have_text("运行记录")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await page.get_by_label("切换浅色和深色").click()
    await expect(page.locator("html")).to_have_class("dark")
    await page.reload()
    await expect(page.locator("h1")).to_have_text("运行记录")
    await expect(page.locator("html")).to_have_class("dark")


async def test_pages_carry_the_security_headers(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as client:
        for path in ("/", "/sign-in", "/runs", "/runs/1", "/nowhere"):
            answer = await client.get(path)
            assert answer.status_code == (404 if path == "/nowhere" else 200), path
            policy = answer.headers["content-security-policy"]
            script = next(part for part in policy.split("; ") if part.startswith("script-src"))
            assert "unsafe" not in script
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_what_the_first_page_weighs(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as client:
        page = (await client.get("/runs")).text
        names = {part.split('"')[0] for part in page.split('href="/assets/')[1:]}
        sizes = []
        for name in names:
            answer = await client.get(f"/assets/{name}", headers={"Accept-Encoding": "gzip"})
            assert "immutable" in answer.headers["cache-control"]
            sizes.append(int(answer.headers["content-length"]))
    assert 50_000 < sum(sizes) < 400_000
