"""The property panel: expressions completed and evaluated with the last results, a widget for each kind of value."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.support.eventually import eventually
from tests.ui.conftest import OpenPage, Site
from tests.ui.test_editor import SIZE, draft, make_workflow, write

pytestmark = pytest.mark.asyncio(loop_scope="session")

NODES = [
    {"id": "start", "type": "trigger.manual"},
    {
        "id": "order",
        "type": "data.set",
        "parameters": {
            "fields": {"city": "Seattle", "lines": [{"sku": "A-1", "price": 2.5}], "Full name": "Ada"}
        },
    },
    {"id": "report", "type": "output.report", "parameters": {"markdown": "Hello"}},
    {"id": "call", "type": "http.request", "parameters": {"url": "http://127.0.0.1/", "headers": {"a": "1"}}},
    {"id": "sort", "type": "table.sort", "parameters": {"by": [{"column": "x"}, {"column": "y"}]}},
]
DOCUMENT = {
    "format": 1,
    "nodes": NODES[:3],
    "edges": [{"source": "start", "target": "order"}, {"source": "order", "target": "report"}],
}


async def select(page: Page, node: str) -> None:
    """Select a node and wait for its panel."""
    await page.locator(f".react-flow__node[data-id='{node}'] .cv-title").click()
    await expect(page.locator(".ed-panel-sub code")).to_have_text(node)


async def parameters(site: Site, workflow_id: str, node: str) -> dict[str, object]:
    """Return the parameters of a node in the draft."""
    found = next(each for each in (await draft(site, workflow_id))["nodes"] if each["id"] == node)
    kept: dict[str, object] = found["parameters"]  # type: ignore[assignment]
    return kept


async def test_an_expression_is_completed_and_evaluated_with_the_last_results(
    open_page: OpenPage, site: Site
) -> None:
    workflow_id = await make_workflow(site, "Expressions", DOCUMENT)
    async with site.client() as client:
        body = {"input": {}, "draft": True, "mode": "sync"}
        answer = await client.post(f"/api/v1/workflows/{workflow_id}/runs", json=body)
        assert answer.status_code == 200, answer.text
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await select(page, "report")
    field = page.locator("[data-field=markdown]")
    offered = page.locator(".cm-tooltip-autocomplete li")
    preview = field.locator(".fx-preview")
    await field.locator(".cm-content").click()
    await page.keyboard.press("Control+a")
    # The braces close themselves; nodes are offered, then the fields of what they gave.
    await page.keyboard.type("{{ ord")
    await offered.filter(has_text="order").click()
    await page.keyboard.type(".ci")
    await offered.filter(has_text="city").click()
    await expect(preview).to_contain_text("Seattle")
    # A field whose name is no word is taken in brackets; functions come with what they do.
    await page.keyboard.type(" | up")
    await expect(page.locator(".cm-completionInfo")).to_contain_text("in upper case")
    await offered.filter(has_text="upper").click()
    await expect(preview).to_contain_text("SEATTLE")
    await page.keyboard.type(" ~ order.Fu")
    await offered.filter(has_text="Full name").click()
    await expect(preview).to_contain_text("SEATTLEAda")
    # What is wrong is told with its place.
    await page.keyboard.type(" ~ order.nothing")
    await expect(preview).to_contain_text("nothing")
    await expect(field.locator(".cx-fault")).to_be_visible()
    # A node that is not there is marked in the text, and the problem leads to the field.
    await write(field.locator(".cm-content"), "{{ nobody.x }}")
    await expect(field.locator(".cx-unknown")).to_have_text("nobody")
    await expect(field.locator("[role=alert]")).to_contain_text("There is no node 'nobody'")
    await page.locator(".react-flow__pane").click(position={"x": 15, "y": 15})
    await page.locator(".problem.error").filter(has_text="nobody").get_by_role("button").click()
    await expect(field.locator(".cm-content")).to_be_focused()


async def test_each_kind_of_value_has_its_widget(open_page: OpenPage, site: Site) -> None:
    workflow_id = await make_workflow(site, "Widgets", {"format": 1, "nodes": NODES})
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    panel = page.locator(".ed-panel")

    async def kept(node: str, name: str, wanted: object) -> bool:
        return (await parameters(site, workflow_id, node)).get(name) == wanted

    await select(page, "call")
    await panel.get_by_label("Method", exact=True).select_option("PUT")
    await eventually(lambda: kept("call", "method", "PUT"))
    # A table of names and values: added, moved, removed.
    headers = panel.locator("[data-field=headers]")
    await headers.get_by_role("button", name="+ Add").click()
    await headers.get_by_label("name 2").fill("b")
    await headers.get_by_label("name 2").press("Enter")
    await write(headers.get_by_label("value b"), "2")
    await eventually(lambda: kept("call", "headers", {"a": "1", "b": 2}))
    await headers.get_by_role("button", name="Move up b").click()

    async def first_is_b() -> bool:
        found = (await parameters(site, workflow_id, "call"))["headers"]
        return list(found) == ["b", "a"]  # type: ignore[call-overload]

    await eventually(first_is_b)
    # A choice can be an expression instead, and a choice again.
    await panel.get_by_role("button", name="Use an expression: Method").click()
    await write(panel.locator("[data-field=method] .cm-content"), "{{ 'GET' }}")
    await eventually(lambda: kept("call", "method", "{{ 'GET' }}"))
    await panel.get_by_role("button", name="Use an expression: Method").click()
    await expect(panel.get_by_label("Method", exact=True)).to_be_visible()

    # A list of objects: moved and removed; a number with bounds says so where it stands.
    await select(page, "sort")
    await panel.get_by_role("button", name="Move down 1").click()
    await eventually(lambda: kept("sort", "by", [{"column": "y"}, {"column": "x"}]))
    await panel.get_by_role("button", name="Remove 2").click()
    await eventually(lambda: kept("sort", "by", [{"column": "y"}]))
    skip = panel.locator("[data-field=skip] input")
    await skip.fill("-4")
    await skip.press("Enter")
    await expect(panel.locator("[data-field=skip] [role=alert]")).to_be_visible()
    await skip.press("ArrowUp")
    await expect(skip).to_have_value("0")

    # Policies, in words.
    await page.get_by_role("tab", name="Policies").click()
    await panel.get_by_label("When it fails").select_option("continue")
    await expect(panel.get_by_text("Value to go on with")).to_be_visible()
    attempts = panel.get_by_label("Attempts in all")
    await attempts.fill("3")
    await attempts.press("Enter")

    async def policies() -> bool:
        found = next(each for each in (await draft(site, workflow_id))["nodes"] if each["id"] == "sort")
        set_: dict[str, dict[str, object]] = found.get("policies", {})  # type: ignore[assignment]
        return set_.get("on_error") == "continue" and set_.get("retry", {}).get("max_attempts") == 3  # type: ignore[comparison-overlap]

    await eventually(policies)


async def test_a_node_is_renamed_and_what_names_it_follows(open_page: OpenPage, site: Site) -> None:
    document = {
        "format": 1,
        "nodes": [
            {"id": "start", "type": "trigger.manual"},
            {"id": "one", "type": "data.set", "parameters": {"fields": {"n": 1}}},
            {"id": "two", "type": "data.set", "parameters": {"fields": {"n": "{{ one.n + 1 }}"}}},
        ],
        "edges": [{"source": "start", "target": "one"}, {"source": "one", "target": "two"}],
    }
    workflow_id = await make_workflow(site, "Renamed", document)
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(".cv-node.is-succeeded")).to_have_count(3, timeout=30_000)
    await select(page, "one")
    await page.get_by_role("button", name="Pin", exact=True).click()
    await expect(page.locator("[data-id=one] .pin-mark")).to_be_visible()
    # F2 on the canvas; a name that is taken is told and stays to be mended, Escape gives the old one back.
    await page.locator(".react-flow__node[data-id=one]").focus()
    await page.keyboard.press("F2")
    name = page.get_by_label("Id of the node")
    await expect(name).to_be_focused()
    await name.fill("two")
    await name.press("Enter")
    await expect(page.locator(".ed-panel-sub").get_by_role("alert")).to_contain_text("already")
    await name.fill("1st")
    await name.press("Enter")
    await expect(page.locator(".ed-panel-sub").get_by_role("alert")).to_contain_text(
        "beginning with a letter"
    )
    await name.fill("First One")
    await name.press("Enter")
    await expect(page.locator(".ed-panel-sub code")).to_have_text("first_one")
    renamed = page.locator(".react-flow__node[data-id=first_one]")
    await expect(renamed).to_have_class(re.compile("selected"))
    await expect(page.locator(".react-flow__edge")).to_have_count(2)
    assert (await parameters(site, workflow_id, "two")) == {"fields": {"n": "{{ first_one.n + 1 }}"}}
    # Pin and results are as they were; nothing is stale.
    await expect(renamed.locator(".pin-mark")).to_be_visible()
    await expect(page.locator("[data-stale]")).to_have_count(0)
    await expect(page.locator(".problem")).to_have_count(0)
    await page.get_by_role("button", name="Undo", exact=True).click()
    await expect(page.locator(".react-flow__node[data-id=one] .pin-mark")).to_be_visible()
    assert (await draft(site, workflow_id))["edges"] == document["edges"]
    assert (await parameters(site, workflow_id, "two")) == {"fields": {"n": "{{ one.n + 1 }}"}}
