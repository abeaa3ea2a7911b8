"""The canvas by keyboard and in groups: reach, connect, duplicate, turn off, align, frame; and what is pasted."""

import json

import pytest
from playwright.async_api import expect

from tests.support.eventually import eventually
from tests.ui.conftest import OpenPage, Site
from tests.ui.test_editor import SIZE, draft, make_workflow

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_workflow_is_edited_without_a_mouse(open_page: OpenPage, site: Site) -> None:
    nodes = [
        {"id": "a", "type": "trigger.manual"},
        {"id": "b", "type": "data.set"},
        {"id": "c", "type": "flow.if"},
    ]
    places = {"a": {"x": 0, "y": 0}, "b": {"x": 300, "y": 10}, "c": {"x": 600, "y": 0}}
    document = {"format": 1, "nodes": nodes, "layout": {"positions": places}}
    workflow_id = await make_workflow(site, "Keyboard", document)
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    cards, edges = page.locator(".cv-node"), page.locator(".react-flow__edge")
    await expect(cards).to_have_count(3)

    # Reached by arrows, connected by name.
    await page.keyboard.press("Alt+ArrowRight")
    await expect(page.locator(".react-flow__node.selected")).to_have_attribute("data-id", "a")
    await page.keyboard.press("c")
    dialog = page.get_by_role("dialog", name="Connect")
    await expect(dialog.get_by_role("combobox")).to_be_focused()
    await page.keyboard.type("set")
    await page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    await expect(edges).to_have_count(1)
    await page.locator(".react-flow__node[data-id='a']").focus()
    await page.keyboard.press("Alt+ArrowRight")
    await expect(page.locator(".react-flow__node.selected")).to_have_attribute("data-id", "b")

    # Enter leads to the properties, Escape back.
    await page.keyboard.press("Enter")
    await expect(page.locator(".ed-panel-body :focus")).to_have_count(1)
    await page.keyboard.press("Escape")
    await expect(page.locator(".react-flow__node[data-id='b']")).to_be_focused()

    # Turned off, duplicated, removed and taken back.
    await page.keyboard.press("x")
    await expect(page.locator("[data-id='b'] .cv-node.off")).to_have_count(1)
    await page.keyboard.press("x")
    await expect(page.locator("[data-id='b'] .cv-node.off")).to_have_count(0)
    await page.keyboard.press("Control+d")
    await expect(cards).to_have_count(4)
    await expect(page.locator(".react-flow__node.selected")).to_have_attribute("data-id", "b_2")
    await page.keyboard.press("Delete")
    await expect(cards).to_have_count(3)
    await page.keyboard.press("Control+z")
    await expect(cards).to_have_count(4)
    await page.get_by_role("button", name="Keys", exact=True).click()
    await expect(page.get_by_role("dialog", name="Keys")).to_contain_text("connect it to a node")


async def test_several_nodes_are_put_in_line_and_framed_and_dragged_together(
    open_page: OpenPage, site: Site
) -> None:
    nodes = [{"id": name, "type": "data.set"} for name in ("a", "b", "c")]
    places = {"a": {"x": 0, "y": 0}, "b": {"x": 270, "y": 37}, "c": {"x": 700, "y": 90}}
    document = {"format": 1, "nodes": nodes, "layout": {"positions": places}}
    workflow_id = await make_workflow(site, "Groups", document)
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await expect(page.locator(".cv-node")).to_have_count(3)

    async def layout() -> dict[str, object]:
        found: dict[str, object] = (await draft(site, workflow_id))["layout"]  # type: ignore[assignment]
        return found

    async def tops() -> set[object]:
        return {at.get("y", 0) for at in (await layout())["positions"].values()}  # type: ignore[attr-defined]

    await page.keyboard.press("Control+a")
    await page.get_by_role("button", name="Align top").click()
    await eventually(lambda: _equal(tops, {0}))
    await page.get_by_role("button", name="Spread across").click()

    async def middle() -> bool:
        return bool((await layout())["positions"]["b"]["x"] == 350)  # type: ignore[index]

    await eventually(middle)
    await page.keyboard.press("Control+g")
    frame = page.locator(".cv-note.frame")
    await expect(frame).to_be_visible()
    await page.get_by_label("Title of the frame").fill("Loading")
    await page.keyboard.press("Enter")
    await page.locator(".react-flow__pane").click(position={"x": 12, "y": 12})
    box = await frame.bounding_box()
    assert box is not None
    start = box["x"] + box["width"] / 2, box["y"] + box["height"] - 8
    await page.mouse.move(*start)
    await page.mouse.down()
    await page.mouse.move(start[0], start[1] + 80, steps=6)
    await page.mouse.up()

    async def moved_along() -> bool:
        found = await layout()
        notes: list[dict[str, object]] = found["notes"]  # type: ignore[assignment]
        down = {at.get("y", 0) for at in found["positions"].values()}  # type: ignore[attr-defined]
        return notes[0]["text"] == "Loading" and len(down) == 1 and down.pop() > 40

    await eventually(moved_along)


async def _equal(read: object, wanted: object) -> bool:
    return bool(await read() == wanted)  # type: ignore[operator]


async def test_what_is_pasted_is_taken_or_refused_with_the_reason(open_page: OpenPage, site: Site) -> None:
    page = await open_page(f"/workflows/{await make_workflow(site, 'Paste')}", viewport=SIZE)
    await expect(page.locator(".cv-empty")).to_be_visible()

    async def paste(text: str) -> None:
        await page.evaluate(
            """text => { const data = new DataTransfer(); data.setData("text/plain", text);
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true})) }""",
            text,
        )

    toasts = page.locator(".toast")
    await paste(json.dumps({"format": 2, "nodes": []}))
    await expect(toasts.filter(has_text="has format 2")).to_be_visible()
    await paste(json.dumps({"nodes": [], "padding": "x" * 5_000_000}))
    await expect(toasts.filter(has_text="Import it as a file")).to_be_visible()
    await expect(page.locator(".cv-node")).to_have_count(0)
    nodes = [
        {"id": "a", "type": "data.set"},
        {"id": "b", "type": "acme.robot", "parameters": {"speed": "{{ a.x }}"}},
    ]
    await paste(json.dumps({"format": 1, "nodes": nodes, "edges": [{"source": "a", "target": "b"}]}))
    await expect(page.locator(".cv-node")).to_have_count(2)
    await expect(page.locator(".cv-node.missing")).to_have_count(1)
