"""The page of a run in a real browser: timeline, questions, controls, replays, lineage, comparison, healing."""

import asyncio
import re
import signal
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from structforge.ui.run_filters import ListFilter
from tests.support.eventually import eventually
from tests.ui.conftest import OpenPage, Site, WebProcess, publish

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASKS = "Asks for a refund"
ASK: dict[str, Any] = {
    "nodes": [
        {"id": "start", "type": "trigger.manual"},
        {
            "id": "ask",
            "type": "flow.approval",
            "parameters": {
                "title": "Refund it?",
                "fields": [{"name": "amount", "title": "Amount", "type": "number"}],
            },
        },
        {"id": "yes", "type": "data.set", "parameters": {"fields": {"paid": "{{ ask.fields.amount }}"}}},
    ],
    "edges": [
        {"source": "start", "target": "ask"},
        {"source": "ask", "source_port": "approved", "target": "yes"},
    ],
}
LOOPS = "Goes round"
LOOP: dict[str, Any] = {
    "nodes": [
        {"id": "start", "type": "trigger.manual"},
        {"id": "loop", "type": "flow.loop", "parameters": {"items": "{{ range(1600) }}"}},
        {"id": "work", "type": "data.set", "parameters": {"fields": {"n": "{{ item }}"}}},
        {"id": "more", "type": "data.set", "parameters": {"fields": {"n": "{{ work.n + 1 }}"}}},
    ],
    "edges": [
        {"source": "start", "target": "loop"},
        {"source": "loop", "source_port": "body", "target": "work"},
        {"source": "work", "target": "more"},
        {"source": "more", "target": "loop", "target_port": "again"},
    ],
}
GREETS = "Greets somebody"
GREET: dict[str, Any] = {
    "inputs": {"type": "object", "properties": {"name": {"type": "string"}}},
    "nodes": [
        {"id": "start", "type": "trigger.manual"},
        {"id": "greet", "type": "data.set", "parameters": {"fields": {"text": "Hello {{ start.name }}"}}},
        {"id": "same", "type": "data.set", "parameters": {"fields": {"x": 1}}},
    ],
    "edges": [{"source": "start", "target": "greet"}, {"source": "start", "target": "same"}],
}
CALLS = "Calls another"
CALL: dict[str, Any] = {
    "nodes": [
        {"id": "start", "type": "trigger.manual"},
        {"id": "who", "type": "data.set", "parameters": {"fields": {"name": "Call me"}}},
        {"id": "call", "type": "flow.call", "parameters": {"workflow": GREETS}},
    ],
    "edges": [{"source": "start", "target": "who"}, {"source": "who", "target": "call"}],
}


def action(page: Page, name: str) -> Any:
    return page.locator(f"[data-action={name}]")


async def test_a_question_is_answered_in_its_place(open_page: OpenPage, site: Site) -> None:
    await publish(site, ASKS, ASK)
    run = await site.start(ASKS)
    page = await open_page(f"/runs/{run}")
    question = page.locator(".question")
    await expect(question).to_contain_text("Refund it?", timeout=15_000)
    # What is not possible now says why.
    await expect(action(page, "replay")).to_have_attribute("aria-disabled", "true")
    await expect(action(page, "replay")).to_have_attribute("title", re.compile("Only a run that is over"))
    await question.get_by_role("button", name="Approve").click()
    await expect(question.locator(".error")).to_have_text("This field is needed.")
    await question.get_by_label("Amount").fill("12.5")
    await question.get_by_role("button", name="Approve").click()
    await expect(page.locator("header [data-status=succeeded]")).to_be_visible(timeout=15_000)
    await expect(question).to_have_count(0)
    await expect(page.locator("#result")).to_contain_text("12.5")


async def test_a_viewer_answers_what_names_them_and_nothing_else(open_page: OpenPage, site: Site) -> None:
    email = "answers@example.org"
    asks = {"title": "For you?", "emails": [email]}, {"title": "For owners?", "roles": ["owner"]}
    nodes = [
        {"id": f"ask{number}", "type": "flow.approval", "parameters": each}
        for number, each in enumerate(asks)
    ]
    await publish(site, "Asks a viewer", {"nodes": nodes, "edges": []})
    run = await site.start("Asks a viewer")
    async with site.client() as client:
        made = await client.post("/api/v1/members", json={"email": email, "role": "viewer"})
        assert made.status_code == 201, made.text
    async with httpx.AsyncClient(base_url=site.url, timeout=30) as client:
        body = {"email": email, "password": made.json()["password"]}
        cookies = dict((await client.post("/api/v1/auth/sign-in", json=body)).cookies)
    page = await open_page(f"/runs/{run}", cookies=cookies)
    theirs = page.locator(".question").filter(has_text="For you?")
    others = page.locator(".question").filter(has_text="For owners?")
    await expect(others).to_contain_text("meant for others", timeout=15_000)
    await expect(others.get_by_role("button")).to_have_count(0)
    await expect(theirs).to_contain_text(email)
    await theirs.get_by_role("button", name="Approve").click()
    await expect(theirs).to_have_count(0)
    await expect(page.locator("[data-row=ask0] [data-status=succeeded]")).to_be_visible(timeout=15_000)
    await expect(others).to_be_visible()
    async with site.client() as client:
        answers = [
            await client.post(f"/api/v1/runs/{run}/answers", json={"step_key": key, "decision": "approved"})
            for key in ("ask0", "ask1")
        ]
    assert [answer.status_code for answer in answers] == [409, 201]


async def test_a_run_is_paused_resumed_and_stopped(open_page: OpenPage, site: Site) -> None:
    await publish(site, ASKS, ASK)
    run = await site.start(ASKS)
    page = await open_page(f"/runs/{run}")
    await expect(page.locator("header [data-status=waiting]")).to_be_visible(timeout=15_000)
    await action(page, "pause").click()
    await expect(page.locator("header [data-status=paused]")).to_be_visible(timeout=15_000)
    await action(page, "resume").click()
    await expect(page.locator("header [data-status=waiting]")).to_be_visible(timeout=15_000)
    await action(page, "stop").click()
    await page.get_by_role("button", name="Let it go on").click()
    await action(page, "stop").click()
    await page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    await expect(page.locator("header [data-status=cancelled]")).to_be_visible(timeout=15_000)
    await expect(action(page, "pause")).to_have_count(0)


async def test_iterations_are_grouped_paged_and_reached_by_keys(open_page: OpenPage, site: Site) -> None:
    await publish(site, LOOPS, LOOP)
    run = await site.start(LOOPS, mode="async")
    page = await open_page(f"/runs/{run}")
    await expect(page.locator("header [data-status=succeeded]")).to_be_visible(timeout=30_000)
    # So many steps come by the page.
    await page.reload()
    items = page.get_by_role("treeitem")
    await expect(items).to_have_count(2)
    await expect(page.locator("[data-row=loop]")).to_contain_text("×1600")
    tree = page.get_by_role("tree")
    await tree.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown", "ArrowRight", "ArrowDown", "ArrowRight"):
        await page.keyboard.press(key)
    await expect(items.filter(has_text="Iteration 20")).to_have_attribute("aria-expanded", "true")
    await expect(page.locator("[data-row='loop[20]/work']")).to_be_visible()
    # Only what is in view is drawn.
    assert await items.count() < 40
    await page.keyboard.press("+")
    await expect(page.get_by_role("button", name="Fit", exact=True)).to_be_enabled()
    await page.keyboard.press("0")
    await expect(page.get_by_role("button", name="Fit", exact=True)).to_be_disabled()
    await page.locator("[data-row='loop[20]/more']").click()
    await expect(page.locator("#step-output")).to_contain_text("21")


async def test_a_run_is_run_again_with_another_input_and_compared(open_page: OpenPage, site: Site) -> None:
    workflow = await publish(site, GREETS, GREET)
    async with site.client() as client:
        before = (await client.get("/api/v1/runs", params={"workflow_id": workflow})).json()["items"]
    run = await site.start(GREETS, mode="sync", input={"name": "Ada"})
    page = await open_page(f"/runs/{run}")
    await page.get_by_role("link", name="Version 1").click()
    await page.wait_for_url(f"**/workflows/{workflow}?version=1")
    await expect(page.get_by_text("Both mean the same.")).to_be_visible()
    await page.goto(f"{site.url}/runs/{run}")
    await page.locator("[data-row=greet]").click()
    await page.get_by_role("button", name="Replay from here").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("Begin from")).to_have_value("greet")
    await expect(dialog).to_contain_text("1 nodes run again, 2 steps are taken over.")
    await dialog.get_by_label("Change the input").click()
    text = dialog.get_by_label("Input of the new run as JSON")
    await text.fill('{"name": ')
    await expect(dialog.locator(".error")).to_contain_text("This is not JSON")
    await text.fill('{"name": 5}')
    await text.blur()
    await expect(dialog.locator(".error-line")).to_be_visible()
    await text.fill('{"name": "Grace"}')
    await text.blur()
    await expect(dialog).to_contain_text("3 nodes run again, 0 steps are taken over.")
    await dialog.get_by_role("button", name="Start the new run").click()
    await page.wait_for_url(lambda url: "/runs/" in url and run not in url)
    await expect(page.locator("header [data-status=succeeded]")).to_be_visible(timeout=15_000)
    lineage = page.locator("#lineage")
    await expect(lineage).to_contain_text("Made from")
    await lineage.get_by_role("link", name="Compare").click()
    changed = page.locator("[data-step=greet]")
    await expect(changed).to_contain_text("Hello Grace")
    await expect(changed).to_contain_text("Hello Ada")
    await expect(page.locator("[data-step=same]")).to_have_count(0)
    await expect(page.get_by_role("status").filter(has_text="differ")).to_contain_text("1 are equal")
    await page.goto(f"{site.url}/runs/{run}")
    await expect(page.locator("#lineage")).to_contain_text("Replay")
    await page.goto(f"{site.url}{ListFilter(workflow=workflow).path}")
    await expect(page.locator("table.data tbody tr")).to_have_count(len(before) + 2)


async def test_a_run_shows_what_travelled_and_leads_to_the_runs_it_called_and_back(
    open_page: OpenPage, site: Site
) -> None:
    await publish(site, GREETS, GREET)
    await publish(site, CALLS, CALL)
    run = await site.start(CALLS, mode="sync")
    page = await open_page(f"/runs/{run}")
    await expect(page.locator("header [data-status=succeeded]")).to_be_visible(timeout=15_000)
    # A page that no event reached.
    await page.reload()
    await expect(page.locator(".cv-travel[title*='Call me']")).to_have_text("1")
    calls = page.locator("#lineage")
    await expect(calls).to_contain_text("Called runs")
    await expect(calls.locator("[data-status=succeeded]")).to_have_count(1)
    await calls.get_by_role("link", name=GREETS).click()
    await expect(calls).to_contain_text("Called by")
    await expect(calls.locator("code")).to_have_text("call")
    await calls.get_by_role("link", name=CALLS).click()
    await page.wait_for_url(f"**/runs/{run}")


async def test_the_page_heals_itself_after_the_server_was_killed(
    open_page: OpenPage, site: Site, web_process: WebProcess
) -> None:
    await publish(site, ASKS, ASK)
    run = await site.start(ASKS)
    page = await open_page(f"/runs/{run}", url=web_process.url, may_lose_connection=True)
    await expect(page.locator("header [data-status=waiting]")).to_be_visible(timeout=15_000)
    web_process.program.process.send_signal(signal.SIGKILL)
    await expect(page.locator(".offline")).to_be_visible(timeout=15_000)
    # Meanwhile the run goes on.
    async with site.client() as client:
        body = {"step_key": "ask", "decision": "approved", "fields": {"amount": 3}}

        async def answered() -> bool:
            return (await client.post(f"/api/v1/runs/{run}/answers", json=body)).status_code in (201, 409)

        await eventually(answered)
    await asyncio.to_thread(web_process.restart)
    await expect(page.locator("header [data-status=succeeded]")).to_be_visible(timeout=30_000)
    await expect(page.locator(".offline")).to_have_count(0)
    await expect(page.locator("#result")).to_contain_text("3")
