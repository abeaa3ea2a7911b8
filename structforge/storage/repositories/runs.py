"""Runs as people look at them: lists, one run, its steps, logs and events. The engine writes them elsewhere.

Invariant: see the package. Steps, logs and events are asked for with the `accepted_on` of their run.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, String, cast, func, or_, select, tuple_
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from structforge.storage.repositories.paging import Cursor, Page, page_size
from structforge.storage.tables import EventBatchRow, LogRow, OutboxRow, RunRow, StepRow, WorkflowRow

_NESTED = r"[\[#]"
"""What follows the key of a loop or list in the keys of its parts."""
_ID_PART = re.compile(r"[0-9A-Fa-f-]{4,36}")


_WITHOUT_VALUES = [
    defer(column, raiseload=True)  # type: ignore[arg-type]
    for column in (col(RunRow.input), col(RunRow.output))
]


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


@dataclass(frozen=True, slots=True)
class Group:
    """Some iterations of a loop, or elements of a list."""

    key: str
    """The step key of the loop or list."""
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt as a timeline shows it."""

    step_key: str
    node_id: str
    attempt: int
    status: str
    started_at: datetime | None
    finished_at: datetime | None
    message: str | None
    """Why it failed."""
    sentence: dict[str, Any] | None
    """The pattern and the values of the message."""


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
        """List runs, the newest first; what went in and came out is not read."""
        key = (col(RunRow.accepted_at), col(RunRow.id))
        conditions = _conditions(organization_id, only or RunFilter())
        statement = (
            select(RunRow)
            .where(col(RunRow.organization_id) == organization_id, *conditions)
            .options(*_WITHOUT_VALUES)
        )
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
            .where(
                col(RunRow.organization_id) == organization_id,
                *_conditions(organization_id, only or RunFilter()),
            )
            .group_by(col(RunRow.status))
        )
        if cursor is not None:
            key = tuple_(col(RunRow.accepted_at), col(RunRow.id))
            statement = statement.where(key < (cursor.at, cursor.id))
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def steps(
        self,
        organization_id: UUID,
        run_id: UUID,
        accepted_on: date,
        *,
        offset: int = 0,
        limit: int | None = None,
    ) -> Sequence[StepRow]:
        """List attempts of all steps in the order they started, all of them without a limit."""
        statement = (
            select(StepRow)
            .where(*_of_run(StepRow, organization_id, run_id, accepted_on))
            .order_by(col(StepRow.started_at).nulls_last(), col(StepRow.step_key), col(StepRow.attempt))
            .offset(offset)
            .limit(limit)
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def attempts(
        self,
        organization_id: UUID,
        run_id: UUID,
        accepted_on: date,
        *,
        group: Group | None = None,
        top_only: bool = False,
        limit: int,
    ) -> Sequence[AttemptRow]:
        """List attempts without what they gave, in the order they began; of some iterations, or of none at all."""
        key = col(StepRow.step_key)
        statement = (
            select(
                key,
                col(StepRow.node_id),
                col(StepRow.attempt),
                col(StepRow.status),
                col(StepRow.started_at),
                col(StepRow.finished_at),
                col(StepRow.error)["message"].as_string(),
                col(StepRow.error)["sentences"]["message"],
            )
            .where(*_of_run(StepRow, organization_id, run_id, accepted_on))
            .order_by(col(StepRow.started_at).nulls_last(), key, col(StepRow.attempt))
            .limit(limit)
        )
        if top_only:
            statement = statement.where(key.op("!~")(_NESTED))
        if group is not None:
            mark = func.substr(key, len(group.key) + 1)
            place = cast(func.substring(mark, r"^[\[#](\d{1,9})"), Integer)
            statement = statement.where(
                key.startswith(group.key, autoescape=True),
                place >= group.first,
                place < group.first + group.count,
            )
        return [AttemptRow(*row) for row in await self._session.execute(statement)]

    async def groups(self, organization_id: UUID, run_id: UUID, accepted_on: date) -> dict[str, int]:
        """Return how many iterations or elements each outermost loop or list has begun, by its step key."""
        key = col(StepRow.step_key)
        outer = func.regexp_replace(key, _NESTED + ".*$", "")
        place = cast(func.substring(key, _NESTED + r"(\d{1,9})"), Integer)
        statement = (
            select(outer, func.max(place) + 1)
            .where(*_of_run(StepRow, organization_id, run_id, accepted_on), key.op("~")(_NESTED))
            .group_by(outer)
        )
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def relatives(self, organization_id: UUID, run_id: UUID, *, limit: int) -> Sequence[RunRow]:
        """List the runs that were made of this one: retries, replays and sub-runs, the newest first."""
        statement = (
            select(RunRow)
            .where(
                col(RunRow.organization_id) == organization_id,
                or_(col(RunRow.origin_run_id) == run_id, col(RunRow.parent_run_id) == run_id),
            )
            .options(*_WITHOUT_VALUES)
            .order_by(col(RunRow.accepted_at).desc(), col(RunRow.id).desc())
            .limit(limit)
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
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def whole_outputs(
        self, organization_id: UUID, run_id: UUID, accepted_on: date, *, max_bytes: int
    ) -> dict[str, dict[str, Any]]:
        """Return what the steps outside loops and lists gave, by key; the smallest first, `max_bytes` in all."""
        size = func.octet_length(cast(col(StepRow.outputs), String))
        weighed = (
            select(
                col(StepRow.step_key),
                col(StepRow.outputs),
                func.sum(size).over(order_by=(size, col(StepRow.step_key)), rows=(None, 0)).label("total"),
            )
            .where(
                *_of_run(StepRow, organization_id, run_id, accepted_on),
                col(StepRow.settled),
                col(StepRow.outputs).is_not(None),
                col(StepRow.step_key).op("!~")(_NESTED),
            )
            .subquery()
        )
        statement = select(weighed.c.step_key, weighed.c.outputs).where(weighed.c.total <= max_bytes)
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def last_of_nodes(
        self, organization_id: UUID, run_id: UUID, accepted_on: date, node_ids: Sequence[str]
    ) -> dict[str, StepRow]:
        """Return the outcome of each of these nodes; of one that ran several times, the last."""
        statement = (
            select(StepRow)
            .where(
                *_of_run(StepRow, organization_id, run_id, accepted_on),
                col(StepRow.settled),
                col(StepRow.node_id).in_(node_ids),
            )
            .ext(postgresql.distinct_on(col(StepRow.node_id)))
            .order_by(
                col(StepRow.node_id),
                (col(StepRow.step_key) == col(StepRow.node_id)).desc(),
                col(StepRow.finished_at).desc().nulls_last(),
            )
            .execution_options(populate_existing=True)
        )
        rows = (await self._session.execute(statement)).scalars().all()
        return {row.node_id: row for row in rows}

    async def logs(
        self,
        organization_id: UUID,
        run_id: UUID,
        accepted_on: date,
        *,
        after: int = 0,
        step_key: str | None = None,
        levels: Sequence[str] = (),
        search: str = "",
        limit: int = 1_000,
    ) -> Sequence[LogRow]:
        """List log lines with a `seq` above `after`, in order; `search` looks into message and step key."""
        statement = select(LogRow).where(
            *_of_run(LogRow, organization_id, run_id, accepted_on), col(LogRow.seq) > after
        )
        if step_key is not None:
            statement = statement.where(col(LogRow.step_key) == step_key)
        if levels:
            statement = statement.where(col(LogRow.level).in_(levels))
        if search:
            statement = statement.where(
                or_(
                    col(LogRow.message).icontains(search, autoescape=True),
                    col(LogRow.step_key).icontains(search, autoescape=True),
                )
            )
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


def _conditions(organization_id: UUID, only: RunFilter) -> list[Any]:
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
        conditions.append(_has(organization_id, only.search))
    return conditions


def _has(organization_id: UUID, words: str) -> Any:
    # Read once: a look-up of the name for each run would be most of the work.
    named = select(col(WorkflowRow.id)).where(
        col(WorkflowRow.organization_id) == organization_id,
        col(WorkflowRow.name).icontains(words, autoescape=True),
    )
    options = [
        col(RunRow.workflow_id).in_(named),
        cast(col(RunRow.input), String).icontains(words, autoescape=True),
        cast(col(RunRow.error), String).icontains(words, autoescape=True),
    ]
    if _ID_PART.fullmatch(words):
        options.append(cast(col(RunRow.id), String).startswith(words.lower(), autoescape=True))
    return or_(*options)


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
