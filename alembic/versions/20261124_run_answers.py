"""Answers to what runs wait for.

Locks: nothing; the table is new.
"""

import sqlalchemy as sa
from alembic import context, op

from structforge.storage.roles import Roles, protect

revision = "20261124_run_answers"
down_revision = "20261123_first_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    op.create_table(
        "run_answers",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("step_key", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("answer", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column(
            "answered_at", sa.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("run_id", "step_key", name="pk_run_answers"),
    )
    for statement in protect("run_answers", roles, app="SELECT, INSERT", engine="SELECT, DELETE"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("run_answers")
