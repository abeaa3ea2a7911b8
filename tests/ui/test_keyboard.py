"""The whole path of a person with the keyboard alone: nothing in here moves or presses a mouse."""

import pytest
from playwright.async_api import Locator, Page, expect

from tests.ui.conftest import EMAIL, PASSWORD, OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE = {"width": 1440, "height": 900}
LIVE_MS = 30_000
MOST_STEPS = 80

FOCUSED = "document.activeElement"


def _node(page: Page, name: str) -> Locator:
    return page.locator(f".react-flow__node[data-id='{name}']")


async def _press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def _walk_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press a key until the focus is on what is meant, and can be seen there."""
    await expect(target).to_be_visible()
    for _ in range(MOST_STEPS):
        if await target.evaluate(f"(each) => each === {FOCUSED}"):
            shown = await page.evaluate(f"{FOCUSED}.matches(':focus-visible')")
            assert shown, "the focus cannot be seen"
            return
        await page.keyboard.press(key)
    pytest.fail(f"{key} does not lead to {target}; the focus is on {await _where(page)}")


async def _where(page: Page) -> str:
    found: str = await page.evaluate(f"{FOCUSED}.outerHTML.slice(0, 200)")
    return found


async def _go_to_part(page: Page, name: str) -> None:
    """Walk with F6 to a part of the page."""
    inside = f"Boolean({FOCUSED}.closest(\"[data-region='{name}']\"))"
    for _ in range(12):
        if await page.evaluate(inside):
            return
        await page.keyboard.press("F6")
    pytest.fail(f"F6 does not lead to {name}; the focus is on {await _where(page)}")


async def _command(page: Page, words: str) -> None:
    """Do something by its name, from the palette of commands."""
    await page.keyboard.press("Control+k")
    await page.keyboard.type(words)
    first = page.locator(".commands [role=option]").first
    await expect(first).to_contain_text(words)
    await page.keyboard.press("Enter")


async def _add(page: Page, words: str, name: str) -> None:
    """Add a node after the one that has the focus; the focus goes to it."""
    await page.keyboard.press("n")
    await expect(page.get_by_role("searchbox", name="Search nodes")).to_be_focused()
    await page.keyboard.type(words)
    await page.keyboard.press("Enter")
    await expect(_node(page, name)).to_be_focused()
    await expect(page.locator(".ed-panel-sub code")).to_have_text(name)


async def _go_to_node(page: Page, name: str) -> None:
    """Walk over the canvas to a node and open its properties."""
    await _go_to_part(page, "canvas")
    await page.keyboard.press("f")
    await _walk_to(page, _node(page, name))
    await page.keyboard.press("Enter")
    await expect(page.locator(".ed-panel-sub code")).to_have_text(name)
    await expect(page.locator(".ed-panel-body :focus")).to_have_count(1)


async def _into_form(page: Page, name: str, field: str) -> None:
    """Open the parameters of the node that has the focus and go to a field."""
    await expect(_node(page, name)).to_be_focused()
    await page.keyboard.press("Enter")
    target = page.locator(
        f".ed-panel-body[data-item='{name}'] [data-field='{field}'] :is(.cm-content, input)"
    ).first
    await expect(page.locator(".ed-panel-body :focus")).to_have_count(1)
    await _walk_to(page, target)


async def test_everything_is_done_with_the_keyboard_alone(open_page: OpenPage) -> None:
    page = await open_page("/", signed_in=False, viewport=SIZE)
    await page.wait_for_url("**/sign-in")
    await expect(page.get_by_label("E-mail")).to_be_focused()
    await page.keyboard.type(EMAIL)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Workflows", exact=True)).to_be_visible()

    # The first stop leads over the navigation.
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("#content")).to_be_focused()

    # A dialog gives the focus back to what opened it, and Escape closes only what lies on top.
    new = page.get_by_role("button", name="New workflow").first
    await _walk_to(page, new)
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()
    await page.keyboard.press("Control+k")
    await expect(page.locator(".commands")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".commands")).to_be_hidden()
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_label("Name", exact=True)).to_have_count(0)
    await expect(new).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Name", exact=True)).to_be_focused()
    await page.keyboard.type("Keys alone")
    await page.keyboard.press("Enter")
    await expect(page.locator(".cv-empty")).to_be_visible()

    # Nodes: each after the one before; one beside them, connected by C.
    await _go_to_part(page, "palette")
    await page.keyboard.type("manual")
    await page.keyboard.press("Enter")
    await expect(_node(page, "manual_trigger")).to_be_focused()
    await _add(page, "read file", "read_file")
    await _add(page, "filter rows", "filter_rows")
    await _add(page, "report", "markdown_report")
    await _press(page, "f")  # What is out of view is not drawn.
    await expect(page.locator(".react-flow__edge")).to_have_count(3)
    await _press(page, "Escape")
    await expect(page.locator(".react-flow__node.selected")).to_have_count(0)
    await _go_to_part(page, "palette")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator(".palette-item").first).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await page.keyboard.type("set fields")
    await page.keyboard.press("Enter")
    await expect(_node(page, "set_fields")).to_be_focused()
    await page.keyboard.press("Delete")
    await expect(_node(page, "set_fields")).to_have_count(0)
    await page.keyboard.press("Control+z")
    await expect(_node(page, "set_fields")).to_be_visible()
    await _go_to_node(page, "filter_rows")
    await page.keyboard.press("Escape")
    await expect(_node(page, "filter_rows")).to_be_focused()
    await page.keyboard.press("c")
    dialog = page.get_by_role("dialog", name="Connect")
    await expect(dialog.get_by_role("combobox")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(_node(page, "filter_rows")).to_be_focused()
    await page.keyboard.press("c")
    await page.keyboard.type("set_fields")
    await expect(dialog.get_by_role("option").first).to_contain_text("set_fields")
    await page.keyboard.press("Enter")
    await _press(page, "f")
    await expect(page.locator(".react-flow__edge")).to_have_count(4)
    await expect(_node(page, "filter_rows")).to_be_focused()

    # Parameters, one of them an expression with a mistake that F8 leads to.
    await _into_form(page, "filter_rows", "expression")
    await page.keyboard.type("precipitation > 30")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(_node(page, "filter_rows")).to_be_focused()
    await _press(page, "Alt+ArrowLeft")
    await _into_form(page, "read_file", "file")
    await page.keyboard.type("data/seattle-weather.csv")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(_node(page, "read_file")).to_be_focused()
    await _go_to_node(page, "markdown_report")
    report = page.locator(".ed-panel-body[data-item='markdown_report'] [data-field=markdown] .cm-content")
    await _walk_to(page, report)
    await page.keyboard.type("Wettest: {{ filter_rowz | length }} days")
    await page.keyboard.press("Control+s")
    problem = page.locator(".problem.error").filter(has_text="filter_rowz")
    await expect(problem).to_be_visible()
    await _go_to_part(page, "problems")
    await _walk_to(page, problem.get_by_role("button"))
    await page.keyboard.press("Enter")
    await expect(report).to_be_focused()
    await page.keyboard.press("Control+a")
    await page.keyboard.type("Wettest: {{ filter_rows | length }} days")
    await expect(page.locator(".problem.error")).to_have_count(0)

    # Run, and a look at the table.
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".cv-node.is-succeeded")).to_have_count(5, timeout=LIVE_MS)
    await _go_to_node(page, "filter_rows")
    await _go_to_part(page, "dock")
    dock = page.locator(".ed-dock")
    if not await page.locator(".dock-body").is_visible():
        await _walk_to(page, page.locator(".dock-title"))
        await page.keyboard.press("Enter")
    await expect(dock).to_contain_text("precipitation", timeout=LIVE_MS)
    await _walk_to(page, dock.get_by_role("tab", name="Output"))
    await page.keyboard.press("ArrowRight")
    await expect(dock.get_by_role("tab", name="Input")).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await _walk_to(page, dock.get_by_role("searchbox"))
    await page.keyboard.type("2015/03")
    await expect(dock).to_contain_text("2015/03/15")

    # Published with a note, changed, compared, restored.
    await _command(page, "Publish")
    note = page.get_by_label("Note", exact=True)
    await expect(note).to_be_focused()
    await page.keyboard.type("Only what is wet")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".toast").last).to_contain_text("version 1")
    await _go_to_node(page, "markdown_report")
    await _walk_to(page, report)
    await page.keyboard.press("Control+a")
    await page.keyboard.type("Changed: {{ filter_rows | length }} days")
    await page.keyboard.press("Control+s")
    await _command(page, "Versions")
    versions = page.get_by_role("region", name="Versions")
    await expect(versions).to_be_focused()
    await expect(versions).to_contain_text("Only what is wet")
    compare = versions.get_by_role("button", name="Compare")
    await _walk_to(page, compare)
    await page.keyboard.press("Enter")
    await expect(page.locator(".cv-node.mark-changed")).to_have_count(1)
    await expect(page.get_by_role("region", name="What differs").first).to_contain_text("Changed:")
    await page.keyboard.press("Escape")
    await expect(page.locator(".cv-node.mark-changed")).to_have_count(0)
    await expect(versions).to_be_visible()
    await expect(compare).to_be_focused()
    await _walk_to(page, versions.get_by_role("button", name="Restore"))
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast").last).to_contain_text("Version 1 is in the draft now")
    await page.keyboard.press("Escape")
    await expect(versions).to_have_count(0)
    assert await page.evaluate(f"{FOCUSED} !== document.body"), "the focus is nowhere"

    # The run in the list, its page and a control of it.
    await page.keyboard.press("Control+k")
    await page.keyboard.type("go to the runs")
    await expect(page.locator(".commands [role=option]").first).to_contain_text("Go to the runs")
    await page.keyboard.press("Enter")
    await expect(page.locator("#content")).to_be_focused()
    await _walk_to(page, page.get_by_role("searchbox"))
    await page.keyboard.type("Keys alone")
    rows = page.locator("tr[data-run]")
    await expect(rows).to_have_count(1)
    await _walk_to(page, rows.get_by_role("link"))
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Keys alone")
    await expect(page.locator("#content")).to_be_focused()
    await _walk_to(page, page.get_by_role("tree"))
    await _press(page, "ArrowDown", "ArrowDown", "Enter")
    await expect(page.locator("#step-output")).to_be_visible()
    await _command(page, "Run again")
    await expect(page.get_by_role("dialog", name="Run again")).to_be_visible()
    await _walk_to(page, page.get_by_role("dialog").get_by_role("button", name="Start the new run"))
    await page.keyboard.press("Enter")
    await expect(page.locator(".page-head [data-status=succeeded]")).to_be_visible(timeout=LIVE_MS)

    await _command(page, "Sign out")
    await page.wait_for_url("**/sign-in")
    await expect(page.get_by_label("E-mail")).to_be_focused()
