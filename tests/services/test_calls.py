"""Workflows that call workflows, and the workflow that handles a failure; a real worker loop on real servers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from structforge.config import Settings
from structforge.domain.run import RunStatus
from structforge.domain.workflow import WorkflowDocument
from structforge.services.replays import ReplayRequest
from structforge.services.run_views import RunViews
from structforge.services.runs import StartRequest
from structforge.services.workflows import Labels
from structforge.storage.callees import stop_abandoned
from structforge.storage.repositories.workflows import Workflows
from structforge.storage.tables import RunRow
from tests.services.test_run_control import is_, publish, step_statuses
from tests.support.eventually import eventually
from tests.support.installation import Installation, a_worker, installed
from tests.support.workflows import document, node, registry_with_test_nodes


@pytest.fixture
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Two organizations, their services, and one worker loop."""
    registry_with_test_nodes()
    async with installed(settings.model_copy(update={"call_depth_max": 3})) as made:
        async with a_worker(made):
            yield made


ADD_ONE = document(node("start", "trigger.manual"), node("sum", "data.set", fields={"n": "{{ inputs.n + 1 }}"}),
                   edges=["start>sum"])  # fmt: skip


def calls(workflow: UUID | str, given: Any = None, **parameters: Any) -> WorkflowDocument:
    """Return a workflow with one call."""
    return document(node("call", "flow.call", workflow=str(workflow), input=given, **parameters))


async def start(made: Installation, workflow: UUID, given: Any = None, **request: Any) -> UUID:
    started = await made.services.runs.start(made.first, workflow, StartRequest(given or {}, **request))
    return started.run_id


async def ended(made: Installation, run: UUID) -> RunRow:
    async def look() -> RunRow | None:
        row = await made.services.runs.get(made.first, run)
        return row if RunStatus(row.status).terminal else None

    row = await eventually(look)
    assert row is not None
    return row


async def children(made: Installation, run: UUID) -> list[Any]:
    """Return id, status, step, whether it is waited for and depth of the runs below, in the order of their start."""
    async with made.engine.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT id, status, parent_step_key, parent_waits, depth, trigger_kind, created_by "
            "FROM workflow_executions WHERE parent_run_id = %s ORDER BY accepted_at, id",
            (run,),
        )
        return await cursor.fetchall()


async def child(made: Installation, run: UUID) -> UUID:
    async def look() -> UUID | None:
        found = await children(made, run)
        return found[0][0] if found else None

    found = await eventually(look)
    assert found is not None
    return found


async def rests(made: Installation, run: UUID) -> None:
    """Wait until a run waits and nobody holds it."""

    async def look() -> bool:
        async with made.engine.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT owner IS NULL AND available_at = 'infinity' FROM run_outbox WHERE run_id = %s", (run,)
            )
            return await cursor.fetchone() == (True,)

    await eventually(is_(made, run, RunStatus.WAITING))
    await eventually(look)


async def test_a_called_run_gives_its_output_and_knows_where_it_comes_from(
    installation: Installation,
) -> None:
    callee = await publish(installation, ADD_ONE)
    made = document(
        node("call", "flow.call", workflow=str(callee), input={"n": "{{ inputs.n }}"}),
        node("twice", "data.set", fields={"n": "{{ call.n * 2 }}"}),
        edges=["call>twice"],
    )
    run = await start(installation, await publish(installation, made), {"n": 4})
    assert (await ended(installation, run)).output == {"n": 10}
    ((_, status, step, waits, depth, kind, by),) = await children(installation, run)
    assert (status, step, waits, depth, kind) == ("succeeded", "call", True, 1, "call")
    assert by == installation.first.user_id
    views = RunViews(installation.engine.database)
    caller = await views.relatives(installation.first, run)
    (called,) = caller.calls
    assert (called.run.parent_step_key, caller.parent, caller.descendants) == ("call", None, [])
    back = await views.relatives(installation.first, called.run.id)
    assert back.parent is not None and (back.parent.run.id, back.parent_step) == (run, "call")
    assert (back.calls, back.origin) == ([], None)
    # What travelled on the edges is told of a run that is over as well.
    picture = await views.picture(installation.first, run)
    assert picture.given == {"call": {"out": [None, "n: 5"]}, "twice": {"out": [None, "n: 10"]}}


async def test_calls_in_a_loop_and_for_each_element_have_runs_of_their_own(
    installation: Installation,
) -> None:
    callee = str(await publish(installation, ADD_ONE))
    made = document(
        node("all", "flow.loop", items=[1, 2, 3], concurrency=2),
        node("one", "flow.call", workflow=callee, input={"n": "{{ item }}"}),
        node("many", "flow.call", workflow=callee, input={"n": "{{ item }}"},
             policies={"each": {"items": "{{ [7, 8] }}", "concurrency": 2}}),
        edges=["all.body>one", "one>all.again", "all.done>many"],
    )  # fmt: skip
    run = await start(installation, await publish(installation, made))
    assert (await ended(installation, run)).output == [{"n": 8}, {"n": 9}]
    keys = sorted(row[2] for row in await children(installation, run))
    assert keys == ["all[0]/one", "all[1]/one", "all[2]/one", "many#0", "many#1"]


async def test_while_it_waits_the_caller_holds_no_worker(installation: Installation, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    callee = await publish(installation, document(node("busy", "test.gate", gate=str(gate))))
    run = await start(installation, await publish(installation, calls(callee)))
    await rests(installation, run)
    gate.touch()
    assert (await ended(installation, run)).status == "succeeded"


async def test_a_branch_goes_on_at_once_when_its_call_ends_while_another_is_busy(
    installation: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    callee = str(await publish(installation, ADD_ONE))
    made = document(
        node("busy", "test.gate", gate=str(gate)),
        node("call", "flow.call", workflow=callee, input={"n": 1}),
        node("after", "test.pass"),
        edges=["call>after"],
    )
    run = await start(installation, await publish(installation, made))

    async def went_on() -> bool:
        return (await step_statuses(installation, run)).get("after") == "succeeded"

    await eventually(went_on)
    gate.touch()
    assert (await ended(installation, run)).status == "succeeded"


async def test_nobody_waits_for_a_run_that_goes_its_own_way(
    installation: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    callee = await publish(installation, document(node("busy", "test.gate", gate=str(gate))))
    run = await start(installation, await publish(installation, calls(callee, wait=False)))
    output = (await ended(installation, run)).output
    assert output == {"run_id": str(await child(installation, run)), "status": "queued"}
    gate.touch()
    assert (await ended(installation, UUID(output["run_id"]))).status == "succeeded"


async def test_a_failed_call_tells_why_and_a_retry_calls_anew(
    installation: Installation, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    failing = document(
        node("work", "test.gate", trace=str(trace)), node("bad", "flow.stop", code="no.good", message="No."),
        edges=["work>bad"],
    )  # fmt: skip
    callee = await publish(installation, failing)
    policies = {"retry": {"max_attempts": 2, "backoff_s": 0}}
    run = await start(installation, await publish(installation, calls(callee, policies=policies)))
    error = (await ended(installation, run)).error
    assert (error["code"], error["details"]["error"]["code"]) == ("call.failed", "no.good")
    assert [row[1] for row in await children(installation, run)] == ["failed", "failed"]
    assert error["details"]["run_id"] == str((await children(installation, run))[1][0])
    assert len(trace.read_text().splitlines()) == 2


async def test_a_persons_retry_retries_the_called_runs_and_pays_for_nothing_twice(
    installation: Installation, tmp_path: Path
) -> None:
    trace, gate = tmp_path / "trace", tmp_path / "gate"
    callee = await publish(
        installation,
        document(
            node("paid", "test.gate", trace=str(trace)),
            node("shaky", "test.gate", gate=str(gate), policies={"timeout_s": 0.2}),
            edges=["paid>shaky"],
        ),
    )
    between = await publish(installation, calls(callee, given={"n": 1}))
    workflow = await publish(installation, calls(between, given="{{ inputs }}"))
    run = await start(installation, workflow)
    assert (await ended(installation, run)).status == "failed"
    replays, owner = installation.services.replays, installation.first
    # In vain, and then once more: what was done in the first of the three is still there.
    again = (await replays.replay(owner, run, ReplayRequest())).run_id
    assert (await ended(installation, again)).status == "failed"
    gate.touch()
    last = (await replays.replay(owner, again, ReplayRequest())).run_id
    found = await ended(installation, last)
    assert (found.status, found.output) == (
        "succeeded",
        {"from": "shaky", "in": [{"from": "paid", "in": []}]},
    )
    assert len(trace.read_text().splitlines()) == 1
    ((middle, *_),) = await children(installation, last)
    ((lowest, *_),) = await children(installation, middle)
    assert await step_statuses(installation, lowest) == {"paid": "reused", "shaky": "succeeded"}
    ((earlier, *_),) = await children(installation, (await children(installation, again))[0][0])
    row = await installation.services.runs.get(owner, lowest)
    assert (row.origin_run_id, row.origin_kind, row.parent_run_id) == (earlier, "retry", middle)
    events = [event async for event in installation.services.runs.events(owner, lowest)]
    assert (events[0]["type"], events[0]["origin_run_id"]) == ("run.accepted", str(earlier))
    # Who asks for the call itself wants it done again.
    made = (await replays.replay(owner, again, ReplayRequest(("call",)))).run_id
    assert (await ended(installation, made)).status == "succeeded"
    assert len(trace.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"workflow": "Nothing has this name"}, "call.unavailable"),
        ({"workflow": "00000000-0000-7000-8000-000000000000"}, "call.unavailable"),
        ({"version": "number", "number": 9}, "call.unavailable"),
        ({"version": "draft"}, "call.draft"),
        ({"input": {"n": "text"}}, "input.invalid"),
    ],
)
async def test_a_call_that_cannot_be_made_is_an_error_of_its_step(
    installation: Installation, parameters: dict[str, Any], code: str
) -> None:
    strict = ADD_ONE.model_copy(update={"inputs": {"properties": {"n": {"type": "integer"}}}})
    callee = await publish(installation, strict)
    made = calls(**{"workflow": callee, "given": parameters.pop("input", {"n": 1}), **parameters})
    run = await start(installation, await publish(installation, made))
    assert (await ended(installation, run)).error["code"] == code
    assert await children(installation, run) == []


async def test_a_deleted_workflow_and_one_of_another_organization_cannot_be_called(
    installation: Installation,
) -> None:
    gone = await publish(installation, ADD_ONE)
    async with installation.engine.database.transaction(installation.first.organization_id) as session:
        row = await Workflows(session).lock(installation.first.organization_id, gone)
        assert row is not None
        row.deleted_at = row.updated_at
    foreign = await installation.services.workflows.create(installation.second, Labels("Foreign"), ADD_ONE)
    for workflow in (gone, foreign.summary.id, "Foreign"):
        run = await start(installation, await publish(installation, calls(workflow)))
        assert (await ended(installation, run)).error["code"] == "call.unavailable"


async def test_the_version_is_the_one_that_was_chosen(installation: Installation) -> None:
    callee = await publish(installation, document(node("v", "data.set", fields={"v": 1})))
    await publish(installation, document(node("v", "data.set", fields={"v": 2})), callee)
    latest = await start(installation, await publish(installation, calls(callee)))
    pinned = await start(installation, await publish(installation, calls(callee, version="number", number=1)))
    assert [(await ended(installation, run)).output for run in (latest, pinned)] == [{"v": 2}, {"v": 1}]


async def test_a_draft_calls_a_draft(installation: Installation) -> None:
    callee = await publish(installation, document(node("v", "data.set", fields={"v": 1})))
    caller = await publish(installation, calls(callee, version="draft"))
    run = await start(installation, caller, draft=True)
    assert (await ended(installation, run)).output == {"v": 1}


async def test_a_workflow_that_calls_itself_ends_at_the_allowed_depth(installation: Installation) -> None:
    workflow = await publish(installation, ADD_ONE)
    await publish(installation, calls(workflow), workflow)
    run = await start(installation, workflow)
    error = (await ended(installation, run)).error
    for _ in range(3):
        assert error["code"] == "call.failed"
        error = error["details"]["error"]
    assert (error["code"], error["details"]) == ("call.too_deep", {"depth": 3})


async def three_deep(installation: Installation, gate: Path) -> tuple[UUID, UUID, UUID]:
    """Start a run that waits for one that waits for one that is busy."""
    lowest = await publish(installation, document(node("busy", "test.gate", gate=str(gate)), node("end"),
                                                  edges=["busy>end"]))  # fmt: skip
    middle = await publish(installation, calls(lowest))
    run = await start(installation, await publish(installation, calls(middle)))
    below = await child(installation, run)
    lowest_run = await child(installation, below)
    await eventually(is_(installation, lowest_run, RunStatus.RUNNING))
    await rests(installation, below)
    await rests(installation, run)
    return run, below, lowest_run


async def test_stopping_reaches_every_run_below(installation: Installation, tmp_path: Path) -> None:
    family = await three_deep(installation, tmp_path / "gate")
    assert await installation.services.runs.stop(installation.first, family[0]) is RunStatus.CANCELLED
    assert [(await ended(installation, run)).status for run in family] == ["cancelled"] * 3


async def test_stopping_a_called_run_wakes_the_one_that_waits(
    installation: Installation, tmp_path: Path
) -> None:
    run, below, lowest = await three_deep(installation, tmp_path / "gate")
    await installation.services.runs.stop(installation.first, lowest)
    row = await ended(installation, run)
    assert (row.status, row.error["details"]["error"]["code"]) == ("failed", "call.cancelled")
    assert (await ended(installation, below)).error["code"] == "call.cancelled"


async def test_pausing_and_resuming_reach_every_run_below(installation: Installation, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    family = await three_deep(installation, gate)
    runs = installation.services.runs
    assert await runs.pause(installation.first, family[0]) is RunStatus.PAUSED
    await eventually(is_(installation, family[2], RunStatus.PAUSING))
    gate.touch()
    for run in family:
        await eventually(is_(installation, run, RunStatus.PAUSED))
    await runs.resume(installation.first, family[0])
    assert [(await ended(installation, run)).status for run in family] == ["succeeded"] * 3


async def test_a_call_that_takes_too_long_is_stopped(installation: Installation, tmp_path: Path) -> None:
    callee = await publish(installation, document(node("busy", "test.gate", gate=str(tmp_path / "gate"))))
    run = await start(installation, await publish(installation, calls(callee, time_limit_s=2.5)))
    assert (await ended(installation, run)).error["code"] == "call.timeout"
    assert (await ended(installation, await child(installation, run))).status == "cancelled"


async def test_a_run_that_fails_stops_those_it_waits_for(installation: Installation, tmp_path: Path) -> None:
    callee = await publish(installation, document(node("busy", "test.gate", gate=str(tmp_path / "gate"))))
    made = document(
        node("call", "flow.call", workflow=str(callee)),
        node("soon", "flow.delay", seconds=1),
        node("bad", "flow.stop", message="No."),
        edges=["soon>bad"],
    )
    run = await start(installation, await publish(installation, made))
    assert (await ended(installation, run)).error["code"] == "stopped"
    assert (await ended(installation, await child(installation, run))).status == "cancelled"


async def test_calls_whose_caller_died_before_it_could_stop_them_are_swept_up(
    installation: Installation, tmp_path: Path
) -> None:
    run, below, lowest = await three_deep(installation, tmp_path / "gate")
    async with installation.engine.pool.connection() as connection:
        assert await stop_abandoned(connection) == 0
        await connection.execute("DELETE FROM run_outbox WHERE run_id = %s", (run,))
        await connection.execute("UPDATE workflow_executions SET status = 'failed' WHERE id = %s", (run,))
        assert await stop_abandoned(connection) == 1
    assert [(await ended(installation, one)).status for one in (below, lowest)] == ["cancelled"] * 2


async def test_a_retry_takes_over_a_call_that_succeeded(installation: Installation) -> None:
    callee = await publish(installation, ADD_ONE)
    made = document(
        node("call", "flow.call", workflow=str(callee), input={"n": 1}),
        node("bad", "flow.stop", message="No."),
        edges=["call>bad"],
    )
    run = await start(installation, await publish(installation, made))
    await ended(installation, run)
    again = (await installation.services.replays.replay(installation.first, run, ReplayRequest())).run_id
    await ended(installation, again)
    assert (await step_statuses(installation, again))["call"] == "reused"
    assert await children(installation, again) == []


HANDLER = document(node("failed", "trigger.error"), node("note", "test.one"), edges=["failed>note"])


async def failing(
    installation: Installation, *nodes: dict[str, Any], handler: UUID | str, **more: Any
) -> UUID:
    made = document(*nodes, **more, error_workflow=str(handler))
    return await publish(installation, made)


async def test_a_failed_run_starts_its_error_workflow_once(installation: Installation) -> None:
    handler = await publish(installation, HANDLER)
    workflow = await failing(
        installation, node("a", value=1), node("bad", "flow.stop", code="no.good", message="No."),
        handler=handler, edges=["a>bad"],
    )  # fmt: skip
    run = await start(installation, workflow, {"n": 1}, mode="sync")
    assert (await ended(installation, run)).status == "failed"
    ((handling, _, _, waits, depth, kind, _),) = await children(installation, run)
    assert (waits, depth, kind) == (False, 1, "error")
    told = (await ended(installation, handling)).output
    assert told["error"]["code"] == "no.good"
    assert (told["node"], told["run"]["id"], told["run"]["input"]) == ("bad", str(run), {"n": 1})


async def test_neither_a_failing_handler_nor_a_draft_starts_one(installation: Installation) -> None:
    bad = node("bad", "flow.stop", message="No.")
    workflow = await publish(installation, ADD_ONE)
    await publish(installation, document(bad, error_workflow=str(workflow)), workflow)
    run = await start(installation, workflow)
    await ended(installation, run)
    handling = await child(installation, run)
    assert (await ended(installation, handling)).status == "failed"
    assert await children(installation, handling) == []
    async with installation.engine.database.transaction(installation.first.organization_id) as session:
        row = await Workflows(session).lock(installation.first.organization_id, workflow)
        assert row is not None
        row.draft = document(bad, error_workflow=str(workflow)).as_json()
    draft = await start(installation, workflow, draft=True)
    await ended(installation, draft)
    assert await children(installation, draft) == []


async def test_a_handler_that_is_missing_is_told_in_the_log_and_the_run_fails_all_the_same(
    installation: Installation,
) -> None:
    bad = node("bad", "test.fail", policies={})
    run = await start(installation, await failing(installation, bad, handler="Nobody"))
    assert (await ended(installation, run)).error["code"] == "test.failed"
    lines = await installation.services.runs.logs(installation.first, run)
    assert any("error workflow was not started" in line.message for line in lines)
