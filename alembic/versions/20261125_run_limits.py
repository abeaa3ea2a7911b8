"""Limits of runs, and the order in which runs get their turn.

Locks: `run_outbox` in ACCESS EXCLUSIVE mode while the column is computed and the index is built. The table holds the
runs that are not over, so this takes well under a second for 100,000 of them; workers wait that long.
"""

import sqlalchemy as sa
from alembic import context, op

from structforge.storage.roles import Roles, callable_by, protect

revision = "20261125_run_limits"
down_revision = "20261125_retention"
branch_labels = None
depends_on = None

READY = "owner IS NULL AND isfinite(available_at) AND control IS DISTINCT FROM 'paused'"

LEASED_RUNS = """
    CREATE FUNCTION leased_runs(after uuid[])
    RETURNS TABLE (organization_id uuid, workflow_id uuid, runs bigint)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    BEGIN
        -- Volatile: it sees what was committed until now, not until its caller's statement began.
        RETURN QUERY SELECT o.organization_id, o.workflow_id, count(*) FROM run_outbox o
            WHERE o.owner IS NOT NULL GROUP BY o.organization_id, o.workflow_id;
    END $$
"""


def upgrade() -> None:
    roles: Roles = context.config.attributes["roles"]
    op.create_table(
        "run_limits",
        sa.Column("scope_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("max_runs", sa.Integer(), nullable=False),
        sa.Column("when_full", sa.Text(), server_default="queue", nullable=False),
        sa.PrimaryKeyConstraint("scope_id", name="pk_run_limits"),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name="fk_run_limits_organization_id"
        ),
    )
    op.add_column(
        "run_outbox",
        sa.Column(
            "turn_at",
            sa.TIMESTAMP(),
            sa.Computed(
                "(available_at AT TIME ZONE 'UTC'::text) + (priority)::double precision * '00:05:00'::interval",
                persisted=True,
            ),
            nullable=True,
        ),
    )
    op.create_index(
        "ix_run_outbox_turn",
        "run_outbox",
        ["workflow_id", "turn_at", "run_id"],
        postgresql_where=sa.text(READY),
    )
    op.drop_index("ix_run_outbox_claimable", table_name="run_outbox")
    statements = [
        *protect("run_limits", roles, app="SELECT, INSERT, UPDATE, DELETE", engine="SELECT"),
        LEASED_RUNS,
        *callable_by("leased_runs(uuid[])", roles.engine),
    ]
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP FUNCTION leased_runs(uuid[])")
    op.create_index(
        "ix_run_outbox_claimable",
        "run_outbox",
        ["priority", "available_at", "run_id"],
        postgresql_where=sa.text("owner IS NULL"),
    )
    op.drop_index("ix_run_outbox_turn", table_name="run_outbox")
    op.drop_column("run_outbox", "turn_at")
    op.drop_table("run_limits")
