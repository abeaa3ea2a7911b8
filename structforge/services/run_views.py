"""Runs as people look at them: with the names of their workflows, and with every node of the graph as a step.

Invariant: read-only; every method checks the permission and reads within the principal's organization. A run's
event number is read before its steps, so that events after it only ever repeat what the steps show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.validation import parse_document
from structforge.domain.workflow import WorkflowDocument
from structforge.engine.summaries import summaries_of
from structforge.services.absent import run_not_found
from structforge.storage.database import Database
from structforge.storage.repositories.paging import Cursor, Page
from structforge.storage.repositories.runs import AttemptRow, Group, RunFilter, Runs
from structforge.storage.repositories.versions import Versions
from structforge.storage.tables import RunRow, StepRow, WorkflowRow, WorkflowVersionRow


@dataclass(frozen=True, slots=True)
class NamedRun:
    """A run with what it is a run of."""

    run: RunRow
    workflow: str
    version: int | None
    """None: a copy of a draft."""


@dataclass(frozen=True, slots=True)
class RunPicture:
    """A run, the document it executes, and its attempts."""

    named: NamedRun
    document: WorkflowDocument
    attempts: Sequence[AttemptRow]
    """In the order they began; without those of iterations when there are more than `MAX_ATTEMPTS`."""
    groups: dict[str, int]
    """The loops and lists whose iterations were left out, and how many there are."""
    given: dict[str, dict[str, list[Any]]]
    """`[items, beginning]` of each port of the steps outside loops; of short runs only, and not of large values."""


@dataclass(frozen=True, slots=True)
class Relatives:
    """Where a run comes from and what came of it."""

    origin: NamedRun | None
    """The run it retries or replays."""
    parent: NamedRun | None
    """The run that called it, or whose failure it handles."""
    parent_step: str
    """The step that called it; empty where none did."""
    calls: Sequence[NamedRun]
    """Runs that its steps called, or its failure started, the newest first."""
    descendants: Sequence[NamedRun]
    """Retries and replays, the newest first."""


MAX_ATTEMPTS = 3_000
MAX_RELATIVES = 50
MAX_SUMMARIZED = 300
"""A run with more attempts is shown without what travelled on its edges."""
MAX_SUMMARIZED_BYTES = 2_000_000


class RunViews:
    """Reads runs for people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self, principal: Principal, only: RunFilter, *, cursor: Cursor | None = None, limit: int = 50
    ) -> Page[NamedRun]:
        """List runs, newest first."""
        authorize(principal, Permission.RUN_READ)
        async with self._database.transaction(principal.organization_id) as session:
            page = await Runs(session).page(principal.organization_id, only, cursor=cursor, limit=limit)
            return Page(await _named(session, principal, page.items), page.next_cursor)

    async def last_of(self, principal: Principal, workflow_ids: Sequence[UUID]) -> dict[UUID, RunRow]:
        """Return the newest run of each of these workflows, where there is one."""
        authorize(principal, Permission.RUN_READ)
        newest = (
            select(col(RunRow.id))
            .where(
                col(RunRow.organization_id) == principal.organization_id,
                col(RunRow.workflow_id) == col(WorkflowRow.id),
            )
            .order_by(col(RunRow.accepted_at).desc(), col(RunRow.id).desc())
            .limit(1)
            .correlate(WorkflowRow)
            .scalar_subquery()
        )
        statement = (
            select(RunRow)
            .join(WorkflowRow, col(RunRow.id) == newest)
            .where(
                col(WorkflowRow.organization_id) == principal.organization_id,
                col(WorkflowRow.id).in_(workflow_ids),
            )
        )
        async with self._database.transaction(principal.organization_id) as session:
            rows = (await session.execute(statement)).scalars().all()
        return {row.workflow_id: row for row in rows}

    async def picture(self, principal: Principal, run_id: UUID) -> RunPicture:
        """Return one run with its document and attempts. Raises: NotFoundError."""
        authorize(principal, Permission.RUN_READ)
        organization_id = principal.organization_id
        async with self._database.transaction(organization_id) as session:
            run = await _run(session, principal, run_id)
            named = (await _named(session, principal, [run]))[0]
            version = await Versions(session).get(organization_id, run.version_id)
            runs, where = Runs(session), (organization_id, run_id, run.accepted_on)
            attempts = await runs.attempts(*where, limit=MAX_ATTEMPTS + 1)
            groups: dict[str, int] = {}
            outputs: dict[str, dict[str, Any]] = {}
            if len(attempts) <= MAX_SUMMARIZED:
                outputs = await runs.whole_outputs(*where, max_bytes=MAX_SUMMARIZED_BYTES)
            if len(attempts) > MAX_ATTEMPTS:
                attempts = await runs.attempts(*where, top_only=True, limit=MAX_ATTEMPTS)
                groups = await runs.groups(*where)
        document = WorkflowDocument() if version is None else parse_document(version.document)
        given = {key: summaries_of(ports) for key, ports in outputs.items()}
        return RunPicture(named, document, attempts, groups, given)

    async def iterations(self, principal: Principal, run_id: UUID, group: Group) -> Sequence[AttemptRow]:
        """Return the attempts in some iterations of a loop or elements of a list. Raises: NotFoundError."""
        authorize(principal, Permission.RUN_READ)
        async with self._database.transaction(principal.organization_id) as session:
            run = await _run(session, principal, run_id)
            return await Runs(session).attempts(
                principal.organization_id, run_id, run.accepted_on, group=group, limit=MAX_ATTEMPTS
            )

    async def relatives(self, principal: Principal, run_id: UUID) -> Relatives:
        """Return where a run comes from and what came of it. Raises: NotFoundError."""
        authorize(principal, Permission.RUN_READ)
        async with self._database.transaction(principal.organization_id) as session:
            run = await _run(session, principal, run_id)
            runs = Runs(session)
            # What a run comes from may have been dropped by retention.
            before = {
                other: await runs.get(principal.organization_id, other)
                for other in (run.origin_run_id, run.parent_run_id)
                if other is not None
            }
            rows = [row for row in before.values() if row is not None]
            rows += await runs.relatives(principal.organization_id, run_id, limit=MAX_RELATIVES)
            named = {one.run.id: one for one in await _named(session, principal, rows)}
        after = [one for one in named.values() if one.run.id not in before]
        calls = [one for one in after if one.run.parent_run_id == run_id]
        descendants = [one for one in after if one.run.parent_run_id != run_id]
        origin, parent = (
            None if other is None else named.get(other) for other in (run.origin_run_id, run.parent_run_id)
        )
        return Relatives(origin, parent, run.parent_step_key or "", calls, descendants)

    async def step(self, principal: Principal, run_id: UUID, step_key: str) -> Sequence[StepRow]:
        """Return all attempts of one step, with outputs and errors. Raises: NotFoundError."""
        authorize(principal, Permission.RUN_READ)
        async with self._database.transaction(principal.organization_id) as session:
            run = await _run(session, principal, run_id)
            return await Runs(session).step(principal.organization_id, run_id, run.accepted_on, step_key)


async def _run(session: AsyncSession, principal: Principal, run_id: UUID) -> RunRow:
    run = await Runs(session).get(principal.organization_id, run_id)
    if run is None:
        raise run_not_found(run_id)
    return run


async def _named(session: AsyncSession, principal: Principal, runs: Sequence[RunRow]) -> list[NamedRun]:
    organization = principal.organization_id
    names: dict[UUID, str] = await _pairs(
        session,
        select(col(WorkflowRow.id), col(WorkflowRow.name)).where(
            col(WorkflowRow.organization_id) == organization,
            col(WorkflowRow.id).in_({run.workflow_id for run in runs}),
        ),
    )
    numbers: dict[UUID, int | None] = await _pairs(
        session,
        select(col(WorkflowVersionRow.id), col(WorkflowVersionRow.number)).where(
            col(WorkflowVersionRow.organization_id) == organization,
            col(WorkflowVersionRow.id).in_({run.version_id for run in runs}),
        ),
    )
    return [NamedRun(run, names.get(run.workflow_id, ""), numbers.get(run.version_id)) for run in runs]


async def _pairs(session: AsyncSession, statement: Any) -> dict[UUID, Any]:
    return {row[0]: row[1] for row in await session.execute(statement)}
