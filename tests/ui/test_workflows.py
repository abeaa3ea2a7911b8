"""The list of workflows in a real browser: find, make, file, copy, delete and bring back, import and export."""

import json
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.documents import greeting
from tests.ui.conftest import OpenPage, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _make(site: Site, name: str, **labels: object) -> str:
    async with site.client() as client:
        answer = await client.post("/api/v1/workflows", json={"name": name, **labels})
        assert answer.status_code == 201, answer.text
        workflow_id: str = answer.json()["id"]
        return workflow_id


async def _names(site: Site, search: str) -> list[str]:
    async with site.client() as client:
        found = await client.get("/api/v1/workflows", params={"search": search})
        return sorted(item["name"] for item in found.json()["items"])


async def _choose(page: Page, workflow_id: str, action: str) -> None:
    row = page.locator(f"tr[data-workflow='{workflow_id}']")
    await row.get_by_role("button", name="Actions").click()
    await page.get_by_role("menuitem", name=action).click()


async def test_the_home_page_is_the_list_with_last_runs_and_what_is_published(
    open_page: OpenPage, site: Site
) -> None:
    run_id = await site.start("Quick start", mode="sync")
    page = await open_page("/")
    await page.wait_for_url("**/workflows")
    # Other tests may have made more than a page of workflows.
    await page.get_by_placeholder("Search by name").fill("Quick start")
    row = page.locator("tr[data-workflow]").filter(has=page.get_by_role("link", name="Quick start"))
    await expect(row.locator("[data-status=succeeded]")).to_be_visible()
    await expect(row).to_contain_text("Version 1")
    await row.locator("[data-status=succeeded]").click()
    await page.wait_for_url(f"**/runs/{run_id}")


async def test_a_draft_that_left_the_published_version_says_so(open_page: OpenPage, site: Site) -> None:
    workflow_id = await _make(site, "Drifting", document=greeting())
    page = await open_page("/workflows")
    row = page.locator(f"tr[data-workflow='{workflow_id}']")
    await expect(row).to_contain_text("Draft only")
    async with site.client() as client:
        path = f"/api/v1/workflows/{workflow_id}"
        assert (await client.post(f"{path}/publish", json={})).status_code == 201
        await expect(row).to_contain_text("Version 1", timeout=15_000)
        await expect(row).not_to_contain_text("Draft changed")
        body = {"revision": 1, "document": greeting("Good evening")}
        assert (await client.put(f"{path}/draft", json=body)).status_code == 200
    await expect(row).to_contain_text("Draft changed", timeout=15_000)


async def test_words_folders_and_tags_find_a_workflow(open_page: OpenPage, site: Site) -> None:
    await _make(site, "Harvest apples", folder="orchard/autumn", tags=["fruit"])
    await _make(site, "Prune trees", folder="orchard", description="Before the frost", tags=["wood"])
    page = await open_page("/workflows")
    rows = page.locator("tr[data-workflow]")
    line = page.get_by_role("searchbox")
    await line.fill("frost prune")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Prune trees")
    await line.fill("no such words")
    await expect(page.get_by_role("heading", name="No workflow matches")).to_be_visible()
    await page.get_by_role("button", name="Show all workflows").click()
    await expect(line).to_have_value("")
    places = page.get_by_role("navigation", name="Folders and tags")
    await places.get_by_role("button", name="orchard 1").click()
    await expect(rows).to_have_count(2)
    await places.get_by_role("button", name="fruit 1").click()
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("Harvest apples")


async def test_a_new_workflow_needs_a_name_and_opens_in_the_editor(open_page: OpenPage, site: Site) -> None:
    page = await open_page("/workflows")
    await page.get_by_role("button", name="New workflow").first.click()
    line = page.get_by_label("Name", exact=True)
    await expect(line).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("A workflow needs a name.")).to_be_visible()
    await expect(line).to_have_attribute("aria-invalid", "true")
    await line.fill("x" * 201)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("A name has at most 200 characters.")).to_be_visible()
    await line.fill("Made by hand")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/workflows/*-*")
    assert await _names(site, "Made by hand") == ["Made by hand"]


async def test_a_name_is_changed_in_its_place_with_the_keyboard(open_page: OpenPage, site: Site) -> None:
    workflow_id = await _make(site, "Old name")
    page = await open_page("/workflows")
    row = page.locator(f"tr[data-workflow='{workflow_id}']")
    await row.get_by_role("button", name="Actions").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    await page.keyboard.press("Enter")
    line = row.get_by_role("textbox", name="Name")
    await expect(line).to_be_focused()
    await line.fill("   ")
    await page.keyboard.press("Enter")
    await expect(row.get_by_text("A workflow needs a name.")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(row.get_by_role("link", name="Old name")).to_be_visible()
    await _choose(page, workflow_id, "Rename")
    await line.fill("New name")
    await page.keyboard.press("Enter")
    await expect(row.get_by_role("link", name="New name")).to_be_visible()


async def test_folder_and_tags_are_set(open_page: OpenPage, site: Site) -> None:
    workflow_id = await _make(site, "To be filed")
    page = await open_page("/workflows")
    await _choose(page, workflow_id, "Folder and tags")
    await page.locator("#workflow-folder").fill("archive/2025")
    await page.locator("#workflow-tags").fill("a" * 51)
    await page.keyboard.press("Enter")
    await expect(page.locator("#workflow-tags-problem")).to_be_visible()
    await page.locator("#workflow-tags").fill("old, kept , old")
    await page.keyboard.press("Enter")
    row = page.locator(f"tr[data-workflow='{workflow_id}']")
    await expect(row.locator(".chip")).to_contain_text(["archive/2025", "old", "kept"])


async def test_what_was_deleted_comes_back(open_page: OpenPage, site: Site) -> None:
    workflow_id = await _make(site, "Deleted by mistake")
    page = await open_page("/workflows")
    row = page.locator(f"tr[data-workflow='{workflow_id}']")
    await _choose(page, workflow_id, "Delete")
    await expect(row).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(row).to_be_visible()
    await _choose(page, workflow_id, "Delete")
    await expect(row).to_have_count(0)
    await page.get_by_role("button", name="Deleted").click()
    await expect(row).to_be_visible()
    await _choose(page, workflow_id, "Bring back")
    await expect(row).to_have_count(0)
    assert await _names(site, "Deleted by mistake") == ["Deleted by mistake"]


async def test_a_copy_is_made(open_page: OpenPage, site: Site) -> None:
    workflow_id = await _make(site, "Original", folder="copies")
    page = await open_page("/workflows")
    await _choose(page, workflow_id, "Duplicate")
    await expect(page.get_by_role("link", name="Original (copy)")).to_be_visible()


async def test_an_exported_file_is_imported(open_page: OpenPage, site: Site, tmp_path: Path) -> None:
    workflow_id = await _make(site, "Travels", folder="abroad", document=greeting())
    page = await open_page("/workflows")
    async with page.expect_download() as download:
        await _choose(page, workflow_id, "Export as JSON")
    path = tmp_path / "travels.json"
    await (await download.value).save_as(path)
    assert json.loads(path.read_text())["structforge"]["name"] == "Travels"
    await page.get_by_role("button", name="Import").click()
    await page.locator("input[type=file]").set_input_files(path)
    await page.get_by_role("dialog").get_by_role("button", name="Import").click()
    await page.wait_for_url("**/workflows/*-*")
    assert await _names(site, "Travels") == ["Travels", "Travels"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Choose a file or paste its text first"),
        ("not JSON at all", "JSON"),
        ("[1, 2]", "A workflow file is a JSON object"),
        ('{"answer": 42}', "neither"),
        ('{"structforge": {"format": 99, "name": "x"}, "workflow": {}}', "format 99"),
        ('{"structforge": {"name": "Refused import"}, "workflow": {"nodes": [{"id": 1}]}}', "nodes"),
    ],
)
async def test_what_cannot_be_imported_is_told_and_nothing_is_made(
    open_page: OpenPage, site: Site, text: str, reason: str
) -> None:
    page = await open_page("/workflows?open=import")
    await page.locator("#file-post-text").fill(text)
    await page.get_by_role("dialog").get_by_role("button", name="Import").click()
    await expect(page.locator("#file-post-problems")).to_contain_text(reason)
    await expect(page.locator("#file-post-text")).to_have_value(text)
    assert await _names(site, "Refused import") == []


async def test_a_file_beyond_the_limit_is_not_sent_and_a_large_one_is(
    open_page: OpenPage, site: Site, tmp_path: Path
) -> None:
    page = await open_page("/workflows?open=import")
    send = page.get_by_role("dialog").get_by_role("button", name="Import")
    large = tmp_path / "large.json"
    head = {"structforge": {"name": "Large import"}, "workflow": greeting() | {"documentation": ""}}
    head["workflow"]["documentation"] = "x" * (5 * 1024 * 1024)
    large.write_text(json.dumps(head))
    await page.locator("input[type=file]").set_input_files(large)
    await expect(page.locator("#file-post-problems")).to_contain_text("larger than 5 MB")
    head["workflow"]["documentation"] = "x" * (5 * 1024 * 1024 - 2_000)
    large.write_text(json.dumps(head))
    await page.locator("input[type=file]").set_input_files(large)
    await expect(page.locator("#file-post-problems")).to_have_count(0)
    await send.click()
    await page.wait_for_url("**/workflows/*-*", timeout=60_000)
    assert await _names(site, "Large import") == ["Large import"]


async def test_a_template_becomes_a_workflow(open_page: OpenPage, site: Site) -> None:
    page = await open_page("/workflows")
    await page.get_by_role("button", name="From a template").click()
    cards = page.locator(".template")
    await expect(cards).to_have_count(len(list(Path("examples").glob("*.json"))))
    before = len(await _names(site, "HTTP health check"))
    await page.get_by_role("button", name="Use this HTTP health check").click()
    await page.wait_for_url("**/workflows/*-*")
    assert len(await _names(site, "HTTP health check")) == before + 1


async def test_the_list_is_paged(open_page: OpenPage, site: Site) -> None:
    for number in range(27):
        await _make(site, f"Paged {number:02}", folder="paged")
    page = await open_page("/workflows")
    await page.get_by_role("button", name="paged 27").click()
    rows = page.locator("tr[data-workflow]")
    await expect(rows).to_have_count(25)
    await page.get_by_role("button", name="Older").click()
    await expect(rows).to_have_count(2)
    await page.get_by_role("button", name="Newer").click()
    await expect(rows).to_have_count(25)
    await page.get_by_role("button", name="Name", exact=True).click()
    await expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    await expect(rows.locator("a.strong")).to_have_text([f"Paged {number:02}" for number in range(25)])
    await page.get_by_role("button", name="Older").click()
    await expect(rows.locator("a.strong")).to_have_text(["Paged 25", "Paged 26"])
