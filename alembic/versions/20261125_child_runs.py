"""Runs started by runs: the step that called, whether it waits, how deep.

Locks: `workflow_executions` against writes while its two small partial indexes are built (the new columns have
constant defaults and rewrite nothing).
"""

import sqlalchemy as sa
from alembic import op

revision = "20261125_child_runs"
down_revision = "20261124_triggers"
branch_labels = None
depends_on = None

OPEN = "parent_waits AND status NOT IN ('succeeded', 'failed', 'cancelled')"


def upgrade() -> None:
    op.add_column("workflow_executions", sa.Column("parent_step_key", sa.Text(), nullable=True))
    op.add_column(
        "workflow_executions",
        sa.Column("parent_waits", sa.Boolean(), server_default="false", nullable=False),
    )
    op.add_column(
        "workflow_executions", sa.Column("depth", sa.SmallInteger(), server_default="0", nullable=False)
    )
    op.create_index(
        "ix_workflow_executions_children",
        "workflow_executions",
        ["parent_run_id"],
        postgresql_where=sa.text("parent_run_id IS NOT NULL"),
    )
    op.create_index(
        "ix_workflow_executions_awaited", "workflow_executions", ["id"], postgresql_where=sa.text(OPEN)
    )


def downgrade() -> None:
    op.drop_index("ix_workflow_executions_awaited", "workflow_executions")
    op.drop_index("ix_workflow_executions_children", "workflow_executions")
    for column in ("depth", "parent_waits", "parent_step_key"):
        op.drop_column("workflow_executions", column)
