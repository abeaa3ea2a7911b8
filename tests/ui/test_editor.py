"""The editor in a real browser: a person builds, mends, runs, publishes, compares and restores a workflow."""

import asyncio
from uuid import UUID

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.eventually import eventually
from tests.ui.conftest import OpenPage, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = {"width": 1440, "height": 900}


async def make_workflow(site: Site, name: str, document: dict[str, object] | None = None) -> str:
    async with site.client() as client:
        answer = await client.post(
            "/api/v1/workflows", json={"name": name, "document": document or {"format": 1}}
        )
        assert answer.status_code == 201, answer.text
        made: str = answer.json()["id"]
        return str(UUID(made))


async def draft(site: Site, workflow_id: str) -> dict[str, list[dict[str, object]]]:
    async with site.client() as client:
        body = (await client.get(f"/api/v1/workflows/{workflow_id}")).json()
    found: dict[str, list[dict[str, object]]] = body["draft"]
    return found


async def drop(page: Page, kind: str, x: int, y: int) -> None:
    """Drag a type from the palette to a place on the canvas."""
    item = page.locator(f".palette-item[data-kind='{kind}']")
    await item.drag_to(page.locator(".cv"), target_position={"x": x, "y": y})


async def write(field: Locator, text: str) -> None:
    """Put a text in the place of a code field's and leave it."""
    await field.click()
    await field.page.keyboard.press("Control+a")
    await field.page.keyboard.insert_text(text)
    await field.blur()


async def connect(page: Page, source: str, port: str, target: str, target_port: str = "in") -> None:
    """Drag an edge from an output to an input."""
    start = page.locator(f"[data-id='{source}'] .source[data-handleid='{port}']")
    end = page.locator(f"[data-id='{target}'] .target[data-handleid='{target_port}']")
    a, b = await start.bounding_box(), await end.bounding_box()
    assert a is not None and b is not None
    await page.mouse.move(a["x"] + a["width"] / 2, a["y"] + a["height"] / 2)
    await page.mouse.down()
    await page.mouse.move(b["x"] + b["width"] / 2, b["y"] + b["height"] / 2, steps=8)
    await page.mouse.up()


async def test_a_person_builds_runs_publishes_compares_and_restores(open_page: OpenPage, site: Site) -> None:
    workflow_id = await make_workflow(site, "By hand")
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await expect(page.locator(".cv-empty")).to_be_visible()

    # Dropped on the canvas, and connected by dragging from port to port.
    await drop(page, "trigger.manual", 120, 300)
    await drop(page, "data.set", 420, 300)
    await expect(page.locator(".cv-node")).to_have_count(2)
    await connect(page, "manual_trigger", "out", "set_fields")
    await expect(page.locator(".react-flow__edge")).to_have_count(1)

    # Added after the selected node by a click: connected at once.
    await page.locator(".react-flow__node[data-id='set_fields'] .cv-title").click()
    await expect(page.locator(".ed-panel code")).to_have_text("set_fields")
    await page.locator(".palette-item[data-kind='output.report']").click()
    await expect(page.locator(".cv-node")).to_have_count(3)
    await expect(page.locator(".react-flow__edge")).to_have_count(2)

    # What was added is selected; another node is configured in the panel.
    panel = page.locator(".ed-panel")
    await expect(panel.locator(".ed-panel-sub code")).to_have_text("markdown_report")
    await page.locator(".react-flow__node[data-id='set_fields'] .cv-title").click()
    await expect(panel.locator(".ed-panel-sub code")).to_have_text("set_fields")
    await panel.get_by_role("button", name="+ Add").first.click()
    await panel.get_by_placeholder("name").first.fill("city")
    value = panel.get_by_label("value city")
    await write(value, "Seattle")
    await eventually(lambda: _parameters(site, workflow_id, "set_fields", {"fields": {"city": "Seattle"}}))

    # A reference to a node that is not there is told, with a way to it; then mended.
    await page.locator(".react-flow__node[data-id='markdown_report'] .cv-title").click()
    text = panel.locator("[data-field=markdown] .cm-content")
    await write(text, "Hello {{ set_feilds.city }}")
    problem = page.locator(".problem.error").filter(has_text="set_feilds")
    await expect(problem).to_be_visible()
    await expect(page.locator("[data-id='markdown_report'] .cv-faults")).to_be_visible()
    await problem.get_by_role("button").click()
    await write(text, "Hello {{ set_fields.city }}")
    await expect(problem).to_have_count(0)

    # Run in place, watched going green, its output looked at.
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(".cv-node.is-succeeded")).to_have_count(3, timeout=30_000)
    await page.get_by_role("tab", name="Output").click()
    await expect(page.locator(".ed-dock")).to_contain_text("Hello Seattle")

    # Published, changed, compared, restored.
    await page.get_by_role("button", name="Publish").click()
    await page.get_by_role("button", name="Publish version 1").click()
    await expect(page.locator(".toast")).to_contain_text("version 1")
    await page.get_by_role("tab", name="Parameters").click()
    await write(text, "Bye {{ set_fields.city }}")
    await eventually(
        lambda: _parameters(site, workflow_id, "markdown_report", {"markdown": "Bye {{ set_fields.city }}"})
    )
    await page.get_by_role("button", name="Versions").click()
    await page.locator(".react-flow__pane").click(position={"x": 20, "y": 20})
    await page.get_by_role("button", name="Compare").click()
    await expect(page.locator(".cv-node.mark-changed")).to_have_count(1)
    await page.get_by_role("button", name="Restore").click()
    await eventually(
        lambda: _parameters(site, workflow_id, "markdown_report", {"markdown": "Hello {{ set_fields.city }}"})
    )


async def _parameters(site: Site, workflow_id: str, name: str, wanted: dict[str, object]) -> bool:
    for each in (await draft(site, workflow_id)).get("nodes", []):
        parameters = each.get("parameters", {})
        if each["id"] == name and isinstance(parameters, dict):
            return all(parameters.get(key) == value for key, value in wanted.items())
    return False


async def test_keys_undo_redo_copy_paste_and_delete(open_page: OpenPage, site: Site) -> None:
    nodes = [{"id": "a", "type": "trigger.manual"}, {"id": "b", "type": "data.set"}]
    document = {"format": 1, "nodes": nodes, "edges": [{"source": "a", "target": "b"}]}
    page = await open_page(f"/workflows/{await make_workflow(site, 'Keys', document)}", viewport=SIZE)
    cards, edges = page.locator(".cv-node"), page.locator(".react-flow__edge")
    await expect(cards).to_have_count(2)
    await page.locator(".react-flow__node[data-id='b'] .cv-title").click()
    await page.keyboard.press("Delete")
    await expect(cards).to_have_count(1)
    await expect(edges).to_have_count(0)
    await page.keyboard.press("Control+z")
    await expect(cards).to_have_count(2)
    await expect(edges).to_have_count(1)
    await page.keyboard.press("Control+Shift+z")
    await expect(cards).to_have_count(1)
    await page.keyboard.press("Control+z")
    await expect(cards).to_have_count(2)
    await page.locator(".react-flow__pane").click(position={"x": 20, "y": 20})
    await page.keyboard.press("Control+a")
    await page.keyboard.press("Control+c")
    await page.keyboard.press("Control+v")
    await expect(cards).to_have_count(4)
    await expect(edges).to_have_count(2)


async def test_a_connection_that_does_not_fit_is_refused_with_the_reason(
    open_page: OpenPage, site: Site
) -> None:
    nodes = [{"id": "write", "type": "file.write"}, {"id": "rows", "type": "table.sort"}]
    places = {"write": {"x": 0, "y": 0}, "rows": {"x": 420, "y": 0}}
    document = {"format": 1, "nodes": nodes, "layout": {"positions": places}}
    page = await open_page(f"/workflows/{await make_workflow(site, 'Types', document)}", viewport=SIZE)
    await expect(page.locator(".cv-node")).to_have_count(2)
    await connect(page, "write", "out", "rows")
    await expect(page.locator(".cv-refusal")).to_contain_text("file")
    await expect(page.locator(".react-flow__edge")).to_have_count(0)


async def test_what_one_edits_the_other_sees_and_nothing_is_lost(open_page: OpenPage, site: Site) -> None:
    nodes = [{"id": "a", "type": "data.set"}, {"id": "b", "type": "data.set"}]
    workflow_id = await make_workflow(site, "Together", {"format": 1, "nodes": nodes})
    one = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    other = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await expect(one.locator(".cv-node")).to_have_count(2)
    await expect(other.locator(".cv-node")).to_have_count(2)
    await one.locator(".palette-item[data-kind='flow.if']").click()
    await expect(other.locator(".react-flow__node[data-id='if']")).to_be_visible()
    for name, page in (("a", one), ("b", other)):
        await page.locator(f".react-flow__node[data-id='{name}'] .cv-title").click()
    titles = [page.get_by_label("Title of the node") for page in (one, other)]
    for number in range(5):
        await asyncio.gather(*(_commit(page, title, f"{name} {number}") for page, title, name in
                               ((one, titles[0], "one"), (other, titles[1], "other"))))  # fmt: skip
    for page in (one, other):
        await expect(page.locator("[data-id='a'] .cv-title")).to_have_text("one 4")
        await expect(page.locator("[data-id='b'] .cv-title")).to_have_text("other 4")


async def _commit(page: Page, field: object, text: str) -> None:
    await field.fill(text)  # type: ignore[attr-defined]
    await page.keyboard.press("Enter")


async def test_a_node_type_that_is_not_installed_keeps_its_parameters(
    open_page: OpenPage, site: Site
) -> None:
    nodes = [{"id": "x", "type": "acme.robot", "parameters": {"speed": 7}}]
    workflow_id = await make_workflow(site, "Plugin", {"format": 1, "nodes": nodes})
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await expect(page.locator(".cv-node.missing")).to_have_count(1)
    await page.locator(".cv-title").click()
    await expect(page.locator(".ed-panel")).to_contain_text("not installed")
    await expect(page.locator(".ed-panel")).to_contain_text("speed")


async def test_pasted_garbage_is_told_and_changes_nothing(open_page: OpenPage, site: Site) -> None:
    page = await open_page(f"/workflows/{await make_workflow(site, 'Garbage')}", viewport=SIZE)
    await expect(page.locator(".cv-empty")).to_be_visible()
    for text in ("not JSON at all", '{"nodes": 7}', '{"nodes": [{"id": "No!", "type": 3}]}'):
        await page.evaluate(
            """text => { const data = new DataTransfer(); data.setData("text/plain", text);
            document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true})) }""",
            text,
        )
        await expect(page.locator(".toast").first).to_be_visible()
    await expect(page.locator(".cv-node")).to_have_count(0)


async def test_a_workflow_that_is_not_ours_is_missing(open_page: OpenPage) -> None:
    page = await open_page("/workflows/00000000-0000-0000-0000-00000000ffff")
    await expect(page.get_by_role("heading", name="This workflow does not exist")).to_be_visible()


async def test_three_hundred_nodes_are_dragged_without_a_message(open_page: OpenPage, site: Site) -> None:
    nodes = [{"id": f"n{n}", "type": "data.set"} for n in range(300)]
    edges = [{"source": f"n{n}", "target": f"n{n + 1}"} for n in range(299)]
    places = {f"n{n}": {"x": n % 20 * 280, "y": n // 20 * 140} for n in range(300)}
    document = {"format": 1, "nodes": nodes, "edges": edges, "layout": {"positions": places}}
    workflow_id = await make_workflow(site, "Large", document)
    page = await open_page("/runs", viewport=SIZE)
    sent: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda data: sent.append(str(data))))
    await page.goto(f"{site.url}/workflows/{workflow_id}")
    await expect(page.locator(".cv")).to_have_attribute("data-nodes", "300")
    await expect(page.locator(".react-flow__node").first).to_be_visible()
    box = await page.locator(".react-flow__node[data-id='n150']").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 10, box["y"] + 8)
    await page.mouse.down()
    sent.clear()
    for step in range(30):
        await page.mouse.move(box["x"] + 10 + 4 * step, box["y"] + 8 + 2 * step)
    while_dragging = [frame for frame in sent if "act" in frame and "move" in frame]
    await page.mouse.up()
    assert while_dragging == []

    async def moved() -> bool:
        layout = (await draft(site, workflow_id)).get("layout", {})
        assert isinstance(layout, dict)
        return bool(layout["positions"]["n150"] != places["n150"])

    await eventually(moved)


async def test_the_editor_answers_nobody_without_a_session(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url) as client:
        assert (await client.get("/api/v1/workflows")).status_code == 401


async def test_the_notebook_shows_the_same_document_and_runs_it(open_page: OpenPage, site: Site) -> None:
    nodes = [
        {"id": "b", "type": "data.set", "title": "Second", "parameters": {"fields": {"city": "Seattle"}}},
        {"id": "a", "type": "trigger.manual", "title": "First"},
    ]
    document = {"format": 1, "nodes": nodes, "edges": [{"source": "a", "target": "b"}]}
    page = await open_page(f"/workflows/{await make_workflow(site, 'Cells', document)}", viewport=SIZE)
    await page.get_by_role("button", name="Notebook").click()
    cells = page.locator(".cell")
    await expect(cells.locator("strong")).to_have_text(["First", "Second"])
    await cells.nth(1).get_by_role("button", name="Configure").click()
    await page.get_by_label("Title of the node").fill("Renamed")
    await page.keyboard.press("Enter")
    await expect(cells.locator("strong")).to_have_text(["First", "Renamed"])
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(".cell [data-status=succeeded]")).to_have_count(2, timeout=30_000)
    await page.get_by_role("button", name="Graph").click()
    await expect(page.locator("[data-id='b'] .cv-title")).to_have_text("Renamed")


async def test_a_node_is_put_on_a_connection(open_page: OpenPage, site: Site) -> None:
    nodes = [{"id": "a", "type": "trigger.manual"}, {"id": "b", "type": "data.set"}]
    places = {"a": {"x": 0, "y": 0}, "b": {"x": 600, "y": 0}}
    edges = [{"source": "a", "target": "b"}]
    document = {"format": 1, "nodes": nodes, "edges": edges, "layout": {"positions": places}}
    workflow_id = await make_workflow(site, "Between", document)
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    # The middle of the edge, once the graph has been brought into view.
    ends = [page.locator(f".react-flow__node[data-id='{name}']") for name in ("a", "b")]

    async def in_view() -> tuple[float, float] | None:
        left, right = [await end.bounding_box() for end in ends]
        assert left is not None and right is not None
        middle = (left["x"] + left["width"] + right["x"]) / 2, left["y"] + left["height"] / 2
        return middle if left["x"] > 224 and right["x"] + right["width"] < 1090 else None

    place = await eventually(in_view)
    assert place is not None
    await page.mouse.click(*place)
    await page.get_by_role("button", name="Add a node here").click()
    await page.locator(".palette-item[data-kind='flow.if']").click()
    await expect(page.locator(".react-flow__edge")).to_have_count(2)
    found = (await draft(site, workflow_id))["edges"]
    assert {(edge["source"], edge["target"]) for edge in found} == {("a", "if"), ("if", "b")}
