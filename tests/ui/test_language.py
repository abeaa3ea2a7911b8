"""A Chinese reader meets no English: every page in Chinese, in one pass through a browser."""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from structforge.ui.run_filters import ListFilter
from tests.support.eventually import eventually
from tests.ui.conftest import OpenPage, Site, publish

pytestmark = pytest.mark.asyncio(loop_scope="session")

WHOLE: dict[str, Any] = {
    "format": 1,
    "nodes": [
        {"id": "start", "type": "trigger.manual"},
        {"id": "fields", "type": "data.set", "parameters": {"fields": {"a": 1}}},
        {"id": "gone", "type": "file.read", "parameters": {"file": "nowhere.csv"}},
    ],
    "edges": [{"source": "start", "target": "fields"}, {"source": "fields", "target": "gone"}],
}  # fmt: skip
BROKEN: dict[str, Any] = {
    "format": 1,
    "nodes": [
        {"id": "request", "type": "http.request", "parameters": {"url": "{{ nobody.x }}", "timeout_s": -1}},
        {"id": "rows", "type": "table.filter", "parameters": {"conditions": 3, "zz": 1}},
        {"id": "choose", "type": "flow.if", "parameters": {"condition": "{{ 1 + }}"}},
        {"id": "merge", "type": "flow.merge"},
    ],
    "edges": [{"source": "choose", "source_port": "nix", "target": "merge"}],
}

NAMES = """
    API CSV English Excel GET HEAD HTTP ID ISO JSON MB Markdown NUL OPTIONS PATCH POST PUT DELETE PostgreSQL React Flow
    Schema SQL StructForge TLS URL UTF Webhook fx https http
"""
"""Names that are the same in Chinese; fx is the sign of an expression."""
KEYS = "Alt Ctrl End F2 Home PageDown PageUp Delete Enter Esc Shift Space Tab"
UNITS = "kB ms"
CONTENT = """
    again body choose fields gone merge nix nobody nowhere request rows start zz
    conditions csv expression flatten in inputs match structforge out run timeout_s workflow
"""
"""What the workflows below are made of, and names in expressions and parameters."""
ALLOWED = frozenset(f"{NAMES} {KEYS} {UNITS} {CONTENT}".split())

# What is code, data or a drawing; lists of choices are read though they are closed.
SAID = """() => {
  const found = [];
  const seen = (element) => element.tagName === "OPTION" || element.checkVisibility({ visibilityProperty: true });
  const aside = "code, pre, kbd, svg, script, style, .mono, .cm-editor, .value, .data-table, [lang]:not(html)";
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const holder = words.currentNode.parentElement;
    if (holder && !holder.closest(aside) && seen(holder)) found.push(words.currentNode.textContent);
  }
  for (const element of document.querySelectorAll("[title], [aria-label], [placeholder], [alt]")) {
    if (element.closest(".cm-editor") || !seen(element)) continue;
    for (const name of ["title", "aria-label", "placeholder", "alt"]) found.push(element.getAttribute(name) ?? "");
  }
  return found.filter((text) => /[A-Za-z]{2}/.test(text));
}"""


def _words(text: str) -> set[str]:
    # Between backticks is code, and the library of the canvas names itself in English.
    bare = re.sub("`[^`]*`", "", text).replace("React Flow attribution", "")
    return set(re.findall(r"[A-Za-z][A-Za-z_]+", bare))


class Reader:
    """Looks at pages and keeps what is not Chinese, by where it was seen."""

    def __init__(self, page: Page, content: frozenset[str]) -> None:
        self.page = page
        self._content = content
        self.strange: dict[str, set[str]] = {}

    async def look(self, place: str) -> None:
        """Read what is on the page now."""

        async def strange() -> set[str]:
            texts = await self.page.evaluate(SAID)
            return {text for text in texts if _words(text) - ALLOWED - self._content}

        # What comes late in Chinese is fine; what stays is not.
        for _ in range(10):
            found = await strange()
            if not found:
                return
            await self.page.wait_for_timeout(100)
        self.strange[place] = found


async def _content(site: Site) -> frozenset[str]:
    """Return the words of what people of the other tests have named."""
    async with site.client() as client:
        lists = [
            (await client.get(path, params={"limit": 200})).text
            for path in ("/api/v1/workflows", "/api/v1/connections", "/api/v1/members", "/api/v1/me")
        ]
    return frozenset(re.findall(r"[A-Za-z]{2,}", " ".join(lists)))


async def test_a_chinese_reader_meets_no_english(site: Site, open_page: OpenPage) -> None:
    whole = await publish(site, "检查", WHOLE)
    async with site.client() as client:
        made = await client.post("/api/v1/workflows", json={"name": "有错", "document": BROKEN})
        broken = made.json()["id"]
    run, second = await site.start("检查"), await site.start("检查")

    async def over() -> Any:
        async with site.client() as client:
            return (await client.get(f"/api/v1/runs/{second}")).json()["finished_at"]

    await eventually(over)
    page = await open_page("/workflows", locale="zh", viewport={"width": 1440, "height": 900})
    read = Reader(page, await _content(site))
    shown = page.locator("h1, .ed-bar").first
    for path in (
        "/workflows", "/workflows?open=new", "/workflows?open=import", "/workflows?open=templates",
        # Others' runs tell their errors in the words of their workflows.
        ListFilter(workflow=whole).path,
        "/nodes", "/nodes/table.aggregate", "/nodes/flow.loop", "/connections", "/members", "/profile",
        f"/runs/{run}/compare/{second}",
    ):  # fmt: skip
        await page.goto(site.url + path)
        await expect(shown).to_be_visible()
        await read.look(path.replace(run, "…").replace(second, "…"))

    await page.goto(f"{site.url}/workflows")
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("option").first).to_be_visible()
    await read.look("palette of commands")
    await page.goto(f"{site.url}/workflows")
    await expect(shown).to_be_visible()
    async with asyncio.timeout(30):
        # A key that is pressed before the page listens is nobody's.
        while not await page.locator(".keys-dialog").is_visible():
            await page.keyboard.press("?")
            await page.wait_for_timeout(100)
    await read.look("keys")

    await page.goto(f"{site.url}/runs/{run}")
    await page.locator("[data-row=gone]").click()
    await expect(page.locator(".notice").first).to_contain_text("没有文件")
    await read.look("run")

    await page.goto(f"{site.url}/workflows/{broken}")
    await expect(page.locator(".problem").first).to_be_visible()
    await read.look("problems")
    for node in ("request", "rows", "choose"):
        await page.locator(f".react-flow__node[data-id={node}]").click()
        await expect(page.locator(".ed-panel")).to_contain_text(node)
        await read.look(f"parameters of {node}")
    # A language is changed in place.
    problem = page.locator(".problem").filter(has_text="nobody")
    await expect(problem).to_contain_text("没有节点 'nobody'")

    await page.goto(f"{site.url}/workflows/{whole}")
    await page.locator(".react-flow__node[data-id=fields]").click()
    tabs = page.locator(".ed-panel").get_by_role("tab")
    for number in range(await tabs.count()):
        await tabs.nth(number).click()
        await read.look(f"tab {number}")
    await page.get_by_role("button", name="运行节点").first.click()
    await expect(page.locator(".value-view").first).to_be_visible(timeout=20_000)
    await read.look("values")
    for name in ("工作流设置", "版本", "笔记本"):
        await page.locator(".ed-bar").get_by_role("button", name=name).first.click()
        await page.wait_for_timeout(300)
        await read.look(name)
    strange = [f"{place}: {text}" for place, texts in read.strange.items() for text in sorted(texts)]
    assert strange == []


async def test_problems_change_with_the_language_at_once(site: Site, open_page: OpenPage) -> None:
    async with site.client() as client:
        made = await client.post("/api/v1/workflows", json={"name": "Both", "document": BROKEN})
    page = await open_page(f"/workflows/{made.json()['id']}")
    problem = page.locator(".problem").filter(has_text="nobody")
    await expect(problem).to_contain_text("There is no node 'nobody'.")
    await page.keyboard.press("Control+k")
    await page.get_by_role("combobox").fill("简体")
    await page.keyboard.press("Enter")
    await expect(problem).to_contain_text("没有节点 'nobody'。")
    await expect(page.locator(".cv-title").first).to_have_text("HTTP 请求")
