"""The workflow's own settings in the editor, what a field offers to choose from, and runs of a draft with input."""

import pytest
from playwright.async_api import expect

from tests.support.eventually import eventually
from tests.ui.conftest import OpenPage, Site
from tests.ui.test_editor import SIZE, draft, make_workflow, write
from tests.ui.test_editor_panel import parameters, select

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOCUMENT = {
    "format": 1,
    "nodes": [
        {"id": "start", "type": "trigger.manual"},
        {"id": "report", "type": "output.report", "parameters": {"markdown": "{{ inputs.city }}"}},
        {"id": "call", "type": "flow.call", "parameters": {"workflow": "nobody"}, "disabled": True},
    ],
    "edges": [{"source": "start", "target": "report"}, {"source": "report", "target": "call"}],
}
INPUTS = """{"type": "object", "required": ["city"], "properties":
 {"city": {"type": "string", "title": "City", "minLength": 3}, "days": {"type": "integer", "default": 2}}}"""


async def test_the_workflow_is_set_up_and_run_with_input(open_page: OpenPage, site: Site) -> None:
    helper = await make_workflow(site, "Tells the team")
    workflow_id = await make_workflow(site, "Set up", DOCUMENT)
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    panel = page.locator(".ed-panel")

    async def kept(part: str, wanted: object) -> bool:
        return (await draft(site, workflow_id)).get(part) == wanted

    # Settings, each an edit of its own.
    await page.get_by_role("button", name="Workflow settings").click()
    at_once = panel.get_by_label("Runs at the same time")
    await at_once.fill("2")
    await at_once.press("Enter")
    await panel.get_by_label("A start beyond that").select_option("reject")
    await panel.get_by_label("When a run fails, start").select_option(label="Tells the team")
    settings = {"max_runs": 2, "when_full": "reject", "error_workflow": helper}
    await eventually(lambda: kept("settings", settings))
    await write(panel.locator("[data-field=documentation] .cm-content"), "Why it is there.")
    await eventually(lambda: kept("documentation", "Why it is there."))
    await page.get_by_role("button", name="Undo", exact=True).click()
    await eventually(lambda: kept("documentation", None))
    # What is wrong is told at the field.
    await at_once.fill("-3")
    await at_once.press("Enter")
    await expect(page.get_by_text("greater than or equal to 1").first).to_be_visible()
    inputs = panel.locator("[data-field=inputs]")
    await write(inputs.locator(".cm-content"), '{"type": "array"}')
    await expect(inputs.get_by_role("alert")).to_contain_text("The input of a run is an object")
    await write(inputs.locator(".cm-content"), INPUTS)
    await expect(inputs.get_by_role("alert")).to_have_count(0)

    # A node's field offers the workflows; what is not among them stays as text.
    await select(page, "call")
    called = panel.locator("[data-field=workflow]")
    await expect(called.locator(".cm-content")).to_have_text("nobody")
    await called.locator("select").select_option(label="Tells the team")
    await expect(called.locator(".cm-content")).to_have_count(0)

    async def calls_helper() -> bool:
        return (await parameters(site, workflow_id, "call"))["workflow"] == helper

    await eventually(calls_helper)

    # A run asks for what the draft declares, and says at the field what is missing or wrong.
    async def run() -> None:
        await page.locator(".ed-bar").get_by_role("button", name="Run", exact=True).click()
        await expect(dialog).to_be_visible()

    dialog = page.get_by_role("dialog", name="Run with input")
    start = dialog.get_by_role("button", name="Run", exact=True)
    city = dialog.locator("[data-field=city]")
    await run()
    await expect(dialog.get_by_label("days")).to_have_value("2")
    await start.click()
    await expect(city.get_by_role("alert")).to_have_text("This is needed.")
    await expect(city.locator(".cm-content")).to_be_focused()
    await write(city.locator(".cm-content"), "No")
    await start.click()
    await expect(city.get_by_role("alert")).to_contain_text("too short")
    await write(city.locator(".cm-content"), "Oslo")
    await start.click()
    await expect(dialog).to_be_hidden()
    done = page.locator(".ed-bar .status")
    await expect(done).to_contain_text("Succeeded", timeout=30_000)
    async with site.client() as client:
        found = (await client.get("/api/v1/runs", params={"workflow_id": workflow_id})).json()["items"]
        ran = (await client.get(f"/api/v1/runs/{found[0]['id']}")).json()
    assert ran["input"] == {"city": "Oslo", "days": 2}
    # The next time it is filled in.
    await run()
    await expect(city.locator(".cm-content")).to_have_text("Oslo")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
