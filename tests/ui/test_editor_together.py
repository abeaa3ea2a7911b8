"""Two people on one draft, a workflow deleted while it is open, a connection that is lost while something is saved."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.eventually import eventually
from tests.ui.conftest import OpenPage, Site
from tests.ui.test_editor import SIZE, draft, make_workflow, write

pytestmark = pytest.mark.asyncio(loop_scope="session")

REPORT = {"format": 1, "nodes": [{"id": "report", "type": "output.report", "parameters": {"title": "Start"}}]}


async def title(site: Site, workflow_id: str) -> object:
    """Return the title of the report in the draft."""
    parameters = (await draft(site, workflow_id))["nodes"][0]["parameters"]
    assert isinstance(parameters, dict)
    return parameters.get("title")


async def select_report(page: Page) -> None:
    """Open the properties of the report."""
    await page.locator(".react-flow__node[data-id='report'] .cv-title").click()
    await expect(page.locator("[data-field=title] .cm-content")).to_be_visible()


async def has(site: Site, workflow_id: str, wanted: str) -> bool:
    """Tell whether the report has that title by now."""
    return await title(site, workflow_id) == wanted


async def test_the_same_value_changed_by_two_is_shown_twice_and_chosen(
    open_page: OpenPage, site: Site
) -> None:
    workflow_id = await make_workflow(site, "Conflict", REPORT)
    one = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    two = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    mine, theirs = (page.locator("[data-field=title] .cm-content") for page in (two, one))
    for page in (one, two):
        await select_report(page)
    await mine.click()
    await two.keyboard.press("Control+a")
    await two.keyboard.insert_text("Mine")
    # Typed on both sides before either is sent; the first one to be sent counts.
    await write(theirs, "Theirs")
    await eventually(lambda: has(site, workflow_id, "Theirs"))
    await mine.blur()
    dialog = two.get_by_role("dialog", name="Somebody else changed this meanwhile")
    await expect(dialog).to_contain_text("Mine")
    await expect(dialog).to_contain_text("Theirs")
    assert await title(site, workflow_id) == "Theirs"
    await dialog.get_by_role("button", name="Keep mine").click()
    await eventually(lambda: has(site, workflow_id, "Mine"))
    await expect(theirs).to_have_text("Mine")
    # One after another is no conflict, however fast.
    for text in ("Mine 2", "Mine 3", "Mine 4"):
        await write(mine, text)
    await eventually(lambda: has(site, workflow_id, "Mine 4"))
    await expect(two.locator("dialog[open]")).to_have_count(0)


async def test_titles_and_notes_have_both_shown_and_a_choice_can_wait(
    open_page: OpenPage, site: Site
) -> None:
    notes = [{"id": "n", "text": "Start", "x": 0, "y": -200}]
    document = {**REPORT, "layout": {"notes": notes}}
    workflow_id = await make_workflow(site, "Words", document)
    one = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    two = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    for page in (one, two):
        await select_report(page)
    # Both write on the note and the title before either has left it.
    for label in ("Note", "Title of the node"):
        mine, theirs = (page.get_by_label(label, exact=True) for page in (two, one))
        await mine.fill(f"My {label}")
        await theirs.fill(f"Their {label}")
        await theirs.blur()
        await expect(mine).to_have_value(f"My {label}")
        await eventually(lambda text=f"Their {label}": _holds(site, workflow_id, text))
        await mine.blur()
        dialog = two.get_by_role("dialog", name="Somebody else changed this meanwhile")
        await expect(dialog.locator("pre")).to_have_text([f"My {label}", f"Their {label}"])
        # Closed, nothing is lost: it waits to be chosen.
        await two.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await two.get_by_role("button", name="Look at both").click()
        await dialog.get_by_role("button", name="Keep mine").click()
        await expect(theirs).to_have_value(f"My {label}")
        await expect(two.get_by_role("button", name="Look at both")).to_have_count(0)


async def _holds(site: Site, workflow_id: str, text: str) -> bool:
    return text in str(await draft(site, workflow_id))


async def test_a_workflow_deleted_while_it_is_open_stays_in_view_and_comes_back(
    open_page: OpenPage, site: Site
) -> None:
    workflow_id = await make_workflow(site, "Deleted", REPORT)
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await select_report(page)
    async with site.client() as client:
        assert (await client.delete(f"/api/v1/workflows/{workflow_id}")).status_code == 204
    await write(page.locator("[data-field=title] .cm-content"), "Late")
    gone = page.get_by_role("alert").filter(has_text="This workflow was deleted")
    await expect(gone).to_be_visible()
    await expect(page.locator(".cv-node")).to_have_count(1)
    await gone.get_by_role("button", name="Bring it back").click()
    await expect(gone).to_have_count(0)
    await eventually(lambda: has(site, workflow_id, "Late"))


async def test_what_is_edited_without_a_connection_is_sent_when_it_is_back(
    browser: Browser, site: Site
) -> None:
    # A page of its own: the browser logs each attempt to connect as an error.
    context = await browser.new_context(viewport=SIZE)  # type: ignore[arg-type]
    cookies = {"sf_locale": "en"} | site.cookies
    await context.add_cookies([{"name": n, "value": v, "url": site.url} for n, v in cookies.items()])
    workflow_id = await make_workflow(site, "Offline", REPORT)
    page = await context.new_page()
    await page.goto(f"{site.url}/workflows/{workflow_id}")
    await select_report(page)
    await context.set_offline(True)
    await write(page.locator("[data-field=title] .cm-content"), "Written offline")
    await page.locator(".palette-item[data-kind='data.set']").click()
    await expect(page.locator(".outbox")).to_contain_text("1")
    assert await title(site, workflow_id) == "Start"
    await context.set_offline(False)
    await eventually(lambda: has(site, workflow_id, "Written offline"))
    await expect(page.locator(".cv-node")).to_have_count(2)
    await expect(page.locator(".outbox")).to_have_count(0)
    await expect(page.locator("[data-field=title] .cm-content")).to_have_count(0)
    await context.close()
