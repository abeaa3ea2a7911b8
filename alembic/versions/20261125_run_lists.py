"""Indexes for lists of runs by rare statuses, and for the relatives of a run.

Locks: writes to `workflow_executions` wait while two partial indexes are built: a second for a million runs.
A run that succeeds and is made of no other touches neither.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261125_run_lists"
down_revision = "20261125_run_limits"
branch_labels = None
depends_on = None

TABLE = "workflow_executions"


def upgrade() -> None:
    op.create_index(
        "ix_workflow_executions_unsuccessful",
        TABLE,
        ["organization_id", "status", sa.text("accepted_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("status IN ('failed', 'cancelled')"),
    )
    op.create_index(
        "ix_workflow_executions_origin",
        TABLE,
        ["origin_run_id"],
        postgresql_where=sa.text("origin_run_id IS NOT NULL"),
    )


def downgrade() -> None:
    for name in ("unsuccessful", "origin"):
        op.drop_index(f"ix_workflow_executions_{name}", TABLE)
