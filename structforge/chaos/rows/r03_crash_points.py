"""R3: a process dies at each named point, with a step of each effect in its hands, and inside a `finally` branch.

Proves what a crash may repeat: the results are those of an uncrashed run; an effect happens at most twice and an
idempotent receiver sees one; a `once` step is never begun a second time without a person.
"""

import signal
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from structforge.chaos.client import ChaosError, Client
from structforge.chaos.counting import count_journal
from structforge.chaos.documents import chain, node, post
from structforge.chaos.ground import TERMINAL, Ground
from structforge.chaos.nodes import read_traces
from structforge.chaos.receiver import Receiver
from structforge.chaos.services import Service
from structforge.engine.faults import POINTS

SETTINGS: Mapping[str, str] = {
    "STRUCTFORGE_LEASE_S": "1",
    "STRUCTFORGE_REDISPATCH_AFTER_S": "0.3",
    "STRUCTFORGE_OUTBOUND_ALLOW_HOSTS": "127.0.0.1",
}
EFFECTS = ("pure", "repeatable", "once")
UNDECIDED = {"after_step_commit", "after_intent", "before_final_commit"}
"""Where nobody can know whether the effect of a `once` step happened: the run waits for a person."""
SHORT = ("after_claim", "after_intent", "before_final_commit")

_RESULT = "SELECT status, output ->> 'result' FROM workflow_executions WHERE id = %s"

_RUNNING = (
    "SELECT count(*) FROM execution_steps WHERE run_id = %s AND node_id = 'work' AND status = 'running'"
)
_HELD = "SELECT count(*) FROM execution_steps WHERE run_id = %s AND node_id = 'work' AND status = 'waiting'"
_ENDED = """
SELECT e.status, e.error ->> 'code', s.outputs #>> '{out,status}' FROM workflow_executions e
JOIN execution_steps s ON s.run_id = e.id AND s.step_key = 'told' AND s.settled WHERE e.id = %s
"""


async def run(ground: Ground) -> None:
    """Let a worker die at each point with each effect, then let a healthy one go on."""
    receiver = Receiver()
    try:
        trace = ground.home / "trace"
        works: dict[str, dict[str, Any]] = {
            "pure": node("work", "chaos.pause_pure", trace=str(trace)),
            "repeatable": post("work", receiver.url),
            "once": node("work", "chaos.pause_once", trace=str(trace)),
        }
        api = await ground.web()
        ground.service("scheduler")
        healthy = (await ground.workers(1))[0]
        workflows = {
            effect: await api.publish(effect, _document(works[effect], effect)) for effect in EFFECTS
        }
        uncrashed = {}
        for effect in EFFECTS:
            whole = await api.start(workflows[effect])
            await ground.all_over([whole], limit_s=60)
            uncrashed[effect] = ground.rows(_RESULT, whole)[0]
        for effect in EFFECTS:
            await _die_in_finally(ground, api, effect, healthy)
        for point in SHORT if ground.short else POINTS:
            if point == "after_accept":
                accepted = await _die_accepting(ground, workflows)
            else:
                accepted = await _die_working(ground, api, point, workflows, healthy)
            for effect, one in accepted.items():
                _check(ground, receiver, point, effect, one, uncrashed[effect])
    finally:
        receiver.close()


def _document(work: dict[str, Any], effect: str) -> dict[str, Any]:
    result = "{{ work.body.taken }}" if effect == "repeatable" else "{{ work.step }}"
    return chain(
        node("before", "data.set", fields={"x": 1}),
        work,
        node("after", "data.set", fields={"result": result}),
    )


async def _die_working(
    ground: Ground, api: Client, point: str, workflows: Mapping[str, str], healthy: Service
) -> dict[str, UUID]:
    """Give a run to a worker that dies at `point`, for each effect; return the runs as they ended."""
    doomed = await ground.workers(len(EFFECTS), STRUCTFORGE_CRASH_AT=point)
    for worker in doomed:
        worker.send(signal.SIGSTOP)
    accepted = {}
    for effect, worker in zip(EFFECTS, doomed, strict=True):
        healthy.send(signal.SIGSTOP)
        one = await api.start(workflows[effect])
        worker.send(signal.SIGCONT)
        if point == "after_intent" and effect != "once":
            # Only a step that must not be repeated has an intent: the worker passes no such point.
            await ground.all_over([one], limit_s=30)
            worker.kill()
        else:
            code = worker.wait(60)
            ground.verdict.check(code == -signal.SIGKILL, f"{point}, {effect}: the worker ended with {code}")
            ground.verdict.did("crashes")
        healthy.send(signal.SIGCONT)
        rest = (*TERMINAL, "waiting") if effect == "once" else TERMINAL
        await ground.until(
            lambda one=one, rest=rest: ground.statuses([one])[one] in rest,  # type: ignore[misc]
            f"the run of {point}, {effect} comes to rest",
        )
        accepted[effect] = one
    return accepted


async def _die_accepting(ground: Ground, workflows: Mapping[str, str]) -> dict[str, UUID]:
    """Let the web process die right after it accepted a run, before it could ring or answer."""
    [web] = [service for service in ground.services if service.kind == "web"]
    web.end()
    ground.services.remove(web)
    api = await ground.web(STRUCTFORGE_CRASH_AT="after_accept")
    accepted = {}
    for effect in EFFECTS:
        try:
            await api.start(workflows[effect])
            ground.verdict.check(False, f"after_accept, {effect}: the web process answered")
        except ChaosError:
            ground.verdict.did("crashes")
        newest = "SELECT id FROM workflow_executions WHERE workflow_id = %s ORDER BY accepted_at DESC LIMIT 1"
        accepted[effect] = ground.value(newest, workflows[effect])
        # Not left to the server, which takes three crashes for a loop and gives up.
        web = ground.services[-1]
        web.end()
        web.start()
        await ground.until(api.answers, "the web process is back", service=web)
    await ground.all_over(list(accepted.values()), limit_s=60)
    return accepted


async def _die_in_finally(ground: Ground, api: Client, effect: str, healthy: Service) -> None:
    """Kill the worker while a step behind `finally` is running, in a loop; the run had failed before."""
    kinds = {"pure": "chaos.pause_pure", "repeatable": "chaos.pause", "once": "chaos.pause_once"}
    trace, verdict, name = ground.home / f"finally-{effect}", ground.verdict, f"finally, {effect}"
    document: dict[str, Any] = {
        "format": 1,
        "nodes": [
            {"id": "start", "type": "trigger.manual"},
            node("stop", "flow.stop", code="chaos.stopped", message="Stopped."),
            node("end", "flow.finally"),
            node("all", "flow.loop", items=[1]),
            node("work", kinds[effect], seconds=600, again_seconds=0, trace=str(trace)),
            node("told", "data.set", fields={"status": "{{ end.status }}"}),
        ],
        "edges": [
            {"source": "start", "target": "stop"},
            {"source": "end", "target": "all"},
            {"source": "all", "source_port": "body", "target": "work"},
            {"source": "work", "target": "all", "target_port": "again"},
            {"source": "all", "source_port": "done", "target": "told"},
        ],
    }
    workflow = await api.publish(name, document)
    [doomed] = await ground.workers(1)
    healthy.send(signal.SIGSTOP)
    one = await api.start(workflow)
    await ground.until(lambda: ground.value(_RUNNING, one) == 1, f"{name}: the work is under way")
    doomed.kill()
    verdict.did("crashes")
    healthy.send(signal.SIGCONT)
    if effect == "once":
        await ground.until(lambda: ground.value(_HELD, one) == 1, f"{name}: a person is asked")
        word = {"step_key": "all[0]/work", "decision": "done", "fields": {"output": "by a person"}}
        await api.call("POST", f"/runs/{one}/answers", word)
        verdict.figures["held_for_a_person"] = verdict.figures.get("held_for_a_person", 0) + 1
    over = await ground.all_over([one], limit_s=45)
    verdict.check(over, f"{name}: the run did not end")
    times = len(read_traces(trace))
    verdict.check(times == (1 if effect == "once" else 2), f"{name}: the effect happened {times} times")
    found = ground.rows(_ENDED, one)[0]
    verdict.check(found == ("failed", "chaos.stopped", "failed"), f"{name}: the run ended as {found}")
    count_journal(ground, [one], steps=6, allowed=("failed",))
    verdict.figures["cases"] = verdict.figures.get("cases", 0) + 1


def _check(
    ground: Ground, receiver: Receiver, point: str, effect: str, one: UUID, uncrashed: tuple[Any, ...]
) -> None:
    verdict, name = ground.verdict, f"{point}, {effect}"
    traces = sum(line.run == str(one) and line.step == "work" for line in read_traces(ground.home / "trace"))
    times = receiver.requests[str(one), "work"] if effect == "repeatable" else traces
    verdict.check(times <= (1 if effect == "once" else 2), f"{name}: the effect happened {times} times")
    if effect == "repeatable":
        effects = receiver.effects[str(one), "work"]
        verdict.check(effects == 1, f"{name}: the idempotent receiver saw {effects} effects")
    result = ground.rows(_RESULT, one)[0]
    if effect == "once" and point in UNDECIDED:
        verdict.check(result[0] == "waiting", f"{name}: the run is {result[0]} and waits for nobody")
        verdict.figures["held_for_a_person"] = verdict.figures.get("held_for_a_person", 0) + 1
    else:
        verdict.check(result == uncrashed, f"{name}: {result} instead of {uncrashed}")
        count_journal(ground, [one], steps=4)
    verdict.figures["cases"] = verdict.figures.get("cases", 0) + 1
    verdict.figures["repeated_effects"] = verdict.figures.get("repeated_effects", 0) + max(0, times - 1)
