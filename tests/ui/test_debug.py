"""Debugging in place: parts of a draft, pins, staleness and values, on the canvas and in the notebook."""

import pytest
from playwright.async_api import Page, expect

from tests.support.eventually import eventually
from tests.ui.conftest import OpenPage, Site
from tests.ui.test_editor import make_workflow, write

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = {"width": 1500, "height": 1000}


def document() -> dict[str, object]:
    """Three nodes in a row, and one that is not finished."""
    report = "output.report"
    nodes = [
        {"id": "start", "type": "trigger.manual", "title": "Start"},
        {"id": "rows", "type": "data.set", "title": "Cities", "parameters": {"fields": {"city": "Seattle"}}},
        {
            "id": "greet",
            "type": report,
            "title": "Greeting",
            "parameters": {"markdown": "# Hello {{ rows.city }}"},
        },
        {"id": "open", "type": report, "title": "Unfinished", "parameters": {"markdown": "{{ nobody }}"}},
    ]
    places = {
        name: {"x": x, "y": y}
        for name, x, y in (("start", 0, 0), ("rows", 290, 0), ("greet", 580, 0), ("open", 580, 190))
    }
    edges = [{"source": a, "target": b} for a, b in (("start", "rows"), ("rows", "greet"), ("rows", "open"))]
    return {"format": 1, "nodes": nodes, "edges": edges, "layout": {"positions": places}}


async def pick(page: Page, node: str) -> None:
    """Select a node on the canvas."""
    await page.locator(
        f".react-flow__node[data-id='{node}'] .cv-icon, .react-flow__node[data-id='{node}'] .cv-far"
    ).click()
    await expect(page.locator(".ed-panel-sub code")).to_have_text(node)


async def set_city(page: Page, city: str) -> None:
    """Change the field of the second node in the panel."""
    await write(page.locator(".ed-panel").get_by_label("value city"), city)


async def test_parts_pins_and_staleness_on_the_canvas(open_page: OpenPage, site: Site) -> None:
    workflow_id = await make_workflow(site, "Debugged", document())
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    dock = page.locator(".ed-dock")
    await pick(page, "greet")
    await dock.get_by_role("button", name="Run to here").click()
    # What was not needed did not run and did not matter, though it is not finished.
    await expect(page.locator("[data-id='greet'] .is-succeeded").first).to_be_visible(timeout=30_000)
    await expect(dock.locator(".value-prose h2")).to_have_text("Hello Seattle")
    await expect(page.locator("[data-id='open'] [data-status]")).to_have_count(0)
    await expect(page.locator("[data-id='rows'] .cv-preview")).to_have_text("city: Seattle")
    # What travelled is told on the edge, and by a hover in words.
    travelled = page.locator(".cv-travel[title*='city: Seattle']")
    await expect(travelled.first).to_be_visible()
    await dock.get_by_role("tab", name="Input").click()
    await expect(dock.get_by_label("Copy the expression for rows.city")).to_be_attached()
    await dock.get_by_role("tab", name="Output").click()

    # A change makes it stale, with the reason; the old value stays, greyed.
    await pick(page, "rows")
    await set_city(page, "Tokyo")
    await expect(page.locator("[data-id='rows'] [data-stale=definition]")).to_be_visible()
    reason = page.locator("[data-id='greet'] [data-stale=source]")
    await expect(reason).to_have_attribute("title", "Stale: “Cities” is stale.")
    await pick(page, "greet")
    await expect(dock.locator(".step-values.old .value-prose h2")).to_have_text("Hello Seattle")

    # It survives a reload, and another person sees it too.
    await page.reload()
    await expect(page.locator("[data-id='greet'] [data-stale=source]")).to_be_visible()
    await expect(page.locator("[data-id='greet'] [data-status=succeeded]")).to_be_visible()

    # Only what is stale runs again; the start is taken over.
    await pick(page, "greet")
    await dock.get_by_role("button", name="Run stale").click()
    await expect(dock.locator(".value-prose h2")).to_have_text("Hello Tokyo", timeout=30_000)
    await expect(page.locator("[data-id='start'] [data-status=reused]")).to_be_visible()
    await expect(page.locator("[data-stale]")).to_have_count(0)

    # A pinned value is used in place of the node.
    await pick(page, "rows")
    await dock.get_by_role("button", name="Pin", exact=True).click()
    await expect(page.locator("[data-id='rows'] .pin-mark")).to_be_visible()
    await set_city(page, "Oslo")
    await pick(page, "greet")
    await dock.get_by_role("button", name="Run to here").click()
    await expect(page.locator("[data-id='greet'] [data-status=succeeded]")).to_be_visible(timeout=30_000)
    await expect(dock.locator(".value-prose h2")).to_have_text("Hello Tokyo")
    await pick(page, "rows")
    await dock.get_by_role("button", name="Pin", exact=True).click()
    await expect(page.locator(".pin-mark")).to_have_count(0)
    await dock.get_by_role("button", name="Run node").click()
    await expect(page.locator("[data-id='greet'] [data-stale=input]")).to_be_visible(timeout=30_000)

    # What is wrong with the part that runs is told.
    await pick(page, "open")
    await dock.get_by_role("button", name="Run node").click()
    await expect(page.locator(".toast").filter(has_text="nobody")).to_be_visible()


async def test_the_notebook_is_worked_with_the_keyboard(open_page: OpenPage, site: Site) -> None:
    workflow_id = await make_workflow(site, "Cells by key", document())
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await page.get_by_role("button", name="Notebook", exact=True).click()
    cells = page.locator(".cell")
    await expect(cells.locator("header strong")).to_have_text(["Start", "Cities", "Greeting", "Unfinished"])
    await cells.first.focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(cells.nth(2)).to_be_focused()
    # Shift-Enter runs a cell with what is missing before it, and goes on.
    await page.keyboard.press("Shift+Enter")
    await expect(cells.nth(2).locator(".value-prose h2")).to_have_text("Hello Seattle", timeout=30_000)
    await expect(cells.nth(3)).to_be_focused()
    await expect(cells.nth(1).locator(".tree-root")).to_contain_text('"Seattle"')
    # Enter opens the form, Escape comes back; the change shows as stale in both views.
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("ArrowUp")
    await page.keyboard.press("Enter")
    await cells.nth(1).get_by_label("value city").click()
    await page.keyboard.press("Control+a")
    await page.keyboard.type("Lima")
    # The first one may close a list of completions.
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(cells.nth(1)).to_be_focused()
    await expect(cells.nth(1).locator("[data-stale=definition]")).to_be_visible()
    await expect(cells.nth(2).locator(".step-values.old")).to_be_visible()
    await cells.nth(2).get_by_role("button", name="Go to the node").click()
    await expect(page.locator(".ed-panel-sub code")).to_have_text("greet")
    await expect(page.locator("[data-id='rows'] [data-stale=definition]")).to_be_visible()
    await page.locator(".ed-dock").get_by_role("button", name="Go to the cell").click()
    await expect(cells.nth(2)).to_be_focused()

    async def saved() -> bool:
        async with site.client() as client:
            body = (await client.get(f"/api/v1/workflows/{workflow_id}")).json()
        return bool(body["draft"]["nodes"][1]["parameters"]["fields"] == {"city": "Lima"})

    await eventually(saved)


async def test_without_a_selection_the_dock_shows_the_run_as_a_whole(open_page: OpenPage, site: Site) -> None:
    document = {
        "format": 1,
        "nodes": [
            {"id": "start", "type": "trigger.manual"},
            {"id": "rows", "type": "data.set", "title": "Cities", "parameters": {"fields": {"n": 1}}},
            {"id": "bad", "type": "flow.stop", "parameters": {"message": "No rain in {{ rows.n }} cities"}},
            {"id": "after", "type": "data.set"},
        ],
        "edges": [
            {"source": "start", "target": "rows"},
            {"source": "rows", "target": "bad"},
            {"source": "rows", "target": "after"},
        ],
    }
    page = await open_page(f"/workflows/{await make_workflow(site, 'Whole', document)}", viewport=SIZE)
    dock = page.locator(".ed-dock")
    await dock.get_by_role("button", name="Last results").click()
    await expect(dock).to_contain_text("Nothing has run yet")
    await page.get_by_role("button", name="Run", exact=True).click()
    lines = dock.locator(".ov-line")
    await expect(lines.first).to_contain_text("No rain in 1 cities", timeout=30_000)
    await expect(lines.nth(1)).to_contain_text("start")
    await expect(dock.locator(".ov-line[data-step=rows]")).to_contain_text("Cities")
    await expect(dock.locator(".ov-tally")).to_contain_text("1 Failed")
    await lines.first.click()
    await expect(page.locator(".ed-panel-sub code")).to_have_text("bad")
    await expect(dock).to_contain_text("No rain in 1 cities")
    # And back, to the run as a whole.
    await dock.get_by_role("button", name="Show the whole run").click()
    await expect(lines.first).to_be_visible()
    await expect(page.locator(".react-flow__node.selected")).to_have_count(0)


async def test_edges_in_a_loop_tell_the_last_iteration_and_how_many_there_were(
    open_page: OpenPage, site: Site
) -> None:
    looped = {
        "format": 1,
        "nodes": [
            {"id": "start", "type": "trigger.manual"},
            {"id": "loop", "type": "flow.loop", "parameters": {"items": "{{ [1, 2, 3] }}"}},
            {"id": "one", "type": "data.set", "parameters": {"fields": {"n": "{{ item }}"}}},
            {"id": "two", "type": "data.set", "parameters": {"fields": {"n": "{{ one.n }}"}}},
        ],
        "edges": [
            {"source": "start", "target": "loop"},
            {"source": "loop", "source_port": "body", "target": "one"},
            {"source": "one", "target": "two"},
            {"source": "two", "target": "loop", "target_port": "again"},
        ],
    }
    page = await open_page(f"/workflows/{await make_workflow(site, 'Looped', looped)}", viewport=SIZE)
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(".ed-bar .status")).to_contain_text("Succeeded", timeout=30_000)
    labels = page.locator(".cv-travel")
    await expect(labels.get_by_text("×3", exact=True)).to_have_count(1)
    await expect(labels.get_by_text("1 ×3", exact=True)).to_have_count(2)
    await expect(page.locator(".cv-wire.dead")).to_have_count(0)


async def test_the_dock_is_made_higher_by_pointer_and_keys_and_stays_so(
    open_page: OpenPage, site: Site
) -> None:
    page = await open_page(f"/workflows/{await make_workflow(site, 'High', document())}", viewport=SIZE)
    await page.locator(".ed-dock .dock-title").click()
    edge, body = page.locator(".ed-dock .resizer"), page.locator(".dock-body")
    height = (await body.bounding_box())["height"]  # type: ignore[index]
    await edge.hover()
    await page.mouse.down()
    await page.mouse.move(700, (await edge.bounding_box())["y"] - 96, steps=4)  # type: ignore[index]
    await page.mouse.up()
    await edge.press("ArrowDown")

    async def is_high() -> bool:
        return abs((await body.bounding_box())["height"] - height - 76) < 8  # type: ignore[index]

    await eventually(is_high)
    await page.reload()
    await expect(body).to_be_visible()
    await eventually(is_high)
