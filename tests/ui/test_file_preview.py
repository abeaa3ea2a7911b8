"""What is recognised in a file stands on its node's panel, and each of it is changed there."""

import os
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.support.eventually import eventually
from tests.ui.conftest import OpenPage, Site
from tests.ui.test_editor import make_workflow

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = {"width": 1500, "height": 1000}
ORDERS = (
    'Straße;Umsatz;Tag;Code;Notiz\r\nHauptstraße;2067,18;31.12.2024;1E5;\r\nGasse;12,50;01.02.2024;007;""\r\n'
)


async def upload(site: Site, name: str, content: bytes) -> None:
    async with site.client() as client:
        answer = await client.put(f"/api/v1/files/{name}", content=content)
        assert answer.status_code == 201, answer.text


async def reading(site: Site, name: str, **parameters: Any) -> str:
    """Make a workflow that reads a file; return its id."""
    nodes = [
        {"id": "start", "type": "trigger.manual"},
        {"id": "read", "type": "file.read", "parameters": parameters},
    ]
    document: dict[str, Any] = {"format": 1, "nodes": nodes, "edges": [{"source": "start", "target": "read"}]}
    return await make_workflow(site, name, document)


async def held(site: Site, workflow_id: str) -> dict[str, Any]:
    """Return the parameters of the node in the draft."""
    async with site.client() as client:
        body = (await client.get(f"/api/v1/workflows/{workflow_id}")).json()
    found: dict[str, Any] = body["draft"]["nodes"][1]["parameters"]
    return found


async def pick(page: Page) -> None:
    await page.locator(".react-flow__node[data-id='read'] .cv-icon").click()
    await expect(page.locator(".ed-panel-sub code")).to_have_text("read")


async def shot(page: Page, name: str) -> None:
    """Keep a picture where somebody asked for them."""
    if folder := os.environ.get("STRUCTFORGE_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png")


async def test_what_is_recognised_is_shown_and_changed(open_page: OpenPage, site: Site) -> None:
    await upload(site, "orders-preview.csv", ORDERS.encode("windows-1252"))
    workflow_id = await reading(site, "Looks into a file", file="orders-preview.csv")
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await pick(page)
    look = page.locator("section.look")
    await expect(look).to_have_attribute("aria-busy", "false")
    for name, text in (
        ("Format", "CSV"),
        ("Encoding", "windows-1252"),
        ("Delimiter", "Semicolon ;"),
        ("Decimal sign", "Comma 1,5"),
        ("First row", "Names"),
    ):
        chosen = look.get_by_label(name, exact=True).locator("option:checked")
        await expect(chosen).to_have_text(text)
    types = {"Straße": "Text", "Umsatz": "Decimal", "Tag": "Text", "Code": "Text", "Notiz": "Text"}
    for name, text in types.items():
        await expect(look.get_by_label(f"Type of {name}").locator("option:checked")).to_have_text(text)
    rows = look.locator("tbody tr")
    await expect(rows).to_have_count(2)
    # Rows are counted from 1, and an empty text is none of the cells without a value.
    await expect(rows.first.locator("td").first).to_have_text("1")
    await expect(rows.first.locator("td").last).to_have_text("null")
    await expect(rows.last.locator("td").last).to_have_text('""')
    await shot(page, "look-en")
    # The same fields are not in the form a second time.
    await expect(page.locator(".form > [data-field=delimiter]")).to_have_count(0)

    await look.get_by_label("Type of Tag").select_option(label="Date")
    pattern = look.get_by_label("How dates of Tag are written")
    await pattern.fill("%d.%m.%Y")
    await pattern.press("Enter")
    wanted: list[dict[str, str]] = [{"column": "Tag", "type": "date", "pattern": "%d.%m.%Y"}]

    async def typed() -> bool:
        return (await held(site, workflow_id)).get("types") == wanted

    await eventually(typed)
    await expect(look.locator(".error")).to_have_count(0)
    await look.get_by_label("Type of Umsatz").select_option(label="Text")
    wanted.append({"column": "Umsatz", "type": "text"})
    await eventually(typed)
    await look.get_by_label("Type of Tag").select_option(value="")
    del wanted[0]
    await eventually(typed)

    await look.get_by_label("Delimiter", exact=True).select_option(label="Comma ,")
    await expect(look.get_by_label("Type of Umsatz")).to_have_count(0)
    await look.get_by_label("Delimiter", exact=True).select_option(value="")
    await expect(look.get_by_label("Type of Umsatz")).to_be_visible()
    await look.get_by_role("button", name="Keep these rules").click()
    await expect(look).to_contain_text("Files are read by these rules.")

    async def pinned() -> bool:
        return bool((await held(site, workflow_id))["recognised"]["delimiter"] == ";")

    await eventually(pinned)
    await shot(page, "look-pinned")
    await look.get_by_role("button", name="Recognize again").click()
    await expect(look.get_by_role("button", name="Keep these rules")).to_be_visible()


async def test_with_the_keyboard_in_chinese(open_page: OpenPage, site: Site) -> None:
    await upload(site, "orders-keys.csv", b"name,amount\nA,1\nB,22\n")
    workflow_id = await reading(site, "Looks with keys", file="orders-keys.csv")
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE, locale="zh", color_scheme="dark")
    await pick(page)
    look = page.locator("section.look")
    await expect(look.get_by_label("分隔符", exact=True).locator("option:checked")).to_have_text("逗号 ,")
    await look.get_by_label("小数点符号", exact=True).focus()
    for _ in range(2):
        await page.keyboard.press("Tab")
    await expect(look.get_by_role("region", name="文件的前几行")).to_be_focused()
    for _ in range(2):
        await page.keyboard.press("Tab")
    await expect(look.get_by_label("amount 的类型")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await shot(page, "look-zh")

    async def typed() -> bool:
        return (await held(site, workflow_id)).get("types") == [{"column": "amount", "type": "text"}]

    await eventually(typed)


async def test_a_file_that_is_not_there_and_one_without_rows(open_page: OpenPage, site: Site) -> None:
    await upload(site, "empty-preview.csv", b"")
    workflow_id = await reading(site, "Looks at nothing", file="gone-preview.csv")
    # A page that asks for what is not there is told so by the server, which the browser logs.
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE, may_break=True)
    await pick(page)
    wrong = page.locator(".look[role=alert]")
    await expect(wrong).to_contain_text("gone-preview.csv")
    await shot(page, "look-gone")
    await upload(site, "gone-preview.csv", b"a,b\n")
    await wrong.get_by_role("button", name="Try again").click()
    look = page.locator("section.look")
    await expect(look).to_contain_text("There are no rows in this file.")
    async with page.expect_response("**/files/preview"):
        await page.get_by_label("Choose a file").select_option("empty-preview.csv")
    await expect(page.locator(".look.skeleton")).to_have_count(0)
    await expect(page.locator(".look")).to_have_count(1)
    await shot(page, "look-empty")
