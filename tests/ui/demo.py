"""A web process on a backend in memory, for looking at pages and for tests of the pages alone.

`DEMO_REDIS_URL` makes its runs live: a demo run publishes the same messages as the engine's.
"""

import asyncio
import json
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse
from redis.asyncio import Redis
from starlette.types import ASGIApp

from structforge.config import load_settings
from structforge.domain.errors import NotFoundError, Problem
from structforge.runtime.events import RUN_CHANNEL, EventHub, connect_subscriber
from structforge.ui import backend as pages
from structforge.ui import web_process
from structforge.ui.app import app
from structforge.ui.pages.run import RUN_FEED

EMAIL, PASSWORD = "ada@example.org", "correct horse"
START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
STATUSES = ("succeeded", "failed", "running", "cancelled", "waiting", "queued")
STEPS = ("read_stations", "clean", "filter_summer", "by_month", "join_names", "report")


def run_id(number: int) -> str:
    """Return the id of demo run `number`."""
    return str(UUID(int=number + 1))


def iso(seconds: float) -> str:
    """Return an instant after the demo's start."""
    return (START + timedelta(seconds=seconds)).isoformat()


class DemoBackend:
    """Runs in memory; `ada` sees them."""

    def __init__(self, count: int = 60) -> None:
        self.runs = {run_id(n): self._make(n) for n in range(count)}

    def _make(self, n: int) -> pages.RunView:
        status = STATUSES[n % len(STATUSES)]
        over = status in ("succeeded", "failed", "cancelled")
        steps: list[pages.StepItem] = []
        for index, name in enumerate(STEPS):
            if status == "queued" or (not over and index > 3):
                state = "pending"
            elif status == "failed" and index == 4:
                state = "failed"
            elif status == "failed" and index > 4:
                state = "skipped"
            elif not over and index == 3:
                state = status
            else:
                state = "succeeded"
            began = state in ("succeeded", "failed", "running", "waiting")
            steps.append(
                {
                    "key": name,
                    "node_id": name,
                    "title": name.replace("_", " ").capitalize(),
                    "status": state,
                    "started_at": iso(60 * n + index * 0.4) if began else "",
                    "finished_at": iso(60 * n + index * 0.4 + 0.35)
                    if state in ("succeeded", "failed")
                    else "",
                    "note": "2 attempts" if state == "failed" else "",
                }
            )
        return {
            "run": {
                "id": run_id(n),
                "workflow": "Weather report" if n % 2 else "Order check 订单检查",
                "version": n % 4,
                "status": status,
                "trigger": "manual" if n % 2 else "schedule",
                "created_at": iso(60 * n),
                "started_at": "" if status == "queued" else iso(60 * n),
                "finished_at": iso(60 * n + 2.4) if over else "",
            },
            "steps": steps,
            "seq": 10,
            "result": "# Summer of 1987\n\nThe warmest month was July." if status == "succeeded" else "",
            "problem": {
                "code": "table.column_missing",
                "message": "The column `station` is not in the right table.",
                "where": "nodes.join_names.parameters.on",
                "hint": "Choose one of: id, name, latitude.",
            }
            if status == "failed"
            else {},
        }

    async def visitor(self, cookies: str) -> pages.Visitor | None:
        if "demo=ada" not in cookies:
            return None
        return pages.Visitor("ada", "Ada Lovelace", EMAIL, "Analytical Engines 分析机")

    async def list_runs(self, visitor, *, statuses, before, limit):
        rows = [view["run"] for view in reversed(self.runs.values())]
        rows = [row for row in rows if not statuses or row["status"] in statuses]
        if before is not None:
            rows = [row for row in rows if row["id"] < str(before)]
        return [dict(row) for row in rows[:limit]]

    async def view_run(self, visitor, run_id):
        if str(run_id) not in self.runs:
            raise NotFoundError(Problem("run.not_found", "No such run."))
        return self.runs[str(run_id)]

    async def stop_run(self, visitor, run_id):
        await self.view_run(visitor, run_id)


def demo_api(backend: DemoBackend, redis: Redis | None) -> FastAPI:
    """The endpoints the pages need, and `POST /api/demo/play/{number}` which plays a run live."""
    api = FastAPI()
    to_lose = 0

    @api.post("/api/v1/auth/form/sign-in")
    async def sign_in(email: str = Form(), password: str = Form(), next: str = Form("/")):
        if (email, password) != (EMAIL, PASSWORD):
            return RedirectResponse(f"/sign-in?error=credentials&email={email}&next={next}", 303)
        answer = RedirectResponse(next, 303)
        answer.set_cookie("demo", "ada", httponly=True, samesite="lax")
        return answer

    @api.post("/api/v1/auth/form/sign-out")
    async def sign_out():
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie("demo")
        return answer

    @api.post("/api/demo/play/{number}")
    async def play(number: int, pause_s: float = 0.2, lose: int = 0):
        nonlocal to_lose
        to_lose = lose
        view = backend.runs[run_id(number)]
        for step in view["steps"]:
            for status in ("running", "succeeded"):
                await publish(view, step, status)
                await asyncio.sleep(pause_s)
        view["result"] = "played"
        await publish(view, None, "succeeded")
        return {"seq": view["seq"]}

    async def publish(view, step, status):
        nonlocal to_lose
        view["seq"] += 1
        at = datetime.now(UTC).isoformat()
        place = step if step is not None else view["run"]
        place["status"] = status
        place["started_at" if status == "running" else "finished_at"] = at
        event = {
            "seq": view["seq"],
            "type": f"step.{status}" if step else "run.finished",
            "at": at,
            "status": status,
        }
        if step:
            event |= {"step_key": step["key"], "node_id": step["node_id"]}
        message = {"run_id": view["run"]["id"], "events": [event]}
        to_lose -= 1
        if to_lose < 0:
            await redis.publish(RUN_CHANNEL + view["run"]["id"], json.dumps(message))

    @api.api_route("/api/{rest:path}", methods=["GET", "POST"])
    async def unknown(request: Request):
        return JSONResponse({"code": "not_found"}, 404)

    return api


def application() -> ASGIApp:
    """Build the demo's web process."""
    backend = DemoBackend()
    pages.install(backend)
    url = os.environ.get("DEMO_REDIS_URL")
    if url:
        hub = EventHub(connect_subscriber(url))
        RUN_FEED.use(lambda run_id: hub.follow(f"{RUN_CHANNEL}{run_id}"))

        @asynccontextmanager
        async def listening():
            await hub.open()
            yield
            await hub.close()

        app.register_lifespan_task(listening)
    redis = Redis.from_url(url) if url else None
    return web_process.assemble(load_settings(), demo_api(backend, redis))
