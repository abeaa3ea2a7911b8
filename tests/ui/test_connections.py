"""The page of connections: make, try and delete one; what is wrong stands at its field, and no secret comes back."""

import pytest
from playwright.async_api import expect

from tests.ui.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "hunter2-hunter2"


async def test_a_connection_is_made_tried_and_deleted(open_page: OpenPage) -> None:
    page = await open_page("/connections")
    await page.get_by_role("button", name="Add a connection").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name", exact=True).fill("Ware house")
    await dialog.get_by_label("Host").fill("10.0.0.7")
    await dialog.get_by_label("Database name").fill("sales")
    await dialog.get_by_label("User").fill("reader")
    await dialog.get_by_label("Password").fill(SECRET)
    await page.keyboard.press("Enter")
    await expect(page.locator("#connection-name-problem")).to_contain_text("Ware house")
    await dialog.get_by_label("Name", exact=True).fill("warehouse")
    await page.keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text="reader@10.0.0.7:5432/sales")
    # An address that no administrator allowed: tried at once, and the reason stays in the list.
    await expect(row).to_contain_text("must not reach")
    await page.reload()
    await expect(row).to_contain_text("must not reach")
    assert SECRET not in await page.content()
    await row.get_by_role("button", name="Delete: warehouse").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await expect(row).to_have_count(1)
    await row.get_by_role("button", name="Delete: warehouse").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    await expect(page.get_by_role("heading", name="No connections yet")).to_be_visible()
