"""`python -m bench.web`: measure the web app in Chromium, print the figures, write `bench/web.json`.

The bars are the bars of issue B. Dragging is also shown beside the frames the machine gives when nothing is dragged.
"""

import asyncio
import json
import statistics
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx
import typer
from playwright.async_api import Page, async_playwright
from rich.console import Console
from rich.table import Table

from bench import report
from bench.measures import viewers, web
from bench.stack import EMAIL, PASSWORD, Api, Stack
from tests.support.chromium import FLAGS, REMEDY, find_chromium

LATEST = Path(__file__).with_name("web.json")
VIEWPORT = {"width": 1440, "height": 900}
BARS = {
    "drag_300_fps": "≥ 55",
    "drag_300_messages": "0",
    "drag_1000_fps": "",
    "idle_fps": "",
    "open_300_ms": "≤ 1,500",
    "open_1000_ms": "",
    "first_page_kb": "≤ 400",
    "edit_seen_p50_ms": "",
    "edit_seen_max_ms": "≤ 300",
    "step_seen_p95_ms": "≤ 150",
    "timeline_1000_fps": "",
    "timeline_1000_idle_fps": "",
    "status_bytes_dearest": "≤ 300",
    "status_bytes_mean": "≤ 300",
    "viewers_100_p95_ms": "",
}


def main(output: Annotated[Path, typer.Option(help="Where the figures are written.")] = LATEST) -> None:
    """Measure the web app."""
    console = Console(highlight=False, soft_wrap=True)
    if find_chromium() is None:
        console.print(REMEDY)
        raise typer.Exit(1)
    settings = report.machine()
    stack = Stack()
    try:
        stack.start()
        api = Api(stack.port)
        stack.await_workers(api)
        figures = asyncio.run(_measure(stack.port, api))
        api.close()
    finally:
        stack.stop()
    table = Table("figure", "value", "bar")
    for name, bar in BARS.items():
        table.add_row(name, f"{figures[name]:,.1f}", bar)
    console.print(table)
    output.write_text(json.dumps({**figures, "settings": settings}, indent=2) + "\n", encoding="utf-8")


async def _measure(port: int, api: Api) -> dict[str, float]:
    url = f"http://127.0.0.1:{port}"

    def create(nodes: int, *shape: int) -> str:
        body = {"name": f"{nodes} nodes", "document": web.grid(*shape)}
        return str(api.call("POST", "/workflows", body)["id"])

    made = {300: create(300, 23, 13), 1000: create(1000, 37, 27)}
    figures: dict[str, float] = {}
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        answer = await client.post("/api/v1/auth/sign-in", json={"email": EMAIL, "password": PASSWORD})
        cookies = [{"name": name, "value": value, "url": url} for name, value in answer.cookies.items()]
        figures["first_page_kb"] = await web.weight_bytes(client, "/workflows") / 1000
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))

        async def opened() -> Page:
            context = await browser.new_context(viewport=VIEWPORT)  # type: ignore[arg-type]
            await context.add_cookies(cookies)  # type: ignore[arg-type]
            page = await context.new_page()
            web.follow_sockets(page)
            return page

        here, there = await opened(), await opened()
        for nodes, workflow_id in made.items():
            place = f"{url}/workflows/{workflow_id}"
            times = [await web.open_ms(here, place, nodes) for _ in range(5)]
            figures[f"open_{nodes}_ms"] = statistics.median(times)
            drag = await web.drag(here, seconds=4)
            figures[f"drag_{nodes}_fps"], figures["idle_fps"] = drag.frames_per_s, drag.idle_frames_per_s
            figures[f"drag_{nodes}_messages"] = drag.messages

        async def run_here(workflow_id: str) -> dict[str, float]:
            await here.get_by_role("button", name="Run", exact=True).click()
            await here.locator(".cv-node.is-succeeded").nth(299).wait_for(timeout=60_000)
            # The first connection is idle for long enough by now that the server has closed it.
            api = Api(port)
            run_id = api.call("GET", f"/runs?workflow_id={workflow_id}&limit=1")["items"][0]["id"]
            steps = api.call("GET", f"/runs/{run_id}/steps")["items"]
            api.close()
            return {
                each["step_key"]: datetime.fromisoformat(each["finished_at"]).timestamp() * 1000
                for each in steps
            }

        late = []
        for _ in range(5):
            # One that has no results yet: those of the last run are drawn too.
            fresh = create(300, 23, 13)
            await here.goto(f"{url}/workflows/{fresh}")
            await web.shown(here, 300)
            seen = await web.steps_seen_ms(here, partial(run_here, fresh), 300)
            late.append(statistics.quantiles(seen, n=20)[-1])
        figures["step_seen_p95_ms"] = statistics.median(late)
        for page in (here, there):
            await page.goto(f"{url}/workflows/{made[300]}")
            await web.shown(page, 300)
        edits = await web.edit_seen_ms(here, there)
        figures["edit_seen_p50_ms"], figures["edit_seen_max_ms"] = statistics.median(edits), max(edits)

        await here.goto(f"{url}/workflows/{made[1000]}")
        await web.shown(here, 1000)

        async def run_there() -> None:
            await here.get_by_role("button", name="Run", exact=True).click()
            await here.locator(".cv-node.is-succeeded").nth(999).wait_for(timeout=120_000)

        heard = await web.status_bytes(here, run_there)
        client = Api(port)
        path = f"/runs?workflow_id={made[1000]}&limit=1"
        await here.goto(f"{url}/runs/{client.call('GET', path)['items'][0]['id']}")
        client.close()
        scroll = await web.scroll_timeline(here)
        figures["timeline_1000_fps"] = scroll.frames_per_s
        figures["timeline_1000_idle_fps"] = scroll.idle_frames_per_s
        figures["status_bytes_dearest"] = max(size / changes for size, changes in heard if changes <= 2)
        changes = sum(count for _, count in heard)
        figures["status_bytes_mean"] = sum(size for size, _ in heard) / max(1, changes)
        await browser.close()
    api = Api(port)
    watched = api.call("POST", "/workflows", {"name": "Watched", "document": viewers.waits(30, 0.1)})["id"]
    run_id = api.call("POST", f"/workflows/{watched}/runs", {"draft": True})["run_id"]
    api.call("POST", f"/runs/{run_id}/pause")

    async def go() -> None:
        api.call("POST", f"/runs/{run_id}/resume")

    cookies_of = {cookie["name"]: cookie["value"] for cookie in cookies}
    found = await viewers.measure(url, cookies_of, run_id, 100, go)
    api.close()
    figures["viewers_100_p95_ms"] = statistics.quantiles(found.delays_ms, n=20)[-1]
    return figures


if __name__ == "__main__":
    typer.run(main)
