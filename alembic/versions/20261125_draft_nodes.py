"""Nodes of drafts: pinned values and last results.

Locks: nothing; the table is new.
"""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from structforge.storage.roles import Roles, protect

revision = "20261125_draft_nodes"
down_revision = "20261125_folded_days"
branch_labels = None
depends_on = None


def upgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    op.create_table(
        "draft_nodes",
        sa.Column("workflow_id", sa.Uuid(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("pinned", sa.JSON(), nullable=True),
        sa.Column("pinned_by", sa.Uuid(), nullable=True),
        sa.Column("pinned_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("step_key", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("outputs", sa.JSON(), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("definition_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("outputs_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("read_hashes", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("expected_run", sa.Uuid(), nullable=True),
        sa.Column("expected_hash", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("workflow_id", "node_id", name="pk_draft_nodes"),
        sa.ForeignKeyConstraint(
            ["workflow_id"], ["workflows.id"], name="fk_draft_nodes_workflow_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_draft_nodes_organization_id"
        ),
    )
    for statement in protect("draft_nodes", roles, app="SELECT, INSERT, UPDATE, DELETE"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("draft_nodes")
