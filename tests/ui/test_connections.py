"""The page of connections: make, try, change and delete one; faults stand at their fields, no secret comes back."""

import pytest
from playwright.async_api import expect

from tests.ui.conftest import OpenPage, Site, publish

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = "hunter2-hunter2"

USES = {
    "format": 1,
    "nodes": [
        {"id": "go", "type": "trigger.manual"},
        {
            "id": "read",
            "type": "database.query",
            "parameters": {"connection": "warehouse", "statement": "SELECT 1"},
        },
    ],
    "edges": [{"source": "go", "target": "read"}],
}


async def test_a_connection_is_made_tried_changed_and_deleted(open_page: OpenPage, site: Site) -> None:
    page = await open_page("/connections")
    await page.get_by_role("button", name="Add a connection").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name", exact=True).fill("Ware house")
    await dialog.get_by_label("Host").fill("10.0.0.7")
    await dialog.get_by_label("Database name").fill("sales")
    await dialog.get_by_label("User").fill("reader")
    await dialog.get_by_label("Password").fill(SECRET)
    await page.keyboard.press("Enter")
    await expect(page.locator("#entry-name-problem")).to_contain_text("Ware house")
    await dialog.get_by_label("Name", exact=True).fill("warehouse")
    await page.keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text="reader@10.0.0.7:5432/sales")
    # An address that no administrator allowed: tried at once, and the reason stays in the list.
    await expect(row).to_contain_text("must not reach")
    await page.reload()
    await expect(row).to_contain_text("must not reach")
    assert SECRET not in await page.content()

    # Changed: the form has everything but the secret; another address needs that anew.
    await row.get_by_role("button", name="Change: warehouse").click()
    await expect(dialog.get_by_label("Host")).to_have_value("10.0.0.7")
    await expect(dialog.get_by_label("Password", exact=True)).to_have_value("")
    await dialog.get_by_label("Description (optional)").fill("Last year's")
    await dialog.get_by_label("Host").fill("10.0.0.8")
    await dialog.get_by_role("button", name="Save and try").click()
    await expect(page.locator("#entry-secret-problem")).to_contain_text("not taken along")
    await expect(dialog.get_by_label("Host")).to_have_value("10.0.0.8")
    await dialog.get_by_label("Host").fill("10.0.0.7")
    await dialog.get_by_role("button", name="Save and try").click()
    await expect(row).to_contain_text("Last year's")
    await expect(page.locator(".toast").last).to_contain_text("must not reach")

    # What uses it is said before it is deleted.
    await publish(site, "Reads the warehouse", USES)
    await row.get_by_role("button", name="Delete: warehouse").click()
    await expect(dialog).to_contain_text("Reads the warehouse")
    await expect(dialog.get_by_role("button", name="Delete all the same")).to_be_visible()
    await dialog.get_by_role("button", name="Cancel").click()
    await row.get_by_role("button", name="Delete: warehouse").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    await expect(row).to_have_count(1)
    await row.get_by_role("button", name="Delete: warehouse").click()
    await dialog.get_by_role("button", name="Delete all the same").click()
    await expect(page.get_by_role("heading", name="No connections yet")).to_be_visible()
