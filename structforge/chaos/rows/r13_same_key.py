"""R13: the same Idempotency-Key a hundred times in parallel is one run, and everybody gets the same answer.

Proves that a caller who does not know whether a request arrived may send it again, at once and from everywhere:
sync and async, pure runs that the web process executes itself and runs that a worker takes. `replayed` tells the
first answer from the others and is no part of what is compared.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from structforge.chaos.client import Client
from structforge.chaos.documents import chain, node
from structforge.chaos.ground import Ground

SETTINGS: Mapping[str, str] = {}
CALLERS = 100


async def run(ground: Ground) -> None:
    """Send each request a hundred times at once."""
    api = await ground.web()
    await ground.workers(1)
    for name, kind, mode in (
        ("pure_sync", "data.set", "sync"),
        ("slow_sync", "chaos.pause", "sync"),
        ("slow_async", "chaos.pause", "async"),
    ):
        parameters: dict[str, Any] = {"fields": {"x": 1}} if kind == "data.set" else {"seconds": 0.3}
        workflow = await api.publish(name, chain(node("a", kind, **parameters)))
        answers = await _ask(api, workflow, mode)
        runs = ground.value("SELECT count(*) FROM workflow_executions WHERE workflow_id = %s", workflow)
        ground.verdict.check(runs == 1, f"{name}: {runs} runs instead of 1")
        first = sum(not answer.pop("replayed", False) for answer in answers)
        ground.verdict.check(first == 1, f"{name}: {first} answers say that theirs was the first request")
        different = {str(sorted(answer.items())) for answer in answers}
        ground.verdict.check(len(different) == 1, f"{name}: different answers: {sorted(different)[:3]}")
        ground.verdict.figures[name] = f"{runs} run, {len(answers)} answers, {len(different)} different"
        ground.verdict.did("requests", len(answers))


async def _ask(api: Client, workflow: str, mode: str) -> list[dict[str, Any]]:
    key = str(uuid4())
    body = {"mode": mode, "input": {"same": True}}
    path = f"/workflows/{workflow}/runs"
    return list(await asyncio.gather(*(api.call("POST", path, body, key=key) for _ in range(CALLERS))))
