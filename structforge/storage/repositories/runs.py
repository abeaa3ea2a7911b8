"""Runs as people look at them: lists, one run, its steps, logs and events. The engine writes them elsewhere.

Invariant: see the package. Steps, logs and events are asked for with the `accepted_on` of their run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import String, and_, cast, exists, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.storage.repositories.paging import Cursor, Page, page_size
from structforge.storage.tables import EventBatchRow, LogRow, OutboxRow, RunRow, StepRow, WorkflowRow


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What a list of runs is narrowed to; empty fields narrow nothing."""

    workflow_id: UUID | None = None
    statuses: tuple[str, ...] = ()
    trigger_kinds: tuple[str, ...] = ()
    accepted_from: datetime | None = None
    accepted_before: datetime | None = None
    ids: tuple[UUID, ...] = ()
    """Runs chosen one by one."""
    search: str = ""
    """Part of the workflow's name, the input, the error or the beginning of the run's id."""


class Runs:
    """Queries over runs and what belongs to them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, organization_id: UUID, run_id: UUID) -> RunRow | None:
        """Return a run as it is in the database now."""
        statement = (
            select(RunRow)
            .where(col(RunRow.organization_id) == organization_id, col(RunRow.id) == run_id)
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def page(
        self,
        organization_id: UUID,
        only: RunFilter | None = None,
        *,
        cursor: Cursor | None = None,
        limit: int = 50,
    ) -> Page[RunRow]:
        """List runs, the newest first."""
        key = (col(RunRow.accepted_at), col(RunRow.id))
        conditions = _conditions(only or RunFilter())
        statement = select(RunRow).where(col(RunRow.organization_id) == organization_id, *conditions)
        if cursor is not None:
            statement = statement.where(tuple_(*key) < (cursor.at, cursor.id))
        size = page_size(limit)
        statement = statement.order_by(*(column.desc() for column in key)).limit(size + 1)
        rows = (await self._session.execute(statement)).scalars().all()
        shown = rows[:size]
        more = len(rows) > size
        return Page(shown, Cursor(shown[-1].accepted_at, shown[-1].id).encode() if more else None)

    async def counts(
        self, organization_id: UUID, only: RunFilter | None = None, *, cursor: Cursor | None = None
    ) -> dict[str, int]:
        """Return the number of runs by status; of those after `cursor` in the list."""
        statement = (
            select(col(RunRow.status), func.count())
            .where(col(RunRow.organization_id) == organization_id, *_conditions(only or RunFilter()))
            .group_by(col(RunRow.status))
        )
        if cursor is not None:
            key = tuple_(col(RunRow.accepted_at), col(RunRow.id))
            statement = statement.where(key < (cursor.at, cursor.id))
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def steps(self, organization_id: UUID, run_id: UUID, accepted_on: date) -> Sequence[StepRow]:
        """List all attempts of all steps in the order they started."""
        statement = (
            select(StepRow)
            .where(*_of_run(StepRow, organization_id, run_id, accepted_on))
            .order_by(col(StepRow.started_at).nulls_last(), col(StepRow.step_key), col(StepRow.attempt))
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def step(
        self, organization_id: UUID, run_id: UUID, accepted_on: date, step_key: str
    ) -> Sequence[StepRow]:
        """List the attempts of one step."""
        statement = (
            select(StepRow)
            .where(*_of_run(StepRow, organization_id, run_id, accepted_on), col(StepRow.step_key) == step_key)
            .order_by(col(StepRow.attempt))
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def outputs(
        self, organization_id: UUID, run_id: UUID, accepted_on: date, step_keys: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Return what these steps gave, by key; steps that are not settled, or gave nothing, are absent."""
        statement = select(col(StepRow.step_key), col(StepRow.outputs)).where(
            *_of_run(StepRow, organization_id, run_id, accepted_on),
            col(StepRow.settled),
            col(StepRow.step_key).in_(step_keys),
            col(StepRow.outputs).is_not(None),
        )
        return dict((await self._session.execute(statement)).tuples().all())

    async def logs(
        self,
        organization_id: UUID,
        run_id: UUID,
        accepted_on: date,
        *,
        after: int = 0,
        step_key: str | None = None,
        levels: Sequence[str] = (),
        limit: int = 1_000,
    ) -> Sequence[LogRow]:
        """List log lines with a `seq` above `after`, in order."""
        statement = select(LogRow).where(
            *_of_run(LogRow, organization_id, run_id, accepted_on), col(LogRow.seq) > after
        )
        if step_key is not None:
            statement = statement.where(col(LogRow.step_key) == step_key)
        if levels:
            statement = statement.where(col(LogRow.level).in_(levels))
        statement = statement.order_by(col(LogRow.seq)).limit(limit)
        return (await self._session.execute(statement)).scalars().all()

    async def events(
        self, organization_id: UUID, run_id: UUID, accepted_on: date, *, after: int = 0, limit: int = 1_000
    ) -> list[dict[str, Any]]:
        """List the committed events with a `seq` above `after`, in order; `limit` counts commits."""
        statement = (
            select(col(EventBatchRow.events))
            .where(
                *_of_run(EventBatchRow, organization_id, run_id, accepted_on),
                col(EventBatchRow.last_seq) > after,
            )
            .order_by(col(EventBatchRow.first_seq))
            .limit(limit)
        )
        batches = (await self._session.execute(statement)).scalars()
        return [event for batch in batches for event in batch if event["seq"] > after]

    async def lease(self, organization_id: UUID, run_id: UUID) -> OutboxRow | None:
        """Return who has the run in hand; None when it is over."""
        statement = (
            select(OutboxRow)
            .where(col(OutboxRow.organization_id) == organization_id, col(OutboxRow.run_id) == run_id)
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalar_one_or_none()


def _conditions(only: RunFilter) -> list[Any]:
    conditions: list[Any] = []
    if only.ids:
        conditions.append(col(RunRow.id).in_(only.ids))
    if only.workflow_id is not None:
        conditions.append(col(RunRow.workflow_id) == only.workflow_id)
    if only.statuses:
        conditions.append(col(RunRow.status).in_(only.statuses))
    if only.trigger_kinds:
        conditions.append(col(RunRow.trigger_kind).in_(only.trigger_kinds))
    if only.accepted_from is not None:
        conditions.append(col(RunRow.accepted_at) >= only.accepted_from)
    if only.accepted_before is not None:
        conditions.append(col(RunRow.accepted_at) < only.accepted_before)
    if only.search:
        named = exists().where(
            and_(
                col(WorkflowRow.id) == col(RunRow.workflow_id),
                col(WorkflowRow.name).icontains(only.search, autoescape=True),
            )
        )
        conditions.append(
            or_(
                named,
                cast(col(RunRow.id), String).istartswith(only.search, autoescape=True),
                cast(col(RunRow.input), String).icontains(only.search, autoescape=True),
                cast(col(RunRow.error), String).icontains(only.search, autoescape=True),
            )
        )
    return conditions


def _of_run(
    table: type[StepRow] | type[LogRow] | type[EventBatchRow],
    organization_id: UUID,
    run_id: UUID,
    accepted_on: date,
) -> tuple[Any, ...]:
    return (
        col(table.accepted_on) == accepted_on,
        col(table.run_id) == run_id,
        col(table.organization_id) == organization_id,
    )
