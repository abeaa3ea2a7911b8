"""What is remembered of each node of a draft: its pinned value and its last result.

Invariant: one row per workflow and node; the row outlives the run its result came from, so nothing here points at one
that must exist. Results are copied from the journal, never made here.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from structforge.storage.tables.columns import Row, identifier, moment, ordered_json, searchable_json, string


class DraftNodeRow(Row, table=True):
    """A node of a draft between its runs."""

    __tablename__ = "draft_nodes"

    workflow_id: UUID = identifier(primary=True, references="workflows.id", ondelete="CASCADE")
    node_id: str = string(primary_key=True)
    organization_id: UUID = identifier(references="organizations.id")
    pinned: Any = ordered_json(null=True)
    """`{"port": value}` that runs of the draft use in place of the node."""
    pinned_by: UUID | None = identifier(null=True)
    pinned_at: datetime | None = moment(null=True)
    run_id: UUID | None = identifier(null=True)
    """The run of the last result; it may be gone."""
    step_key: str | None = string(null=True)
    status: str | None = string(null=True)
    outputs: Any = ordered_json(null=True)
    error: Any = ordered_json(null=True)
    started_at: datetime | None = moment(null=True)
    finished_at: datetime | None = moment(null=True)
    definition_hash: str = string("")
    """Of the node as that run had it."""
    outputs_hash: str = string("")
    read_hashes: dict[str, str] = searchable_json("{}", dict)
    """Node to the hash of the outputs that the result was made from."""
    expected_run: UUID | None = identifier(null=True)
    """A run that executes the node and whose result is not copied yet."""
    expected_hash: str = string("")
    """Of the node as that run has it."""
