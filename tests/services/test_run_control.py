"""Pause, resume, stop, retry and replay, with a real worker loop on real servers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection, errors, sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import select
from sqlmodel import col

from structforge.config import Settings
from structforge.domain.errors import ConflictError, InvalidError, NotFoundError
from structforge.domain.run import RunStatus
from structforge.domain.workflow import WorkflowDocument
from structforge.services.replays import ReplayRequest
from structforge.services.run_views import RunViews
from structforge.services.runs import StartRequest
from structforge.storage.repositories.audit import Audit
from structforge.storage.repositories.versions import Versions
from structforge.storage.repositories.workflows import Workflows
from structforge.storage.tables import ArtifactRow, WorkflowRow
from tests.support.eventually import eventually
from tests.support.installation import Installation, a_worker, installed
from tests.support.workflows import document, node, registry_with_test_nodes


@pytest.fixture
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Two organizations, their services, and one worker loop."""
    registry_with_test_nodes()
    async with installed(settings) as made:
        async with a_worker(made):
            yield made


async def publish(made: Installation, version: WorkflowDocument, workflow_id: UUID | None = None) -> UUID:
    """Publish a document, as a new workflow or as the next version of one."""
    organization = made.first.organization_id
    async with made.engine.database.transaction(organization) as session:
        if workflow_id is None:
            row = WorkflowRow(
                organization_id=organization, name="w", draft=version.as_json(), draft_revision=1
            )
            await Workflows(session).add(row)
            workflow_id = row.id
        row_of = await Workflows(session).lock(organization, workflow_id)
        assert row_of is not None
        row_of.published_version_id = (await Versions(session).publish(organization, workflow_id, version)).id
    return workflow_id


async def status_of(made: Installation, run_id: UUID) -> str:
    return (await made.services.runs.get(made.first, run_id)).status


def is_(made: Installation, run_id: UUID, wanted: RunStatus) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return await status_of(made, run_id) == wanted

    return look


async def step_statuses(made: Installation, run_id: UUID) -> dict[str, str]:
    return {
        row.step_key: row.status for row in await made.services.runs.steps(made.first, run_id) if row.settled
    }


async def test_a_paused_run_starts_nothing_and_goes_on_when_resumed(
    installation: Installation, tmp_path: Path
) -> None:
    gate, after = tmp_path / "gate", tmp_path / "after"
    workflow = await publish(
        installation,
        document(
            node("first", "test.gate", gate=str(gate)),
            node("second", "test.gate", trace=str(after)),
            edges=["first>second"],
        ),
    )
    runs = installation.services.runs
    run = (await runs.start(installation.first, workflow, StartRequest({}))).run_id
    await eventually(is_(installation, run, RunStatus.RUNNING))
    assert await runs.pause(installation.first, run) is RunStatus.PAUSING
    with pytest.raises(ConflictError):
        await runs.pause(installation.first, run)
    gate.touch()
    await eventually(is_(installation, run, RunStatus.PAUSED))
    assert await step_statuses(installation, run) == {"first": "succeeded"}
    assert not after.exists()
    assert await runs.resume(installation.first, run) is RunStatus.QUEUED
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))
    assert after.read_text().count("\n") == 1
    with pytest.raises(ConflictError):
        await runs.resume(installation.first, run)


async def test_a_pause_can_be_taken_back_and_a_paused_run_stopped(
    installation: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    made = document(node("a", "test.gate", gate=str(gate)), node("b", "test.gate"), edges=["a>b"])
    workflow = await publish(installation, made)
    runs = installation.services.runs
    back = (await runs.start(installation.first, workflow, StartRequest({}))).run_id
    rest = (await runs.start(installation.first, workflow, StartRequest({}))).run_id
    for run in (back, rest):
        await eventually(is_(installation, run, RunStatus.RUNNING))
        await runs.pause(installation.first, run)
    assert await runs.resume(installation.first, back) is RunStatus.RUNNING
    gate.touch()
    await eventually(is_(installation, back, RunStatus.SUCCEEDED))
    await eventually(is_(installation, rest, RunStatus.PAUSED))
    assert await runs.stop(installation.first, rest) is RunStatus.CANCELLED
    assert await status_of(installation, rest) == "cancelled"


async def test_strangers_steer_nothing(installation: Installation, tmp_path: Path) -> None:
    workflow = await publish(installation, document(node("a", "test.gate", gate=str(tmp_path / "never"))))
    runs = installation.services.runs
    run = (await runs.start(installation.first, workflow, StartRequest({}))).run_id
    for ask in (runs.pause, runs.resume, runs.stop):
        with pytest.raises(NotFoundError):
            await ask(installation.second, run)
    with pytest.raises(NotFoundError):
        await installation.services.replays.replay(installation.second, run, ReplayRequest())
    assert await status_of(installation, run) in ("queued", "running")
    await runs.stop(installation.first, run)
    await eventually(is_(installation, run, RunStatus.CANCELLED))


async def start_to_end(made: Installation, workflow: UUID, given: Any) -> UUID:
    return (await made.services.runs.start(made.first, workflow, StartRequest(given, mode="sync"))).run_id


async def test_a_retry_takes_over_what_had_succeeded(installation: Installation, tmp_path: Path) -> None:
    traces = {name: tmp_path / name for name in "ab"}
    made = document(
        node("a", "test.gate", trace=str(traces["a"])),
        node("b", "test.gate", trace=str(traces["b"])),
        node("c", "data.set", fields={"v": "{{ inputs.wrong.deep }}"}),
        edges=["a>b", "b>c"],
    )
    workflow = await publish(installation, made)
    run = await start_to_end(installation, workflow, {})
    assert await status_of(installation, run) == "failed"
    again = await installation.services.replays.replay(
        installation.first, run, ReplayRequest(input={"wrong": {"deep": 5}})
    )
    await eventually(is_(installation, again.run_id, RunStatus.SUCCEEDED))
    assert again.reused == 2
    assert await step_statuses(installation, again.run_id) == {"a": "reused", "b": "reused", "c": "succeeded"}
    assert [trace.read_text().count("\n") for trace in traces.values()] == [1, 1]
    row = await installation.services.runs.get(installation.first, again.run_id)
    assert (row.origin_run_id, row.origin_kind, row.output) == (run, "retry", {"v": 5})
    assert row.started_at is not None and row.finished_at is not None
    assert row.accepted_at <= row.started_at <= row.finished_at


async def test_a_replay_uses_again_the_artifacts_it_takes_over(installation: Installation) -> None:
    version = document(node("a", value="x" * 100_000), node("b", value=1), edges=["a>b"])
    run = await start_to_end(installation, await publish(installation, version), {})
    organization = installation.first.organization_id

    async def last_used() -> datetime:
        async with installation.engine.database.transaction(organization) as session:
            return (await session.execute(select(col(ArtifactRow.last_used_at)))).scalar_one()

    used_at = await last_used()
    replayed = await installation.services.replays.replay(
        installation.first, run, ReplayRequest(from_nodes=("b",))
    )
    await eventually(is_(installation, replayed.run_id, RunStatus.SUCCEEDED))
    assert await last_used() > used_at


async def test_a_replay_runs_the_chosen_node_its_descendants_and_what_was_changed(
    installation: Installation,
) -> None:
    nodes = [node(name, "data.set", fields={"v": name}) for name in "abcd"]
    edges = ["a>b", "b>c", "a>d"]
    workflow = await publish(installation, document(*nodes, edges=edges))
    run = await start_to_end(installation, workflow, {})
    replays = installation.services.replays
    from_b = await replays.replay(installation.first, run, ReplayRequest(from_nodes=("b",)))
    await eventually(is_(installation, from_b.run_id, RunStatus.SUCCEEDED))
    assert await step_statuses(installation, from_b.run_id) == {
        "a": "reused", "b": "succeeded", "c": "succeeded", "d": "reused",
    }  # fmt: skip
    nodes[3] = node("d", "data.set", fields={"v": "new"})
    await publish(installation, document(*nodes, edges=edges), workflow)
    foreseen = await replays.foresee(installation.first, run, ReplayRequest(version=2))
    newer = await replays.replay(installation.first, run, ReplayRequest(version=2))
    await eventually(is_(installation, newer.run_id, RunStatus.SUCCEEDED))
    assert newer.again == foreseen.again == ("d",)
    assert newer.reused == foreseen.reused == 3
    anew = await replays.replay(installation.first, run, ReplayRequest(from_start=True))
    await eventually(is_(installation, anew.run_id, RunStatus.SUCCEEDED))
    assert (anew.reused, anew.again) == (0, ("a", "b", "c", "d"))
    views = RunViews(installation.engine.database)
    relatives = await views.relatives(installation.first, run)
    assert [one.run.id for one in relatives.descendants] == [anew.run_id, newer.run_id, from_b.run_id]
    assert [one.version for one in relatives.descendants] == [1, 2, 1]
    assert (relatives.origin, relatives.parent) == (None, None)
    origin = (await views.relatives(installation.first, newer.run_id)).origin
    assert origin is not None and origin.run.id == run
    with pytest.raises(NotFoundError):
        await views.relatives(installation.second, run)
    with pytest.raises(InvalidError):
        await replays.replay(installation.first, run, ReplayRequest(from_nodes=("nobody",)))


async def test_a_run_of_a_request_is_replayed_whatever_inputs_are_declared(
    installation: Installation,
) -> None:
    declared = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    flow = document(node("a", "data.set", fields={"v": 1})).model_copy(update={"inputs": declared})
    workflow = await publish(installation, flow)
    given = StartRequest({"method": "POST"}, trigger_kind="webhook")
    run = (await installation.services.runs.start(installation.first, workflow, given)).run_id
    await eventually(is_(installation, run, RunStatus.SUCCEEDED))
    made = await installation.services.replays.replay(installation.first, run, ReplayRequest(from_start=True))
    await eventually(is_(installation, made.run_id, RunStatus.SUCCEEDED))


async def test_two_runs_are_compared_step_by_step(installation: Installation) -> None:
    made = document(
        node("a", "data.set", fields={"v": "{{ inputs.v }}", "k": 1}),
        node("b", "data.set", fields={"fixed": True}),
        edges=["a>b"],
    )
    workflow = await publish(installation, made)
    first, second = [await start_to_end(installation, workflow, {"v": value}) for value in (1, 2)]
    found = await installation.services.comparisons.compare(installation.first, first, second)
    assert found.as_json() == {
        "first": str(first),
        "second": str(second),
        "same_version": True,
        "equal_steps": 1,
        "steps": [
            {
                "step_key": "a",
                "node_id": "a",
                "statuses": ["succeeded", "succeeded"],
                "changes": [{"path": "out.v", "old": 1, "new": 2}],
                "more": False,
            }
        ],
    }
    with pytest.raises(NotFoundError):
        await installation.services.comparisons.compare(installation.second, first, second)


async def test_what_a_person_does_with_one_run_is_in_the_audit_trail_and_what_is_refused_is_not(
    installation: Installation,
) -> None:
    runs, me = installation.services.runs, installation.first
    workflow = await publish(installation, document(node("a")))
    # Planned for later, so that no worker takes it.
    later = datetime.now(UTC) + timedelta(hours=1)
    run = (await runs.start(me, workflow, StartRequest({}, run_at=later))).run_id
    await runs.pause(me, run)
    await runs.resume(me, run)
    await runs.stop(me, run)
    with pytest.raises(ConflictError):
        await runs.stop(me, run)
    with pytest.raises(NotFoundError):
        await runs.stop(installation.second, run)
    request = ReplayRequest(idempotency_key="k", from_start=True)
    made = [(await installation.services.replays.replay(me, run, request)).run_id for _ in range(2)]
    async with installation.engine.database.transaction(me.organization_id) as session:
        entries = (await Audit(session).page(me.organization_id, object_id=str(run))).items
    assert [entry.action for entry in reversed(entries)] == [
        "run.pause",
        "run.resume",
        "run.stop",
        "run.replay",
    ]
    assert {entry.actor_id for entry in entries} == {me.user_id}
    assert {entries[0].details["made"]} == set(map(str, made))


async def test_a_deed_that_cannot_be_noted_is_not_done(installation: Installation) -> None:
    runs, me = installation.services.runs, installation.first
    later = datetime.now(UTC) + timedelta(hours=1)
    workflow = await publish(installation, document(node("a")))
    run = (await runs.start(me, workflow, StartRequest({}, run_at=later))).run_id
    role = conninfo_to_dict(installation.settings.database_engine_role_url)["user"]
    engine_pool = installation.engine.database.engine_pool
    async with await AsyncConnection.connect(
        installation.settings.database_owner_url, autocommit=True
    ) as owner:
        name = sql.Identifier(str(role))
        await owner.execute(sql.SQL("REVOKE INSERT ON audit_entries FROM {}").format(name))
        for deed in (runs.pause, runs.stop):
            with pytest.raises(errors.InsufficientPrivilege):
                await deed(me, run)
        assert RunStatus((await runs.get(me, run)).status) is RunStatus.QUEUED
        assert await step_statuses(installation, run) == {}
        await owner.execute(sql.SQL("GRANT INSERT ON audit_entries TO {}").format(name))
    await runs.stop(me, run)
    # Who adds to the trail can neither read it nor change it.
    for statement in (
        "SELECT 1 FROM audit_entries",
        "DELETE FROM audit_entries",
        "UPDATE audit_entries SET actor = ''",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            async with engine_pool.connection() as connection:
                await connection.execute(statement)
