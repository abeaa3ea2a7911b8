"""The web app in a real Chromium: dragging, opening, weight, what a change costs on the wire and how soon it is seen.

Each function takes pages that are open already and returns plain figures; `bench.web` and the tests call them.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
from playwright.async_api import Page, WebSocket

Document = dict[str, Any]

NODE_WIDTH, NODE_HEIGHT = 260, 110
SEEN_S = 15.0
# Resolves with the milliseconds between frames while `stop` is not set.
_COUNT_FRAMES = """() => {
  window.frameGaps = [];
  let before = performance.now();
  const next = (now) => {
    window.frameGaps.push(now - before);
    before = now;
    window.frameLoop = requestAnimationFrame(next);
  };
  window.frameLoop = requestAnimationFrame(next);
}"""
_FRAMES = "() => { cancelAnimationFrame(window.frameLoop); return window.frameGaps; }"


@dataclass(frozen=True, slots=True)
class Drag:
    """What dragging a node showed."""

    frames_per_s: float
    idle_frames_per_s: float
    """The same time without a drag: what the machine gives."""
    messages: int
    """Websocket messages between the first move and the last."""


def grid(chains: int, length: int) -> Document:
    """Return a trigger and `chains` rows of `length` pure nodes, laid out; the last of all ends alone, later."""
    nodes: list[Document] = [{"id": "start", "type": "trigger.manual"}]
    edges: list[Document] = []
    places = {"start": {"x": 0, "y": chains * NODE_HEIGHT // 2}}
    for row in range(chains):
        before = "start"
        for column in range(length):
            name = f"n{row}_{column}"
            nodes.append({"id": name, "type": "data.set", "parameters": {"fields": {"number": column}}})
            edges.append({"source": before, "target": name})
            places[name] = {"x": (column + 1) * NODE_WIDTH, "y": row * NODE_HEIGHT}
            before = name
    nodes[-1] |= {"type": "flow.delay", "parameters": {"seconds": 1}}
    return {"format": 1, "nodes": nodes, "edges": edges, "layout": {"positions": places}}


async def shown(page: Page, nodes: int) -> None:
    """Wait until the canvas has this many nodes and draws some."""
    await page.locator(f".cv[data-nodes='{nodes}'] .react-flow__node").first.wait_for(timeout=60_000)


async def open_ms(page: Page, url: str, nodes: int) -> float:
    """Return how long a page with a canvas takes from its address to its nodes."""
    began = time.monotonic()
    await page.goto(url, wait_until="commit")
    await shown(page, nodes)
    return (time.monotonic() - began) * 1000


async def drag(page: Page, *, seconds: float = 2.0) -> Drag:
    """Drag a node in the middle of the canvas in circles."""
    await page.wait_for_timeout(700)
    idle = await _frames(page, seconds / 2, _still)
    messages: list[str] = []

    def heard(frame: Any) -> None:
        text = frame if isinstance(frame, str) else ""
        # Engine.io's own heartbeat is no message.
        if text not in ("2", "3"):
            messages.append(text)

    for socket in _sockets(page):
        socket.on("framesent", heard)
        socket.on("framereceived", heard)
    box = await page.locator(".cv").bounding_box()
    assert box is not None
    _, x, y = await _node_near(page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + 12, y + 12)
    await page.wait_for_timeout(400)
    messages.clear()

    async def circle(until: float) -> None:
        step = 0
        while time.monotonic() < until:
            step += 1
            await page.mouse.move(x + 90 * ((step % 40) / 40), y + 70 * ((step % 28) / 28))
            await asyncio.sleep(0.004)

    moved = await _frames(page, seconds, circle)
    count = len(messages)
    await page.mouse.up()
    return Drag(moved, idle, count)


@dataclass(frozen=True, slots=True)
class Scroll:
    """What scrolling through the timeline of a run showed."""

    frames_per_s: float
    idle_frames_per_s: float


async def scroll_timeline(page: Page, *, seconds: float = 3.0) -> Scroll:
    """Scroll up and down through the timeline of a run's page, a row and a half a frame."""
    await page.locator(".tl-scroll .tl-row").first.wait_for(timeout=60_000)
    await page.locator(".tl-scroll").scroll_into_view_if_needed()
    await page.wait_for_timeout(1_000)
    idle = await _frames(page, seconds / 2, _still)

    async def scroll(until: float) -> None:
        await page.evaluate(
            """(lasts) => new Promise((done) => {
              const box = document.querySelector(".tl-scroll");
              const end = performance.now() + lasts;
              let step = 48;
              const next = () => {
                if (performance.now() > end) return done();
                box.scrollTop += step;
                if (box.scrollTop <= 0 || box.scrollTop + box.clientHeight >= box.scrollHeight - 1) step = -step;
                requestAnimationFrame(next);
              };
              next();
            })""",
            max(0.0, until - time.monotonic()) * 1000,
        )

    return Scroll(await _frames(page, seconds, scroll), idle)


async def weight_bytes(client: httpx.AsyncClient, path: str) -> int:
    """Return what a page loads at first, compressed."""
    page = (await client.get(path)).text
    total = 0
    for name in {part.split('"')[0] for part in page.split('href="/assets/')[1:]}:
        answer = await client.get(f"/assets/{name}", headers={"Accept-Encoding": "gzip"})
        total += int(answer.headers["content-length"])
    return total


async def edit_seen_ms(here: Page, there: Page, *, times: int = 10) -> list[float]:
    """Drop a node somewhere else in one page; return how long until the other page shows each drop."""
    box = await here.locator(".cv").bounding_box()
    assert box is not None
    figures = []
    for _ in range(times):
        name, x, y = await _node_near(here, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        style = await there.locator(f".react-flow__node[data-id='{name}']").get_attribute("style")
        await here.mouse.move(x, y)
        await here.mouse.down()
        await here.mouse.move(x + 6, y + 6)
        await here.mouse.move(x + 14, y + 22, steps=4)
        watching = asyncio.create_task(_changed(there, name, style or ""))
        await here.wait_for_timeout(100)
        began = time.monotonic()
        await here.mouse.up()
        await asyncio.wait_for(watching, SEEN_S)
        figures.append((time.monotonic() - began) * 1000)
        await here.wait_for_timeout(100)
    return figures


async def steps_seen_ms(
    page: Page, start: Callable[[], Awaitable[dict[str, float]]], nodes: int
) -> list[float]:
    """Return how long after its end in the worker each step of a run is drawn as succeeded.

    `start` starts a run that the page watches and returns, when it is over, when each step ended (ms since 1970).
    """
    await page.evaluate(
        """() => {
          window.seenAt = {};
          const look = () => {
            for (const each of document.querySelectorAll(".react-flow__node .cv-node.is-succeeded")) {
              const id = each.closest(".react-flow__node").dataset.id;
              window.seenAt[id] ??= Date.now();
            }
          };
          new MutationObserver(look).observe(document.querySelector(".cv"), {
            subtree: true, attributes: true, attributeFilter: ["class"], childList: true });
        }"""
    )
    ended = await start()
    await page.locator(".cv-node.is-succeeded").nth(nodes - 1).wait_for(timeout=60_000)
    seen: dict[str, float] = await page.evaluate("() => window.seenAt")
    return [max(0.0, seen[name] - at) for name, at in ended.items() if name in seen]


async def status_bytes(page: Page, start: Callable[[], Awaitable[None]]) -> list[tuple[int, int]]:
    """Start a run that the page watches; return (bytes, changes) of each message with status changes."""
    heard: list[tuple[int, int]] = []

    def received(frame: Any) -> None:
        text = frame if isinstance(frame, str) else ""
        at = text.find('"patch_rx_state_":')
        if at >= 0:
            patch = json.JSONDecoder().raw_decode(text, at + len('"patch_rx_state_":'))[0]
            if len(patch) == 4 and patch[3]:
                heard.append((len(text.encode()), len(patch[3])))

    for socket in _sockets(page):
        socket.on("framereceived", received)
    await start()
    return heard


def follow_sockets(page: Page) -> None:
    """Remember the page's websockets; call before it opens."""
    page.on("websocket", lambda socket: _sockets(page).append(socket))


_OPEN: dict[Page, list[WebSocket]] = {}


def _sockets(page: Page) -> list[WebSocket]:
    return _OPEN.setdefault(page, [])


async def _frames(page: Page, seconds: float, meanwhile: Callable[[float], Awaitable[None]]) -> float:
    await page.evaluate(_COUNT_FRAMES)
    await meanwhile(time.monotonic() + seconds)
    gaps: list[float] = await page.evaluate(_FRAMES)
    return 1000 * len(gaps) / sum(gaps) if gaps else 0.0


async def _still(until: float) -> None:
    await asyncio.sleep(max(0.0, until - time.monotonic()))


async def _node_near(page: Page, x: float, y: float) -> tuple[str, float, float]:
    """Return the id and the middle of the node nearest to a point of the window that nothing lies above."""
    found = await page.evaluate(
        """([x, y]) => [...document.querySelectorAll(".react-flow__node")].map((node) => {
            const box = node.getBoundingClientRect();
            return [node.dataset.id, box.x + box.width / 2, box.y + box.height / 2];
          })
          .filter(([id, ...at]) => document.elementFromPoint(...at)?.closest(".react-flow__node")?.dataset.id === id)
          .sort((a, b) => Math.hypot(a[1] - x, a[2] - y) - Math.hypot(b[1] - x, b[2] - y))[0]""",
        [x, y],
    )
    return found[0], found[1], found[2]


async def _changed(page: Page, name: str, before: str) -> None:
    await page.evaluate(
        """([name, before]) => new Promise((done) => {
          const node = document.querySelector(`.react-flow__node[data-id="${CSS.escape(name)}"]`);
          const look = () => (node.getAttribute("style") !== before ? done() : requestAnimationFrame(look));
          look();
        })""",
        [name, before],
    )
