"""The pages in a real browser, served by the real launcher from the prebuilt bundle."""

import asyncio

import httpx
import pytest
from playwright.async_api import expect

from tests.ui.conftest import OpenPage
from tests.ui.demo import EMAIL, PASSWORD, STEPS, run_id

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_signing_in_leads_back_to_the_page_that_was_asked_for(open_page: OpenPage) -> None:
    page = await open_page(f"/runs/{run_id(1)}", signed_in=False)
    await page.wait_for_url("**/sign-in?next=*")
    await page.fill("#email", EMAIL)
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Weather report")
    await page.click("button[aria-label='Sign out']")
    await page.wait_for_url("**/sign-in*")


async def test_a_wrong_password_is_told_next_to_the_field_and_keeps_the_address(open_page: OpenPage) -> None:
    page = await open_page("/sign-in", signed_in=False)
    await page.fill("#email", EMAIL)
    await page.fill("#password", "wrong")
    await page.keyboard.press("Enter")
    await expect(page.locator("#sign-in-error")).to_contain_text("do not match")
    await expect(page.locator("#password")).to_have_attribute("aria-describedby", "sign-in-error")
    await expect(page.locator("#email")).to_have_value(EMAIL)


async def test_the_list_of_runs_is_paged_and_filtered(open_page: OpenPage) -> None:
    page = await open_page("/runs")
    rows = page.locator("table.data tbody tr")
    await expect(rows).to_have_count(25)
    await page.get_by_role("button", name="Older").click()
    await page.get_by_role("button", name="Older").click()
    await expect(rows).to_have_count(10)
    await expect(page.get_by_role("button", name="Older")).to_be_disabled()
    await page.get_by_role("button", name="Failed", exact=True).click()
    await expect(rows).to_have_count(10)
    await expect(page.locator("table.data [data-status=failed]")).to_have_count(10)


async def test_a_run_is_followed_live_until_its_result(open_page: OpenPage, demo_url: str) -> None:
    page = await open_page(f"/runs/{run_id(2)}")
    await expect(page.locator("[data-row]")).to_have_count(len(STEPS))
    async with httpx.AsyncClient(base_url=demo_url) as client:
        playing = asyncio.create_task(client.post("/api/demo/play/2", params={"pause_s": 0.02}))
        await expect(page.locator("[data-row] [data-status=succeeded]")).to_have_count(len(STEPS))
        await expect(page.locator("#result")).to_contain_text("played")
        await expect(page.locator("header [data-status=succeeded]")).to_be_visible()
        await playing


async def test_events_lost_on_the_way_are_read_again(open_page: OpenPage, demo_url: str) -> None:
    page = await open_page(f"/runs/{run_id(8)}")
    await expect(page.locator("[data-row]")).to_have_count(len(STEPS))
    async with httpx.AsyncClient(base_url=demo_url) as client:
        await client.post("/api/demo/play/8", params={"pause_s": 0.01, "lose": 5})
    await expect(page.locator("[data-row] [data-status=succeeded]")).to_have_count(len(STEPS))


async def test_another_organizations_run_is_missing(open_page: OpenPage) -> None:
    page = await open_page("/runs/00000000-0000-0000-0000-00000000ffff")
    await expect(page.get_by_role("heading", name="This run does not exist")).to_be_visible()
    page = await open_page("/runs/nonsense")
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


async def test_pages_carry_the_security_headers(demo_url: str) -> None:
    async with httpx.AsyncClient(base_url=demo_url) as client:
        for path in ("/", "/sign-in", "/runs", f"/runs/{run_id(1)}", "/nowhere"):
            answer = await client.get(path)
            assert answer.status_code == (404 if path == "/nowhere" else 200), path
            policy = answer.headers["content-security-policy"]
            script = next(part for part in policy.split("; ") if part.startswith("script-src"))
            assert "unsafe" not in script
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_what_the_first_page_weighs(demo_url: str) -> None:
    async with httpx.AsyncClient(base_url=demo_url) as client:
        page = (await client.get("/runs")).text
        names = {part.split('"')[0] for part in page.split('href="/assets/')[1:]}
        sizes = []
        for name in names:
            answer = await client.get(f"/assets/{name}", headers={"Accept-Encoding": "gzip"})
            assert "immutable" in answer.headers["cache-control"]
            sizes.append(int(answer.headers["content-length"]))
    assert 50_000 < sum(sizes) < 400_000
