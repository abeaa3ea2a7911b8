"""The frame of the pages: organizations, sessions that end or sleep, profile, members, what cannot be shown."""

from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.ui.conftest import EMAIL, PASSWORD, OpenPage, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW_PASSWORD = "a new long password"


async def _session(site: Site, email: str = EMAIL, password: str = PASSWORD) -> dict[str, str]:
    """Sign in apart from the session all other tests share; return its cookies."""
    async with httpx.AsyncClient(base_url=site.url, timeout=30) as client:
        answer = await client.post("/api/v1/auth/sign-in", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        return dict(answer.cookies)


async def _opened(open_page: OpenPage, site: Site, path: str, cookies: dict[str, str]) -> Page:
    """Open a page with these cookies."""
    page = await open_page("/sign-in", signed_in=False)
    await page.context.add_cookies([_cookie(site, name, value) for name, value in cookies.items()])
    await page.goto(site.url + path)
    return page


def _cookie(site: Site, name: str, value: str) -> Any:
    return {"name": name, "value": value, "url": site.url}


async def test_another_organization_is_made_and_switched_to_and_back(open_page: OpenPage, site: Site) -> None:
    page = await _opened(open_page, site, "/workflows", await _session(site))
    menu = page.get_by_role("button", name="Organization: Main")
    await menu.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitemradio", name="Main")).to_be_focused()
    await page.get_by_role("menuitem", name="New organization").click()
    line = page.get_by_label("Name", exact=True)
    await expect(line).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("The name of an organization has")).to_be_visible()
    await expect(line).to_have_attribute("aria-invalid", "true")
    await line.fill("Night shift")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Organization: Night shift")).to_be_visible()
    await expect(page.get_by_role("heading", name="No workflows yet")).to_be_visible()
    await page.get_by_role("button", name="Organization: Night shift").click()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Home")
    await expect(page.get_by_role("menuitemradio", name="Main")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(menu).to_be_visible()
    await expect(page.locator("tr[data-workflow]").first).to_be_visible()


async def test_a_page_goes_on_when_only_its_access_has_run_out(open_page: OpenPage, site: Site) -> None:
    cookies = await _session(site)
    del cookies["structforge_access"]
    page = await _opened(open_page, site, "/runs", cookies)
    await expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    assert {each["name"] for each in await page.context.cookies(site.url)} >= {"structforge_access"}


async def test_an_open_page_says_that_its_session_has_ended(open_page: OpenPage, site: Site) -> None:
    cookies = await _session(site)
    page = await _opened(open_page, site, "/workflows", cookies)
    await expect(page.get_by_role("heading", name="Workflows", exact=True)).to_be_visible()
    async with httpx.AsyncClient(base_url=site.url, cookies=cookies) as client:
        assert (await client.post("/api/v1/auth/sign-out")).status_code == 204
    await page.get_by_role("searchbox").fill("weather")
    ended = page.get_by_role("alert").filter(has_text="Your session has ended")
    await expect(ended).to_be_visible(timeout=20_000)
    await page.get_by_role("link", name="Sign in").click()
    await page.wait_for_url("**/sign-in?next=%2Fworkflows")
    await page.fill("#email", EMAIL)
    await page.fill("#password", PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Workflows", exact=True)).to_be_visible()


async def test_a_member_is_added_and_changes_name_and_password(open_page: OpenPage, site: Site) -> None:
    page = await open_page("/members")
    await page.get_by_role("button", name="Add a member").click()
    await page.get_by_label("E-mail").fill("not an address")
    await page.keyboard.press("Enter")
    await expect(page.locator("#entry-email-problem")).to_be_visible()
    await page.get_by_label("E-mail").fill("grace@example.org")
    await page.get_by_label("Role").select_option("viewer")
    await page.get_by_role("dialog").get_by_role("button", name="Add a member").click()
    password = await page.locator("#member-password").inner_text()
    await page.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    row = page.get_by_role("row").filter(has_text="grace@example.org")
    await expect(row).to_contain_text("Viewer")

    theirs = await _opened(open_page, site, "/profile", await _session(site, "grace@example.org", password))
    await expect(theirs.get_by_role("button", name="Add a member")).to_have_count(0)
    await theirs.get_by_label("Name", exact=True).fill("Grace Hopper")
    await theirs.keyboard.press("Enter")
    await expect(theirs.locator(".who")).to_contain_text("Grace Hopper")
    await theirs.get_by_label("Current password").fill("wrong")
    await theirs.get_by_label("New password").fill(NEW_PASSWORD)
    await theirs.keyboard.press("Enter")
    await expect(theirs.locator("#current_password-problem")).to_contain_text("wrong")
    await theirs.get_by_label("Current password").fill(password)
    await theirs.keyboard.press("Enter")
    await theirs.wait_for_url("**/sign-in*")
    await expect(theirs.locator("#sign-in-error")).to_contain_text("Sign in with the new one")
    await _session(site, "grace@example.org", NEW_PASSWORD)

    await row.get_by_role("button", name="Remove").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(row).to_have_count(0)


async def test_the_theme_follows_the_system_when_asked(open_page: OpenPage) -> None:
    page = await open_page("/profile", color_scheme="light")
    html = page.locator("html")
    await page.get_by_role("button", name="Dark", exact=True).click()
    await expect(html).to_have_class("dark")
    await page.get_by_role("button", name="As the system").click()
    await expect(html).to_have_class("light")
    await page.emulate_media(color_scheme="dark")
    await expect(html).to_have_class("dark")
    await page.reload()
    await expect(page.get_by_role("button", name="As the system")).to_have_attribute("aria-pressed", "true")


async def test_an_unknown_address_leads_home(open_page: OpenPage) -> None:
    page = await open_page("/workflows")
    # Within the app: asked of the server it is a 404, which the browser logs.
    await page.evaluate("history.pushState({}, '', '/nowhere'); dispatchEvent(new PopStateEvent('popstate'))")
    await expect(page.get_by_role("heading", name="This page does not exist")).to_be_visible()
    await page.get_by_role("link", name="Go to the workflows").click()
    await expect(page.get_by_role("heading", name="Workflows", exact=True)).to_be_visible()
