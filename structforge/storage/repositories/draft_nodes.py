"""Pinned values and last results of a draft's nodes.

Invariant: see the package. A result is copied only while its run is the one the node expects one from, so that
an older run which ends later changes nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.storage.tables import DraftNodeRow, utc_now


class DraftNodes:
    """Queries over the nodes of drafts."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self, organization_id: UUID, workflow_id: UUID) -> Sequence[DraftNodeRow]:
        """List what is remembered of a draft, also of nodes that are not in it any more."""
        statement = (
            select(DraftNodeRow)
            .where(
                col(DraftNodeRow.organization_id) == organization_id,
                col(DraftNodeRow.workflow_id) == workflow_id,
            )
            .execution_options(populate_existing=True)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def expect(
        self, organization_id: UUID, workflow_id: UUID, run_id: UUID, hashes: Mapping[str, str]
    ) -> None:
        """Note that a run executes these nodes (id to the hash of their definition)."""
        if not hashes:
            return
        rows = [
            {
                "workflow_id": workflow_id,
                "node_id": node_id,
                "organization_id": organization_id,
                "expected_run": run_id,
                "expected_hash": digest,
            }
            for node_id, digest in sorted(hashes.items())
        ]
        insert = postgresql.insert(DraftNodeRow)
        statement = insert.on_conflict_do_update(
            index_elements=["workflow_id", "node_id"],
            set_={
                "expected_run": insert.excluded.expected_run,
                "expected_hash": insert.excluded.expected_hash,
            },
        )
        await self._session.execute(statement, rows)

    async def settle(self, row: DraftNodeRow, values: Mapping[str, Any]) -> None:
        """Copy a result over the last one; `row` is as it was read with the run it expects."""
        await self._session.execute(
            update(DraftNodeRow)
            .where(
                col(DraftNodeRow.organization_id) == row.organization_id,
                col(DraftNodeRow.workflow_id) == row.workflow_id,
                col(DraftNodeRow.node_id) == row.node_id,
                col(DraftNodeRow.expected_run) == row.expected_run,
            )
            .values(**values)
        )

    async def rename(self, organization_id: UUID, workflow_id: UUID, node_id: str, to: str) -> None:
        """Keep what is remembered of a node under its new id, also where others have read it."""
        ours = (
            col(DraftNodeRow.organization_id) == organization_id,
            col(DraftNodeRow.workflow_id) == workflow_id,
        )
        # Of a node that had the new id once and is gone.
        await self._session.execute(delete(DraftNodeRow).where(*ours, col(DraftNodeRow.node_id) == to))
        await self._session.execute(
            update(DraftNodeRow).where(*ours, col(DraftNodeRow.node_id) == node_id).values(node_id=to)
        )
        for row in await self.all(organization_id, workflow_id):
            if node_id in row.read_hashes:
                read = {to if name == node_id else name: digest for name, digest in row.read_hashes.items()}
                await self._session.execute(
                    update(DraftNodeRow)
                    .where(*ours, col(DraftNodeRow.node_id) == row.node_id)
                    .values(read_hashes=read)
                )

    async def redefine(self, row: DraftNodeRow, before: str, now: str) -> None:
        """Let a result of a definition be one of another that means the same."""
        for column in (DraftNodeRow.definition_hash, DraftNodeRow.expected_hash):
            await self._session.execute(
                update(DraftNodeRow)
                .where(
                    col(DraftNodeRow.organization_id) == row.organization_id,
                    col(DraftNodeRow.workflow_id) == row.workflow_id,
                    col(DraftNodeRow.node_id) == row.node_id,
                    col(column) == before,
                )
                .values({col(column): now})
            )

    async def pin(
        self,
        organization_id: UUID,
        workflow_id: UUID,
        node_id: str,
        outputs: Mapping[str, Any] | None,
        *,
        pinned_by: UUID | None,
    ) -> None:
        """Pin what a node gives, or take its pin away."""
        values = {
            "pinned": outputs,
            "pinned_by": None if outputs is None else pinned_by,
            "pinned_at": None if outputs is None else utc_now(),
        }
        statement = postgresql.insert(DraftNodeRow).values(
            workflow_id=workflow_id, node_id=node_id, organization_id=organization_id, **values
        )
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=["workflow_id", "node_id"], set_=values)
        )
