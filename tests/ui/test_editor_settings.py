"""The workflow's own settings in the editor, what a field offers to choose from, and runs of a draft with input."""

from collections.abc import Awaitable, Callable
from typing import Any

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
    await expect(page.get_by_text("It must be at least 1").first).to_be_visible()
    inputs = panel.locator("[data-field=inputs]")
    await inputs.get_by_role("button", name="JSON Schema").click()
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
    await expect(city.get_by_role("alert")).to_contain_text("The text needs 3 or more characters")
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


async def test_inputs_are_declared_field_by_field_and_asked_for(open_page: OpenPage, site: Site) -> None:
    kept = {"type": "object", "required": ["odd"], "properties": {"odd": {"anyOf": [{"type": "string"}]}}}
    workflow_id = await make_workflow(site, "Declared", {**DOCUMENT, "inputs": kept})
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await page.get_by_role("button", name="Workflow settings").click()
    inputs = page.locator(".ed-panel [data-field=inputs]")

    async def fields() -> dict[str, Any]:
        found: Any = (await draft(site, workflow_id))["inputs"]
        return {name: found["properties"][name] for name in found["properties"]}

    # Added, named and limited by keyboard; what is wrong shows at the field.
    await inputs.get_by_role("button", name="Add field").click()
    name = inputs.get_by_label("Name", exact=True)
    await expect(name).to_be_focused()
    await name.fill("odd")
    await expect(inputs.get_by_role("alert")).to_have_text("There is a field of this name already.")
    await name.fill("days")
    await name.press("Enter")
    await inputs.get_by_label("Type", exact=True).select_option(label="Integer")
    await inputs.get_by_label("At least", exact=True).fill("3")
    await inputs.get_by_label("At most", exact=True).fill("2")
    await inputs.get_by_label("At most", exact=True).press("Enter")
    row = inputs.locator("[data-name=days]")
    await expect(row.get_by_role("alert")).to_contain_text("Nothing is at least 3 and at most 2.")
    await inputs.get_by_label("At most", exact=True).fill("9")
    await inputs.get_by_label("At most", exact=True).press("Enter")
    await expect(inputs.get_by_role("alert")).to_have_count(0)
    await inputs.get_by_label("Required").check()
    await inputs.get_by_role("button", name="Add field").click()
    await name.fill("size")
    await name.press("Enter")
    await inputs.get_by_label("Type", exact=True).select_option(label="Choice")
    await inputs.get_by_label("Choices, one a line").fill("small\nlarge\nlarge")
    await inputs.get_by_label("Choices, one a line").blur()
    await inputs.get_by_label("Default").select_option(label="large")

    async def declared() -> bool:
        return await fields() == {
            "odd": kept["properties"]["odd"],  # type: ignore[index]
            "days": {"type": "integer", "minimum": 3, "maximum": 9},
            "size": {"type": "string", "enum": ["small", "large"], "default": "large"},
        }

    await eventually(declared)

    # Ordered with keys and by dragging.
    await row.locator(".fields-title").press("Alt+ArrowUp")
    await eventually(lambda: _is_order(fields, ["days", "odd", "size"]))
    await expect(row.locator(".fields-title")).to_be_focused()
    await inputs.locator("[data-name=size] .fields-title").click()
    await inputs.locator("[data-name=size] .fields-grip").drag_to(
        row.locator(".fields-title"), target_position={"x": 20, "y": 2}
    )
    await eventually(lambda: _is_order(fields, ["size", "days", "odd"]))
    # One undo takes back the last of it, and the text shows the same schema.
    await page.get_by_role("button", name="Undo", exact=True).click()
    await eventually(lambda: _is_order(fields, ["days", "odd", "size"]))
    await inputs.get_by_role("button", name="JSON Schema").click()
    await expect(inputs.locator(".cm-content")).to_contain_text('"anyOf"')

    # A run asks for each with its own widget; what has none is asked for as JSON.
    await page.locator(".ed-bar").get_by_role("button", name="Run", exact=True).click()
    dialog = page.get_by_role("dialog", name="Run with input")
    await expect(dialog.get_by_label("size")).to_have_value("large")
    await dialog.get_by_label("days").fill("1")
    await write(dialog.locator("[data-field=odd] .cm-content"), '"x"')
    await dialog.get_by_role("button", name="Run", exact=True).click()
    await expect(dialog.locator("[data-field=days]").get_by_role("alert")).to_contain_text(
        "It must be at least 3"
    )


async def _is_order(fields: Callable[[], Awaitable[dict[str, Any]]], wanted: list[str]) -> bool:
    return list(await fields()) == wanted
