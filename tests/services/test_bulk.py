"""One action over every run of a filter: batches, repeats, who may, and what is left alone."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from structforge.domain.access import Permission
from structforge.domain.errors import ForbiddenError
from structforge.domain.run import RunStatus
from structforge.services.bulk import BulkAction, BulkRequest, BulkSummary
from structforge.services.runs import StartRequest
from structforge.storage.repositories.paging import Cursor
from structforge.storage.repositories.runs import RunFilter
from tests.services.test_run_control import publish
from tests.support.installation import Installation
from tests.support.workflows import document, node, registry_with_test_nodes


@pytest.fixture
async def workflow(installation: Installation) -> UUID:
    """A workflow that fails without an input; no worker lives."""
    registry_with_test_nodes()
    return await publish(installation, document(node("a", "data.set", fields={"v": "{{ inputs.v }}"})))


async def start(made: Installation, workflow: UUID, count: int, **order: object) -> list[UUID]:
    request = StartRequest({}, **order)  # type: ignore[arg-type]
    return [(await made.services.runs.start(made.first, workflow, request)).run_id for _ in range(count)]


async def whole_job(made: Installation, request: BulkRequest) -> list[BulkSummary]:
    batches = [await made.services.bulk.apply(made.first, request)]
    while batches[-1].next_cursor is not None:
        cursor = Cursor.decode(batches[-1].next_cursor)
        again = BulkRequest(
            request.action, request.only, job_id=batches[0].job_id, cursor=cursor, limit=request.limit
        )
        batches.append(await made.services.bulk.apply(made.first, again))
    return batches


async def counts(made: Installation) -> dict[str, int]:
    page = await made.services.runs.list(made.first, RunFilter(), limit=200)
    found: dict[str, int] = {}
    for row in page.items:
        found[row.status] = found.get(row.status, 0) + 1
    return found


async def test_a_job_stops_all_open_runs_in_bounded_batches_and_once(
    installation: Installation, workflow: UUID
) -> None:
    await start(installation, workflow, 1, mode="sync")
    await start(installation, workflow, 7)
    batches = await whole_job(installation, BulkRequest(BulkAction.STOP, limit=3))
    assert [(batch.matched, batch.done) for batch in batches] == [(7, 3), (4, 3), (1, 1)]
    assert await counts(installation) == {"failed": 1, "cancelled": 7}
    (nothing,) = await whole_job(installation, BulkRequest(BulkAction.STOP))
    assert (nothing.matched, nothing.done) == (0, 0)
    async with installation.engine.database.transaction(installation.first.organization_id) as session:
        entries = (
            await session.execute(
                text("SELECT object_id, details FROM audit_entries WHERE action = 'runs.stop'")
            )
        ).all()
    assert {entry[0] for entry in entries} == {str(batches[0].job_id)}
    assert sum(len(entry[1]["runs"]) for entry in entries) == 7


async def test_runs_are_paused_and_resumed_by_filter(installation: Installation, workflow: UUID) -> None:
    other = await publish(installation, document(node("a", "data.set", fields={})))
    await start(installation, workflow, 2)
    await start(installation, other, 3)
    only = RunFilter(workflow_id=other)
    (paused,) = await whole_job(installation, BulkRequest(BulkAction.PAUSE, only))
    assert (paused.matched, paused.done, paused.skipped) == (3, 3, 0)
    assert await counts(installation) == {"queued": 2, "paused": 3}
    (resumed,) = await whole_job(installation, BulkRequest(BulkAction.RESUME))
    assert resumed.done == 3
    assert await counts(installation) == {"queued": 5}


async def test_a_retry_never_meets_the_runs_it_makes_and_makes_each_once(
    installation: Installation, workflow: UUID
) -> None:
    failed = await start(installation, workflow, 5, mode="sync")
    request = BulkRequest(BulkAction.RETRY, limit=2)
    first = await installation.services.bulk.apply(installation.first, request)
    repeated = await installation.services.bulk.apply(
        installation.first, BulkRequest(BulkAction.RETRY, limit=2, job_id=first.job_id)
    )
    assert first.started == repeated.started and len(first.started) == 2
    for run_id in first.started:
        # A run that failed meanwhile is newer than where the job is.
        await installation.services.runs.stop(installation.first, run_id)
    assert first.next_cursor is not None
    rest = await installation.services.bulk.apply(
        installation.first,
        BulkRequest(BulkAction.RETRY, job_id=first.job_id, cursor=Cursor.decode(first.next_cursor)),
    )
    assert (rest.matched, rest.done, rest.next_cursor) == (3, 3, None)
    origins = [
        (await installation.services.runs.get(installation.first, run_id)).origin_run_id
        for run_id in [*first.started, *rest.started]
    ]
    assert sorted(map(str, origins)) == sorted(map(str, failed))


async def test_only_runs_that_are_over_are_deleted_and_nothing_of_them_stays(
    installation: Installation, workflow: UUID
) -> None:
    over = await start(installation, workflow, 2, mode="sync", idempotency_key="k")
    assert over[0] == over[1]
    (open_run,) = await start(installation, workflow, 1)
    chosen = RunFilter(ids=(over[0], open_run))
    (deleted,) = await whole_job(installation, BulkRequest(BulkAction.DELETE, chosen))
    assert (deleted.matched, deleted.done) == (1, 1)
    assert await counts(installation) == {"queued": 1}
    async with installation.engine.database.transaction(installation.first.organization_id) as session:
        for table in ("execution_steps", "execution_events", "execution_logs"):
            left = await session.execute(
                text(f"SELECT count(*) FROM {table} WHERE run_id = :run"), {"run": over[0]}
            )
            assert left.scalar() == 0, table
    (anew,) = await start(installation, workflow, 1, mode="sync", idempotency_key="k")
    assert anew != over[0]


async def test_a_called_run_is_not_deleted_before_its_caller_has_read_how_it_ended(
    installation: Installation, workflow: UUID
) -> None:
    called, caller = await start(installation, workflow, 2)
    async with installation.engine.pool.connection() as connection:
        await connection.execute(
            "UPDATE workflow_executions SET parent_run_id = %s, parent_step_key = 'call', parent_waits = true "
            "WHERE id = %s",
            (caller, called),
        )
    await installation.services.runs.stop(installation.first, called)
    delete = BulkRequest(BulkAction.DELETE, RunFilter(ids=(called,)))
    (kept,) = await whole_job(installation, delete)
    assert (kept.matched, kept.done, kept.skipped) == (1, 0, 1)
    await installation.services.runs.stop(installation.first, caller)
    (deleted,) = await whole_job(installation, delete)
    assert deleted.done == 1


async def test_a_filter_is_counted_without_a_deed_and_a_status_without_sense_matches_nothing(
    installation: Installation, workflow: UUID
) -> None:
    await start(installation, workflow, 3)
    count = await installation.services.bulk.apply(
        installation.first, BulkRequest(BulkAction.STOP, count_only=True)
    )
    assert (count.matched, count.done) == (3, 0)
    for only in (
        RunFilter(statuses=(RunStatus.SUCCEEDED.value,)),
        RunFilter(accepted_before=datetime.now(UTC) - timedelta(days=1)),
        RunFilter(ids=(UUID(int=1),)),
    ):
        (batch,) = await whole_job(installation, BulkRequest(BulkAction.STOP, only))
        assert (batch.matched, batch.done) == (0, 0)
    assert await counts(installation) == {"queued": 3}


async def test_who_may_not_do_it_once_may_not_do_it_often(installation: Installation, workflow: UUID) -> None:
    await start(installation, workflow, 1)
    needed = {
        BulkAction.STOP: Permission.RUN_STOP,
        BulkAction.PAUSE: Permission.RUN_CONTROL,
        BulkAction.RESUME: Permission.RUN_CONTROL,
        BulkAction.RETRY: Permission.RUN_START,
        BulkAction.REPLAY: Permission.RUN_START,
        BulkAction.DELETE: Permission.RUN_DELETE,
    }
    for action in BulkAction:
        principal = installation.first.narrowed(installation.first.permissions - {needed[action]})
        with pytest.raises(ForbiddenError):
            await installation.services.bulk.apply(principal, BulkRequest(action))
    stranger = await installation.services.bulk.apply(installation.second, BulkRequest(BulkAction.STOP))
    assert stranger.matched == 0
    assert await counts(installation) == {"queued": 1}
