"""Limits of runs by scope.

Invariant: see the package. No row is no limit.
"""

from uuid import UUID

from sqlalchemy import and_, delete, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.domain.limits import RunLimits
from structforge.storage.tables import OutboxRow, RunLimitRow


class Limits:
    """Reading and setting limits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of(self, organization_id: UUID, workflow_id: UUID) -> RunLimits:
        """Return what bounds the runs of a workflow."""
        rows = await self._session.execute(
            select(RunLimitRow).where(
                col(RunLimitRow.organization_id) == organization_id,
                col(RunLimitRow.scope_id).in_((organization_id, workflow_id)),
            )
        )
        by_scope = {row.scope_id: row for row in rows.scalars()}
        workflow, organization = by_scope.get(workflow_id), by_scope.get(organization_id)
        return RunLimits(
            workflow=None if workflow is None else workflow.max_runs,
            when_full="queue" if workflow is None else workflow.when_full,  # type: ignore[arg-type]
            organization=None if organization is None else organization.max_runs,
        )

    async def load(self, organization_id: UUID) -> tuple[int, int]:
        """Return how many runs of the organization are in hand, and how many could start now."""
        leased = col(OutboxRow.owner).is_not(None)
        ready = and_(
            col(OutboxRow.owner).is_(None),
            col(OutboxRow.available_at) <= func.now(),
            col(OutboxRow.control).is_distinct_from("paused"),
        )
        row = (
            await self._session.execute(
                select(func.count().filter(leased), func.count().filter(ready)).where(
                    col(OutboxRow.organization_id) == organization_id
                )
            )
        ).one()
        return row[0], row[1]

    async def set(
        self, organization_id: UUID, scope_id: UUID, max_runs: int | None, when_full: str = "queue"
    ) -> None:
        """Set or remove the limit of a workflow, or of the organization when `scope_id` is its id."""
        if max_runs is None:
            statement = delete(RunLimitRow).where(
                col(RunLimitRow.organization_id) == organization_id, col(RunLimitRow.scope_id) == scope_id
            )
            await self._session.execute(statement)
            return
        values = {"max_runs": max_runs, "when_full": when_full}
        insertion = postgresql.insert(RunLimitRow).values(
            scope_id=scope_id, organization_id=organization_id, **values
        )
        await self._session.execute(insertion.on_conflict_do_update(index_elements=["scope_id"], set_=values))
