"""What is typed, stored, run with and shown keeps every digit, and a text that looks like a number stays one."""

import json
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.eventually import eventually
from tests.ui.conftest import OpenPage, Site
from tests.ui.test_editor import make_workflow, write

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = {"width": 1500, "height": 1000}
BIG = "12345678901234567890"
CENTS = "999999999999999.99"


def chain(*nodes: dict[str, Any]) -> dict[str, Any]:
    all_nodes = [{"id": "start", "type": "trigger.manual"}, *nodes]
    names = [str(node["id"]) for node in all_nodes]
    places = {name: {"x": 290 * at, "y": 0} for at, name in enumerate(names)}
    edges = [{"source": a, "target": b} for a, b in zip(names, names[1:], strict=False)]
    return {"format": 1, "nodes": all_nodes, "edges": edges, "layout": {"positions": places}}


async def text_of(site: Site, path: str) -> str:
    """Return an answer of the API as it was written."""
    async with site.client() as client:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text


def digits(text: str) -> Any:
    """Read JSON with each number as the text that writes it, to tell it from a text."""
    return json.loads(text, parse_int=lambda found: f"#{found}", parse_float=lambda found: f"#{found}")


async def fields_of(site: Site, workflow_id: str, node: str, name: str = "fields") -> Any:
    """Return a parameter of the stored draft."""
    nodes = digits(await text_of(site, f"/api/v1/workflows/{workflow_id}"))["draft"]["nodes"]
    return next(each for each in nodes if each["id"] == node)["parameters"].get(name)


async def stored(site: Site, workflow_id: str, node: str, wanted: Any, name: str = "fields") -> None:
    """Wait until the draft holds a parameter."""

    async def there() -> bool:
        return bool(await fields_of(site, workflow_id, node, name) == wanted)

    try:
        await eventually(there)
    except AssertionError:
        assert await fields_of(site, workflow_id, node, name) == wanted


async def pick(page: Page, node: str) -> None:
    await page.locator(f".react-flow__node[data-id='{node}'] .cv-icon").click()
    await expect(page.locator(".ed-panel-sub code")).to_have_text(node)


async def choose(panel: Locator, field: str, kind: str) -> None:
    """Say what kind of value a field holds."""
    await panel.get_by_label(f"Kind of value: {field}", exact=True).select_option(label=kind)


async def run(page: Page) -> None:
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(".ed-bar [data-status]")).to_have_attribute(
        "data-status", "succeeded", timeout=30_000
    )


async def test_values_are_typed_stored_run_and_shown_as_they_are(open_page: OpenPage, site: Site) -> None:
    names = ("big", "cents", "version", "code", "five", "five_text", "yes", "none", "list", "same")
    document = chain({"id": "rows", "type": "data.set", "parameters": {"fields": dict.fromkeys(names, "")}})
    workflow_id = await make_workflow(site, "Typed values", document)
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await pick(page, "rows")
    panel = page.locator(".ed-panel")
    typed = {
        "big": BIG, "cents": CENTS, "version": "1.10", "code": "1E5", "five": "5", "five_text": "5", "yes": "true",
        "list": f"[1.5, {BIG}]", "same": "{{ 1 + 1 }}",
    }  # fmt: skip
    for name, text in typed.items():
        if name == "five_text":
            await choose(panel, name, "Text")
        await write(panel.get_by_label(f"value {name}", exact=True), text)
    await choose(panel, "none", "Nothing (null)")
    wanted = {
        "big": f"#{BIG}", "cents": f"#{CENTS}", "version": "1.10", "code": "1E5", "five": "#5", "five_text": "5",
        "yes": True, "none": None, "list": ["#1.5", f"#{BIG}"], "same": "{{ 1 + 1 }}",
    }  # fmt: skip
    await stored(site, workflow_id, "rows", wanted)
    # The switch tells what each is, also after the page was loaded again.
    await page.reload()
    await pick(page, "rows")
    kinds = {
        "big": "number", "cents": "number", "version": "text", "code": "text", "five": "number", "five_text": "text",
        "yes": "boolean", "none": "nothing", "list": "json", "same": "expression",
    }  # fmt: skip
    for name, kind in kinds.items():
        switch = panel.get_by_label(f"Kind of value: {name}", exact=True)
        await expect(switch).to_have_value(kind)
    for name in ("big", "cents", "version", "code", "five_text"):
        await expect(panel.get_by_label(f"value {name}", exact=True)).to_have_text(typed[name])
    # One field is changed, and all the others stay what they were.
    await write(panel.get_by_label("value five", exact=True), "6")
    await stored(site, workflow_id, "rows", wanted | {"five": "#6"})
    dock = page.locator(".ed-dock")
    await run(page)
    await expect(dock.locator(".dock-body")).to_be_visible()
    await dock.get_by_role("button", name="Text", exact=True).click()
    shown = digits(await dock.locator("pre.value").inner_text())
    assert shown == wanted | {"five": "#6", "same": "#2"}
    await dock.get_by_role("button", name="Tree", exact=True).click()
    await expect(dock.locator(".tree-root")).to_contain_text(BIG)
    await expect(dock.locator(".tree-root")).to_contain_text(CENTS)
    href = await page.locator(".ed-bar a[href^='/runs/']").get_attribute("href")
    assert href is not None
    steps = digits(await text_of(site, f"/api/v1/workflows/{workflow_id}/draft/nodes/rows/values"))
    assert wanted | {"five": "#6", "same": "#2"} in _values(steps)
    await page.goto(site.url + href)
    await page.locator("#timeline .tl-name").nth(2).click()
    await page.locator("#step-output").get_by_role("button", name="Text", exact=True).click()
    assert digits(await page.locator("#step-output pre.value").inner_text())["big"] == f"#{BIG}"


def _values(value: Any) -> list[Any]:
    """List a JSON value and everything inside it."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(each for one in inside for each in _values(one))]


async def test_a_kind_that_does_not_fit_is_told_and_not_sent(open_page: OpenPage, site: Site) -> None:
    document = chain({"id": "rows", "type": "data.set", "parameters": {"fields": {"a": "abc", "b": "5"}}})
    workflow_id = await make_workflow(site, "Kinds that do not fit", document)
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await pick(page, "rows")
    panel = page.locator(".ed-panel")
    await expect(panel.get_by_label("Kind of value: b", exact=True)).to_have_value("text")
    await choose(panel, "a", "Number")
    await expect(panel.locator(".value-any .error")).to_have_text("This is not a number.")
    await stored(site, workflow_id, "rows", {"a": "abc", "b": "5"})
    await write(panel.get_by_label("value a", exact=True), "2.50")
    await expect(panel.locator(".value-any .error")).to_have_count(0)
    await stored(site, workflow_id, "rows", {"a": "#2.5", "b": "5"})
    # What was typed stays as it was typed.
    await expect(panel.get_by_label("value a", exact=True)).to_have_text("2.50")
    await choose(panel, "b", "Number")
    await stored(site, workflow_id, "rows", {"a": "#2.5", "b": "#5"})
    await choose(panel, "b", "True or false")
    await panel.get_by_label("value b", exact=True).select_option("true")
    await stored(site, workflow_id, "rows", {"a": "#2.5", "b": True})
    await choose(panel, "b", "Text")
    await stored(site, workflow_id, "rows", {"a": "#2.5", "b": "true"})
    await choose(panel, "b", "JSON")
    await write(panel.get_by_label("value b", exact=True), '{"n": 1,}')
    await expect(panel.locator(".value-any .error")).to_have_text("This is not JSON: line 1, character 9.")
    await write(panel.get_by_label("value b", exact=True), '{"n": 1}')
    await stored(site, workflow_id, "rows", {"a": "#2.5", "b": {"n": "#1"}})


async def test_headers_conditions_and_number_fields_keep_what_is_typed(
    open_page: OpenPage, site: Site
) -> None:
    document = chain(
        {
            "id": "get",
            "type": "http.request",
            "parameters": {"url": "https://example.org", "headers": {"X-Id": ""}},
        },
        {
            "id": "some",
            "type": "table.filter",
            "parameters": {"conditions": [{"column": "a", "operator": "equals", "value": ""}]},
        },
        {
            "id": "way",
            "type": "flow.switch",
            "parameters": {"value": "{{ 1 }}", "cases": [{"name": "one", "match": ""}]},
        },
    )
    workflow_id = await make_workflow(site, "Fields of any kind", document)
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    panel = page.locator(".ed-panel")
    await pick(page, "get")
    await write(panel.get_by_label("value X-Id", exact=True), "007")
    await stored(site, workflow_id, "get", {"X-Id": "007"}, "headers")
    await write(panel.get_by_label("value X-Id", exact=True), BIG)
    await stored(site, workflow_id, "get", {"X-Id": f"#{BIG}"}, "headers")
    await choose(panel, "X-Id", "Text")
    await stored(site, workflow_id, "get", {"X-Id": BIG}, "headers")
    await pick(page, "some")
    value = panel.locator("[data-field='conditions[0].value']")
    await write(value.locator(".cm-content"), BIG)
    await stored(
        site, workflow_id, "some", [{"column": "a", "operator": "equals", "value": f"#{BIG}"}], "conditions"
    )
    await value.get_by_label("Kind of value").select_option(label="Text")
    await stored(
        site, workflow_id, "some", [{"column": "a", "operator": "equals", "value": BIG}], "conditions"
    )
    await pick(page, "way")
    match = panel.locator("[data-field='cases[0].match']")
    await write(match.locator(".cm-content"), "1.10")
    await stored(site, workflow_id, "way", [{"name": "one", "match": "1.10"}], "cases")
    await match.get_by_label("Kind of value").select_option(label="Number")
    await stored(site, workflow_id, "way", [{"name": "one", "match": "#1.1"}], "cases")


DECLARED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "title": "Amount"},
        "count": {"type": "integer", "title": "Count", "default": 9007199254740993},
        "note": {"type": "string", "title": "Note"},
        "anything": {"title": "Anything", "x-widget": "json"},
    },
}


async def test_a_run_is_started_with_every_digit(open_page: OpenPage, site: Site) -> None:
    echo = {"id": "echo", "type": "data.set", "parameters": {"fields": {"all": "{{ inputs }}"}}}
    workflow_id = await make_workflow(site, "Asks with digits", {**chain(echo), "inputs": DECLARED})
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await page.get_by_role("button", name="Run", exact=True).click()
    form = page.get_by_role("dialog")
    # A default of the declaration has its digits too.
    await expect(form.get_by_label("Count")).to_have_value("9007199254740993")
    await form.get_by_label("Count").press("ArrowUp")
    await expect(form.get_by_label("Count")).to_have_value("9007199254740994")
    await form.get_by_label("Amount").fill(CENTS)
    await write(form.get_by_label("Note"), "1.10")
    await write(form.locator("[data-field=anything] .cm-content"), f'{{"id": {BIG}}}')
    await form.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(".ed-bar [data-status]")).to_have_attribute(
        "data-status", "succeeded", timeout=30_000
    )
    wanted = {
        "amount": f"#{CENTS}",
        "count": "#9007199254740994",
        "note": "1.10",
        "anything": {"id": f"#{BIG}"},
    }
    href = await page.locator(".ed-bar a[href^='/runs/']").get_attribute("href")
    assert href is not None
    assert digits(await text_of(site, f"/api/v1{href}"))["input"] == wanted
    await page.goto(site.url + href)
    await page.locator("#input summary").click()
    assert digits(await page.locator("#input pre").inner_text()) == wanted
    # A replay with another input begins with these digits, and keeps those that are typed.
    await page.locator("[data-action=replay]").click()
    replay = page.get_by_role("dialog")
    await replay.get_by_text("Change the input").click()
    field = replay.locator(".cm-content")
    await expect(field).to_contain_text(BIG)
    await write(field, json.dumps({"count": 1}).replace("1", "9007199254740995"))
    await replay.get_by_role("button", name="Start").last.click()
    await expect(page.locator("#input pre")).to_contain_text("9007199254740995")


async def test_an_approval_takes_every_digit(open_page: OpenPage, site: Site) -> None:
    fields = [{"name": name, "title": name.title(), "type": "number"} for name in ("amount", "total")]
    ask = {"id": "ask", "type": "flow.approval", "parameters": {"title": "Pay?", "fields": fields}}
    workflow_id = await make_workflow(site, "Approves digits", chain(ask))
    page = await open_page(f"/workflows/{workflow_id}", viewport=SIZE)
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator(".ed-bar [data-status=waiting]")).to_be_visible(timeout=30_000)
    href = await page.locator(".ed-bar a[href^='/runs/']").get_attribute("href")
    assert href is not None
    await page.goto(site.url + href)
    question = page.locator(".question")
    await question.get_by_label("Amount").fill(CENTS)
    await question.get_by_label("Total").fill(BIG)
    await question.get_by_role("button", name="Approve").click()
    await expect(page.locator("header [data-status=succeeded]")).to_be_visible(timeout=15_000)
    found = _values(digits(await text_of(site, f"/api/v1{href}")))
    assert f"#{CENTS}" in found and f"#{BIG}" in found
