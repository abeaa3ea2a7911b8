"""Connections: named ways to reach something outside, with sealed secrets.

Locks: nothing; the table is new.
"""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from structforge.storage.roles import Roles, protect

revision = "20261125_connections"
down_revision = "20261125_run_lists"
branch_labels = None
depends_on = None


def upgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    now = sa.text("now()")
    op.create_table(
        "connections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("settings", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.TIMESTAMP(timezone=True), server_default=now, nullable=False),
        sa.Column("tested_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("test_problem", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_connections"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_connections_organization_id"
        ),
    )
    op.create_index("uq_connections_name", "connections", ["organization_id", "name"], unique=True)
    for statement in protect("connections", roles, app="SELECT, INSERT, UPDATE, DELETE", engine="SELECT"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("connections")
